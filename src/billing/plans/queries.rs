//! Reads of plans, and of who has which.

use entity::ids::PlanId;
use entity::plan::{Column, Entity, Model};
use entity::subscription;
use sea_orm::EntityTrait;

use crate::authz::{Action, Actor};
use crate::billing::entries::Whose;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;

/// An account's plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Since when, and how far it is charged.
    pub row: subscription::Model,
    /// Which.
    pub plan: Model,
}

/// A plan.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find(ctx: &Ctx, id: PlanId) -> Result<Option<Model>, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    Ok(Entity::find_by_id(id).one(ctx.db.reader()).await?)
}

/// A page of the plans, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn page(ctx: &Ctx, request: &PageRequest<PlanId>) -> Result<Page<Model>, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    let (reader, order) = (ctx.db.reader(), ListOrder::Descending);
    Ok(page::fetch_page(reader, Entity::find(), Column::Id, order, request).await?)
}

/// How many plans there are.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn count(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    Ok(page::count_all(ctx.db.reader(), Entity::find()).await?)
}

/// The plan of an account; none if it has none.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn subscription(ctx: &Ctx, whose: Whose) -> Result<Option<Subscribed>, Failed> {
    let account_id = whose.authorize(ctx)?;
    let row = subscription::Entity::find_by_id(account_id).one(ctx.db.reader()).await?;
    let Some(row) = row else { return Ok(None) };
    // The plan is the platform's; who has it may see it.
    let platform = ctx.acting_as(Actor::System);
    let plan = Entity::find_by_id(row.plan_id).one(platform.db.reader()).await?;
    Ok(plan.map(|plan| Subscribed { row, plan }))
}
