//! Reads of campaigns, always within the caller's account.

use entity::campaign::{Column, Entity, Model};
use entity::enums::{CampaignStatus, MessageStatus};
use entity::ids::{CampaignId, ContactId};
use entity::{campaign_total, campaign_variant, event_counter, message, rollup_cursor, short_link};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Select};

use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;
use crate::messages::queries as messages;

/// A page of the account's campaigns, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn campaigns_page(
    ctx: &Ctx,
    statuses: Option<&[CampaignStatus]>,
    request: &PageRequest<CampaignId>,
) -> Result<Page<Model>, Failed> {
    let select = filtered(ctx, statuses)?;
    let order = ListOrder::Descending;
    Ok(page::fetch_page(ctx.db.reader(), select, Column::Id, order, request).await?)
}

/// How many campaigns [`campaigns_page`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn campaigns_count(
    ctx: &Ctx,
    statuses: Option<&[CampaignStatus]>,
) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), filtered(ctx, statuses)?).await?)
}

fn filtered(ctx: &Ctx, statuses: Option<&[CampaignStatus]>) -> Result<Select<Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadCampaigns)?;
    let select = Entity::find().filter(Column::AccountId.eq(account_id));
    Ok(match statuses {
        Some(statuses) => select.filter(Column::Status.is_in(statuses.iter().copied())),
        None => select,
    })
}

/// Campaigns by id; those that the account has not are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn by_ids(ctx: &Ctx, ids: &[CampaignId]) -> Result<Vec<Model>, Failed> {
    let select = filtered(ctx, None)?.filter(Column::Id.is_in(ids.iter().copied()));
    Ok(select.all(ctx.db.reader()).await?)
}

/// A page of a campaign's messages, by contact, the newest contact first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn messages_page(
    ctx: &Ctx,
    id: CampaignId,
    statuses: Option<&[MessageStatus]>,
    request: &PageRequest<ContactId>,
) -> Result<Page<message::Model>, Failed> {
    let select = messages::select_of_campaign(ctx, id, statuses)?;
    let (key, order) = (message::Column::ContactId, ListOrder::Descending);
    Ok(page::fetch_page(ctx.db.reader(), select, key, order, request).await?)
}

/// How many messages [`messages_page`] pages through, if these are not too many to count.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn messages_count(
    ctx: &Ctx,
    id: CampaignId,
    statuses: Option<&[MessageStatus]>,
) -> Result<Option<u64>, Failed> {
    let select = messages::select_of_campaign(ctx, id, statuses)?;
    Ok(page::count_to_max(ctx.db.reader(), select).await?)
}

/// What became of some campaigns' messages, as far as the log is folded; those without any are
/// missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn totals(ctx: &Ctx, ids: &[CampaignId]) -> Result<Vec<campaign_total::Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadCampaigns)?;
    let found = campaign_total::Entity::find()
        .filter(campaign_total::Column::AccountId.eq(account_id))
        .filter(campaign_total::Column::CampaignId.is_in(ids.iter().copied()));
    Ok(found.all(ctx.db.reader()).await?)
}

/// The variants of some campaigns, and what became of their messages, as far as the log is folded;
/// those of a campaign in their order.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn variants(
    ctx: &Ctx,
    ids: &[CampaignId],
) -> Result<Vec<campaign_variant::Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadCampaigns)?;
    Ok(super::variants::of_campaigns(ctx.db.reader(), account_id, ids).await?)
}

/// The addresses that short links of some campaigns lead to, with their clicks, those of a campaign
/// in alphabetical order.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn links(ctx: &Ctx, ids: &[CampaignId]) -> Result<Vec<short_link::Model>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadCampaigns)?;
    let found = short_link::Entity::find()
        .filter(short_link::Column::AccountId.eq(account_id))
        .filter(short_link::Column::CampaignId.is_in(ids.iter().copied()))
        .order_by_asc(short_link::Column::Url);
    Ok(found.all(ctx.db.reader()).await?)
}

/// How far the caller's log is folded: read before the totals, these tell of so much at least.
pub(super) async fn folded_to(ctx: &Ctx) -> Result<FoldedTo, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadCampaigns)?;
    let reader = ctx.db.reader();
    let cursor = rollup_cursor::Entity::find_by_id(account_id).one(reader).await?;
    let counter = event_counter::Entity::find_by_id(account_id).one(reader).await?;
    Ok(FoldedTo {
        seq: cursor.map_or(0, |cursor| cursor.seq),
        last_seq: counter.map_or(0, |counter| counter.last_seq),
    })
}

/// How far a log is folded.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoldedTo {
    /// The last event that is counted.
    pub(super) seq: i64,
    /// The last event.
    pub(super) last_seq: i64,
}
