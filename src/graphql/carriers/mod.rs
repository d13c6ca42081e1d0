//! Carriers in the contract. Behaviour: `crate::carriers::registry`.

mod mutations;
mod settings;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use entity::carrier::Model;
use entity::carrier_lease;
use entity::enums;
use entity::time::UnixMillis;

pub use mutations::{
    AddCarrierError, CarriersMutation, DisableCarrierError, EnableCarrierError, UpdateCarrierError,
};
pub use settings::SmppAccount;

use super::call;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::Answer;
use super::ids::show_id;
use super::loaders::{Lease, load};
use super::scalars::{Cursor, DateTime};
use crate::carriers::registry;
use crate::types::cursor::CursorKind;

/// How a carrier is reached.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::CarrierKind")]
pub enum CarrierKind {
    /// Inside the process: it plays what test keys send, and sends nothing.
    Simulator,
    /// Over SMPP 3.4.
    Smpp,
}

/// Whether a carrier can be handed messages.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarrierLinkState {
    /// At least one link is up.
    Connected,
    /// A node runs the carrier, and no link is up.
    Disconnected,
    /// No node runs the carrier: it is disabled, or no worker is up.
    Stopped,
}

/// The links to a carrier, as the node that runs it last wrote.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub struct CarrierLink {
    /// Whether messages can be handed over.
    state: CarrierLinkState,
    /// How many links are up.
    bound_links: i32,
    /// When the node last wrote; null if none ever did.
    seen_at: Option<DateTime>,
}

impl CarrierLink {
    fn of(lease: Option<carrier_lease::Model>, now: UnixMillis) -> Self {
        let Some(lease) = lease else {
            return Self { state: CarrierLinkState::Stopped, bound_links: 0, seen_at: None };
        };
        let seen_at = Some(lease.seen_at_ms.into());
        if lease.expires_at_ms < now {
            return Self { state: CarrierLinkState::Stopped, bound_links: 0, seen_at };
        }
        let state = match lease.bound_links {
            ..1 => CarrierLinkState::Disconnected,
            1.. => CarrierLinkState::Connected,
        };
        Self { state, bound_links: lease.bound_links, seen_at }
    }
}

/// A carrier.
#[derive(Clone, Debug)]
pub struct Carrier(pub Model);

/// A carrier account that messages leave through. Read by the operator's staff.
#[Object]
impl Carrier {
    /// The carrier's id, `carr_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Its name, unique, 1 to 100 characters.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How it is reached.
    async fn kind(&self) -> CarrierKind {
        self.0.kind.into()
    }

    /// Whether messages are handed to it.
    async fn enabled(&self) -> bool {
        self.0.enabled
    }

    /// Its SMPP account, without the password, which is never given out; null for other kinds.
    async fn smpp(&self) -> Answer<Option<SmppAccount>> {
        Ok(registry::smpp_settings(&self.0)?.map(SmppAccount::from))
    }

    /// The links to it.
    async fn link(&self, context: &Context<'_>) -> Answer<Option<CarrierLink>> {
        let now = call(context)?.clock.now();
        Ok(Some(CarrierLink::of(load(context, Lease(self.0.id)).await?, now)))
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was set up.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

/// Reads.
#[derive(Default)]
pub struct CarriersQuery;

#[Object]
impl CarriersQuery {
    /// All carriers, the oldest first, the built-in simulator among them. For the operator's staff.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn carriers(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Carrier>> {
        let ctx = call(context)?;
        let kind = CursorKind::Carriers;
        let request = PageArguments { first, after, last, before }.request(kind)?;
        let page = registry::page(ctx, &request).await?;
        let total =
            if wants_total_count(context) { Some(registry::count(ctx).await?) } else { None };
        Ok(Connection::new(kind, page.map(|row| (row.id, Carrier(row))), total))
    }
}

#[cfg(test)]
mod tests {
    use entity::ids::{CarrierId, NodeId};
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_link_is_what_a_living_node_says() {
        let lease = |bound_links, expires_at| carrier_lease::Model {
            carrier_id: CarrierId(Uuid::nil()),
            node_id: NodeId(Uuid::nil()),
            token: 1,
            expires_at_ms: UnixMillis(expires_at),
            bound_links,
            rate_parts_per_1000_s: None,
            seen_at_ms: UnixMillis(1),
        };
        for (lease, state, links) in [
            (None, CarrierLinkState::Stopped, 0),
            (Some(lease(2, 20)), CarrierLinkState::Connected, 2),
            (Some(lease(0, 20)), CarrierLinkState::Disconnected, 0),
            (Some(lease(2, 9)), CarrierLinkState::Stopped, 0),
        ] {
            let link = CarrierLink::of(lease, UnixMillis(10));
            assert_eq!((link.state, link.bound_links), (state, links));
        }
    }
}
