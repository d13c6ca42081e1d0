//! What metrics are answered with.

use async_graphql::{Context, Object, SimpleObject};

use super::inputs::MetricsInterval;
use crate::error::Failed;
use crate::graphql::campaigns::Campaign;
use crate::graphql::carriers::Carrier;
use crate::graphql::errors::Answer;
use crate::graphql::loaders::{CarrierRow, RouteRow, load};
use crate::graphql::messages::enums::MessageClass;
use crate::graphql::money::Money;
use crate::graphql::routes::Route;
use crate::graphql::scalars::{DateTime, SequenceNumber};
use crate::rollups::{self, GroupKey, Histogram, Latencies, Measure};
use crate::types::money::Currency;

/// Sums.
#[derive(Clone, Copy, Debug)]
pub struct MetricsTotals {
    pub(super) figures: rollups::Figures,
    pub(super) currency: Currency,
}

impl MetricsTotals {
    fn count(&self, measure: Measure) -> SequenceNumber {
        SequenceNumber(self.figures.counts.get(measure))
    }
}

/// What became of messages. A message counts when it was accepted, as what it is now: so the sums
/// of a time are those of `messages` with `createdFrom` and `createdBefore`, and change when late
/// receipts come. Parts and cost count when they were charged: so their sums are those of `usage`
/// and invoices. What people did counts when they did it, with the message that it answers.
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
            .filter(|measure| measure.is_outcome())
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

    /// People who objected to being written to in this time, each once as long as it holds: by keyword,
    /// on their preference page, or as the account recorded it.
    async fn opt_outs(&self) -> SequenceNumber {
        self.count(Measure::OptOuts)
    }

    /// Messages from phones in this time that answer: to a number of the account, within 7 days after
    /// it wrote to the phone.
    async fn replies(&self) -> SequenceNumber {
        self.count(Measure::Replies)
    }

    /// Clicks of persons in this time on the short links of campaigns; programs are left out as far
    /// as they can be told.
    async fn clicks(&self) -> SequenceNumber {
        self.count(Measure::Clicks)
    }

    /// Recipients who clicked on a link of a message for the first time in this time.
    async fn unique_clicks(&self) -> SequenceNumber {
        self.count(Measure::UniqueClicks)
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
    pub(super) fn new(point: &rollups::Point, currency: Currency) -> Self {
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
    /// In order and without gaps, at most 1,500: where there was nothing there are zeros. The first and
    /// the last may be shorter than the interval.
    points: Vec<MetricsPoint>,
    /// Of all points.
    totals: MetricsTotals,
    /// Of all points.
    latency: MetricsLatency,
}

impl MetricsPeriod {
    pub(super) fn new(series: &rollups::Series, currency: Currency) -> Answer<Self> {
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
    pub(super) interval: MetricsInterval,
    /// The range that was asked for.
    pub(super) current: MetricsPeriod,
    /// The range before it, just as long; by days, weeks and months of the calendar where it begins
    /// and ends with them. Null unless asked for.
    pub(super) previous: Option<MetricsPeriod>,
    /// All that happened before is counted. Usually a second ago at most.
    pub(super) as_of: DateTime,
}

/// A group of messages.
#[derive(Clone, Debug)]
pub struct BreakdownGroup {
    pub(super) key: GroupKey,
    pub(super) totals: MetricsTotals,
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

    /// Their campaign.
    async fn campaign(&self, context: &Context<'_>) -> Answer<Option<Campaign>> {
        match self.key {
            GroupKey::Campaign(id) => Campaign::load(context, id).await,
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
    pub(super) groups: Vec<BreakdownGroup>,
    /// All others together.
    pub(super) other: MetricsTotals,
    /// Of all.
    pub(super) totals: MetricsTotals,
    /// All that happened before is counted. Usually a second ago at most.
    pub(super) as_of: DateTime,
}

/// The last minutes, as they are now.
#[derive(SimpleObject, Clone, Debug)]
pub struct MetricsState {
    /// A point for each minute, the oldest first, at most 60; the last is the present one. Without
    /// latencies.
    pub(super) points: Vec<MetricsPoint>,
    /// All that happened before is counted.
    pub(super) as_of: DateTime,
}
