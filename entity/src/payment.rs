//! Payments: what is known of each.

use sea_orm::entity::prelude::*;

use crate::enums::{PaymentFlow, PaymentPurpose, PaymentStatus};
use crate::ids::{AccountId, InvoiceId, PaymentId, PaymentMethodId, ProcessorId};
use crate::time::UnixMillis;

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment")]
pub struct Model {
    /// Whose; the operator's for what no payment is known of.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its id; in the processor's metadata.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PaymentId,
    /// What it is for.
    pub purpose: PaymentPurpose,
    /// Through whom.
    pub endpoint_id: ProcessorId,
    /// What is to be paid; 0 where that is not known.
    pub amount_micros: i64,
    /// ISO 4217; `XXX` where that is not known.
    pub currency: String,
    /// What follows from the facts.
    pub status: PaymentStatus,
    /// Where the payer goes to pay.
    pub redirect_url: Option<String>,
    /// JSON of the merged facts.
    pub facts: String,
    /// JSON of what the ledger has of it, by what moved.
    pub posted: String,
    /// The client's; with the account unique.
    pub idempotency_key: Option<String>,
    /// A keyed hash of what was asked for under that key.
    pub input_mac: Option<Vec<u8>>,
    /// How often the processor was asked for it.
    pub polls: i32,
    /// When it is asked next; none: not any more.
    pub next_poll_at_ms: Option<UnixMillis>,
    /// Whether asking ended without an answer: a person has to look.
    pub stale: bool,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
    /// What it pays, of a payment for an invoice.
    pub invoice_id: Option<InvoiceId>,
    /// Whether the payer agreed that the means of payment is kept.
    pub saves_method: bool,
    /// What was charged without the payer, of an automatic top-up.
    pub payment_method_id: Option<PaymentMethodId>,
    /// How it is started.
    pub flow: PaymentFlow,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
