//! Events: the interface and its kinds. What the log holds becomes an [`Event`] by
//! [`Event::of`]; which events a subscriber sees is the stream's.

use async_graphql::{ID, Interface, Object};
use entity::enums::{EventKind, MessageStatus as StoredStatus};
use entity::event::Model;
use entity::ids::{AccountId, EventId, InboundMessageId, MessageId};
use uuid::Uuid;

use super::enums::MessageStatus;
use super::inbound::InboundMessage;
use super::message::{Message, MessageError};
use crate::graphql::errors::Answer;
use crate::graphql::ids::show_id;
use crate::graphql::scalars::{Cursor, DateTime, SequenceNumber};
use crate::types::cursor::{Cursor as CursorText, CursorKind};

/// Something that happened, as an account's event log tells it: append-only, and numbered without
/// gaps. Branch on `__typename`; kinds may be added.
#[derive(Debug, Interface)]
#[graphql(
    field(name = "id", ty = "ID", desc = "The event's id, `evt_…`: the same in every stream."),
    field(
        name = "cursor",
        ty = "Cursor",
        desc = "The event's place in the log: give it as `after` to go on from here."
    ),
    field(
        name = "seq",
        ty = "SequenceNumber",
        desc = "The event's number in its account's log: 1, 2, 3 … without gaps. A filtered stream \
                shows some of them."
    ),
    field(name = "occurred_at", ty = "DateTime", desc = "When it happened.")
)]
pub enum Event {
    /// A message took a status.
    MessageStatusChanged(MessageStatusChanged),
    /// A message came from a phone.
    MessageReceived(MessageReceived),
}

impl Event {
    /// The event of an entry of the log, if it is about messages.
    pub fn of(row: Model) -> Option<Self> {
        match row.kind {
            EventKind::MessageStatusChanged => {
                Some(Self::MessageStatusChanged(MessageStatusChanged(row)))
            }
            EventKind::MessageReceived => Some(Self::MessageReceived(MessageReceived(row))),
            EventKind::PaymentSucceeded
            | EventKind::PaymentFailed
            | EventKind::PaymentRefunded
            | EventKind::PaymentDisputed => None,
        }
    }
}

/// The id of an entry of the log. The log has no column for it: it is the low half of the account's
/// id, which is random, and the number.
pub fn event_id(account_id: AccountId, seq: i64) -> EventId {
    let account = account_id.0.as_u128() << 64;
    EventId(Uuid::from_u128(account | u128::from(seq.unsigned_abs())))
}

/// The number in an event's id, if it is of this account.
pub fn seq_of(account_id: AccountId, id: EventId) -> Option<i64> {
    let seq = i64::try_from(id.0.as_u128() & u128::from(u64::MAX)).ok()?;
    (event_id(account_id, seq) == id).then_some(seq)
}

/// The number that a cursor holds.
///
/// # Errors
/// [`crate::error::Failed::BadRequest`] for what is not a cursor of a log.
pub fn seq_of_cursor(cursor: &Cursor) -> Result<i64, crate::error::Failed> {
    let refused = |why: &str| crate::error::Failed::BadRequest(format!("after: {why}"));
    let position = CursorText::decode(CursorKind::Events, &cursor.0)
        .map_err(|error| refused(&error.to_string()))?;
    let bytes = <[u8; 8]>::try_from(position).map_err(|_| refused("not a cursor of events"))?;
    Ok(i64::from_be_bytes(bytes))
}

fn cursor(row: &Model) -> Cursor {
    Cursor(CursorText::encode(CursorKind::Events, &row.seq.to_be_bytes()))
}

/// A message took a status.
#[derive(Clone, Debug)]
pub struct MessageStatusChanged(pub Model);

/// A message took a status, the first one included: acceptance is an event too. `SENDING` has none.
#[Object]
impl MessageStatusChanged {
    /// The event's id, `evt_…`: the same in every stream.
    pub async fn id(&self) -> ID {
        show_id(event_id(self.0.account_id, self.0.seq))
    }

    /// The event's place in the log: give it as `after` to go on from here.
    pub async fn cursor(&self) -> Cursor {
        cursor(&self.0)
    }

    /// The event's number in its account's log: 1, 2, 3 … without gaps.
    pub async fn seq(&self) -> SequenceNumber {
        SequenceNumber(self.0.seq)
    }

    /// When it happened.
    pub async fn occurred_at(&self) -> DateTime {
        self.0.occurred_at_ms.into()
    }

    /// The status that the message took.
    async fn status(&self) -> Answer<MessageStatus> {
        Ok(stored_status(&self.0)?.into())
    }

    /// The message's version since then.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// What went wrong; null if nothing did.
    async fn error(&self) -> Option<MessageError> {
        self.0.error_code.as_deref().map(MessageError::described)
    }

    /// The message, its `status` and `version` as of this event, the rest as it is now. Null if it
    /// was removed since.
    async fn message(&self) -> Answer<Option<Message>> {
        let id = MessageId(self.0.subject_id);
        Ok(Some(Message::told(id, stored_status(&self.0)?, self.0.version)))
    }
}

fn stored_status(row: &Model) -> Result<StoredStatus, crate::error::Failed> {
    StoredStatus::from_code(row.status)
        .ok_or_else(|| crate::error::Failed::internal(format!("event with status {}", row.status)))
}

/// A message came from a phone.
#[derive(Clone, Debug)]
pub struct MessageReceived(pub Model);

/// A message came from a phone to a number of the account.
#[Object]
impl MessageReceived {
    /// The event's id, `evt_…`: the same in every stream.
    pub async fn id(&self) -> ID {
        show_id(event_id(self.0.account_id, self.0.seq))
    }

    /// The event's place in the log: give it as `after` to go on from here.
    pub async fn cursor(&self) -> Cursor {
        cursor(&self.0)
    }

    /// The event's number in its account's log: 1, 2, 3 … without gaps.
    pub async fn seq(&self) -> SequenceNumber {
        SequenceNumber(self.0.seq)
    }

    /// When it happened.
    pub async fn occurred_at(&self) -> DateTime {
        self.0.occurred_at_ms.into()
    }

    /// The message; null if it was removed since.
    async fn inbound_message(
        &self,
        context: &async_graphql::Context<'_>,
    ) -> Answer<Option<InboundMessage>> {
        InboundMessage::load(context, InboundMessageId(self.0.subject_id)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_id_leads_back_to_its_number_in_its_account_only() {
        let account = AccountId(Uuid::from_u128(0x0190_0000_0000_7000_8123_4567_89ab_cdef));
        let other = AccountId(Uuid::from_u128(0x0190_0000_0000_7000_8123_4567_89ab_cdee));
        let id = event_id(account, 42);
        assert_eq!(seq_of(account, id), Some(42));
        assert_eq!(seq_of(other, id), None);
        assert!(event_id(account, 43) > id);
    }

    #[test]
    fn a_cursor_of_another_list_does_not_lead_into_the_log() {
        let cursor = |kind, bytes: &[u8]| Cursor(CursorText::encode(kind, bytes));
        assert_eq!(seq_of_cursor(&cursor(CursorKind::Events, &7i64.to_be_bytes())).ok(), Some(7));
        assert!(seq_of_cursor(&cursor(CursorKind::Events, &[7])).is_err());
        assert!(seq_of_cursor(&cursor(CursorKind::Messages, &7i64.to_be_bytes())).is_err());
    }
}
