//! Books: the balances of a journal but for the customer's, which the wallet keeps.

use sea_orm::entity::prelude::*;

use crate::enums::{BookKind, Purse};
use crate::ids::AccountId;

/// A book.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_book")]
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
    /// Which book.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: BookKind,
    /// What tells books of one kind apart; may be empty.
    #[sea_orm(primary_key, auto_increment = false)]
    pub detail: String,
    /// The sum of its entries.
    pub balance_micros: i64,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
