//! Whether a campaign can start, and starting it: its audience becomes one condition. Called when a
//! person starts it, and by the worker when its time has come.

use entity::campaign::{Column, Entity, Model};
use entity::contact;
use entity::enums::{AccountStatus, CampaignStatus, SenderStatus};
use entity::{account, sender};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Select};

use super::lifecycle::changed_event;
use super::model::StartRejection;
use super::{addresses, retry};
use crate::billing;
use crate::contacts::{self, Audience, AudienceFault, Condition};
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::events::{self, Topic};

/// What a campaign that can start is started with.
pub(super) struct Ready {
    /// Its audience as one condition, as JSON.
    condition: String,
}

/// Checks that a campaign can start: that the account may send, by this sender, and that there is
/// somebody to write to.
pub(super) async fn check(ctx: &Ctx, campaign: &Model) -> Result<Ready, Error<StartRejection>> {
    let account_id = campaign.account_id;
    let reader = ctx.db.reader();
    let account = account::Entity::find_by_id(account_id).one(reader).await?;
    if account.is_none_or(|account| account.status != AccountStatus::Active) {
        return Err(Error::Rejected(StartRejection::AccountSuspended));
    }
    if !campaign.is_test {
        if billing::terms(ctx, account_id).await?.suspended_at.is_some() {
            return Err(Error::Rejected(StartRejection::PaymentOverdue));
        }
        let approved = sender::Entity::find()
            .filter(sender::Column::AccountId.eq(account_id))
            .filter(sender::Column::Value.eq(&campaign.sender))
            .filter(sender::Column::Status.eq(SenderStatus::Approved))
            .one(reader)
            .await?;
        if approved.is_none() {
            return Err(Error::Rejected(StartRejection::SenderNotApproved));
        }
    }
    if addresses::base(ctx, campaign).await?.is_err() {
        return Err(Error::Rejected(StartRejection::LinkDomainNotVerified));
    }
    let condition = match audience(ctx, campaign).await {
        Ok(condition) => condition,
        Err(Error::Rejected(fault)) => return Err(Error::Rejected(fault.into())),
        Err(Error::Failed(failed)) => return Err(Error::Failed(failed)),
    };
    let store = ctx.db.store();
    let members = retry::members(store, campaign, &condition);
    if !is_anybody(ctx, members.clone()).await? {
        return Err(Error::Rejected(StartRejection::EmptyAudience));
    }
    let topic = campaign.topic.as_deref();
    let reachable = contacts::is_reachable(store, members, &campaign.sender, topic);
    if !is_anybody(ctx, reachable).await? {
        return Err(Error::Rejected(StartRejection::AllSuppressed));
    }
    let condition = serde_json::to_string(&condition).map_err(Failed::internal)?;
    Ok(Ready { condition })
}

/// The audience as one condition: of a retry that of the campaign that it retries, whose lists may be
/// gone.
pub(super) async fn audience(
    ctx: &Ctx,
    campaign: &Model,
) -> Result<Condition, Error<AudienceFault>> {
    if let (Some(_), Some(condition)) = (campaign.parent_id, &campaign.condition) {
        return Ok(serde_json::from_str(condition).map_err(Failed::internal)?);
    }
    let audience = Audience::from_stored(&campaign.audience)?;
    contacts::audience_condition(ctx, campaign.account_id, &audience).await
}

/// Whether a contact is selected.
pub(super) async fn is_anybody(ctx: &Ctx, select: Select<contact::Entity>) -> Result<bool, DbErr> {
    let first = select.limit(1).one(ctx.db.reader()).await?;
    Ok(first.is_some())
}

/// Starts a campaign that is still of the version that was checked. False if it is not.
pub(super) async fn begin(ctx: &Ctx, campaign: &Model, ready: &Ready) -> Result<bool, DbErr> {
    let now = ctx.clock.now();
    let version = campaign.version + 1;
    let started = ctx
        .db
        .write(|tx| async move {
            let changed = Entity::update_many()
                .col_expr(Column::Status, Expr::value(CampaignStatus::Running.code()))
                .col_expr(Column::Condition, Expr::value(ready.condition.clone()))
                .col_expr(Column::SendAtLocal, Expr::value(campaign.send_at_local.clone()))
                .col_expr(Column::PacedFromMs, Expr::value(now.0))
                .col_expr(Column::StartedAtMs, Expr::value(now.0))
                .col_expr(Column::UpdatedAtMs, Expr::value(now.0))
                .col_expr(Column::Version, Expr::value(version))
                .filter(Column::AccountId.eq(campaign.account_id))
                .filter(Column::Id.eq(campaign.id))
                .filter(Column::Version.eq(campaign.version))
                .filter(Column::Status.eq(campaign.status))
                .exec(&*tx)
                .await?;
            if changed.rows_affected == 0 {
                return Ok(false);
            }
            let running = Model { status: CampaignStatus::Running, version, ..campaign.clone() };
            events::append(&tx, vec![changed_event(&running, now)]).await?;
            Ok::<_, DbErr>(true)
        })
        .await?;
    if started {
        ctx.doorbell.ring(Topic::Events(campaign.account_id));
    }
    Ok(started)
}
