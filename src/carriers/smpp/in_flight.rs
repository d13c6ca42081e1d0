//! The parts on one link that wait for their answers, by sequence number and by age.
//!
//! Sequence numbers ascend, so a ring of slots serves as both the map and the deadline queue. One
//! part that is never answered keeps the ring's tail from moving; past [`RING_MAX`] slots it is
//! set aside, so that a lost answer costs one window slot and a few octets, not a growing ring.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::queue::Message;

/// Slots between the oldest and the newest sequence number, before stragglers are set aside.
const RING_MAX: usize = 4_096;
/// The largest sequence number (SMPP 3.4, 5.1.4); the first is 1.
const SEQUENCE_MAX: u64 = 0x7FFF_FFFF;

/// A part that has been handed to the link.
pub(super) struct Flight {
    pub message: Arc<Message>,
    pub part: usize,
    pub sent_at: Instant,
}

/// The place of a PDU in the link's life; sequence numbers repeat after 2³¹, these do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ordinal(u64);

#[derive(Default)]
pub(super) struct InFlight {
    /// The ordinal of the ring's first slot.
    base: u64,
    ring: VecDeque<Option<Flight>>,
    stragglers: BTreeMap<u64, Flight>,
    open: usize,
}

impl InFlight {
    /// The sequence number for a PDU whose answer is not tracked.
    pub fn untracked(&mut self) -> u32 {
        let ordinal = self.push(None);
        sequence(ordinal)
    }

    /// The sequence number for a part.
    pub fn track(&mut self, flight: Flight) -> (Ordinal, u32) {
        let ordinal = self.push(Some(flight));
        self.open += 1;
        (Ordinal(ordinal), sequence(ordinal))
    }

    fn push(&mut self, slot: Option<Flight>) -> u64 {
        let ordinal = self.base + self.ring.len() as u64;
        self.ring.push_back(slot);
        while self.ring.len() > RING_MAX {
            if let Some(straggler) = self.ring.pop_front().flatten() {
                self.stragglers.insert(self.base, straggler);
            }
            self.base += 1;
        }
        ordinal
    }

    /// How many parts wait.
    pub const fn open(&self) -> usize {
        self.open
    }

    /// Takes the part that this sequence number answers, if one waits under it.
    pub fn answer(&mut self, sequence_number: u32) -> Option<Flight> {
        let wanted = u64::from(sequence_number).checked_sub(1)?;
        let distance = (wanted + SEQUENCE_MAX - self.base % SEQUENCE_MAX) % SEQUENCE_MAX;
        let slot = usize::try_from(distance).ok().and_then(|index| self.ring.get_mut(index));
        let flight = match slot {
            Some(slot) => slot.take(),
            None => {
                let ordinal = self.stragglers.keys().find(|key| **key % SEQUENCE_MAX == wanted);
                let ordinal = *ordinal?;
                self.stragglers.remove(&ordinal)
            }
        }?;
        self.open -= 1;
        self.shrink();
        Some(flight)
    }

    /// Takes the parts that were sent `timeout` ago or longer.
    pub fn expired(&mut self, now: Instant, timeout: Duration) -> Vec<Flight> {
        let late = |flight: &Flight| now.saturating_duration_since(flight.sent_at) >= timeout;
        let mut expired = Vec::new();
        while let Some(entry) = self.stragglers.first_entry() {
            if !late(entry.get()) {
                break;
            }
            expired.push(entry.remove());
        }
        while let Some(slot) = self.ring.front() {
            if slot.as_ref().is_some_and(|flight| !late(flight)) {
                break;
            }
            expired.extend(self.ring.pop_front().flatten());
            self.base += 1;
        }
        self.open -= expired.len();
        expired
    }

    /// Takes everything, split at the first part that never left: (left, never left).
    pub fn drain(&mut self, unwritten_from: Option<Ordinal>) -> (Vec<Flight>, Vec<Flight>) {
        let base = self.base;
        let ring = self.ring.drain(..).enumerate();
        let all = std::mem::take(&mut self.stragglers).into_iter().chain(
            ring.filter_map(|(index, slot)| slot.map(|flight| (base + index as u64, flight))),
        );
        let (mut left, mut unwritten) = (Vec::new(), Vec::new());
        for (ordinal, flight) in all {
            match unwritten_from {
                Some(from) if Ordinal(ordinal) >= from => unwritten.push(flight),
                Some(_) | None => left.push(flight),
            }
        }
        self.open = 0;
        (left, unwritten)
    }

    fn shrink(&mut self) {
        while let Some(None) = self.ring.front() {
            self.ring.pop_front();
            self.base += 1;
        }
    }
}

const fn sequence(ordinal: u64) -> u32 {
    // At most SEQUENCE_MAX, which fits.
    (ordinal % SEQUENCE_MAX) as u32 + 1
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use entity::ids::MessageId;
    use entity::time::UnixMillis;
    use uuid::Uuid;

    use super::*;
    use crate::carriers::{Address, PartPayload, Submission};

    fn message() -> Arc<Message> {
        let part =
            PartPayload { octets: Bytes::from_static(b"x"), data_coding: 0, has_header: false };
        Arc::new(Message::new(Submission {
            message_id: MessageId::from(Uuid::nil()),
            attempt: 1,
            from: Address::ShortCode("1".into()),
            to: "1".into(),
            parts: vec![part],
            expires_at: UnixMillis(0),
            reference: 0,
            wants_receipt: false,
        }))
    }

    fn flight(message: &Arc<Message>, part: usize, sent_at: Instant) -> Flight {
        Flight { message: Arc::clone(message), part, sent_at }
    }

    #[test]
    fn answers_find_their_parts_in_any_order_and_only_once() {
        let (message, now) = (message(), Instant::now());
        let mut waiting = InFlight::default();
        let numbers: Vec<u32> =
            (0..5).map(|part| waiting.track(flight(&message, part, now)).1).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5]);
        assert_eq!(waiting.untracked(), 6);
        for (sequence_number, part) in [(3, 2), (1, 0), (5, 4), (2, 1)] {
            assert_eq!(waiting.answer(sequence_number).map(|flight| flight.part), Some(part));
            assert!(waiting.answer(sequence_number).is_none());
        }
        for unknown in [0, 6, 7, 0x7FFF_FFFF, u32::MAX] {
            assert!(waiting.answer(unknown).is_none(), "{unknown}");
        }
        assert_eq!(waiting.open(), 1);
        assert!(waiting.answer(4).is_some());
        assert_eq!((waiting.open(), waiting.ring.len()), (0, 0));
    }

    #[test]
    fn a_lost_answer_does_not_hold_the_ring_and_still_times_out() {
        let (message, now) = (message(), Instant::now());
        let mut waiting = InFlight::default();
        let (_, lost) = waiting.track(flight(&message, 7, now));
        let (_, late) = waiting.track(flight(&message, 8, now));
        for _ in 0..RING_MAX * 3 {
            let (_, number) = waiting.track(flight(&message, 0, now + Duration::from_secs(1)));
            assert!(waiting.answer(number).is_some());
        }
        assert!(waiting.ring.len() <= RING_MAX);
        assert_eq!(waiting.answer(late).map(|flight| flight.part), Some(8));
        let timeout = Duration::from_secs(30);
        assert!(waiting.expired(now + timeout - Duration::from_millis(1), timeout).is_empty());
        let expired = waiting.expired(now + timeout, timeout);
        assert_eq!(expired.iter().map(|flight| flight.part).collect::<Vec<_>>(), [7]);
        assert!(waiting.answer(lost).is_none(), "what timed out is no longer answered");
        assert_eq!(waiting.open(), 0);
    }

    #[test]
    fn sequence_numbers_wrap_to_one() {
        let (message, now) = (message(), Instant::now());
        let mut waiting = InFlight { base: SEQUENCE_MAX - 2, ..InFlight::default() };
        let numbers: Vec<u32> =
            (0..4).map(|part| waiting.track(flight(&message, part, now)).1).collect();
        assert_eq!(numbers, [0x7FFF_FFFE, 0x7FFF_FFFF, 1, 2]);
        for (sequence_number, part) in [(1, 2), (0x7FFF_FFFF, 1), (2, 3), (0x7FFF_FFFE, 0)] {
            assert_eq!(waiting.answer(sequence_number).map(|flight| flight.part), Some(part));
        }
    }

    #[test]
    fn draining_tells_what_left_from_what_did_not() {
        let (message, now) = (message(), Instant::now());
        let mut waiting = InFlight::default();
        let ordinals: Vec<Ordinal> =
            (0..4).map(|part| waiting.track(flight(&message, part, now)).0).collect();
        assert!(waiting.answer(1).is_some());
        let (left, unwritten) = waiting.drain(Some(ordinals[2]));
        assert_eq!(left.iter().map(|flight| flight.part).collect::<Vec<_>>(), [1]);
        assert_eq!(unwritten.iter().map(|flight| flight.part).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(waiting.open(), 0);
    }
}
