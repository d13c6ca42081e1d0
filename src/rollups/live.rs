//! The last minutes as they change.
//!
//! A stream holds no place in the log: each time it tells the present state, so whoever comes back
//! has all of it at once, and what changes faster than it tells is told together.

use std::time::Duration;

use entity::time::UnixMillis;
use jiff::tz::TimeZone;

use super::model::Resolution;
use super::periods::{self, Interval, Kept};
use super::queries::{self, Filter, Point, View, Whose};
use super::read::Read;
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::events::{Hub, POLL_INTERVAL, Subscription, SubscriptionError};
use crate::types::money::Currency;

/// Minutes of one stream.
pub const MINUTES_MAX: u16 = 60;
/// A stream tells at most once in this time: more often nobody looks, and the roll-ups are folded
/// once a second.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is followed.
#[derive(Clone, Debug)]
pub struct LiveQuestion {
    /// How many minutes, with the present one; 1 to [`MINUTES_MAX`].
    pub minutes: u16,
    /// Of which messages.
    pub filter: Filter,
}

/// Why nothing is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiveRejection {
    /// Not 1 to [`MINUTES_MAX`].
    #[error("minutes is from 1 to {MINUTES_MAX}")]
    InvalidMinutes,
    /// The filter's.
    #[error(transparent)]
    Filter(#[from] queries::MetricsRejection),
}

/// The last minutes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveState {
    /// The oldest first; the last is the present one.
    pub points: Vec<Point>,
    /// What costs are in.
    pub currency: Currency,
    /// All that happened before is counted.
    pub as_of: UnixMillis,
}

/// A stream of the last minutes of an account.
pub struct Live {
    ctx: Ctx,
    question: LiveQuestion,
    view: View,
    hub: Hub,
    log: Subscription,
    told: Option<Vec<Point>>,
    /// Whether something may have changed since it was last read.
    stale: bool,
    /// Not before.
    read_again_at: UnixMillis,
    /// Then another minute begins, and with it a point.
    minute_ends_at: UnixMillis,
}

/// Follows the last minutes of the caller's account, from now on.
///
/// # Errors
/// [`LiveRejection`]; [`Failed`]: not allowed, or the store's own.
pub async fn follow(
    ctx: &Ctx,
    hub: &Hub,
    question: LiveQuestion,
) -> Result<Live, Error<LiveRejection>> {
    let view = View::of(ctx, Whose::Own).await?;
    queries::check_filter(ctx, Whose::Own, &question.filter).map_err(|error| match error {
        Error::Rejected(rejection) => Error::Rejected(rejection.into()),
        Error::Failed(failed) => Error::Failed(failed),
    })?;
    if !(1..=MINUTES_MAX).contains(&question.minutes) {
        return Err(Error::Rejected(LiveRejection::InvalidMinutes));
    }
    let log = subscribe(hub, view).await?;
    let now = ctx.clock.now();
    Ok(Live {
        ctx: ctx.clone(),
        question,
        view,
        hub: hub.clone(),
        log,
        told: None,
        stale: true,
        read_again_at: now,
        minute_ends_at: next_minute(now),
    })
}

async fn subscribe(hub: &Hub, view: View) -> Result<Subscription, Failed> {
    hub.subscribe(view.account_id, None).await.map_err(|error| match error {
        SubscriptionError::Store(error) => error.into(),
        // Whoever follows from now on names no cursor.
        other => Failed::internal(other),
    })
}

impl Live {
    /// The state at first, and then each time that it differs from what was told, at most once a
    /// second.
    ///
    /// # Errors
    /// [`Failed`]: the caller may not any more, or the store's own.
    pub async fn next(&mut self) -> Result<LiveState, Failed> {
        loop {
            let now = self.ctx.clock.now();
            self.stale |= now >= self.minute_ends_at;
            if self.stale && now >= self.read_again_at {
                // Boxed: an idle stream is not to hold room for a query.
                let state = Box::pin(self.read(now)).await?;
                self.read_again_at = now.plus_ms(millis(INTERVAL));
                self.minute_ends_at = next_minute(now);
                // What is not folded yet is looked for again.
                self.stale = state.as_of < now;
                if self.told.as_ref() != Some(&state.points) {
                    self.told = Some(state.points.clone());
                    return Ok(state);
                }
            }
            let wake_at = if self.stale { self.read_again_at } else { self.minute_ends_at };
            tokio::select! {
                event = self.log.next() => match event {
                    Ok(_) => self.stale = true,
                    Err(SubscriptionError::Store(error)) => {
                        tracing::warn!(
                            request.id = %self.ctx.request_id, %error,
                            "a stream cannot read the event log; trying again"
                        );
                        Box::pin(self.ctx.clock.sleep(POLL_INTERVAL)).await;
                    }
                    // Retention overtook it: only what comes from now on matters here.
                    Err(_) => {
                        self.log = Box::pin(subscribe(&self.hub, self.view)).await?;
                        self.stale = true;
                    }
                },
                () = self.ctx.clock.sleep_until(wake_at) => {}
            }
        }
    }

    async fn read(&self, now: UnixMillis) -> Result<LiveState, Failed> {
        let end_s = Resolution::Minute.start_of(now.0.div_euclid(1_000)) + 60;
        let from_s = end_s - i64::from(self.question.minutes) * 60;
        let kept = Kept::at(&self.ctx.settings.metrics, now);
        let in_range = |error: periods::PeriodRejection| Failed::internal(error);
        let edges = periods::edges(from_s, end_s, Interval::Minute, &TimeZone::UTC);
        let edges = edges.map_err(in_range)?;
        let as_of = queries::as_of(&self.ctx, self.view.account_id, now).await?;
        let (ctx, view, filter) = (&self.ctx, self.view, &self.question.filter);
        let read = Read { ctx, view, filter, with_latencies: false };
        let series = read.series(&edges, &kept).await.map_err(|error| match error {
            Error::Failed(failed) => failed,
            Error::Rejected(rejection) => Failed::internal(rejection),
        })?;
        Ok(LiveState { points: series.points, currency: self.view.currency, as_of })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// When the next minute begins.
const fn next_minute(now: UnixMillis) -> UnixMillis {
    UnixMillis(now.0 - now.0.rem_euclid(60_000) + 60_000)
}
