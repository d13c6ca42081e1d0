//! Rate cards: lists of prices.

use sea_orm::entity::prelude::*;

use crate::ids::RateCardId;
use crate::time::UnixMillis;

/// A rate card.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rate_card")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RateCardId,
    /// Unique.
    pub name: String,
    /// ISO 4217.
    pub currency: String,
    /// Whether accounts of the currency without a card of their own have this one.
    pub is_default: bool,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
