//! Metrics in the contract: series, breakdowns and the live minutes. Behaviour: `crate::rollups`.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Subscription};
use entity::ids::{CarrierId, RouteId};
use futures::Stream;
use futures::stream::unfold;

use super::call;
use super::carriers::Carrier;
use super::errors::{Answer, Fault};
use super::ids::parse_id;
use super::loaders::{CarrierRow, RouteRow, load};
use super::messages::enums::MessageClass;
use super::money::Money;
use super::routes::Route;
use super::scalars::{DateTime, SequenceNumber};
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::events::Hub;
use crate::rollups::{self, GroupKey, Histogram, Latencies, Measure, Whose};
use crate::types::money::Currency;

/// How long a point of a series is, by the clocks of the time zone.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsInterval {
    /// What suits the range: at most some hundred points.
    Auto,
    /// A minute.
    Minute,
    /// From full hour to full hour.
    Hour,
    /// From midnight to midnight: 23 to 25 hours where clocks change.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first of a month to the first of the next.
    Month,
}

impl MetricsInterval {
    const fn chosen(self) -> Option<rollups::Interval> {
        match self {
            Self::Auto => None,
            Self::Minute => Some(rollups::Interval::Minute),
            Self::Hour => Some(rollups::Interval::Hour),
            Self::Day => Some(rollups::Interval::Day),
            Self::Week => Some(rollups::Interval::Week),
            Self::Month => Some(rollups::Interval::Month),
        }
    }
}

impl From<rollups::Interval> for MetricsInterval {
    fn from(interval: rollups::Interval) -> Self {
        match interval {
            rollups::Interval::Minute => Self::Minute,
            rollups::Interval::Hour => Self::Hour,
            rollups::Interval::Day => Self::Day,
            rollups::Interval::Week => Self::Week,
            rollups::Interval::Month => Self::Month,
        }
    }
}

/// Which keys' messages are counted; test keys' never together with others.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "rollups::Mode")]
pub enum MetricsMode {
    /// Those that were sent.
    Live,
    /// Those of test keys.
    Test,
}

/// What messages are told apart by.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "rollups::Dimension")]
pub enum MetricsDimension {
    /// The recipients' country.
    Country,
    /// The carrier; for the operator's staff.
    Carrier,
    /// The route; for the operator's staff.
    Route,
    /// The sender.
    Sender,
    /// The class.
    Class,
    /// What went wrong. Messages without an error are left out of groups and totals.
    ErrorCode,
}

/// What is counted.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Measure")]
pub enum MetricsMeasure {
    /// Messages accepted.
    Accepted,
    /// Those that a carrier took.
    Sent,
    /// Those on the phone.
    Delivered,
    /// Those that the carrier could not deliver.
    Undelivered,
    /// Those that could not be handed over.
    Failed,
    /// Those whose validity ended.
    Expired,
    /// Those that the carrier refused after taking them.
    Rejected,
    /// Those canceled before they left.
    Canceled,
    /// Those whose recipients do not want them.
    Suppressed,
    /// Those of which nobody knows.
    Unknown,
    /// Parts that carriers took.
    Parts,
    /// What was charged; for those who may read billing.
    Cost,
}

/// Which messages are counted. Conditions are joined by AND; an absent or null one does not matter,
/// an empty list finds none. At most 100 values each.
#[derive(InputObject, Clone, Debug, Default)]
pub struct MetricsFilter {
    /// Live or test; absent or null: live.
    pub mode: Option<MetricsMode>,
    /// Only those to these countries: two letters of ISO 3166-1, or an empty text for numbers of
    /// none.
    pub countries: Option<Vec<String>>,
    /// Only those from these senders, exactly as registered.
    pub senders: Option<Vec<String>>,
    /// Only those of these classes.
    pub classes: Option<Vec<MessageClass>>,
    /// Only those by these carriers, `carr_…`; for the operator's staff.
    pub carrier_ids: Option<Vec<ID>>,
    /// Only those by these routes, `route_…`; for the operator's staff.
    pub route_ids: Option<Vec<ID>>,
}

impl TryFrom<MetricsFilter> for rollups::Filter {
    type Error = Fault;

    fn try_from(filter: MetricsFilter) -> Answer<Self> {
        let carriers = filter.carrier_ids.map(|ids| ids.iter().map(parse_id).collect());
        let routes = filter.route_ids.map(|ids| ids.iter().map(parse_id).collect());
        let carriers: Option<Answer<Vec<CarrierId>>> = carriers;
        let routes: Option<Answer<Vec<RouteId>>> = routes;
        Ok(Self {
            mode: filter.mode.map(Into::into).unwrap_or_default(),
            countries: filter.countries,
            carriers: carriers.transpose()?,
            routes: routes.transpose()?,
            senders: filter.senders,
            classes: filter.classes.map(|all| all.into_iter().map(Into::into).collect()),
        })
    }
}

/// What series are wanted of.
#[derive(InputObject, Clone, Debug)]
pub struct MetricsInput {
    /// The start, from 1970 on. It is taken back to a full minute; of what is older than 7 days to a
    /// quarter of an hour, and older than 400 days to midnight UTC.
    pub from: DateTime,
    /// The end, which does not belong to it, at most 3,660 days later; taken on in the same way.
    pub to: DateTime,
    /// How long a point is; absent or null: `AUTO`. A series has at most 1,500 points.
    pub interval: Option<MetricsInterval>,
    /// By whose clocks points begin: a name of the IANA time zone database, `Europe/Berlin`. Absent
    /// or null: `UTC`.
    pub time_zone: Option<String>,
    /// Which messages; absent or null: all that were sent live.
    pub filter: Option<MetricsFilter>,
    /// Whether the range before, just as long, is wanted too. Absent or null: no.
    pub compare_to_previous: Option<bool>,
}

/// What a breakdown is wanted of.
#[derive(InputObject, Clone, Debug)]
pub struct BreakdownInput {
    /// The start; as in `MetricsInput`.
    pub from: DateTime,
    /// The end, which does not belong to it; as in `MetricsInput`.
    pub to: DateTime,
    /// What messages are told apart by.
    pub by: MetricsDimension,
    /// What groups are ordered by, the largest first; absent or null: `ACCEPTED`.
    pub measure: Option<MetricsMeasure>,
    /// How many groups, 1 to 100; the rest is `other`. Absent or null: 10.
    pub top: Option<i32>,
    /// Which messages; absent or null: all that were sent live.
    pub filter: Option<MetricsFilter>,
}

/// Sums.
#[derive(Clone, Copy, Debug)]
pub struct MetricsTotals {
    figures: rollups::Figures,
    currency: Currency,
}

impl MetricsTotals {
    fn count(&self, measure: Measure) -> SequenceNumber {
        SequenceNumber(self.figures.counts.get(measure))
    }
}

/// What became of messages. A message counts when it was accepted, as what it is now: so the sums
/// of a time are those of `messages` with `createdFrom` and `createdBefore`, and change when late
/// receipts come. Parts and cost count when they were charged: so their sums are those of `usage`
/// and invoices.
#[Object]
impl MetricsTotals {
    /// Messages accepted.
    async fn accepted(&self) -> SequenceNumber {
        self.count(Measure::Accepted)
    }

    /// Those of them that a carrier took, whatever came after.
    async fn sent(&self) -> SequenceNumber {
        self.count(Measure::Sent)
    }

    /// Those that are on their way: accepted, and none of what follows.
    async fn in_progress(&self) -> SequenceNumber {
        let decided: i64 = Measure::ALL
            .iter()
            .filter(|measure| {
                use Measure::{Accepted, Cost, Parts, Sent};
                !matches!(measure, Accepted | Sent | Parts | Cost)
            })
            .map(|measure| self.figures.counts.get(*measure))
            .sum();
        // Groups by error hold outcomes alone.
        SequenceNumber((self.figures.counts.get(Measure::Accepted) - decided).max(0))
    }

    /// Those in status `DELIVERED`.
    async fn delivered(&self) -> SequenceNumber {
        self.count(Measure::Delivered)
    }

    /// Those in status `UNDELIVERED`.
    async fn undelivered(&self) -> SequenceNumber {
        self.count(Measure::Undelivered)
    }

    /// Those in status `FAILED`.
    async fn failed(&self) -> SequenceNumber {
        self.count(Measure::Failed)
    }

    /// Those in status `EXPIRED`.
    async fn expired(&self) -> SequenceNumber {
        self.count(Measure::Expired)
    }

    /// Those in status `REJECTED`.
    async fn rejected(&self) -> SequenceNumber {
        self.count(Measure::Rejected)
    }

    /// Those in status `CANCELED`.
    async fn canceled(&self) -> SequenceNumber {
        self.count(Measure::Canceled)
    }

    /// Those in status `SUPPRESSED`.
    async fn suppressed(&self) -> SequenceNumber {
        self.count(Measure::Suppressed)
    }

    /// Those in status `UNKNOWN`; late receipts take them away from here.
    async fn unknown(&self) -> SequenceNumber {
        self.count(Measure::Unknown)
    }

    /// Parts that carriers took in this time.
    async fn parts(&self) -> SequenceNumber {
        self.count(Measure::Parts)
    }

    /// What was charged in this time, in the account's currency; null for those who may not read
    /// billing.
    async fn cost(&self) -> Option<Money> {
        Some(Money::new(self.figures.cost?, self.currency))
    }

    /// The share of those delivered among those delivered, undelivered, failed, expired, rejected
    /// and unknown, 0 to 1; null while there are none.
    async fn delivery_rate(&self) -> Option<f64> {
        self.figures.counts.delivery_rate()
    }
}

/// How long messages took, in milliseconds: each percentile within 6.25 %.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub struct LatencyPercentiles {
    /// Of how many messages.
    count: SequenceNumber,
    /// Half of them took at most this long; null without any.
    p50_ms: Option<SequenceNumber>,
    /// 95 % of them took at most this long; null without any.
    p95_ms: Option<SequenceNumber>,
    /// 99 % of them took at most this long; null without any.
    p99_ms: Option<SequenceNumber>,
}

impl From<&Histogram> for LatencyPercentiles {
    fn from(times: &Histogram) -> Self {
        let percentile = |percent| times.percentile(percent).map(SequenceNumber);
        Self {
            count: SequenceNumber(i64::try_from(times.count()).unwrap_or(i64::MAX)),
            p50_ms: percentile(50.0),
            p95_ms: percentile(95.0),
            p99_ms: percentile(99.0),
        }
    }
}

/// How long messages took, of those accepted in this time.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub struct MetricsLatency {
    /// From when they were due until a carrier had taken every part.
    to_sent: LatencyPercentiles,
    /// From then until the carrier reported them delivered.
    to_delivered: LatencyPercentiles,
}

impl From<&Latencies> for MetricsLatency {
    fn from(latencies: &Latencies) -> Self {
        Self {
            to_sent: (&latencies.to_sent).into(),
            to_delivered: (&latencies.to_delivered).into(),
        }
    }
}

/// A point of a series.
#[derive(SimpleObject, Clone, Debug)]
pub struct MetricsPoint {
    /// Its start.
    from: DateTime,
    /// Its end, which does not belong to it.
    to: DateTime,
    /// What became of the messages of this time.
    totals: MetricsTotals,
    /// How long they took.
    latency: MetricsLatency,
}

impl MetricsPoint {
    fn new(point: &rollups::Point, currency: Currency) -> Self {
        Self {
            from: point.from.into(),
            to: point.to.into(),
            totals: MetricsTotals { figures: point.figures, currency },
            latency: (&point.latencies).into(),
        }
    }
}

/// A range of time.
#[derive(SimpleObject, Clone, Debug)]
pub struct MetricsPeriod {
    /// Its start.
    from: DateTime,
    /// Its end, which does not belong to it.
    to: DateTime,
    /// In order and without gaps, 1 to 1,500: where there was nothing there are zeros. The first and
    /// the last may be shorter than the interval.
    points: Vec<MetricsPoint>,
    /// Of all points.
    totals: MetricsTotals,
    /// Of all points.
    latency: MetricsLatency,
}

impl MetricsPeriod {
    fn new(series: &rollups::Series, currency: Currency) -> Answer<Self> {
        let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else {
            return Err(Failed::internal("a series has a point").into());
        };
        Ok(Self {
            from: first.from.into(),
            to: last.to.into(),
            points: series.points.iter().map(|it| MetricsPoint::new(it, currency)).collect(),
            totals: MetricsTotals { figures: series.total, currency },
            latency: (&series.latencies).into(),
        })
    }
}

/// Series of what became of messages.
#[derive(SimpleObject, Clone, Debug)]
pub struct Metrics {
    /// How long a point is: what was asked for, or what `AUTO` chose.
    interval: MetricsInterval,
    /// The range that was asked for.
    current: MetricsPeriod,
    /// The range before it, just as long; by days, weeks and months of the calendar where it begins
    /// and ends with them. Null unless asked for.
    previous: Option<MetricsPeriod>,
    /// All that happened before is counted. Usually a second ago at most.
    as_of: DateTime,
}

/// A group of messages.
#[derive(Clone, Debug)]
pub struct BreakdownGroup {
    key: GroupKey,
    totals: MetricsTotals,
}

/// The messages that have a property in common. Of the properties the one is set that they are told
/// apart by.
#[Object]
impl BreakdownGroup {
    /// Their country, two letters of ISO 3166-1, empty for numbers of none.
    async fn country(&self) -> Option<&str> {
        match &self.key {
            GroupKey::Country(country) => Some(country),
            _ => None,
        }
    }

    /// Their sender.
    async fn sender(&self) -> Option<&str> {
        match &self.key {
            GroupKey::Sender(sender) => Some(sender),
            _ => None,
        }
    }

    /// Their class.
    async fn class(&self) -> Option<MessageClass> {
        match self.key {
            GroupKey::Class(class) => Some(class.into()),
            _ => None,
        }
    }

    /// What went wrong with them: the `code` of `Message.error`.
    async fn error_code(&self) -> Option<&str> {
        match &self.key {
            GroupKey::ErrorCode(code) => Some(code),
            _ => None,
        }
    }

    /// Their carrier.
    async fn carrier(&self, context: &Context<'_>) -> Answer<Option<Carrier>> {
        match self.key {
            GroupKey::Carrier(id) => Ok(load(context, CarrierRow(id)).await?.map(Carrier)),
            _ => Ok(None),
        }
    }

    /// Their route; null also for those without one, and for one that was deleted.
    async fn route(&self, context: &Context<'_>) -> Answer<Option<Route>> {
        match self.key {
            GroupKey::Route(Some(id)) => Ok(load(context, RouteRow(id)).await?.map(Route)),
            _ => Ok(None),
        }
    }

    /// What became of them.
    async fn totals(&self) -> MetricsTotals {
        self.totals
    }
}

/// What became of messages, by one of their properties.
#[derive(SimpleObject, Clone, Debug)]
pub struct Breakdown {
    /// The largest groups, in order; at most `top`.
    groups: Vec<BreakdownGroup>,
    /// All others together.
    other: MetricsTotals,
    /// Of all.
    totals: MetricsTotals,
    /// All that happened before is counted. Usually a second ago at most.
    as_of: DateTime,
}

/// The last minutes, as they are now.
#[derive(SimpleObject, Clone, Debug)]
pub struct MetricsState {
    /// A point for each minute, the oldest first, at most 60; the last is the present one. Without
    /// latencies.
    points: Vec<MetricsPoint>,
    /// All that happened before is counted.
    as_of: DateTime,
}

fn refused<R: std::fmt::Display>(error: Error<R>) -> Fault {
    match error {
        Error::Rejected(rejection) => Failed::BadRequest(rejection.to_string()).into(),
        Error::Failed(failed) => failed.into(),
    }
}

/// The answer to `metrics`.
///
/// # Errors
/// The read's own.
pub(super) async fn read_metrics(
    context: &Context<'_>,
    whose: Whose,
    input: MetricsInput,
) -> Answer<Metrics> {
    let looks_at = context.look_ahead();
    let with_latencies = ["current", "previous"].into_iter().any(|period| {
        let period = looks_at.field(period);
        period.field("latency").exists() || period.field("points").field("latency").exists()
    });
    let question = rollups::MetricsQuestion {
        from: input.from.0,
        to: input.to.0,
        interval: input.interval.and_then(MetricsInterval::chosen),
        time_zone: input.time_zone.unwrap_or_else(|| "UTC".to_owned()),
        filter: input.filter.unwrap_or_default().try_into()?,
        with_previous: input.compare_to_previous.unwrap_or(false),
        with_latencies,
    };
    let read = rollups::metrics(call(context)?, whose, &question).await.map_err(refused)?;
    let period = |series| MetricsPeriod::new(series, read.currency);
    Ok(Metrics {
        interval: read.interval.into(),
        current: period(&read.series)?,
        previous: read.previous.as_ref().map(period).transpose()?,
        as_of: read.as_of.into(),
    })
}

/// The answer to `breakdown`.
///
/// # Errors
/// The read's own.
pub(super) async fn read_breakdown(
    context: &Context<'_>,
    whose: Whose,
    input: BreakdownInput,
) -> Answer<Breakdown> {
    let question = rollups::BreakdownQuestion {
        from: input.from.0,
        to: input.to.0,
        by: input.by.into(),
        measure: input.measure.map_or(Measure::Accepted, Into::into),
        // What is negative is out of range like zero.
        top: input.top.map_or(TOP, |top| u64::try_from(top).unwrap_or_default()),
        filter: input.filter.unwrap_or_default().try_into()?,
    };
    let read = rollups::breakdown(call(context)?, whose, &question).await.map_err(refused)?;
    let totals = |figures| MetricsTotals { figures, currency: read.currency };
    let group =
        |group: rollups::Group| BreakdownGroup { key: group.key, totals: totals(group.figures) };
    Ok(Breakdown {
        groups: read.groups.into_iter().map(group).collect(),
        other: totals(read.other),
        totals: totals(read.total),
        as_of: read.as_of.into(),
    })
}

/// Groups of a breakdown whose caller did not say how many.
const TOP: u64 = 10;
/// Minutes of a stream whose caller did not say how many.
const MINUTES: i32 = 15;

/// Reads.
#[derive(Default)]
pub struct RollupsQuery;

#[Object]
impl RollupsQuery {
    /// What became of the messages of the caller's account, as series. Costs the same however many
    /// messages there are. For everybody in the account and for keys with the scope
    /// `messages:read`.
    #[graphql(complexity = "100 + child_complexity")]
    async fn metrics(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of which time and messages.")] input: MetricsInput,
    ) -> Answer<Metrics> {
        read_metrics(context, Whose::Own, input).await
    }

    /// What became of the messages of the caller's account, by one of their properties: the largest
    /// groups, and the rest. For everybody in the account and for keys with the scope
    /// `messages:read`.
    #[graphql(complexity = "100 + child_complexity")]
    async fn breakdown(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of which time and messages, and by what.")] input: BreakdownInput,
    ) -> Answer<Breakdown> {
        read_breakdown(context, Whose::Own, input).await
    }
}

/// Streams.
#[derive(Default)]
pub struct RollupsSubscription;

#[Subscription]
impl RollupsSubscription {
    /// The last minutes of the caller's account: at once, and then each time that they changed, at
    /// most once a second. Each tells the present state whole, so there is nothing to resume: after
    /// an interruption subscribe again. For everybody in the account and for keys with the scope
    /// `messages:read`.
    async fn metrics_live(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many minutes, 1 to 60, with the present one. Default 15.")]
        minutes: Option<i32>,
        #[graphql(desc = "Which messages; absent or null: all that were sent live.")]
        filter: Option<MetricsFilter>,
    ) -> Result<impl Stream<Item = Answer<MetricsState>>, Fault> {
        let ctx: &Ctx = call(context)?;
        let hub = context
            .data_opt::<Hub>()
            .ok_or_else(|| Failed::internal("the schema was built without its services"))?;
        let question = rollups::LiveQuestion {
            minutes: u16::try_from(minutes.unwrap_or(MINUTES)).unwrap_or_default(),
            filter: filter.unwrap_or_default().try_into()?,
        };
        // Boxed: what the first reads need is given back, not kept as long as the stream.
        let live = Box::pin(rollups::follow(ctx, hub, question)).await.map_err(refused)?;
        // Boxed: the future that waits for the next state would else hold room for it twice.
        Ok(unfold(Some(Box::new(live)), |live| async {
            let mut live = live?;
            match live.next().await {
                Ok(state) => {
                    let point = |point| MetricsPoint::new(point, state.currency);
                    let points = state.points.iter().map(point).collect();
                    Some((Ok(MetricsState { points, as_of: state.as_of.into() }), Some(live)))
                }
                // The error is the stream's last word.
                Err(failed) => Some((Err(failed.into()), None)),
            }
        }))
    }
}
