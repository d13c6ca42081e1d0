//! Plans: what an account pays each month.

use sea_orm::entity::prelude::*;

use crate::ids::{PackageId, PlanId, RateCardId};
use crate::time::UnixMillis;

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "plan")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PlanId,
    /// Unique.
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// Of a month.
    pub monthly_price_micros: i64,
    /// What accounts with the plan pay for parts; none: their currency's default card.
    pub rate_card_id: Option<RateCardId>,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
    /// Granted with each month; none: nothing.
    pub package_id: Option<PackageId>,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
