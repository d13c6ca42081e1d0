//! The statements behind series and breakdowns: sums of stored stretches, by interval or by group.

use std::collections::HashMap;

use entity::enums::Purse;
use entity::ids::RouteId;
use entity::time::UnixMillis;
use sea_orm::sea_query::Value;
use sea_orm::{DbErr, QueryResult};
use uuid::Uuid;

use super::model::{Counts, Detail, Measure};
use super::periods::{self, Edges, Kept, Segment};
use super::queries::{
    Breakdown, BreakdownQuestion, Dimension, Filter, Group, GroupKey, Latencies, MetricsRejection,
    Mode, Point, Series, View, rejected,
};
use super::store::read_times;
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType};
use crate::error::Error;

const SEGMENT_COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("n", BulkType::Int),
    BulkColumn::new("resolution_s", BulkType::Int),
    BulkColumn::new("from_s", BulkType::BigInt),
    BulkColumn::new("to_s", BulkType::BigInt),
];

fn segment_rows(segments: &[Segment]) -> Bulk<'static> {
    let mut rows = Bulk::new(SEGMENT_COLUMNS);
    for segment in segments {
        let n = i32::try_from(segment.interval).unwrap_or(i32::MAX);
        let resolution_s = segment.resolution.seconds() as i32;
        rows.push([n.into(), resolution_s.into(), segment.from_s.into(), segment.to_s.into()]);
    }
    rows
}

/// One caller's reads.
#[derive(Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) ctx: &'a Ctx,
    pub(super) view: View,
    pub(super) filter: &'a Filter,
    pub(super) with_latencies: bool,
}

impl Read<'_> {
    /// A series with a point for each interval.
    pub(super) async fn series(
        &self,
        edges: &Edges,
        kept: &Kept,
    ) -> Result<Series, Error<MetricsRejection>> {
        let segments = periods::segments(edges, kept).map_err(rejected)?;
        let counts = self.counts(&segments).await?;
        let latencies =
            if self.with_latencies { self.latencies(&segments).await? } else { HashMap::new() };
        let mut sum = Counts::default();
        let mut all_latencies = Latencies::default();
        let points = edges.intervals().enumerate().map(|(n, (from_s, to_s))| {
            let counts = counts.get(&n).copied().unwrap_or_default();
            let latencies = latencies.get(&n).cloned().unwrap_or_default();
            sum.merge(&counts);
            all_latencies.merge(&latencies);
            Point {
                from: UnixMillis(from_s * 1_000),
                to: UnixMillis(to_s * 1_000),
                figures: self.view.figures(counts),
                latencies,
            }
        });
        let points = points.collect();
        Ok(Series { points, total: self.view.figures(sum), latencies: all_latencies })
    }

    async fn counts(&self, segments: &[Segment]) -> Result<HashMap<usize, Counts>, DbErr> {
        let (conditions, values) = self.conditions(self.filter.detail());
        let sql = format!(
            "SELECT rows.n, {} FROM rows CROSS JOIN rollup WHERE {conditions} GROUP BY rows.n",
            sums()
        );
        let rows = segment_rows(segments).read(&self.ctx.db, &sql, values).await?;
        let mut counts: HashMap<usize, Counts> = HashMap::new();
        for row in &rows {
            counts.entry(interval_of(row)?).or_default().merge(&read_counts(row)?);
        }
        Ok(counts)
    }

    async fn latencies(&self, segments: &[Segment]) -> Result<HashMap<usize, Latencies>, DbErr> {
        let (conditions, values) = self.conditions(self.filter.detail());
        // Times stand with the messages without an error.
        let sql = format!(
            "SELECT rows.n, rollup.to_sent, rollup.to_delivered FROM rows CROSS JOIN rollup \
             WHERE {conditions} AND rollup.error_code = '' \
             AND (rollup.to_sent IS NOT NULL OR rollup.to_delivered IS NOT NULL)"
        );
        let rows = segment_rows(segments).read(&self.ctx.db, &sql, values).await?;
        let mut latencies: HashMap<usize, Latencies> = HashMap::new();
        for row in &rows {
            let read = Latencies {
                to_sent: read_times(row.try_get("", "to_sent")?)?,
                to_delivered: read_times(row.try_get("", "to_delivered")?)?,
            };
            latencies.entry(interval_of(row)?).or_default().merge(&read);
        }
        Ok(latencies)
    }

    /// The groups of a breakdown, from one interval's segments.
    pub(super) async fn breakdown(
        &self,
        question: &BreakdownQuestion,
        segments: &[Segment],
        as_of: UnixMillis,
    ) -> Result<Breakdown, Error<MetricsRejection>> {
        let (mut conditions, mut values) = self.conditions(Detail::Kinds);
        if question.by == Dimension::ErrorCode {
            conditions.push_str(" AND rollup.error_code <> ''");
        }
        if question.by == Dimension::Campaign {
            values.push(Uuid::nil().into());
            conditions.push_str(&format!(" AND rollup.campaign_id <> {{{}}}", values.len()));
        }
        let column = question.by.column();
        let sums = sums();
        let top = format!(
            "SELECT rollup.{column} AS k, {sums} FROM rows CROSS JOIN rollup WHERE {conditions} \
             GROUP BY rollup.{column} ORDER BY {measure} DESC, rollup.{column} LIMIT {limit}",
            measure = sum_of(question.measure),
            limit = question.top,
        );
        let rows = segment_rows(segments).read(&self.ctx.db, &top, values.clone()).await?;
        let all = format!("SELECT {sums} FROM rows CROSS JOIN rollup WHERE {conditions}");
        let total = segment_rows(segments).read(&self.ctx.db, &all, values).await?;
        let mut sum = Counts::default();
        for row in &total {
            sum.merge(&read_counts(row)?);
        }
        let mut shown = Counts::default();
        let mut groups = Vec::with_capacity(rows.len());
        for row in &rows {
            let counts = read_counts(row)?;
            // What a late receipt took away leaves a row of zeros.
            if counts.is_zero() {
                continue;
            }
            shown.merge(&counts);
            groups.push(Group {
                key: read_key(row, question.by)?,
                figures: self.view.figures(counts),
            });
        }
        Ok(Breakdown {
            groups,
            other: self.view.figures(sum.without(&shown)),
            total: self.view.figures(sum),
            currency: self.view.currency,
            as_of,
        })
    }

    /// The condition for rows of the segments, of the account and the filter; the first value is the
    /// currency of costs.
    fn conditions(&self, detail: Detail) -> (String, Vec<Value>) {
        let is_test = self.filter.mode == Mode::Test;
        let mut values: Vec<Value> =
            vec![self.view.currency.as_str().into(), self.view.account_id.0.into(), is_test.into()];
        let mut conditions = "rollup.account_id = {2} \
            AND rollup.resolution_s = rows.resolution_s AND rollup.starts_at_s >= rows.from_s \
            AND rollup.starts_at_s < rows.to_s AND rollup.is_test = {3}"
            .to_owned();
        conditions.push_str(&format!(" AND rollup.detail = {}", detail.code()));
        let mut only = |column: &str, wanted: Option<Vec<Value>>| {
            let Some(wanted) = wanted else { return };
            if wanted.is_empty() {
                conditions.push_str(" AND 1 = 0");
                return;
            }
            let places: Vec<_> = wanted
                .into_iter()
                .map(|value| {
                    values.push(value);
                    format!("{{{}}}", values.len())
                })
                .collect();
            conditions.push_str(&format!(" AND rollup.{column} IN ({})", places.join(", ")));
        };
        let filter = self.filter;
        let texts = |texts: &Vec<String>| texts.iter().cloned().map(Value::from).collect();
        only("country", filter.countries.as_ref().map(texts));
        only(
            "carrier_id",
            filter.carriers.as_ref().map(|ids| ids.iter().map(|id| id.0.into()).collect()),
        );
        only(
            "route_id",
            filter.routes.as_ref().map(|ids| ids.iter().map(|id| id.0.into()).collect()),
        );
        only("sender", filter.senders.as_ref().map(texts));
        only(
            "class",
            filter.classes.as_ref().map(|all| all.iter().map(|it| it.code().into()).collect()),
        );
        only(
            "campaign_id",
            filter.campaigns.as_ref().map(|ids| ids.iter().map(|id| id.0.into()).collect()),
        );
        (conditions, values)
    }
}

/// The sum of a measure over rows; costs are those in money of one currency.
fn sum_of(measure: Measure) -> String {
    let column = measure.column();
    if measure == Measure::Cost {
        let money = Purse::Money.code();
        return format!(
            "SUM(CASE WHEN rollup.currency = {{1}} AND rollup.purse = {money} \
             THEN rollup.{column} ELSE 0 END)"
        );
    }
    format!("SUM(rollup.{column})")
}

fn sums() -> String {
    let sums: Vec<_> = Measure::ALL
        .iter()
        .map(|measure| format!("CAST({} AS BIGINT) AS {}", sum_of(*measure), measure.column()))
        .collect();
    sums.join(", ")
}

fn read_counts(row: &QueryResult) -> Result<Counts, DbErr> {
    let mut counts = Counts::default();
    for measure in Measure::ALL {
        // The sum of no rows is null.
        let sum: Option<i64> = row.try_get("", measure.column())?;
        counts.add(*measure, sum.unwrap_or_default());
    }
    Ok(counts)
}

fn interval_of(row: &QueryResult) -> Result<usize, DbErr> {
    let n: i32 = row.try_get("", "n")?;
    usize::try_from(n).map_err(|_| DbErr::Type(format!("interval {n}")))
}

fn read_key(row: &QueryResult, by: Dimension) -> Result<GroupKey, DbErr> {
    Ok(match by {
        Dimension::Country => GroupKey::Country(row.try_get("", "k")?),
        Dimension::Sender => GroupKey::Sender(row.try_get("", "k")?),
        Dimension::ErrorCode => GroupKey::ErrorCode(row.try_get("", "k")?),
        Dimension::Class => GroupKey::Class(row.try_get("", "k")?),
        Dimension::Carrier => GroupKey::Carrier(row.try_get("", "k")?),
        Dimension::Campaign => GroupKey::Campaign(row.try_get("", "k")?),
        Dimension::Route => {
            let id: Uuid = row.try_get("", "k")?;
            GroupKey::Route((!id.is_nil()).then_some(RouteId(id)))
        }
    })
}
