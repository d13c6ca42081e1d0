//! What is to be done later, by time and then in the order in which it was scheduled.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use entity::time::UnixMillis;

/// A queue ordered by time.
pub(super) struct Schedule<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    order: u64,
}

struct Entry<T> {
    at: UnixMillis,
    order: u64,
    value: T,
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), order: 0 }
    }
}

impl<T> Schedule<T> {
    /// Adds `value`, due at `at`.
    pub(super) fn push(&mut self, at: UnixMillis, value: T) {
        self.order += 1;
        self.heap.push(Reverse(Entry { at, order: self.order, value }));
    }

    /// The first that is due at `now`.
    pub(super) fn pop_due(&mut self, now: UnixMillis) -> Option<T> {
        self.next_at().filter(|&at| at <= now)?;
        self.pop_any()
    }

    /// The first, due or not.
    pub(super) fn pop_any(&mut self) -> Option<T> {
        self.heap.pop().map(|Reverse(entry)| entry.value)
    }

    /// When the first is due.
    pub(super) fn next_at(&self) -> Option<UnixMillis> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Entry<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_equals_keep_their_order() {
        let mut schedule = Schedule::default();
        for (at, value) in [(5, "c"), (1, "a"), (5, "d"), (3, "b")] {
            schedule.push(UnixMillis(at), value);
        }
        let due: Vec<_> = std::iter::from_fn(|| schedule.pop_due(UnixMillis(5))).collect();
        assert_eq!(due, ["a", "b", "c", "d"]);
    }

    #[test]
    fn what_is_not_due_stays() {
        let mut schedule = Schedule::default();
        schedule.push(UnixMillis(10), ());
        assert_eq!(schedule.pop_due(UnixMillis(9)), None);
        assert_eq!(schedule.len(), 1);
    }
}
