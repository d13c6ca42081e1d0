//! Carrier accounts.

use sea_orm::entity::prelude::*;

use crate::enums::CarrierKind;
use crate::ids::CarrierId;
use crate::time::UnixMillis;

/// A carrier account that messages leave through.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "carrier")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CarrierId,
    /// Unique.
    pub name: String,
    /// How it is reached.
    pub kind: CarrierKind,
    /// JSON of the kind's settings, without secrets.
    pub settings: String,
    /// Sealed under the master key.
    pub sealed_password: Option<Vec<u8>>,
    /// Whether messages are handed to it.
    pub enabled: bool,
    /// Grows by one with every change.
    pub version: i32,
    /// When the row was made.
    pub created_at_ms: UnixMillis,
    /// When it last changed.
    pub updated_at_ms: UnixMillis,
}

impl std::fmt::Debug for Model {
    /// Shows nothing of the row: it holds secrets or content.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("carrier row")
    }
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
