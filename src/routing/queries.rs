//! Reads of routes, for the operator.

use entity::ids::RouteId;
use entity::route::{Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;

/// A route.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find(ctx: &Ctx, id: RouteId) -> Result<Option<Model>, Failed> {
    ctx.actor.require(Action::ReadCarriers)?;
    Ok(Entity::find_by_id(id).one(ctx.db.reader()).await?)
}

/// Routes by id; those that do not exist are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_many(ctx: &Ctx, ids: &[RouteId]) -> Result<Vec<Model>, Failed> {
    ctx.actor.require(Action::ReadCarriers)?;
    let found = Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
    Ok(found.all(ctx.db.reader()).await?)
}

/// A page of the routes, in the order of their prefixes.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn page(ctx: &Ctx, request: &PageRequest<String>) -> Result<Page<Model>, Failed> {
    ctx.actor.require(Action::ReadCarriers)?;
    let order = ListOrder::Ascending;
    Ok(page::fetch_page(ctx.db.reader(), Entity::find(), Column::Prefix, order, request).await?)
}

/// How many routes there are.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn count(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ReadCarriers)?;
    Ok(page::count_all(ctx.db.reader(), Entity::find()).await?)
}
