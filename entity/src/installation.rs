//! This installation itself: one row, written at its first start.

use sea_orm::entity::prelude::*;

use crate::time::UnixMillis;

/// The one row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i16,
    /// A keyed hash by which a node sees that it was given the master key of the first start.
    pub master_key_check: Vec<u8>,
    /// When the installation was first started.
    pub created_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
