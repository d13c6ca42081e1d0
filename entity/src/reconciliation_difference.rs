//! What a comparison found to differ.

use sea_orm::entity::prelude::*;

use crate::enums::DifferenceKind;
use crate::ids::ReconciliationReportId;

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciliation_difference")]
pub struct Model {
    /// Of which report.
    #[sea_orm(primary_key, auto_increment = false)]
    pub report_id: ReconciliationReportId,
    /// From 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// In what.
    pub kind: DifferenceKind,
    /// What moved the money: `capture:pi_…`, `refund:re_…`, `fee:txn_…`.
    pub subject: String,
    /// What our books have of it; none: nothing.
    pub here_micros: Option<i64>,
    /// What the processor's books have; none: nothing.
    pub there_micros: Option<i64>,
}

/// Relations are loaded by key, never joined through SeaORM.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
