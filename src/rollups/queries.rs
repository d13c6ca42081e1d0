//! Reads of the roll-ups: series and breakdowns.

use std::collections::HashMap;

use entity::enums::{MessageClass, Purse};
use entity::event_counter;
use entity::ids::{AccountId, CarrierId, RouteId};
use entity::rollup_cursor;
use entity::time::UnixMillis;
use sea_orm::sea_query::Value;
use sea_orm::{DbErr, EntityTrait, QueryResult};
use uuid::Uuid;

use super::histogram::Histogram;
use super::model::{Counts, Detail, Measure};
use super::periods::{self, Edges, Interval, Kept, PeriodRejection, Segment};
use super::store::read_times;
use crate::authz::Action;
use crate::billing;
use crate::ctx::Ctx;
use crate::db::{Bulk, BulkColumn, BulkType};
use crate::error::{Error, Failed};
use crate::events;
use crate::types::money::{Currency, Micros};

/// Values of one condition of a filter.
pub const FILTER_VALUES_MAX: usize = 100;
/// Groups of one breakdown, beside the rest.
pub const TOP_MAX: u64 = 100;

/// Whose messages are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The caller's own account's, who does not learn which carriers and routes there are.
    Own,
    /// Those of any account, for the operator.
    Of(AccountId),
}

/// Which keys' messages are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Those that were really sent.
    #[default]
    Live,
    /// Those of test keys.
    Test,
}

/// Which messages are counted; absent fields leave all, present ones all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Live or test.
    pub mode: Mode,
    /// To these countries, two letters or empty.
    pub countries: Option<Vec<String>>,
    /// By these carriers.
    pub carriers: Option<Vec<CarrierId>>,
    /// By these routes.
    pub routes: Option<Vec<RouteId>>,
    /// From these senders.
    pub senders: Option<Vec<String>>,
    /// Of these classes.
    pub classes: Option<Vec<MessageClass>>,
}

impl Filter {
    /// What rows can tell which messages pass.
    const fn detail(&self) -> Detail {
        let Self { mode: _, countries, carriers, routes, senders, classes } = self;
        let is_open = countries.is_none()
            && carriers.is_none()
            && routes.is_none()
            && senders.is_none()
            && classes.is_none();
        if is_open { Detail::Total } else { Detail::Kinds }
    }
}

/// What a series is wanted of.
#[derive(Clone, Debug)]
pub struct MetricsQuestion {
    /// The start.
    pub from: UnixMillis,
    /// The end, which does not belong to it.
    pub to: UnixMillis,
    /// How long a point is; none: what suits the range.
    pub interval: Option<Interval>,
    /// By whose clocks: a name of the IANA database.
    pub time_zone: String,
    /// Of which messages.
    pub filter: Filter,
    /// Whether the range before is wanted too.
    pub with_previous: bool,
    /// Whether latencies are wanted: they cost more to read.
    pub with_latencies: bool,
}

/// What a breakdown is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// The recipients' country.
    Country,
    /// The carrier.
    Carrier,
    /// The route.
    Route,
    /// The sender.
    Sender,
    /// The class.
    Class,
    /// What went wrong; messages without an error are left out.
    ErrorCode,
}

impl Dimension {
    const fn column(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Carrier => "carrier_id",
            Self::Route => "route_id",
            Self::Sender => "sender",
            Self::Class => "class",
            Self::ErrorCode => "error_code",
        }
    }
}

/// What a breakdown is wanted of.
#[derive(Clone, Debug)]
pub struct BreakdownQuestion {
    /// The start.
    pub from: UnixMillis,
    /// The end, which does not belong to it.
    pub to: UnixMillis,
    /// By what.
    pub by: Dimension,
    /// What the groups are ordered by, the largest first.
    pub measure: Measure,
    /// How many groups; the others are one.
    pub top: u64,
    /// Of which messages.
    pub filter: Filter,
}

/// Why nothing can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetricsRejection {
    /// The range.
    #[error(transparent)]
    Period(#[from] PeriodRejection),
    /// Too many values in a condition.
    #[error("a condition of a filter has at most {FILTER_VALUES_MAX} values")]
    TooManyValues,
    /// Not 1 to [`TOP_MAX`].
    #[error("top is from 1 to {TOP_MAX}")]
    InvalidTop,
}

/// Sums with what they are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Numbers; the cost is that in the account's currency.
    pub counts: Counts,
    /// What was charged, if the caller may know.
    pub cost: Option<Micros>,
}

/// How long messages took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies {
    /// From QUEUED to SENT.
    pub to_sent: Histogram,
    /// From SENT to DELIVERED.
    pub to_delivered: Histogram,
}

impl Latencies {
    fn merge(&mut self, other: &Self) {
        self.to_sent.merge(&other.to_sent);
        self.to_delivered.merge(&other.to_delivered);
    }
}

/// A point of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its start.
    pub from: UnixMillis,
    /// Its end, which does not belong to it.
    pub to: UnixMillis,
    /// What was counted.
    pub figures: Figures,
    /// How long it took; empty unless asked for.
    pub latencies: Latencies,
}

/// A range of time, point by point, without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// At least one, in order.
    pub points: Vec<Point>,
    /// Of all points.
    pub total: Figures,
    /// Of all points.
    pub latencies: Latencies,
}

/// The answer to [`MetricsQuestion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// How long a point is.
    pub interval: Interval,
    /// What was asked for.
    pub series: Series,
    /// The range before, if asked for.
    pub previous: Option<Series>,
    /// What costs are in.
    pub currency: Currency,
    /// All that happened before is counted.
    pub as_of: UnixMillis,
}

/// A group of a breakdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What its messages have in common.
    pub key: GroupKey,
    /// What was counted of it.
    pub figures: Figures,
}

/// What a group's messages have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupKey {
    /// A country, two letters or empty.
    Country(String),
    /// A sender.
    Sender(String),
    /// What went wrong.
    ErrorCode(String),
    /// A class.
    Class(MessageClass),
    /// A carrier.
    Carrier(CarrierId),
    /// A route; none for the simulator.
    Route(Option<RouteId>),
}

/// The answer to [`BreakdownQuestion`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakdown {
    /// The largest, in order.
    pub groups: Vec<Group>,
    /// All others together.
    pub other: Figures,
    /// Of all.
    pub total: Figures,
    /// What costs are in.
    pub currency: Currency,
    /// All that happened before is counted.
    pub as_of: UnixMillis,
}

/// What a caller may see, and in what currency.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) account_id: AccountId,
    pub(super) currency: Currency,
    sees_cost: bool,
}

impl View {
    /// What the caller may see of these messages.
    pub(super) async fn of(ctx: &Ctx, whose: Whose) -> Result<Self, Failed> {
        let account_id = match whose {
            Whose::Own => ctx.actor.require_in_account(Action::ReadMessages)?,
            Whose::Of(account_id) => {
                ctx.actor.require(Action::ReadAllBilling)?;
                account_id
            }
        };
        let money = match whose {
            Whose::Own => Action::ReadBilling,
            Whose::Of(_) => Action::ReadAllBilling,
        };
        let sees_cost = ctx.actor.require(money).is_ok();
        let currency = billing::terms(ctx, account_id).await?.currency;
        Ok(Self { account_id, currency, sees_cost })
    }

    fn figures(&self, counts: Counts) -> Figures {
        let cost = self.sees_cost.then(|| Micros(counts.get(Measure::Cost)));
        Figures { counts, cost }
    }
}

/// Series of what became of messages.
///
/// # Errors
/// [`MetricsRejection`]; [`Failed`]: not allowed, or the store's own.
pub async fn metrics(
    ctx: &Ctx,
    whose: Whose,
    question: &MetricsQuestion,
) -> Result<Metrics, Error<MetricsRejection>> {
    let view = View::of(ctx, whose).await?;
    check_filter(ctx, whose, &question.filter)?;
    let now = ctx.clock.now();
    let kept = Kept::at(&ctx.settings.metrics, now);
    let zone = periods::time_zone(&question.time_zone).map_err(rejected)?;
    let (from_s, to_s) = periods::range(question.from, question.to, &kept).map_err(rejected)?;
    let interval = question.interval.unwrap_or(periods::automatic(from_s, to_s));
    let edges = periods::edges(from_s, to_s, interval, &zone).map_err(rejected)?;
    let as_of = as_of(ctx, view.account_id, now).await?;
    let read =
        Read { ctx, view, filter: &question.filter, with_latencies: question.with_latencies };
    let series = read.series(&edges, &kept).await?;
    let previous = if question.with_previous {
        let (from_s, to_s) = periods::previous(&edges, interval, &zone).map_err(rejected)?;
        // The older range may be kept by less.
        let edges = periods::edges(from_s, to_s, interval, &zone).map_err(rejected)?;
        Some(read.series(&edges, &kept).await?)
    } else {
        None
    };
    Ok(Metrics { interval, series, previous, currency: view.currency, as_of })
}

/// What became of messages, by one of their properties: the largest groups, and the rest.
///
/// # Errors
/// As [`metrics`].
pub async fn breakdown(
    ctx: &Ctx,
    whose: Whose,
    question: &BreakdownQuestion,
) -> Result<Breakdown, Error<MetricsRejection>> {
    let view = View::of(ctx, whose).await?;
    check_filter(ctx, whose, &question.filter)?;
    if matches!(question.by, Dimension::Carrier | Dimension::Route) {
        ctx.actor.require(Action::ReadCarriers)?;
    }
    if question.measure == Measure::Cost && !view.sees_cost {
        return Err(Failed::Forbidden(Action::ReadBilling.refusal()).into());
    }
    if !(1..=TOP_MAX).contains(&question.top) {
        return Err(Error::Rejected(MetricsRejection::InvalidTop));
    }
    let now = ctx.clock.now();
    let kept = Kept::at(&ctx.settings.metrics, now);
    let (from_s, to_s) = periods::range(question.from, question.to, &kept).map_err(rejected)?;
    let edges = Edges::whole(from_s, to_s);
    let segments = periods::segments(&edges, &kept).map_err(rejected)?;
    let as_of = as_of(ctx, view.account_id, now).await?;
    let read = Read { ctx, view, filter: &question.filter, with_latencies: false };
    read.breakdown(question, &segments, as_of).await
}

fn rejected(rejection: PeriodRejection) -> Error<MetricsRejection> {
    Error::Rejected(rejection.into())
}

/// Whether the caller may filter so.
pub(super) fn check_filter(
    ctx: &Ctx,
    whose: Whose,
    filter: &Filter,
) -> Result<(), Error<MetricsRejection>> {
    if filter.carriers.is_some() || filter.routes.is_some() || whose != Whose::Own {
        ctx.actor.require(Action::ReadCarriers)?;
    }
    let lengths = [
        filter.countries.as_ref().map(Vec::len),
        filter.carriers.as_ref().map(Vec::len),
        filter.routes.as_ref().map(Vec::len),
        filter.senders.as_ref().map(Vec::len),
        filter.classes.as_ref().map(Vec::len),
    ];
    if lengths.into_iter().flatten().any(|length| length > FILTER_VALUES_MAX) {
        return Err(Error::Rejected(MetricsRejection::TooManyValues));
    }
    Ok(())
}

/// Until when all that happened to an account's messages is counted: now, if its log is folded to
/// the end, or else when the first event happened that is not. Read it before the figures.
pub(super) async fn as_of(
    ctx: &Ctx,
    account_id: AccountId,
    now: UnixMillis,
) -> Result<UnixMillis, DbErr> {
    let reader = ctx.db.reader();
    let counter = event_counter::Entity::find_by_id(account_id).one(reader).await?;
    let cursor = rollup_cursor::Entity::find_by_id(account_id).one(reader).await?;
    let folded = cursor.map_or(0, |cursor| cursor.seq);
    if counter.is_none_or(|counter| counter.last_seq <= folded) {
        return Ok(now);
    }
    let next = events::read_after(reader, account_id, folded, 1).await?;
    Ok(next.first().map_or(now, |event| event.occurred_at_ms.min(now)))
}

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

    async fn breakdown(
        &self,
        question: &BreakdownQuestion,
        segments: &[Segment],
        as_of: UnixMillis,
    ) -> Result<Breakdown, Error<MetricsRejection>> {
        let (mut conditions, values) = self.conditions(Detail::Kinds);
        if question.by == Dimension::ErrorCode {
            conditions.push_str(" AND rollup.error_code <> ''");
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
        Dimension::Route => {
            let id: Uuid = row.try_get("", "k")?;
            GroupKey::Route((!id.is_nil()).then_some(RouteId(id)))
        }
    })
}
