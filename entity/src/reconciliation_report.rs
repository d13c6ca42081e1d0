//! Daily comparisons of our books with a processor's.

use sea_orm::entity::prelude::*;

use crate::ids::{ProcessorId, ReconciliationReportId};
use crate::time::UnixMillis;

/// One day of one currency at one processor.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciliation_report")]
pub struct Model {
    /// Its id; with every making anew the same.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReconciliationReportId,
    /// Of which processor.
    pub endpoint_id: ProcessorId,
    /// ISO 4217.
    pub currency: String,
    /// Days since 1970-01-01, in UTC.
    pub day: i32,
    /// What the processor held for us before, by our books.
    pub opening_micros: i64,
    /// Collected.
    pub gross_micros: i64,
    /// Kept by the processor.
    pub fees_micros: i64,
    /// Given back.
    pub refunds_micros: i64,
    /// Withdrawn for disputes.
    pub disputes_micros: i64,
    /// Given back after disputes.
    pub reinstated_micros: i64,
    /// Sent to the bank.
    pub payouts_micros: i64,
    /// What the processor held after it, by our books.
    pub closing_micros: i64,
    /// Whether the processor's books were read; false where it cannot be asked for them.
    pub is_compared: bool,
    /// How many entries stand on both sides alike.
    pub matched: i32,
    /// How many differ.
    pub differences: i32,
    /// Grows by one with every making anew.
    pub version: i32,
    /// When it was made last.
    pub made_at_ms: UnixMillis,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
