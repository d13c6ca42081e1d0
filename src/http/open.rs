//! Caps on what is open at a time: connections of an address, streams of an account. What is
//! refused here waits for something to end, not for time to pass, which is `budget`'s.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::budget::Payer;

/// Counts what is open by holder. Cheap to clone; holds no more than what is open.
#[derive(Clone)]
pub(super) struct OpenCounts {
    max: usize,
    by_holder: Arc<Mutex<HashMap<Payer, usize>>>,
}

/// One that is open; dropped when it ends.
pub(super) struct Open {
    holder: Payer,
    counts: OpenCounts,
}

impl OpenCounts {
    /// Nothing is open; each holder may have `max`.
    pub(super) fn new(max: usize) -> Self {
        Self { max, by_holder: Arc::default() }
    }

    /// Counts one more of the holder's; `None` if it has as many as it may.
    pub(super) fn open(&self, holder: Payer) -> Option<Open> {
        let mut by_holder = self.by_holder.lock().unwrap_or_else(PoisonError::into_inner);
        let open = by_holder.get(&holder).copied().unwrap_or(0);
        if open >= self.max {
            return None;
        }
        by_holder.insert(holder, open + 1);
        drop(by_holder);
        Some(Open { holder, counts: self.clone() })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut by_holder = self.counts.by_holder.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = by_holder.get_mut(&self.holder) {
            *open -= 1;
            if *open == 0 {
                by_holder.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::peer::Peer;

    #[test]
    fn each_holder_has_its_own_and_what_ends_makes_room() {
        let counts = OpenCounts::new(2);
        let holder = |address: &str| Payer::of_peer(Peer(Some(address.parse().unwrap())));
        let first = counts.open(holder("192.0.2.1"));
        let second = counts.open(holder("192.0.2.1"));
        assert!(first.is_some() && second.is_some());
        assert!(counts.open(holder("192.0.2.1")).is_none());
        let other = counts.open(holder("192.0.2.2"));
        assert!(other.is_some());
        drop(first);
        let third = counts.open(holder("192.0.2.1"));
        assert!(third.is_some());
        assert!(counts.open(holder("192.0.2.1")).is_none());
        drop((second, third, other));
        assert!(counts.by_holder.lock().unwrap().is_empty(), "nobody is remembered");
    }
}
