//! The lines of invoices, statements and credit notes.

use sea_orm::entity::prelude::*;

use crate::enums::{InvoiceLineKind, MessageClass};
use crate::ids::{AccountId, InvoiceId};

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_line")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Of which document.
    #[sea_orm(primary_key, auto_increment = false)]
    pub invoice_id: InvoiceId,
    /// From 1; not dense in a draft that lines were taken out of.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    /// What it is for.
    pub kind: InvoiceLineKind,
    /// What it says; empty for rounding and for messages that money paid for.
    pub description: String,
    /// Of messages: the recipients' country, empty where the plan names none.
    pub country: Option<String>,
    /// Of messages: their class.
    pub class: Option<MessageClass>,
    /// Of messages: the price of a part.
    pub unit_price_nanos: Option<i64>,
    /// Of messages: how many.
    pub messages: Option<i64>,
    /// How many, in millionths; of messages: parts.
    pub quantity_micros: i64,
    /// What it comes to.
    pub amount_micros: i64,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
