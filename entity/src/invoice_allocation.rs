//! What payments paid of invoices.

use sea_orm::entity::prelude::*;

use crate::enums::AllocationKind;
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
    /// What paid.
    pub kind: AllocationKind,
    /// How much of it went to the invoice.
    pub amount_micros: i64,
    /// The bank's or the operator's own, of a payment recorded by hand; of tax that was withheld,
    /// the number of the authority's certificate.
    pub reference: Option<String>,
    /// When it was so, if that is another time: on which day tax was withheld.
    pub occurred_at_ms: Option<UnixMillis>,
    /// When it was written.
    pub created_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
