//! Invoices, statements and credit notes.

use sea_orm::entity::prelude::*;

use crate::enums::{InvoiceKind, InvoiceStatus};
use crate::ids::{AccountId, InvoiceId};
use crate::time::UnixMillis;

/// A document.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: InvoiceId,
    /// Which document it is.
    pub kind: InvoiceKind,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// Given when it is finalized, without gaps in its account and kind.
    pub number: Option<String>,
    /// What all amounts are in: ISO 4217.
    pub currency: String,
    /// The month whose messages it lists, in months since 1970-01 UTC.
    pub month: Option<i32>,
    /// The invoice that a credit note corrects.
    pub invoice_id: Option<InvoiceId>,
    /// Why it was made (credit notes) or made void.
    pub reason: Option<String>,
    /// The idempotency key that it was made under.
    pub request_key: Option<String>,
    /// JSON: who made it out, as that was when it was finalized: lines of an address.
    pub issuer: Option<String>,
    /// JSON: to whom, as it was when it was finalized.
    pub bill_to: Option<String>,
    /// The sum of its lines.
    pub subtotal_micros: i64,
    /// The sum of its taxes.
    pub tax_micros: i64,
    /// Both.
    pub total_micros: i64,
    /// What payments paid of it.
    pub paid_micros: i64,
    /// What credit notes took off, before taxes.
    pub credited_net_micros: i64,
    /// What credit notes took off.
    pub credited_micros: i64,
    /// When it is to be paid.
    pub due_at_ms: Option<UnixMillis>,
    /// When it was found overdue.
    pub overdue_at_ms: Option<UnixMillis>,
    /// When it was finalized.
    pub finalized_at_ms: Option<UnixMillis>,
    /// When it was paid, made void or given up.
    pub ended_at_ms: Option<UnixMillis>,
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
