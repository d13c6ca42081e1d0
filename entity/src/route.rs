//! Routes: the longest matching prefix wins.

use sea_orm::entity::prelude::*;

use crate::ids::{CarrierId, RouteId};
use crate::time::UnixMillis;

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "route")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RouteId,
    /// E.164 digits without the plus sign; empty matches all. Unique.
    pub prefix: String,
    /// Where it leads.
    pub carrier_id: CarrierId,
    /// Whose shift tables texts may be written with; bit n stands for the language n + 1.
    pub national_languages: i16,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
