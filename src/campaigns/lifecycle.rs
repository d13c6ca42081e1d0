//! What people do with campaigns, and what campaigns do by themselves: schedule, start, pause,
//! resume, cancel, end. Each is one compare-and-set of the status under the row's lock.

use std::collections::BTreeSet;

use entity::campaign::{Entity, Model};
use entity::enums::{CampaignReason, CampaignStatus, EventKind};
use entity::ids::{AccountId, CampaignId};
use entity::time::UnixMillis;
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, IntoActiveModel, QuerySelect, Set};

use super::commands::{SendTime, WriteCampaignRejection, is_full};
use super::model::{StartRejection, decided, is_over, may_become};
use super::readiness;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::{Fence, Tx};
use crate::error::{Error, Failed};
use crate::events::{self, NewEvent, Topic};

/// Why a campaign's status was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LifecycleRejection {
    /// There is none with this id.
    #[error("there is no such campaign")]
    NotFound,
    /// Where it stands this cannot be done, or is done already.
    #[error("the campaign is {}", name(*.0))]
    WrongStatus(CampaignStatus),
    /// It changed while it was started.
    #[error("the campaign was changed meanwhile: try again")]
    Changed,
    /// It cannot start.
    #[error(transparent)]
    Start(#[from] StartRejection),
    /// It cannot be scheduled for that time.
    #[error(transparent)]
    Schedule(#[from] WriteCampaignRejection),
}

const fn name(status: CampaignStatus) -> &'static str {
    match status {
        CampaignStatus::Draft => "a draft",
        CampaignStatus::Scheduled => "scheduled",
        CampaignStatus::Running => "running",
        CampaignStatus::Paused => "paused",
        CampaignStatus::Finished => "finished",
        CampaignStatus::Canceled => "canceled",
        CampaignStatus::Failed => "failed",
    }
}

type Outcome = Result<Model, Error<LifecycleRejection>>;

/// The event that tells of a campaign's status.
pub(super) fn changed_event(campaign: &Model, now: UnixMillis) -> NewEvent {
    NewEvent {
        account_id: campaign.account_id,
        kind: EventKind::CampaignStatusChanged,
        subject_id: campaign.id.0,
        status: campaign.status.code(),
        version: campaign.version,
        error_code: None,
        occurred_at: now,
    }
}

/// Has a campaign start by itself at a time; without one it is a draft again. Scheduling again only
/// changes the time.
///
/// # Errors
/// [`LifecycleRejection`], or a failure.
pub async fn schedule(ctx: &Ctx, id: CampaignId, time: impl Into<SendTime>) -> Outcome {
    let account_id = ctx.actor.require_in_account(Action::ManageCampaigns)?;
    let refused = |why: WriteCampaignRejection| Error::Rejected(why.into());
    let time = time.into().checked(ctx.clock.now()).map_err(refused)?;
    let to = if time.at.is_some() { CampaignStatus::Scheduled } else { CampaignStatus::Draft };
    change(ctx, account_id, id, Change { to, reason: None, time }).await
}

/// Starts a campaign now, for all at once, also one that was to start by its recipients' clocks. Its
/// messages follow within seconds. Starting again answers
/// [`LifecycleRejection::WrongStatus`].
///
/// # Errors
/// [`LifecycleRejection`], or a failure.
pub async fn start(ctx: &Ctx, id: CampaignId) -> Outcome {
    let account_id = ctx.actor.require_in_account(Action::ManageCampaigns)?;
    let campaign = Model { send_at_local: None, ..find(ctx, account_id, id).await? };
    check_mode(ctx, &campaign)?;
    let from = campaign.status;
    if !may_become(from, CampaignStatus::Running) || from == CampaignStatus::Paused {
        return Err(Error::Rejected(LifecycleRejection::WrongStatus(from)));
    }
    if from == CampaignStatus::Draft
        && ctx.db.write(|tx| async move { is_full(&tx, account_id).await }).await?
    {
        return Err(Error::Rejected(WriteCampaignRejection::TooManyActive.into()));
    }
    let ready = match readiness::check(ctx, &campaign).await {
        Ok(ready) => ready,
        Err(Error::Rejected(why)) => return Err(Error::Rejected(why.into())),
        Err(Error::Failed(failed)) => return Err(Error::Failed(failed)),
    };
    let started = readiness::begin(ctx, &campaign, &ready).await?;
    let now = find(ctx, account_id, id).await?;
    match (started, now.status) {
        (true, _) => Ok(now),
        (false, CampaignStatus::Draft | CampaignStatus::Scheduled) => {
            Err(Error::Rejected(LifecycleRejection::Changed))
        }
        (false, status) => Err(Error::Rejected(LifecycleRejection::WrongStatus(status))),
    }
}

/// Pauses a campaign: once this returns, nothing of it is handed to a carrier any more. What waits
/// becomes HELD.
///
/// # Errors
/// [`LifecycleRejection`], or a failure.
pub async fn pause(ctx: &Ctx, id: CampaignId) -> Outcome {
    let account_id = ctx.actor.require_in_account(Action::ManageCampaigns)?;
    let reason = Some(CampaignReason::Requested);
    change(
        ctx,
        account_id,
        id,
        Change { to: CampaignStatus::Paused, reason, time: SendTime::default() },
    )
    .await
}

/// Lets a paused campaign go on where it stopped. What was held is worth sending for as long as
/// was left when it was last due.
///
/// # Errors
/// [`LifecycleRejection`], or a failure.
pub async fn resume(ctx: &Ctx, id: CampaignId) -> Outcome {
    let account_id = ctx.actor.require_in_account(Action::ManageCampaigns)?;
    let status = find(ctx, account_id, id).await?.status;
    if status != CampaignStatus::Paused {
        return Err(Error::Rejected(LifecycleRejection::WrongStatus(status)));
    }
    let to = CampaignStatus::Running;
    change(ctx, account_id, id, Change { to, reason: None, time: SendTime::default() }).await
}

/// Ends a campaign: once this returns, nothing of it is handed to a carrier any more. What waits is
/// canceled and its holds given back.
///
/// # Errors
/// [`LifecycleRejection`], or a failure.
pub async fn cancel(ctx: &Ctx, id: CampaignId) -> Outcome {
    let account_id = ctx.actor.require_in_account(Action::ManageCampaigns)?;
    let to = CampaignStatus::Canceled;
    change(ctx, account_id, id, Change { to, reason: None, time: SendTime::default() }).await
}

/// What a campaign does by itself: PAUSED or FAILED for a reason, or FINISHED. Nothing if a person
/// was faster.
pub(super) async fn end_by_itself(
    ctx: &Ctx,
    campaign: &Model,
    to: CampaignStatus,
    reason: Option<CampaignReason>,
) -> Result<(), Failed> {
    let change_to = Change { to, reason, time: SendTime::default() };
    match change(ctx, campaign.account_id, campaign.id, change_to).await {
        Ok(changed) => {
            tracing::info!(
                campaign.id = %changed.id, campaign.status = ?changed.status,
                campaign.reason = ?changed.reason, "a campaign changed by itself"
            );
            Ok(())
        }
        Err(Error::Rejected(_)) => Ok(()),
        Err(Error::Failed(failed)) => Err(failed),
    }
}

/// A test key sends nothing: it leaves alone what was made to be sent.
pub(super) fn check_mode(ctx: &Ctx, campaign: &Model) -> Result<(), Failed> {
    if ctx.actor.is_test() && !campaign.is_test {
        return Err(Failed::Forbidden(Action::ManageCampaigns.refusal()));
    }
    Ok(())
}

async fn find(ctx: &Ctx, account_id: AccountId, id: CampaignId) -> Outcome {
    let found = Entity::find_by_id((account_id, id)).one(ctx.db.reader()).await?;
    found.ok_or(Error::Rejected(LifecycleRejection::NotFound))
}

/// A change of status.
#[derive(Clone)]
struct Change {
    to: CampaignStatus,
    reason: Option<CampaignReason>,
    /// Of SCHEDULED.
    time: SendTime,
}

async fn change(ctx: &Ctx, account_id: AccountId, id: CampaignId, change: Change) -> Outcome {
    let now = ctx.clock.now();
    let change = &change;
    let changed = ctx
        .db
        .write(|tx| async move {
            // Alone: every claim after the commit sees the new status.
            Fence::Exclusive.take(&tx, &BTreeSet::from([account_id])).await?;
            let row = Entity::find_by_id((account_id, id)).lock_exclusive().one(&*tx).await?;
            let row = row.ok_or(Error::Rejected(LifecycleRejection::NotFound))?;
            if matches!(change.to, CampaignStatus::Scheduled | CampaignStatus::Running) {
                check_mode(ctx, &row)?;
            }
            if !may_become(row.status, change.to) {
                return Err(Error::Rejected(LifecycleRejection::WrongStatus(row.status)));
            }
            let becomes_active =
                row.status == CampaignStatus::Draft && change.to == CampaignStatus::Scheduled;
            if becomes_active && is_full(&tx, account_id).await? {
                let full = WriteCampaignRejection::TooManyActive;
                return Err(Error::Rejected(full.into()));
            }
            let changed = write(&tx, row, change, now).await?;
            events::append(&tx, vec![changed_event(&changed, now)]).await?;
            Ok(changed)
        })
        .await?;
    ctx.doorbell.ring(Topic::Events(account_id));
    Ok(changed)
}

async fn write(tx: &Tx, row: Model, change: &Change, now: UnixMillis) -> Result<Model, DbErr> {
    let has_messages = row.started_at_ms.is_some();
    let (expanded, version) = (row.expanded, row.version + 1);
    let key = (row.account_id, row.id);
    let mut row = row.into_active_model();
    row.status = Set(change.to);
    row.reason = Set(change.reason);
    row.version = Set(version);
    row.updated_at_ms = Set(now);
    match change.to {
        CampaignStatus::Scheduled | CampaignStatus::Draft => {
            row.scheduled_at_ms = Set(change.time.at);
            row.send_at_local = Set(change.time.at_local.clone());
        }
        CampaignStatus::Running => {
            let total = entity::campaign_total::Entity::find_by_id(key).one(&**tx).await?;
            let (failed, decided) = total.as_ref().map(decided).unwrap_or_default();
            row.failed_before = Set(failed);
            row.decided_before = Set(decided);
            row.paced_from_ms = Set(Some(now));
            row.paced_after = Set(expanded);
            row.needs_sweep = Set(true);
        }
        CampaignStatus::Paused | CampaignStatus::Canceled => row.needs_sweep = Set(has_messages),
        CampaignStatus::Finished | CampaignStatus::Failed => {}
    }
    if is_over(change.to) {
        row.finished_at_ms = Set(Some(now));
    }
    row.update(&**tx).await
}
