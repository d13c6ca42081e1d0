//! Tax ids of accounts, shown on their invoices.

use sea_orm::entity::prelude::*;

use crate::ids::AccountId;

/// A tax id.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "billing_tax_id")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Its place in the account's list, from 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i16,
    /// What it is, `eu_vat`.
    pub kind: String,
    /// The id.
    pub value: String,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
