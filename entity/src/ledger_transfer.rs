//! Transfers: the ledger's journal. Never updated, never deleted; the store refuses both.

use sea_orm::entity::prelude::*;

use crate::enums::{Purse, TransferCode};
use crate::ids::{AccountId, TransferId};
use crate::time::UnixMillis;

/// A transfer. Its legs stand in `ledger_entry` and sum to zero.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_transfer")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// ISO 4217; `XXX` for the purse of parts.
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency: String,
    /// Of which purse.
    #[sea_orm(primary_key, auto_increment = false)]
    pub purse: Purse,
    /// Its number in the journal, from 1 without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// Made from the hash.
    pub id: TransferId,
    /// What it is for.
    pub code: TransferCode,
    /// Unique in the account: the same key is posted once.
    pub key: String,
    /// A keyed hash of what was asked for under the key.
    pub request_mac: Vec<u8>,
    /// The payment, invoice or voucher that it is about.
    pub subject_id: Option<Uuid>,
    /// When it was so.
    pub occurred_at_ms: UnixMillis,
    /// When it was written.
    pub posted_at_ms: UnixMillis,
    /// A keyed hash of the hash before it and all of this transfer.
    pub hash: Vec<u8>,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
