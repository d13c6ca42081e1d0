//! What payments paid of invoices.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, InvoiceId, PaymentId};
use crate::time::UnixMillis;

/// What one payment paid of one invoice.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_allocation")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Which invoice.
    #[sea_orm(primary_key, auto_increment = false)]
    pub invoice_id: InvoiceId,
    /// Which payment.
    #[sea_orm(primary_key, auto_increment = false)]
    pub payment_id: PaymentId,
    /// How much of it went to the invoice.
    pub amount_micros: i64,
    /// The bank's or the operator's own, of a payment recorded by hand.
    pub reference: Option<String>,
    /// When.
    pub created_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
