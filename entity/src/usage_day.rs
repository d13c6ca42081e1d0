//! What messages cost, by day, country, class and price: the lines of statements and invoices.

use sea_orm::entity::prelude::*;

use crate::enums::{MessageClass, Purse};
use crate::ids::AccountId;

/// One day's messages of one kind at one price. The sum of a day is what the ledger took for messages that day.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_day")]
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
    /// Days since 1970-01-01 UTC.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: i32,
    /// Two letters (ISO 3166-1), empty where the plan names none.
    #[sea_orm(primary_key, auto_increment = false)]
    pub country: String,
    /// Which class.
    #[sea_orm(primary_key, auto_increment = false)]
    pub class: MessageClass,
    /// The price of a part.
    #[sea_orm(primary_key, auto_increment = false)]
    pub unit_price_nanos: i64,
    /// Messages.
    pub messages: i64,
    /// Parts that carriers took.
    pub parts: i64,
    /// What was charged.
    pub amount_micros: i64,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
