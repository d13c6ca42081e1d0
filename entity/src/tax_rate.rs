//! Rates of taxes. A rate is never changed: another one takes its place.

use sea_orm::entity::prelude::*;

use crate::enums::TaxKind;
use crate::ids::TaxRateId;
use crate::time::UnixMillis;

/// A rate.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tax_rate")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TaxRateId,
    /// As invoices show it.
    pub name: String,
    /// Of the amount, in millionths: 20 % are 200,000.
    pub rate_millionths: i64,
    /// Accounts of this country pay it, unless they have rates of their own.
    pub country: Option<String>,
    /// How it is collected.
    pub kind: TaxKind,
    /// Since when no invoice gets it any more.
    pub archived_at_ms: Option<UnixMillis>,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
