//! E-mail that is to be sent or was: what it is about. Neither text nor address is stored; both are
//! made when it is sent.

use sea_orm::entity::prelude::*;

use crate::enums::{MailKind, MailState};
use crate::ids::{AccountId, InvoiceId};
use crate::time::UnixMillis;

/// An e-mail. Its key is what it is about, so that nothing is told twice.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail")]
pub struct Model {
    /// To whose people.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// About which document.
    #[sea_orm(primary_key, auto_increment = false)]
    pub invoice_id: InvoiceId,
    /// What it tells.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: MailKind,
    /// What tells e-mails of one kind about one document apart: a payment's id, a reminder's due
    /// time and step.
    #[sea_orm(primary_key, auto_increment = false)]
    pub subject: String,
    /// Of a payment: how much of it went to the invoice.
    pub amount_micros: Option<i64>,
    /// Where it stands.
    pub state: MailState,
    /// How often it was tried.
    pub attempts: i32,
    /// When it is tried next.
    pub next_at_ms: UnixMillis,
    /// Why the last try failed.
    pub fault: Option<String>,
    /// When it was written.
    pub created_at_ms: UnixMillis,
    /// When it was sent or given up.
    pub ended_at_ms: Option<UnixMillis>,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
