//! Reads of rate cards, for the operator.

use entity::ids::RateCardId;
use entity::rate::{self, Model as Rate};
use entity::rate_card::{Column, Entity, Model};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::model::RateKey;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, PAGE_ROWS_MAX, Page, PageEnd, PageRequest};
use crate::error::Failed;

/// Rate cards by their ids; those that are not there are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_many(ctx: &Ctx, ids: &[RateCardId]) -> Result<Vec<Model>, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    let named = Column::Id.is_in(ids.iter().copied());
    Ok(Entity::find().filter(named).all(ctx.db.reader()).await?)
}

/// A page of the rate cards, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn page(ctx: &Ctx, request: &PageRequest<RateCardId>) -> Result<Page<Model>, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    let order = ListOrder::Descending;
    Ok(page::fetch_page(ctx.db.reader(), Entity::find(), Column::Id, order, request).await?)
}

/// How many rate cards there are.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn count(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    Ok(page::count_all(ctx.db.reader(), Entity::find()).await?)
}

/// A page of a card's rates, by prefix, class and time. The positions are those of
/// [`RateKey::to_position`].
///
/// # Errors
/// [`Failed`]: not allowed, a position that is none, or the store's own.
pub async fn rates_page(
    ctx: &Ctx,
    id: RateCardId,
    request: &PageRequest<String>,
) -> Result<Page<Rate>, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    let size = Ord::min(request.size, PAGE_ROWS_MAX);
    let mut select = of_card(id);
    if let Some(after) = &request.after {
        select = select.filter(place().gt(place_of(after)?));
    }
    if let Some(before) = &request.before {
        select = select.filter(place().lt(place_of(before)?));
    }
    for column in PLACE {
        select = match request.end {
            PageEnd::Start => select.order_by_asc(column),
            PageEnd::End => select.order_by_desc(column),
        };
    }
    let rows = select.limit(size + 1).all(ctx.db.reader()).await?;
    Ok(page::cut(rows, size as usize, request))
}

/// How many rates a card has.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn rates_count(ctx: &Ctx, id: RateCardId) -> Result<u64, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    Ok(page::count_all(ctx.db.reader(), of_card(id)).await?)
}

fn of_card(id: RateCardId) -> Select<rate::Entity> {
    rate::Entity::find().filter(rate::Column::RateCardId.eq(id))
}

/// The columns that a card's rates are ordered by, which are its key's.
const PLACE: [rate::Column; 3] =
    [rate::Column::Prefix, rate::Column::Class, rate::Column::EffectiveFromMs];

fn place() -> Expr {
    Expr::tuple(PLACE.map(Expr::col))
}

fn place_of(position: &str) -> Result<Expr, Failed> {
    let key = RateKey::from_position(position);
    let key = key.ok_or_else(|| Failed::BadRequest("not a cursor of this list".to_owned()))?;
    Ok(Expr::tuple([
        Expr::val(key.prefix.digits()),
        Expr::val(key.class_code()),
        Expr::val(key.effective_from.0),
    ]))
}
