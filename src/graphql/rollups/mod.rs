//! Metrics in the contract: series, breakdowns and the live minutes. Behaviour: `crate::rollups`.

mod figures;
mod inputs;

use async_graphql::{Context, Object, Subscription};
use futures::Stream;
use futures::stream::unfold;

pub use figures::{Breakdown, Metrics, MetricsState};
use figures::{BreakdownGroup, MetricsPeriod, MetricsPoint, MetricsTotals};
use inputs::MetricsInterval;
pub use inputs::{BreakdownInput, MetricsFilter, MetricsInput};

use super::call;
use super::errors::{Answer, Fault};
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::events::Hub;
use crate::rollups::{self, Measure, Whose};

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
