//! Rates: the price of a part to a prefix from a time on.

use sea_orm::entity::prelude::*;

use crate::ids::RateCardId;
use crate::time::UnixMillis;

/// A rate.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rate")]
pub struct Model {
    /// In which card.
    #[sea_orm(primary_key, auto_increment = false)]
    pub rate_card_id: RateCardId,
    /// E.164 digits without the plus sign; empty for all.
    #[sea_orm(primary_key, auto_increment = false)]
    pub prefix: String,
    /// The message class, or -1 for all.
    #[sea_orm(primary_key, auto_increment = false)]
    pub class: i16,
    /// From when on.
    #[sea_orm(primary_key, auto_increment = false)]
    pub effective_from_ms: UnixMillis,
    /// Of a part, in nano-units.
    pub price_nanos: i64,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
