//! What `query_sm` and `cancel_sm` ask about: the state of the latest messages. Kept by
//! `smsc::center`.

use std::collections::VecDeque;

use super::center::AccountKey;
use crate::carriers::ReceiptState;

/// Messages whose state `query_sm` still knows, the latest: 32 MiB.
const RECORDS_MAX: usize = 1_000_000;

/// What is known of a message that was taken.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub account: AccountKey,
    pub outcome: ReceiptState,
    pub error: u16,
    pub due_ms: u64,
    pub canceled: bool,
}

/// The latest messages; their ids follow each other, so a place is a subtraction.
pub(super) struct Records {
    first_id: u64,
    records: VecDeque<Record>,
}

impl Records {
    pub(super) fn starting_at(first_id: u64) -> Self {
        Self { first_id, records: VecDeque::new() }
    }

    pub(super) fn add(&mut self, record: Record) -> u64 {
        if self.records.len() == RECORDS_MAX {
            self.records.pop_front();
            self.first_id += 1;
        }
        self.records.push_back(record);
        self.first_id + self.records.len() as u64 - 1
    }

    pub(super) fn get(&self, id: u64) -> Option<&Record> {
        self.records.get(usize::try_from(id.checked_sub(self.first_id)?).ok()?)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Record> {
        self.records.get_mut(usize::try_from(id.checked_sub(self.first_id)?).ok()?)
    }
}
