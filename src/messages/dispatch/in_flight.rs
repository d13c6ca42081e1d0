//! What one carrier holds: messages that were claimed and are not settled, and how many more it may
//! be given.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use entity::ids::MessageId;
use entity::message::Model as Message;
use tokio::sync::Notify;

use super::verdict::InFlightMessage;

/// The longest pause that a carrier asks for, in seconds (`ESME_RMSGQFUL`): so many times what it
/// takes in one may be set aside.
const PAUSE_S_MAX: usize = 30;
/// What was claimed and is not settled.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    messages: Mutex<HashMap<MessageId, InFlightMessage>>,
    /// Told when something was settled.
    pub(super) shrunk: Notify,
}

impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn add(&self, claimed: &[Message]) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.extend(claimed.iter().map(|message| (message.id, InFlightMessage::of(message))));
    }

    pub(super) fn get(&self, id: MessageId) -> Option<InFlightMessage> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(super) fn remove(&self, ids: impl Iterator<Item = MessageId>) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            messages.remove(&id);
        }
        drop(messages);
        self.shrunk.notify_one();
    }
}

/// Whether more may be claimed. What the carrier was told to send later does not count, as far as
/// that is what a pause holds back at this rate: else a few messages that wait out thirty seconds
/// would be all that a slow carrier may hold, and keep it from the others.
pub(super) fn has_room(
    in_flight: usize,
    waiting: usize,
    rate_parts_per_s: f64,
    most: usize,
) -> bool {
    let by_rate = if rate_parts_per_s > 0.0 { rate_parts_per_s.ceil() as usize } else { most };
    let in_flight_max = by_rate.clamp(1, most);
    let set_aside = waiting.min(in_flight_max.saturating_mul(PAUSE_S_MAX));
    in_flight < most && in_flight.saturating_sub(set_aside) < in_flight_max
}

#[cfg(test)]
mod tests {
    use super::has_room;

    #[test]
    fn what_waits_out_a_pause_keeps_nothing_else_from_leaving() {
        // (in flight, of these waiting, parts a second)
        for (in_flight, waiting, rate, room) in [
            (0, 0, 1.0, true),
            (1, 0, 1.0, false),
            (1, 1, 1.0, true),
            (2, 1, 1.0, false),
            (30, 30, 1.0, true),
            (31, 31, 1.0, false),
            (5, 4, 4.5, true),
            (9, 4, 4.5, false),
            (799, 0, f64::INFINITY, true),
            (800, 800, f64::INFINITY, false),
            (800, 800, 100.0, false),
            (799, 799, 100.0, true),
            (0, 0, 0.0, true),
        ] {
            let found = has_room(in_flight, waiting, rate, 800);
            assert_eq!(found, room, "{in_flight} in flight, {waiting} waiting, {rate} parts/s");
        }
    }
}
