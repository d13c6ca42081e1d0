//! Which reminders of invoices were given.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, InvoiceId};
use crate::time::UnixMillis;

/// A reminder of an invoice that was not paid in time.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_reminder")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Of which invoice.
    #[sea_orm(primary_key, auto_increment = false)]
    pub invoice_id: InvoiceId,
    /// When the invoice was due: an invoice that is given more time is reminded of anew.
    #[sea_orm(primary_key, auto_increment = false)]
    pub due_at_ms: UnixMillis,
    /// Which step of the schedule: days after it was due.
    #[sea_orm(primary_key, auto_increment = false)]
    pub after_days: i32,
    /// When it was given.
    pub sent_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
