//! Batched reads behind the fields of lists: what fifty items ask for one by one goes to the store
//! as one statement.
//!
//! Loaders are made for each request ([`attach`](super::attach)) and hold its caller, so that no
//! value of one account is ever handed to another. They keep nothing: a stream sees each event's
//! state anew.
//!
//! Not async-graphql's `DataLoader`: that one waits a millisecond by the clock, which splits a batch
//! on a busy machine and delays every nested field on an idle one. Here a batch is read as soon as
//! the request has asked for all it can without it, which [`execution`](super::execution) sees.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::Context;
use entity::ids::{
    AccountId, ApiKeyId, CarrierId, GrantedPackageId, InboundMessageId, InvoiceId, MessageId,
    PackageId, PersonId, RateCardId, RouteId, TextId,
};
use entity::{
    account, carrier, carrier_lease, event, inbound_message, invoice, invoice_tax, message,
    package, rate_card, route, submission,
};
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{BoxFuture, Shared};

use super::campaigns::{
    CampaignLinkRows, CampaignRow, CampaignTotalRow, CampaignVariantRows, SegmentRow,
};
use super::contacts::{
    ContactByMac, ContactByNumber, ContactLists, ContactRow, ContactSuppressions, ContactTags,
    ContactValues, ListRow,
};
use super::errors::Answer;
use super::link_domains::LinkDomainRow;
use super::payments::ProcessorRow;
use crate::billing::{invoices, packages, rate_cards};
use crate::carriers::registry;
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::identity;
use crate::messages::{live, queries};
use crate::routing;

/// What is read by key, many at a time.
pub trait Key: Slotted + Copy + Eq + Hash + Send + Sync + 'static {
    /// What there is for a key.
    type Value: Clone + Send + Sync + 'static;

    /// Reads the values of `keys`; keys without one are missing. One statement.
    fn read(
        ctx: Ctx,
        keys: Vec<Self>,
    ) -> impl Future<Output = Answer<HashMap<Self, Self::Value>>> + Send;
}

/// A kind of key that the loaders of a request have a place for.
pub trait Slotted: Sized {
    /// Where the open batch of this kind is.
    fn slot(loaders: &Loaders) -> &Slot<Self>
    where
        Self: Key;
}

/// The open batch of one kind, if there is one. Boxed, for most requests open none, and a stream
/// holds its loaders for as long as it is open.
pub struct Slot<K: Key>(Mutex<Option<Box<Batch<K>>>>);

type Values<K> = Arc<HashMap<K, <K as Key>::Value>>;

/// Keys that are to be read, and the reading, which everybody who waits drives.
struct Batch<K: Key> {
    keys: HashSet<K>,
    /// Begins the reading.
    begin: oneshot::Sender<Vec<K>>,
    reading: Shared<BoxFuture<'static, Answer<Values<K>>>>,
}

macro_rules! loaders {
    ($($slot:ident: $key:ident,)*) => {
        /// The loaders of one request.
        pub struct Loaders {
            ctx: Ctx,
            $($slot: Slot<$key>,)*
        }

        impl Loaders {
            /// For one request of `ctx`.
            pub fn new(ctx: Ctx) -> Self {
                Self { ctx, $($slot: Slot::new(),)* }
            }

            /// The call that they read for.
            pub const fn ctx(&self) -> &Ctx {
                &self.ctx
            }

            /// Begins the reads that fields wait for; false if there are none.
            pub fn begin_reads(&self) -> bool {
                [$(self.$slot.begin_read(),)*].contains(&true)
            }
        }

        $(impl Slotted for $key {
            fn slot(loaders: &Loaders) -> &Slot<Self> {
                &loaders.$slot
            }
        })*
    };
}

loaders! {
    accounts: AccountRow,
    api_keys: ApiKeyRow,
    campaigns: CampaignRow,
    campaign_totals: CampaignTotalRow,
    campaign_links: CampaignLinkRows,
    campaign_variants: CampaignVariantRows,
    carriers: CarrierRow,
    contacts: ContactRow,
    contacts_by_mac: ContactByMac,
    contacts_by_number: ContactByNumber,
    contact_lists: ContactLists,
    contact_suppressions: ContactSuppressions,
    contact_tags: ContactTags,
    contact_values: ContactValues,
    inbound_messages: InboundRow,
    invoices: InvoiceRow,
    invoice_taxes: InvoiceTaxes,
    granted_packages: GrantedPackageRow,
    included_packages: IncludedPackage,
    leases: Lease,
    link_domains: LinkDomainRow,
    lists: ListRow,
    messages: MessageRow,
    people: PersonRow,
    rate_cards: RateCardRow,
    routes: RouteRow,
    processors: ProcessorRow,
    segments: SegmentRow,
    submissions: Submissions,
    texts: Text,
    timelines: Timeline,
}

impl<K: Key> Slot<K> {
    fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn open(&self) -> MutexGuard<'_, Option<Box<Batch<K>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(&self, ctx: &Ctx, key: K) -> Shared<BoxFuture<'static, Answer<Values<K>>>> {
        let mut open = self.open();
        let batch = open.get_or_insert_with(|| {
            let (begin, begun) = oneshot::channel();
            let reading = read(ctx.clone(), begun).boxed().shared();
            Box::new(Batch { keys: HashSet::new(), begin, reading })
        });
        batch.keys.insert(key);
        batch.reading.clone()
    }

    /// Closes the open batch and begins its reading; false if there was none.
    fn begin_read(&self) -> bool {
        let Some(batch) = self.open().take() else { return false };
        let Batch { keys, begin, .. } = *batch;
        // Nobody listens any more where everybody who asked was dropped.
        begin.send(keys.into_iter().collect()).is_ok()
    }
}

/// Reads the keys that it is told.
async fn read<K: Key>(ctx: Ctx, begun: oneshot::Receiver<Vec<K>>) -> Answer<Values<K>> {
    let keys = begun.await.map_err(Failed::internal)?;
    K::read(ctx, keys).await.map(Arc::new)
}

/// The value behind `key`, read together with those that other fields want.
///
/// # Errors
/// The read's own.
pub async fn load<K: Key>(context: &Context<'_>, key: K) -> Answer<Option<K::Value>> {
    let loaders = context.data_opt::<Loaders>().ok_or_else(|| {
        Failed::internal("a request came without its loaders: graphql::attach it")
    })?;
    Ok(K::slot(loaders).join(&loaders.ctx, key).await?.get(&key).cloned())
}

/// An account's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountRow(pub AccountId);

impl Key for AccountRow {
    type Value = account::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = identity::find_accounts(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.id), row)).collect())
    }
}

/// A person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PersonRow(pub PersonId);

impl Key for PersonRow {
    type Value = identity::Person;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = identity::find_people(&ctx, &ids).await?;
        Ok(found.into_iter().map(|person| (Self(person.id), person)).collect())
    }
}

/// An API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ApiKeyRow(pub ApiKeyId);

impl Key for ApiKeyRow {
    type Value = identity::ApiKey;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = identity::find_api_keys(&ctx, &ids).await?;
        Ok(found.into_iter().map(|key| (Self(key.id), key)).collect())
    }
}

/// A message's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageRow(pub MessageId);

impl Key for MessageRow {
    type Value = Arc<message::Model>;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = queries::by_ids(&ctx, &ids).await?;
        Ok(found.into_iter().map(|(id, row)| (Self(id), Arc::new(row))).collect())
    }
}

/// A text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Text(pub TextId);

impl Key for Text {
    type Value = String;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, String>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = queries::texts(&ctx, &ids).await?;
        Ok(found.into_iter().map(|(id, text)| (Self(id), text)).collect())
    }
}

/// The recorded parts of a message's attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Submissions(pub MessageId);

impl Key for Submissions {
    type Value = Arc<Vec<submission::Model>>;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = queries::submissions(&ctx, &ids).await?;
        Ok(found.into_iter().map(|(id, rows)| (Self(id), Arc::new(rows))).collect())
    }
}

/// The events of a message, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timeline(pub MessageId);

impl Key for Timeline {
    type Value = Vec<event::Model>;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let mut found: HashMap<Self, Vec<event::Model>> = HashMap::new();
        for row in live::timelines(&ctx, &ids).await? {
            found.entry(Self(MessageId(row.subject_id))).or_default().push(row);
        }
        Ok(found)
    }
}

/// An inbound message's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InboundRow(pub InboundMessageId);

impl Key for InboundRow {
    type Value = Arc<inbound_message::Model>;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = live::inbound_by_ids(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.id), Arc::new(row))).collect())
    }
}

/// A carrier's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CarrierRow(pub CarrierId);

impl Key for CarrierRow {
    type Value = carrier::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = registry::find_many(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.id), row)).collect())
    }
}

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RouteRow(pub RouteId);

impl Key for RouteRow {
    type Value = route::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = routing::find_many(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.id), row)).collect())
    }
}

/// Who runs a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease(pub CarrierId);

impl Key for Lease {
    type Value = carrier_lease::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = registry::leases(&ctx, &ids).await?;
        Ok(found.into_iter().map(|(id, lease)| (Self(id), lease)).collect())
    }
}

/// A rate card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateCardRow(pub RateCardId);

impl Key for RateCardRow {
    type Value = rate_card::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = rate_cards::find_many(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.id), row)).collect())
    }
}

/// A granted package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GrantedPackageRow(pub GrantedPackageId);

impl Key for GrantedPackageRow {
    type Value = packages::Owned;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = packages::find_many_granted(&ctx, &ids).await?;
        Ok(found.into_iter().map(|owned| (Self(owned.row.id), owned)).collect())
    }
}

/// The package of a plan that the caller found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IncludedPackage(pub PackageId);

impl Key for IncludedPackage {
    type Value = package::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = packages::find_included(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.id), row)).collect())
    }
}

/// An invoice's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InvoiceRow(pub InvoiceId);

impl Key for InvoiceRow {
    type Value = invoice::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let ids: Vec<_> = keys.iter().map(|key| key.0).collect();
        let found = invoices::find_many(&ctx, &ids).await?;
        Ok(found.into_iter().map(|row| (Self(row.id), row)).collect())
    }
}

/// The taxes of an invoice that the caller found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InvoiceTaxes(pub AccountId, pub InvoiceId);

impl Key for InvoiceTaxes {
    type Value = Vec<invoice_tax::Model>;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let of: Vec<_> = keys.iter().map(|key| (key.0, key.1)).collect();
        let mut found: HashMap<Self, Self::Value> = HashMap::new();
        for tax in invoices::taxes(&ctx, &of).await? {
            found.entry(Self(tax.account_id, tax.invoice_id)).or_default().push(tax);
        }
        Ok(found)
    }
}
