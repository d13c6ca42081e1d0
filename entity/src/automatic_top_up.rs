//! Automatic top-up of accounts' balances.

use sea_orm::entity::prelude::*;

use crate::enums::AutomaticTopUpEnd;
use crate::ids::{AccountId, PaymentId, PaymentMethodId};
use crate::time::UnixMillis;

/// When an account's balance is topped up, by how much, and what it is charged to.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "automatic_top_up")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// What is charged.
    pub payment_method_id: PaymentMethodId,
    /// ISO 4217.
    pub currency: String,
    /// Below how much available it is topped up.
    pub threshold_micros: i64,
    /// By how much.
    pub amount_micros: i64,
    /// Why it does not run any more; none: it runs.
    pub ended: Option<AutomaticTopUpEnd>,
    /// Payments that failed in a row.
    pub failures: i16,
    /// The payment whose outcome is not known; no other is started meanwhile.
    pub pending_payment_id: Option<PaymentId>,
    /// No payment is started before.
    pub next_at_ms: UnixMillis,
    /// The day of the last payment: days since 1970-01-01 UTC.
    pub day: i32,
    /// Payments started in that day.
    pub started_in_day: i16,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
