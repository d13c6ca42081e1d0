//! Entries: the legs of transfers. Never updated, never deleted; the store refuses both.

use sea_orm::entity::prelude::*;

use crate::enums::{BookKind, Purse};
use crate::ids::AccountId;

/// A leg.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_entry")]
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
    /// Of which transfer.
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    /// From 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub leg: i16,
    /// The book.
    pub kind: BookKind,
    /// The book's detail.
    pub detail: String,
    /// Credit is positive, debit negative.
    pub amount_micros: i64,
    /// The book's balance after it.
    pub balance_micros: i64,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
