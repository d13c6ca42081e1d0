//! Messages in the contract. Behaviour: `crate::messages`.

/// Enums, and what they are inside.
pub mod enums;
/// What a message would take.
mod estimate;
/// The event interface and its kinds.
pub mod events;
/// Messages from phones.
pub mod inbound;
/// A message and what hangs on it.
pub mod message;
/// Sending, estimating, canceling.
mod mutations;
/// The reads.
mod queries;
/// The stream.
mod subscriptions;

pub use inbound::InboundMessage;
pub use message::Message;
pub use mutations::{
    CancelMessageError, CancelMessagesError, EstimateMessagesError, MessagesMutation,
    SendMessageError, SendMessageResult, SendMessagesError,
};
pub(crate) use mutations::{item_error, send_result};
pub use queries::MessagesQuery;
pub(crate) use queries::find;
pub use subscriptions::MessagesSubscription;
pub(crate) use subscriptions::refused;

use async_graphql::Context;

use crate::billing::Prices;
use crate::error::Failed;
use crate::messages::commands::Tables;
use crate::routing::Routes;

/// The tables that sending looks things up in, as they are now.
///
/// # Errors
/// The store's own.
pub(crate) async fn tables(context: &Context<'_>) -> Result<Tables, Failed> {
    let services = (context.data_opt::<Routes>(), context.data_opt::<Prices>());
    let (Some(routes), Some(prices)) = services else {
        return Err(Failed::internal("the schema was built without its services"));
    };
    Ok(Tables { routes: routes.current().await?, prices: prices.current().await? })
}
