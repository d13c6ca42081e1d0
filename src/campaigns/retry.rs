//! Retrying what failed for a reason that may have passed: as a campaign of its own, whose audience are
//! the recipients of another one whose messages are worth it. It is started, frozen and expanded like
//! any other, so consent and suppressions are looked at anew.

use entity::campaign::{ActiveModel, Column, Entity, Model};
use entity::contact;
use entity::ids::CampaignId;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::lifecycle::check_mode;
use super::model::{draft, is_over};
use super::readiness::is_anybody;
use super::variants;
use crate::authz::Action;
use crate::contacts::{self, Condition};
use crate::ctx::Ctx;
use crate::db::{Store, TransactionError};
use crate::error::{Error, Failed, violated_constraint};
use crate::messages::retry::{Retried, is_worth_retrying};

/// Retries of one campaign that are shown.
const RETRIES_SHOWN_MAX: u64 = 50;

/// Why a campaign is not retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryRejection {
    /// There is none with this id.
    #[error("there is no such campaign")]
    NotFound,
    /// Its messages are still being made or sent.
    #[error("a campaign can be retried when it is over")]
    NotOver,
    /// None of its messages is worth it.
    #[error("no message of the campaign failed for a reason that may have passed")]
    NothingToRetry,
    /// Another campaign does so already.
    #[error("the campaign is being retried already")]
    AlreadyRetried,
}

/// Makes a draft of a campaign to those whose messages of `retried` failed for a reason that may have
/// passed. Who that is, is found when it starts; each keeps the variant that they had. Idempotent:
/// while that campaign is not over, another call answers [`RetryRejection::AlreadyRetried`].
///
/// # Errors
/// [`RetryRejection`], or a failure.
pub async fn retry_failed(ctx: &Ctx, retried: Retried) -> Result<Model, Error<RetryRejection>> {
    let account_id = ctx.actor.require_in_account(Action::ManageCampaigns)?;
    let reader = ctx.db.reader();
    let parent = Entity::find_by_id((account_id, retried.campaign_id)).one(reader).await?;
    let parent = parent.ok_or(Error::Rejected(RetryRejection::NotFound))?;
    check_mode(ctx, &parent)?;
    if !is_over(parent.status) {
        return Err(Error::Rejected(RetryRejection::NotOver));
    }
    let kept = variants::of_campaigns(reader, account_id, &[parent.id]).await?;
    let content = &variants::copied(&kept, &parent.template);
    let split_from = (!kept.is_empty()).then(|| parent.split_from.unwrap_or(parent.id));
    let row = &Model {
        parent_id: Some(parent.id),
        retries_unknown: retried.includes_unknown,
        name: parent.name,
        sender: parent.sender,
        class: parent.class,
        topic: parent.topic,
        template: parent.template,
        audience: parent.audience,
        condition: parent.condition,
        is_test: parent.is_test,
        rate_per_s: parent.rate_per_s,
        split_from,
        link_domain_id: parent.link_domain_id,
        ..draft(account_id, ctx.ids.next(), ctx.clock.now())
    };
    if !is_anybody(ctx, members_of_retry(ctx.db.store(), row, retried)).await? {
        return Err(Error::Rejected(RetryRejection::NothingToRetry));
    }
    let inserted = ctx
        .db
        .write(|tx| async move {
            Entity::insert(ActiveModel::from(row.clone())).exec_without_returning(&*tx).await?;
            Ok::<_, Error<RetryRejection>>(variants::insert(&tx, row, content).await?)
        })
        .await;
    match inserted {
        Ok(()) => Ok(row.clone()),
        Err(error) if is_taken(&error) => Err(Error::Rejected(RetryRejection::AlreadyRetried)),
        Err(error) => Err(error),
    }
}

fn is_taken(error: &Error<RetryRejection>) -> bool {
    error.store_error().and_then(violated_constraint).is_some_and(|constraint| {
        constraint.contains("campaign_retry") || constraint.contains("campaign.parent_id")
    })
}

/// The audience of a campaign: of a retry, whose messages are worth it; else of whom its condition
/// holds.
pub(super) fn members(
    store: Store,
    campaign: &Model,
    condition: &Condition,
) -> Select<contact::Entity> {
    match retried_by(campaign) {
        Some(retried) => members_of_retry(store, campaign, retried),
        None => contacts::members(store, campaign.account_id, condition),
    }
}

/// What a campaign retries, if it does.
pub(super) fn retried_by(campaign: &Model) -> Option<Retried> {
    let includes_unknown = campaign.retries_unknown;
    campaign.parent_id.map(|campaign_id| Retried { campaign_id, includes_unknown })
}

fn members_of_retry(store: Store, campaign: &Model, retried: Retried) -> Select<contact::Entity> {
    contact::Entity::find()
        .filter(contact::Column::AccountId.eq(campaign.account_id))
        .filter(is_worth_retrying(store, retried))
}

/// The campaigns that retry another one, the newest first, at most 50.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn retries(ctx: &Ctx, id: CampaignId) -> Result<Vec<Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadCampaigns)?;
    let found = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::ParentId.eq(id))
        .order_by_desc(Column::Id)
        .limit(RETRIES_SHOWN_MAX);
    Ok(found.all(ctx.db.reader()).await?)
}
