//! Joining what is known: every type here is a join-semilattice, so joining is commutative,
//! associative and idempotent. Sets unite, maps join by key, of two ranks or amounts the higher
//! stays.

use std::collections::{BTreeMap, BTreeSet};

/// Takes what another knows.
pub(super) trait Join {
    /// The least that knows both.
    fn join(&mut self, other: Self);
}

impl Join for bool {
    fn join(&mut self, other: Self) {
        *self |= other;
    }
}

impl<T: Ord> Join for BTreeSet<T> {
    fn join(&mut self, mut other: Self) {
        self.append(&mut other);
    }
}

impl<K: Ord, V: Join> Join for BTreeMap<K, V> {
    fn join(&mut self, other: Self) {
        for (key, value) in other {
            match self.entry(key) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    entry.get_mut().join(value);
                }
            }
        }
    }
}

/// Joins by keeping the greater, where all values stand in one order.
pub(super) fn keep_greater<T: Ord>(kept: &mut T, other: T) {
    if other > *kept {
        *kept = other;
    }
}
