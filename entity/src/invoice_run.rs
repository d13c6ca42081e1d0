//! How far an account's months were invoiced.

use sea_orm::entity::prelude::*;

use crate::ids::AccountId;

/// How far.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "invoice_run")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// In what: ISO 4217.
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency: String,
    /// The last month that is done, in months since 1970-01 UTC.
    pub month: i32,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
