//! Packages on offer: parts of messages or credit, for a price, for a time.

use sea_orm::entity::prelude::*;

use crate::enums::{PackageKind, ValidityUnit};
use crate::ids::PackageId;
use crate::time::UnixMillis;

/// A package that can be bought or granted.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "package")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PackageId,
    /// Unique.
    pub name: String,
    /// ISO 4217: what its price, and credit, are in.
    pub currency: String,
    /// What it costs.
    pub price_micros: i64,
    /// What it holds.
    pub kind: PackageKind,
    /// How much of it; a part is a whole unit.
    pub amount_micros: i64,
    /// What its validity is counted in.
    pub validity_unit: ValidityUnit,
    /// How many of these it is valid for from the grant on.
    pub validity_count: i32,
    /// What the numbers that it pays for begin with: digits, separated by blanks; empty: all.
    pub prefixes: String,
    /// The classes that it pays for: a bit each, by their stored numbers.
    pub classes: i16,
    /// Since when nobody can buy it; none: it is on offer.
    pub archived_at_ms: Option<UnixMillis>,
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
