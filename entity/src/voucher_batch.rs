//! Batches of vouchers: what those that were made together are worth.

use sea_orm::entity::prelude::*;

use crate::ids::VoucherBatchId;
use crate::time::UnixMillis;

/// A batch.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "voucher_batch")]
pub struct Model {
    /// Its id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: VoucherBatchId,
    /// ISO 4217.
    pub currency: String,
    /// What each voucher is worth.
    pub amount_micros: i64,
    /// How many there are.
    pub voucher_count: i32,
    /// From when on they are worth nothing.
    pub expires_at_ms: UnixMillis,
    /// When they were made.
    pub created_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
