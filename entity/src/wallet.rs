//! Wallets: what an account has in one currency and purse, and the head of that journal.

use sea_orm::entity::prelude::*;

use crate::enums::Purse;
use crate::ids::AccountId;
use crate::time::UnixMillis;

/// A wallet. Its row is the lock of its journal.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "wallet")]
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
    /// The balance of the customer's book.
    pub balance_micros: i64,
    /// Promised to messages that no carrier took yet.
    pub held_micros: i64,
    /// How far the balance less what is held may go below zero.
    pub credit_limit_micros: i64,
    /// The number of the last transfer; 0 before the first.
    pub last_seq: i64,
    /// Its hash; 32 zeros before the first.
    pub last_hash: Vec<u8>,
    /// When the row last changed.
    pub updated_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
