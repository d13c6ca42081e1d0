//! What one carrier holds: messages that were claimed and are not settled, and how many more it may
//! be given.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use entity::ids::MessageId;
use entity::message::Model as Message;
use entity::time::UnixMillis;
use tokio::sync::Notify;

use super::verdict::InFlightMessage;
use crate::carriers::LinkState;

/// The longest pause that a carrier asks for, in seconds (`ESME_RMSGQFUL`): so many times what it
/// takes in one may be set aside.
const PAUSE_S_MAX: usize = 30;
/// Over how long answers are counted, in ms: so much of its own pace a carrier is handed ahead.
const LATELY_MS: f64 = 300.0;
/// Windows that a carrier is handed ahead, whatever its pace: one that waits for answers, and one
/// that follows.
const WINDOWS_AHEAD: usize = 2;
/// In so many steps a carrier is handed what it may have: a one-time password waits for the step
/// before it at most.
const STEPS: usize = 4;

/// What was claimed and is not settled.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    messages: Mutex<HashMap<MessageId, InFlightMessage>>,
    answered: Mutex<Answered>,
    /// Told when something was settled.
    pub(super) shrunk: Notify,
}

/// How many messages were answered lately: each counts for less the longer ago it was.
#[derive(Clone, Copy, Debug, Default)]
struct Answered {
    count: f64,
    at: UnixMillis,
}

impl Answered {
    fn add(&mut self, answers: usize, now: UnixMillis) {
        *self = Self { count: self.lately(now) + answers as f64, at: now };
    }

    fn lately(&self, now: UnixMillis) -> f64 {
        let age_ms = now.since(self.at).max(0) as f64;
        self.count * (-age_ms / LATELY_MS).exp()
    }
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

    /// Forgets what was answered and is settled.
    pub(super) fn remove(&self, ids: impl Iterator<Item = MessageId>, now: UnixMillis) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let before = messages.len();
        for id in ids {
            messages.remove(&id);
        }
        let answers = before - messages.len();
        drop(messages);
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).add(answers, now);
        self.shrunk.notify_one();
    }

    /// What the carrier may be handed now: `most` at most.
    pub(super) fn room(&self, link: &LinkState, now: UnixMillis, most: usize) -> Room {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = ahead(link, answered.lately(now), most);
        Room {
            is_free: has_room(self.len(), link.waiting, ahead, most),
            step: ahead.div_ceil(STEPS),
        }
    }
}

/// What a carrier may be handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// Whether anything.
    pub(super) is_free: bool,
    /// Messages at most.
    pub(super) step: usize,
}

/// How many messages a carrier may hold: what it takes in a second, as far as its rate is known, and
/// no more than keeps its windows full and 300 ms ahead at the pace of its answers. What it
/// holds beyond that only waits there, where it can neither be canceled nor be overtaken by a
/// one-time password.
fn ahead(link: &LinkState, answered_lately: f64, most: usize) -> usize {
    let by_rate = match link.rate_parts_per_s {
        rate if rate > 0.0 => rate.ceil() as usize,
        _ => most,
    };
    let by_answers = link.window.saturating_mul(WINDOWS_AHEAD);
    let by_answers = by_answers.saturating_add(answered_lately.ceil() as usize);
    by_rate.min(by_answers).clamp(1, most)
}

/// Whether more may be claimed. What the carrier was told to send later does not count, as far as
/// that is what a pause holds back at this rate: else a few messages that wait out thirty seconds
/// would be all that a slow carrier may hold, and keep it from the others.
fn has_room(in_flight: usize, waiting: usize, ahead: usize, most: usize) -> bool {
    let set_aside = waiting.min(ahead.saturating_mul(PAUSE_S_MAX));
    in_flight < most && in_flight.saturating_sub(set_aside) < ahead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_out_a_pause_keeps_nothing_else_from_leaving() {
        // (in flight, of these waiting, that the carrier may hold)
        for (in_flight, waiting, ahead, room) in [
            (0, 0, 1, true),
            (1, 0, 1, false),
            (1, 1, 1, true),
            (2, 1, 1, false),
            (30, 30, 1, true),
            (31, 31, 1, false),
            (5, 4, 5, true),
            (9, 4, 5, false),
            (799, 0, 800, true),
            (800, 800, 800, false),
            (800, 800, 100, false),
            (799, 799, 100, true),
        ] {
            let found = has_room(in_flight, waiting, ahead, 800);
            assert_eq!(found, room, "{in_flight} in flight, {waiting} waiting, {ahead} ahead");
        }
    }

    #[test]
    fn a_carrier_holds_little_more_than_it_answers() {
        // (parts a second that it allows itself, window, answered lately)
        for (rate, window, lately, found) in [
            // Nothing was answered yet: its windows, twice.
            (f64::INFINITY, 20, 0.0, 40),
            (f64::INFINITY, 20, 99.5, 140),
            // As much as there may be at all.
            (f64::INFINITY, 100, 2_500.0, 800),
            (f64::INFINITY, usize::MAX, 0.0, 800),
            // A known rate is kept to: a second of it.
            (4.5, 10, 2.0, 5),
            (100.0, 10, 50.0, 70),
            (0.5, 10, 0.0, 1),
            (0.0, 10, 0.0, 20),
        ] {
            let link = LinkState { bound: 1, rate_parts_per_s: rate, waiting: 0, window };
            assert_eq!(ahead(&link, lately, 800), found, "{rate}/s, {window}, {lately} lately");
        }
    }

    #[test]
    fn answers_count_for_less_the_longer_ago_they_were() {
        let mut answered = Answered::default();
        // 200 a second, in groups of 20.
        for group in 0..100 {
            answered.add(20, UnixMillis(1_000_000 + group * 100));
        }
        let last = UnixMillis(1_000_000 + 99 * 100);
        let in_300_ms = answered.lately(last.plus_ms(50));
        assert!((55.0..65.0).contains(&in_300_ms), "{in_300_ms}");
        assert!(answered.lately(last.plus_ms(4_000)) < 1.0, "forgotten");
        assert_eq!(
            answered.lately(last.plus_ms(-1_000)),
            answered.lately(last),
            "a clock set back"
        );
    }
}
