//! Rates of taxes that an account has of its own, in place of its country's.

use sea_orm::entity::prelude::*;

use crate::ids::{AccountId, TaxRateId};

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_tax_rate")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tax_rate_id: TaxRateId,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
