//! The event log of an account as its dashboards follow it, and its inbound messages: reads that
//! `queries` of sent messages do not cover.

use entity::event::Model as Event;
use entity::ids::{AccountId, InboundMessageId, MessageId};
use entity::inbound_message::{Column, Entity, Model as InboundMessage};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::{Error, Failed};
use crate::events::{self, Hub, Subscription, SubscriptionError};

/// Follows the account's event log after number `after`, or from now on.
///
/// # Errors
/// [`SubscriptionError`] about the cursor as a rejection; not allowed, or the store's own, as a
/// failure.
pub async fn follow(
    ctx: &Ctx,
    hub: &Hub,
    after: Option<i64>,
) -> Result<Subscription, Error<SubscriptionError>> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    match hub.subscribe(account_id, after).await {
        Ok(subscription) => Ok(subscription),
        Err(SubscriptionError::Store(error)) => Err(Error::Failed(error.into())),
        Err(rejection) => Err(Error::Rejected(rejection)),
    }
}

/// The event of the account with the number that `seq_in` finds in it, if there is one and
/// retention has not removed it.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn event(
    ctx: &Ctx,
    seq_in: impl FnOnce(AccountId) -> Option<i64>,
) -> Result<Option<Event>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    let Some(seq) = seq_in(account_id) else { return Ok(None) };
    let found = events::read_after(ctx.db.reader(), account_id, seq - 1, 1).await?;
    Ok(found.into_iter().next().filter(|event| event.seq == seq))
}

/// The events of some messages of the account, each message's in order.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn timelines(ctx: &Ctx, ids: &[MessageId]) -> Result<Vec<Event>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    let subjects: Vec<_> = ids.iter().map(|id| id.0).collect();
    Ok(events::timeline(ctx.db.reader(), account_id, &subjects).await?)
}

/// Inbound messages of the account by id; those that it does not have are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn inbound_by_ids(
    ctx: &Ctx,
    ids: &[InboundMessageId],
) -> Result<Vec<InboundMessage>, Failed> {
    let select = inbound(ctx)?.filter(Column::Id.is_in(ids.iter().copied()));
    Ok(select.all(ctx.db.reader()).await?)
}

/// A page of the account's inbound messages, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn inbound_page(
    ctx: &Ctx,
    request: &PageRequest<InboundMessageId>,
) -> Result<Page<InboundMessage>, Failed> {
    let order = ListOrder::Descending;
    Ok(page::fetch_page(ctx.db.reader(), inbound(ctx)?, Column::Id, order, request).await?)
}

/// How many inbound messages the account has.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn inbound_count(ctx: &Ctx) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), inbound(ctx)?).await?)
}

/// The text of an inbound message that the caller found.
///
/// # Errors
/// [`Failed`]: not allowed.
pub fn inbound_text(ctx: &Ctx, message: &InboundMessage) -> Result<String, Failed> {
    ctx.actor.require_in_account(Action::ReadMessageText)?;
    Ok(String::from_utf8_lossy(&message.body).into_owned())
}

fn inbound(ctx: &Ctx) -> Result<Select<Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadMessages)?;
    Ok(Entity::find().filter(Column::AccountId.eq(account_id)))
}
