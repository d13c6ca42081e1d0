//! The chain of a journal: each transfer's keyed hash covers the one before it, so a row that was
//! changed, removed or slipped in breaks it from there on. Without the master key nobody can make
//! a chain that holds.

use entity::enums::TransferCode;
use entity::ids::TransferId;
use entity::time::UnixMillis;
use uuid::{Builder, Uuid};

use super::model::{Journal, Leg};
use crate::keys::{MasterKey, Purpose};

/// What the first transfer follows.
pub(super) const GENESIS: [u8; 32] = [0; 32];

/// What a hash covers.
pub(super) struct Link<'a> {
    pub(super) journal: Journal,
    pub(super) seq: i64,
    pub(super) code: TransferCode,
    pub(super) key: &'a str,
    pub(super) request_mac: &'a [u8],
    pub(super) subject_id: Option<Uuid>,
    pub(super) occurred_at: UnixMillis,
    pub(super) posted_at: UnixMillis,
    pub(super) legs: &'a [Leg],
}

impl Link<'_> {
    /// The hash of this transfer after the one with `previous`.
    pub(super) fn hash(&self, master_key: &MasterKey, previous: &[u8]) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(256);
        field(&mut bytes, previous);
        field(&mut bytes, &self.seq.to_be_bytes());
        field(&mut bytes, &what_is_moved(self.journal, self.code, self.subject_id, self.legs));
        field(&mut bytes, self.key.as_bytes());
        field(&mut bytes, self.request_mac);
        field(&mut bytes, &self.occurred_at.0.to_be_bytes());
        field(&mut bytes, &self.posted_at.0.to_be_bytes());
        master_key.hash(Purpose::Ledger, &bytes)
    }
}

/// A keyed hash of what was asked for: the same key with another request is no replay.
pub(super) fn request_mac(
    master_key: &MasterKey,
    journal: Journal,
    code: TransferCode,
    subject_id: Option<Uuid>,
    legs: &[Leg],
) -> [u8; 32] {
    master_key.hash(Purpose::LedgerRequest, &what_is_moved(journal, code, subject_id, legs))
}

/// The id of the transfer with this hash: a UUID of version 8 (RFC 9562, 5.8) out of its first
/// bytes. No chance is needed, and none is drawn inside a transaction.
pub(super) fn id_of(hash: &[u8; 32]) -> TransferId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    TransferId(Builder::from_custom_bytes(bytes).into_uuid())
}

fn what_is_moved(
    journal: Journal,
    code: TransferCode,
    subject_id: Option<Uuid>,
    legs: &[Leg],
) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    field(&mut bytes, journal.account_id.0.as_bytes());
    field(&mut bytes, journal.unit.as_str().as_bytes());
    field(&mut bytes, &journal.purse.code().to_be_bytes());
    field(&mut bytes, &code.code().to_be_bytes());
    field(&mut bytes, subject_id.as_ref().map_or(&[][..], |id| id.as_bytes()));
    for leg in legs {
        field(&mut bytes, &leg.book.kind.code().to_be_bytes());
        field(&mut bytes, leg.book.detail.as_bytes());
        field(&mut bytes, &leg.amount.0.to_be_bytes());
    }
    bytes
}

/// Appends a field with its length before it, so that no two lists of fields read the same.
fn field(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
    bytes.extend_from_slice(value);
}
