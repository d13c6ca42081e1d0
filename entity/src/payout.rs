//! Money that processors sent to the operator's bank.

use sea_orm::entity::prelude::*;

use crate::ids::ProcessorId;
use crate::time::UnixMillis;

/// A payout.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payout")]
pub struct Model {
    /// By which processor.
    #[sea_orm(primary_key, auto_increment = false)]
    pub endpoint_id: ProcessorId,
    /// Its id there.
    #[sea_orm(primary_key, auto_increment = false)]
    pub object_id: String,
    /// JSON of what is known.
    pub facts: String,
    /// What the ledger has of it.
    pub posted_micros: i64,
    /// When the row last changed.
    pub updated_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
