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
    SendMessageError, SendMessagesError,
};
pub use queries::MessagesQuery;
pub(crate) use queries::find;
pub use subscriptions::MessagesSubscription;
pub(crate) use subscriptions::refused;
