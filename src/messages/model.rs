//! The status machine and the rules of a message's life, as pure functions.
//!
//! | from | may become |
//! |---|---|
//! | SCHEDULED | QUEUED (its time has come), CANCELED, EXPIRED (here) |
//! | HELD | QUEUED (its campaign goes on), CANCELED, EXPIRED (here) |
//! | QUEUED | HELD (its campaign is paused), SENDING (claimed), CANCELED, EXPIRED (here) |
//! | SENDING | SENT, QUEUED (never left, or a temporary refusal), FAILED, EXPIRED (here), UNKNOWN |
//! | SENT | ENROUTE, UNKNOWN, any receipt's final status |
//! | ENROUTE | UNKNOWN, any receipt's final status |
//! | UNKNOWN, EXPIRED (here) | any receipt's final status, for 7 days |
//! | DELIVERED, UNDELIVERED, EXPIRED, REJECTED, FAILED, CANCELED, SUPPRESSED | nothing |
//!
//! SENDING is seen on the message and has no event of its own: it lasts as long as one exchange
//! with the carrier, and an event for it would cost a row a message.

use entity::enums::{MessageClass, MessageStatus};

use crate::carriers::ReceiptState;

/// Statuses from this number on never change.
const FINAL_RANK: i16 = 100;

/// The rank that a new status must exceed in the row: `WHERE status < guard(new)`.
pub const fn guard(new: MessageStatus) -> i16 {
    if new.code() >= FINAL_RANK { FINAL_RANK } else { new.code() }
}

/// Whether a status never changes any more.
pub const fn is_final(status: MessageStatus) -> bool {
    status.code() >= FINAL_RANK
}

/// Whether a receipt may move a message from `current` to `new`.
pub const fn may_advance(current: MessageStatus, new: MessageStatus) -> bool {
    current.code() < guard(new)
}

/// Whether a message in this status can still be canceled.
pub const fn is_cancelable(status: MessageStatus) -> bool {
    matches!(status, MessageStatus::Scheduled | MessageStatus::Held | MessageStatus::Queued)
}

/// The status that a receipt asks for.
pub const fn status_of_receipt(state: ReceiptState) -> MessageStatus {
    match state {
        // ACCEPTED says that the message was read by the carrier's staff, not that it arrived.
        ReceiptState::Enroute | ReceiptState::Accepted => MessageStatus::Enroute,
        ReceiptState::Delivered => MessageStatus::Delivered,
        ReceiptState::Expired => MessageStatus::Expired,
        ReceiptState::Deleted | ReceiptState::Undeliverable => MessageStatus::Undelivered,
        ReceiptState::Unknown => MessageStatus::Unknown,
        ReceiptState::Rejected => MessageStatus::Rejected,
    }
}

/// How long a message is worth sending if its sender does not say, in milliseconds.
pub const fn default_validity_ms(class: MessageClass) -> i64 {
    const MINUTE: i64 = 60_000;
    match class {
        MessageClass::Otp => 10 * MINUTE,
        MessageClass::Transactional => 4 * 60 * MINUTE,
        MessageClass::Marketing => 24 * 60 * MINUTE,
    }
}

/// The waits before the second, third … try after a temporary refusal, in milliseconds; each is
/// jittered by [`RETRY_JITTER`].
const RETRY_DELAYS_MS: [i64; 5] = [5_000, 30_000, 120_000, 600_000, 1_800_000];

/// ± 20 %.
pub const RETRY_JITTER: f64 = 0.2;

/// The wait after the `attempt`-th try was refused for now; none if it was the last.
pub fn retry_delay_ms(attempt: i16) -> Option<i64> {
    let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
    RETRY_DELAYS_MS.get(index).copied()
}

/// How many times an uncertain submission is tried in all: a second time for one-time passwords,
/// where a double costs less than a miss; never for the others.
pub const fn uncertain_attempts_max(class: MessageClass) -> i16 {
    match class {
        MessageClass::Otp => 2,
        MessageClass::Transactional | MessageClass::Marketing => 1,
    }
}

/// Our own 16-bit reference of a message: what its parts have in common on the phone, and what a
/// carrier that echoes `user_message_reference` gives back. Folded from the id's random bits.
pub fn reference_of(id: entity::ids::MessageId) -> u16 {
    let bits = id.0.as_u128();
    ((bits >> 48) as u16) ^ ((bits >> 64) as u16) ^ (bits as u16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use MessageStatus::*;

    /// Which statuses a receipt may replace, by what it asks for.
    #[test]
    fn a_receipt_only_ever_moves_a_message_up() {
        let rows: &[(MessageStatus, &[MessageStatus])] = &[
            (Enroute, &[Scheduled, Held, Queued, Sending, Sent]),
            (Unknown, &[Scheduled, Held, Queued, Sending, Sent, Enroute]),
            (Delivered, &[Scheduled, Held, Queued, Sending, Sent, Enroute, Unknown, ExpiredHere]),
            (Undelivered, &[Scheduled, Held, Queued, Sending, Sent, Enroute, Unknown, ExpiredHere]),
        ];
        for (new, replaced) in rows {
            for current in MessageStatus::ALL {
                assert_eq!(
                    may_advance(*current, *new),
                    replaced.contains(current),
                    "{current:?} → {new:?}"
                );
            }
        }
    }

    #[test]
    fn only_what_has_not_left_can_be_canceled() {
        let cancelable: Vec<_> =
            MessageStatus::ALL.iter().copied().filter(|status| is_cancelable(*status)).collect();
        assert_eq!(cancelable, [Scheduled, Held, Queued]);
    }

    #[test]
    fn retries_grow_and_end() {
        let delays: Vec<_> = (0..8).map(retry_delay_ms).collect();
        assert_eq!(
            delays,
            [
                None,
                Some(5_000),
                Some(30_000),
                Some(120_000),
                Some(600_000),
                Some(1_800_000),
                None,
                None
            ]
        );
    }

    #[test]
    fn final_statuses_are_those_that_nothing_replaces() {
        for status in MessageStatus::ALL {
            let replaceable = MessageStatus::ALL.iter().any(|new| may_advance(*status, *new));
            assert_eq!(is_final(*status), !replaceable, "{status:?}");
        }
    }
}
