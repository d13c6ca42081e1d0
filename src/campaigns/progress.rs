//! How a campaign goes, as a stream. It holds no place in the log: each time it tells the present
//! state whole, and what changes faster than it tells is told together.

use std::collections::VecDeque;
use std::time::Duration;

use entity::campaign::Model;
use entity::campaign_total;
use entity::enums::CampaignStatus;
use entity::ids::{AccountId, CampaignId};
use entity::time::UnixMillis;

use super::model::{is_over, left, waiting};
use super::queries;
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::events::{Hub, POLL_INTERVAL, Subscription, SubscriptionError};

/// A stream tells at most once in this time: totals are folded once a second.
const INTERVAL: Duration = Duration::from_secs(1);
/// Over how long the rate is taken, in ms.
const RATE_WINDOW_MS: i64 = 30_000;

/// How a campaign goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// The campaign.
    pub campaign: Model,
    /// What became of its messages; none before the first.
    pub total: Option<campaign_total::Model>,
    /// The last event of the account's log that is counted.
    pub seq: i64,
    /// When this was so.
    pub at: UnixMillis,
    /// Messages that left within a second, over the last half minute; none until that is known.
    pub rate_per_s: Option<f64>,
    /// When the last will have left, if it goes on so; none while any wait for a time of their own.
    pub ends_at: Option<UnixMillis>,
}

/// A stream of a campaign's progress.
pub struct Progresses {
    ctx: Ctx,
    id: CampaignId,
    hub: Hub,
    account_id: AccountId,
    log: Subscription,
    told: Option<(Model, Option<campaign_total::Model>)>,
    /// What was told before the stream began.
    told_seq: Option<i64>,
    /// When how many had left.
    samples: VecDeque<(UnixMillis, i64)>,
    stale: bool,
    read_again_at: UnixMillis,
}

/// Follows a campaign of the caller's account; with `after`, from what is new since that event on.
/// None if the account has no such campaign.
///
/// # Errors
/// [`SubscriptionError`] if `after` is no event of the log any more, or not yet; [`Failed`]: not
/// allowed, or the store's own.
pub async fn follow(
    ctx: &Ctx,
    hub: &Hub,
    id: CampaignId,
    after: Option<i64>,
) -> Result<Option<Progresses>, Error<SubscriptionError>> {
    let found = queries::by_ids(ctx, &[id]).await?;
    let Some(campaign) = found.first() else { return Ok(None) };
    let account_id = campaign.account_id;
    let log = subscribe(hub, account_id, after).await?;
    Ok(Some(Progresses {
        ctx: ctx.clone(),
        id,
        hub: hub.clone(),
        account_id,
        log,
        told: None,
        told_seq: after,
        samples: VecDeque::new(),
        stale: true,
        read_again_at: ctx.clock.now(),
    }))
}

async fn subscribe(
    hub: &Hub,
    account_id: AccountId,
    after: Option<i64>,
) -> Result<Subscription, Error<SubscriptionError>> {
    // Only to check the cursor: what it says is in the state that is told first.
    if let Some(after) = after {
        hub.subscribe(account_id, Some(after)).await.map_err(refused)?;
    }
    hub.subscribe(account_id, None).await.map_err(refused)
}

fn refused(error: SubscriptionError) -> Error<SubscriptionError> {
    match error {
        SubscriptionError::Store(error) => Error::Failed(error.into()),
        other => Error::Rejected(other),
    }
}

impl Progresses {
    /// The state at first, and then each time that it differs from what was told, at most once a
    /// second; none once the campaign is gone.
    ///
    /// # Errors
    /// [`Failed`]: the caller may not any more, or the store's own.
    pub async fn next(&mut self) -> Result<Option<Progress>, Failed> {
        loop {
            let now = self.ctx.clock.now();
            if self.stale && now >= self.read_again_at {
                // Boxed: an idle stream is not to hold room for a query.
                let Some((progress, is_complete)) = Box::pin(self.read(now)).await? else {
                    return Ok(None);
                };
                self.read_again_at = now.plus_ms(INTERVAL.as_millis() as i64);
                // What is not folded yet is looked for again.
                self.stale = !is_complete;
                let state = (progress.campaign.clone(), progress.total.clone());
                let is_known = self.told_seq.take() == Some(progress.seq) && is_complete;
                if !is_known && self.told.as_ref() != Some(&state) {
                    self.told = Some(state);
                    return Ok(Some(progress));
                }
            }
            let wait = async {
                match self.stale {
                    true => self.ctx.clock.sleep_until(self.read_again_at).await,
                    false => std::future::pending().await,
                }
            };
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
                        let log = Box::pin(self.hub.subscribe(self.account_id, None)).await;
                        self.log = log.map_err(Failed::internal)?;
                        self.stale = true;
                    }
                },
                () = wait => {}
            }
        }
    }

    /// The present state, and whether the totals tell of all that the log has; none if the campaign
    /// is gone.
    async fn read(&mut self, now: UnixMillis) -> Result<Option<(Progress, bool)>, Failed> {
        let folded = queries::folded_to(&self.ctx).await?;
        let found = queries::by_ids(&self.ctx, &[self.id]).await?;
        let Some(campaign) = found.into_iter().next() else { return Ok(None) };
        let total = queries::totals(&self.ctx, &[self.id]).await?.into_iter().next();
        let has_left = total.as_ref().map_or(0, left);
        self.samples.push_back((now, has_left));
        while self.samples.front().is_some_and(|(at, _)| now.since(*at) > RATE_WINDOW_MS) {
            self.samples.pop_front();
        }
        let rate_per_s = self.samples.front().and_then(|(at, before)| {
            let seconds = now.since(*at) as f64 / 1_000.0;
            (seconds >= 1.0).then(|| (has_left - before) as f64 / seconds)
        });
        let is_running = campaign.status == CampaignStatus::Running;
        let still = campaign.recipients - campaign.expanded + total.as_ref().map_or(0, waiting);
        // What waits for its own time leaves then, whatever the rate.
        let is_steady = is_running && total.as_ref().is_none_or(|total| total.scheduled == 0);
        let ends_at = rate_per_s.filter(|rate| is_steady && *rate > 0.0).map(|rate| {
            let seconds = (still as f64 / rate).min(1e9);
            now.plus_ms((seconds * 1_000.0) as i64)
        });
        let rate_per_s = rate_per_s.filter(|_| !is_over(campaign.status));
        // Freezing writes nothing into the log.
        let is_freezing = is_running && campaign.frozen_at_ms.is_none();
        let is_complete = folded.seq >= folded.last_seq && !is_freezing;
        let progress = Progress { campaign, total, seq: folded.seq, at: now, rate_per_s, ends_at };
        Ok(Some((progress, is_complete)))
    }
}
