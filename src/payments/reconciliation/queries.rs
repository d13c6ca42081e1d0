//! Reading reports, for the operator.

use entity::ids::{ProcessorId, ReconciliationReportId};
use entity::reconciliation_difference;
use entity::reconciliation_report::{Column, Entity, Model};
use entity::time::UnixMillis;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;

/// Which reports are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReportFilter {
    /// Only of this processor.
    pub processor_id: Option<ProcessorId>,
    /// Only of this day, in days since 1970-01-01.
    pub day: Option<i32>,
    /// Only with differences, or only without.
    pub differs: Option<bool>,
}

/// A page of the reports, newest first.
///
/// # Errors
/// A failure.
pub async fn reports(
    ctx: &Ctx,
    filter: ReportFilter,
    request: &PageRequest<ReconciliationReportId>,
) -> Result<Page<Model>, Failed> {
    ctx.actor.require(Action::ReadAllBilling)?;
    let (key, order) = (Column::Id, ListOrder::Descending);
    Ok(page::fetch_page(ctx.db.reader(), select(filter), key, order, request).await?)
}

/// How many reports there are.
///
/// # Errors
/// A failure.
pub async fn count_reports(ctx: &Ctx, filter: ReportFilter) -> Result<u64, Failed> {
    ctx.actor.require(Action::ReadAllBilling)?;
    Ok(page::count_all(ctx.db.reader(), select(filter)).await?)
}

/// A report.
///
/// # Errors
/// A failure.
pub async fn report(ctx: &Ctx, id: ReconciliationReportId) -> Result<Option<Model>, Failed> {
    ctx.actor.require(Action::ReadAllBilling)?;
    Ok(Entity::find_by_id(id).one(ctx.db.reader()).await?)
}

/// The differences of a report, by subject; at most [`super::DIFFERENCES_MAX`].
///
/// # Errors
/// A failure.
pub async fn differences(
    ctx: &Ctx,
    id: ReconciliationReportId,
) -> Result<Vec<reconciliation_difference::Model>, Failed> {
    ctx.actor.require(Action::ReadAllBilling)?;
    let select = reconciliation_difference::Entity::find()
        .filter(reconciliation_difference::Column::ReportId.eq(id))
        .order_by_asc(reconciliation_difference::Column::Position)
        .limit(super::DIFFERENCES_MAX as u64);
    Ok(select.all(ctx.db.reader()).await?)
}

fn select(filter: ReportFilter) -> Select<Entity> {
    let mut select = Entity::find();
    if let Some(id) = filter.processor_id {
        select = select.filter(Column::EndpointId.eq(id));
    }
    if let Some(day) = filter.day {
        select = select.filter(Column::Day.eq(day));
    }
    match filter.differs {
        Some(true) => select.filter(Column::Differences.gt(0)),
        Some(false) => select.filter(Column::Differences.eq(0)),
        None => select,
    }
}

/// The days since one whose reports differ and were made before a time, oldest first.
pub(super) async fn days_to_make_anew(
    ctx: &Ctx,
    endpoint_id: ProcessorId,
    since_day: i32,
    made_before: UnixMillis,
) -> Result<Vec<i32>, Failed> {
    let rows = Entity::find()
        .filter(Column::EndpointId.eq(endpoint_id))
        .filter(Column::Day.gte(since_day))
        .filter(Column::Differences.gt(0))
        .filter(Column::MadeAtMs.lte(made_before))
        .order_by_asc(Column::Day)
        .all(ctx.db.reader())
        .await?;
    let mut days: Vec<i32> = rows.into_iter().map(|row| row.day).collect();
    days.dedup();
    Ok(days)
}
