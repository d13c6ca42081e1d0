//! The last number given, per account and kind of document. Its row lock keeps numbers without gaps.

use sea_orm::entity::prelude::*;

use crate::enums::InvoiceKind;
use crate::ids::AccountId;

/// A counter.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_counter")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Of which documents.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: InvoiceKind,
    /// 0 before the first.
    pub last_number: i64,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
