//! Reads of the roll-ups: series and breakdowns.

use entity::enums::MessageClass;
use entity::event_counter;
use entity::ids::{AccountId, CampaignId, CarrierId, RouteId};
use entity::rollup_cursor;
use entity::time::UnixMillis;
use sea_orm::{DbErr, EntityTrait};

use super::histogram::Histogram;
use super::model::{Counts, Detail, Measure};
use super::periods::{self, Edges, Interval, Kept, PeriodRejection};
use super::read::Read;
use crate::authz::Action;
use crate::billing;
use crate::ctx::Ctx;
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
    /// Of these campaigns.
    pub campaigns: Option<Vec<CampaignId>>,
}

impl Filter {
    /// What rows can tell which messages pass.
    pub(super) const fn detail(&self) -> Detail {
        let Self { mode: _, countries, carriers, routes, senders, classes, campaigns } = self;
        let is_open = countries.is_none()
            && carriers.is_none()
            && routes.is_none()
            && senders.is_none()
            && classes.is_none()
            && campaigns.is_none();
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
    /// The campaign; messages of none are left out.
    Campaign,
}

impl Dimension {
    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Country => "country",
            Self::Carrier => "carrier_id",
            Self::Route => "route_id",
            Self::Sender => "sender",
            Self::Class => "class",
            Self::ErrorCode => "error_code",
            Self::Campaign => "campaign_id",
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
    /// Adds all of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
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
    /// A campaign.
    Campaign(CampaignId),
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

    /// Sums as this caller may see them.
    pub(super) fn figures(&self, counts: Counts) -> Figures {
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
        let (from_s, to_s) = periods::previous(&edges, interval, &zone, &kept).map_err(rejected)?;
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

/// A range that cannot be shown.
pub(super) fn rejected(rejection: PeriodRejection) -> Error<MetricsRejection> {
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
        filter.campaigns.as_ref().map(Vec::len),
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
