//! The taxes of invoices and credit notes.

use sea_orm::entity::prelude::*;

use crate::enums::TaxKind;
use crate::ids::{AccountId, InvoiceId, TaxRateId};

/// A tax of a document.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_tax")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Of which document.
    #[sea_orm(primary_key, auto_increment = false)]
    pub invoice_id: InvoiceId,
    /// By which rate.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tax_rate_id: TaxRateId,
    /// The rate's name then.
    pub name: String,
    /// The rate's kind.
    pub kind: TaxKind,
    /// The rate, in millionths.
    pub rate_millionths: i64,
    /// What it is a part of.
    pub base_micros: i64,
    /// What it comes to.
    pub amount_micros: i64,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
