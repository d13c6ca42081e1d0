//! Reads of senders.

use std::collections::HashMap;

use entity::enums::SenderStatus;
use entity::ids::{AccountId, SenderId};
use entity::sender::{Column, Entity, Model};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Select};

use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;

/// Which senders are wanted; the conditions are joined by AND.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderFilter {
    /// Of this status.
    pub status: Option<SenderStatus>,
}

/// A sender that the caller may see: of its own account, or any for whoever decides on senders.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find(ctx: &Ctx, id: SenderId) -> Result<Option<Model>, Failed> {
    let select = if ctx.actor.require(Action::DecideSenders).is_ok() {
        Entity::find().filter(Column::Id.eq(id))
    } else {
        let account_id = ctx.actor.require_in_account(Action::ReadSenders)?;
        Entity::find_by_id((account_id, id))
    };
    Ok(select.one(ctx.db.reader()).await?)
}

/// A page of the account's senders, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn page(
    ctx: &Ctx,
    filter: SenderFilter,
    request: &PageRequest<SenderId>,
) -> Result<Page<Model>, Failed> {
    let select = of_account(ctx, filter)?;
    let order = ListOrder::Descending;
    Ok(page::fetch_page(ctx.db.reader(), select, Column::Id, order, request).await?)
}

/// How many senders [`page`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn count(ctx: &Ctx, filter: SenderFilter) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), of_account(ctx, filter)?).await?)
}

/// A page of all accounts' senders, newest first, for whoever decides on them.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn page_all(
    ctx: &Ctx,
    filter: SenderFilter,
    request: &PageRequest<SenderId>,
) -> Result<Page<Model>, Failed> {
    let select = of_all(ctx, filter)?;
    let order = ListOrder::Descending;
    Ok(page::fetch_page(ctx.db.reader(), select, Column::Id, order, request).await?)
}

/// How many senders [`page_all`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn count_all(ctx: &Ctx, filter: SenderFilter) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), of_all(ctx, filter)?).await?)
}

/// Which of `values` (normalized) the account may send from, and their rows. The caller was
/// authorized for what it does with them.
///
/// # Errors
/// The store's own.
pub async fn usable<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
    values: &[String],
) -> Result<HashMap<String, Model>, DbErr> {
    let found = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::Value.is_in(values))
        .filter(Column::Status.eq(SenderStatus::Approved))
        .all(connection)
        .await?;
    Ok(found.into_iter().map(|sender| (sender.value.clone(), sender)).collect())
}

fn of_account(ctx: &Ctx, filter: SenderFilter) -> Result<Select<Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadSenders)?;
    Ok(filtered(Entity::find().filter(Column::AccountId.eq(account_id)), filter))
}

fn of_all(ctx: &Ctx, filter: SenderFilter) -> Result<Select<Entity>, Failed> {
    ctx.actor.require(Action::DecideSenders)?;
    Ok(filtered(Entity::find(), filter))
}

fn filtered(select: Select<Entity>, filter: SenderFilter) -> Select<Entity> {
    match filter.status {
        Some(status) => select.filter(Column::Status.eq(status)),
        None => select,
    }
}
