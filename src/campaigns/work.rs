//! The worker: starts what is due, freezes, expands, moves what waits, and ends what is done. One
//! node runs it at a time, under a job's lease; a second one beside it would do no harm.

use entity::campaign::{Column, Entity, Model};
use entity::campaign_total;
use entity::enums::{CampaignReason, CampaignStatus};
use entity::ids::{AccountId, CampaignId};
use sea_orm::sea_query::{Cond, Expr, ExprTrait};
use sea_orm::{DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::lifecycle::end_by_itself;
use super::model::{counted, decided, waiting};
use super::{expand, readiness, recipients, sweep};
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::messages::commands::Tables;

/// Campaigns of one look.
const CAMPAIGNS_MAX: u64 = 100;
/// How long a run goes on, in ms: the next one looks up routes and prices anew.
const RUN_MS_MAX: i64 = 5_000;

/// What a turn works with.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) tables: &'a Tables,
    /// Campaigns that share the time: the more, the shorter the turns.
    pub(super) at_once: usize,
}

/// Does what there is to do for all campaigns, each in its turn, until there is nothing more at the
/// moment. Returns how many recipients and messages were dealt with. One that fails is logged, left
/// for the next run, and keeps no others.
///
/// # Errors
/// The store's own, where not even the list can be read; what was committed before stays.
pub async fn run(ctx: &Ctx, tables: &Tables) -> Result<u64, DbErr> {
    let mut done = 0;
    let began_at = ctx.clock.now();
    loop {
        let mut in_round = 0;
        let mut after = (AccountId(Uuid::nil()), CampaignId(Uuid::nil()));
        loop {
            let campaigns = at_work(ctx, after).await?;
            let Some(last) = campaigns.last() else { break };
            after = (last.account_id, last.id);
            for campaign in &campaigns {
                match turn(ctx, Work { tables, at_once: campaigns.len() }, campaign).await {
                    Ok(count) => in_round += count,
                    Err(failed) => {
                        let error: &dyn std::error::Error = &failed;
                        tracing::warn!(
                            campaign.id = %campaign.id, error, "a campaign cannot go on yet"
                        );
                    }
                }
            }
        }
        done += in_round;
        if in_round == 0 || ctx.clock.now().since(began_at) >= RUN_MS_MAX {
            return Ok(done);
        }
    }
}

/// Campaigns behind a place that there may be something to do for.
async fn at_work(
    ctx: &Ctx,
    (account_id, id): (AccountId, CampaignId),
) -> Result<Vec<Model>, DbErr> {
    // Written out: a partial index serves only a query that repeats its condition.
    let is_at_work = "(status IN (1, 2) OR needs_sweep)";
    let behind = Cond::any()
        .add(Expr::col(Column::AccountId).gt(account_id.0))
        .add(Expr::col(Column::AccountId).eq(account_id.0).and(Expr::col(Column::Id).gt(id.0)));
    Entity::find()
        .filter(Expr::cust(is_at_work))
        .filter(behind)
        .order_by_asc(Column::AccountId)
        .order_by_asc(Column::Id)
        .limit(CAMPAIGNS_MAX)
        .all(ctx.db.reader())
        .await
}

/// What one campaign needs next. Says how much was done; what can wait for the next run counts as
/// nothing.
async fn turn(ctx: &Ctx, work: Work<'_>, campaign: &Model) -> Result<u64, Failed> {
    let swept = if campaign.needs_sweep { sweep::sweep(ctx, campaign).await? } else { 0 };
    match campaign.status {
        CampaignStatus::Scheduled => start_if_due(ctx, campaign).await,
        CampaignStatus::Running => Ok(swept + go_on(ctx, work, campaign).await?),
        _ => Ok(swept),
    }
}

async fn start_if_due(ctx: &Ctx, campaign: &Model) -> Result<u64, Failed> {
    if campaign.scheduled_at_ms.is_none_or(|at| at > ctx.clock.now()) {
        return Ok(0);
    }
    match readiness::check(ctx, campaign).await {
        Ok(ready) => Ok(u64::from(readiness::begin(ctx, campaign, &ready).await?)),
        Err(Error::Rejected(why)) => {
            let (to, reason) = (CampaignStatus::Failed, Some(why.reason()));
            end_by_itself(ctx, campaign, to, reason).await?;
            Ok(0)
        }
        Err(Error::Failed(failed)) => Err(failed),
    }
}

async fn go_on(ctx: &Ctx, work: Work<'_>, campaign: &Model) -> Result<u64, Failed> {
    if campaign.frozen_at_ms.is_none() {
        return Ok(u64::from(recipients::freeze_next(ctx, campaign).await?));
    }
    let key = (campaign.account_id, campaign.id);
    let total = campaign_total::Entity::find_by_id(key).one(ctx.db.reader()).await?;
    if total.as_ref().is_some_and(|total| fails_too_often(ctx, campaign, total)) {
        let (to, reason) = (CampaignStatus::Paused, Some(CampaignReason::FailureRatio));
        end_by_itself(ctx, campaign, to, reason).await?;
        return Ok(0);
    }
    if campaign.expanded_at_ms.is_none() {
        return expand::expand(ctx, work, campaign).await;
    }
    let all_counted = total.as_ref().map_or(0, counted) == campaign.accepted;
    if all_counted && total.as_ref().map_or(0, waiting) == 0 {
        end_by_itself(ctx, campaign, CampaignStatus::Finished, None).await?;
    }
    Ok(0)
}

/// Whether too many of the messages failed whose fate was decided since it was started or resumed.
fn fails_too_often(ctx: &Ctx, campaign: &Model, total: &campaign_total::Model) -> bool {
    let settings = &ctx.settings.campaigns;
    let (failed, decided) = decided(total);
    let failed = failed - campaign.failed_before;
    let decided = decided - campaign.decided_before;
    decided >= settings.failure_samples_min
        && failed.saturating_mul(100) > decided.saturating_mul(settings.failure_percent_max)
}
