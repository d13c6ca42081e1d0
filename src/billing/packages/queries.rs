//! Reads of packages: the operator's catalog, what is on offer to an account, and what it has.

use std::collections::HashMap;

use entity::ids::{GrantedPackageId, PackageId};
use entity::package::{Column, Entity, Model};
use entity::{granted_package, package};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Select};

use crate::authz::{Action, Actor};
use crate::billing::entries::Whose;
use crate::billing::queries::terms;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;

/// A granted package, and of which offer it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// It.
    pub row: granted_package::Model,
    /// The offer as it is now.
    pub package: Model,
}

/// A page of all packages, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn catalog_page(
    ctx: &Ctx,
    request: &PageRequest<PackageId>,
) -> Result<Page<Model>, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    let (reader, order) = (ctx.db.reader(), ListOrder::Descending);
    Ok(page::fetch_page(reader, Entity::find(), Column::Id, order, request).await?)
}

/// How many packages there are.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn catalog_count(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    Ok(page::count_all(ctx.db.reader(), Entity::find()).await?)
}

/// A page of what the caller's account can buy, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn offered_page(
    ctx: &Ctx,
    request: &PageRequest<PackageId>,
) -> Result<Page<Model>, Failed> {
    let (platform, offered) = offered(ctx).await?;
    let (reader, order) = (platform.db.reader(), ListOrder::Descending);
    Ok(page::fetch_page(reader, offered, Column::Id, order, request).await?)
}

/// How many packages the caller's account can buy.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn offered_count(ctx: &Ctx) -> Result<u64, Failed> {
    let (platform, offered) = offered(ctx).await?;
    Ok(page::count_all(platform.db.reader(), offered).await?)
}

/// A package that the caller may see: the operator any, an account what it can buy.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find(ctx: &Ctx, id: PackageId) -> Result<Option<Model>, Failed> {
    if ctx.actor.require(Action::ManagePrices).is_ok() {
        return Ok(Entity::find_by_id(id).one(ctx.db.reader()).await?);
    }
    let (platform, offered) = offered(ctx).await?;
    Ok(offered.filter(Column::Id.eq(id)).one(platform.db.reader()).await?)
}

/// The packages that plans include, also those that are not on offer any more: whoever may see the
/// plan may see them.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_included(ctx: &Ctx, ids: &[PackageId]) -> Result<Vec<Model>, Failed> {
    if ctx.actor.require(Action::ManagePrices).is_err() {
        ctx.actor.require_in_account(Action::ReadBilling)?;
    }
    let platform = ctx.acting_as(Actor::System);
    let of_ids = Entity::find().filter(Column::Id.is_in(ids.iter().copied()));
    Ok(of_ids.all(platform.db.reader()).await?)
}

/// Offers are the platform's: they are read across its wall, and only those for the account.
async fn offered(ctx: &Ctx) -> Result<(Ctx, Select<package::Entity>), Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadBilling)?;
    let currency = terms(ctx, account_id).await?.currency;
    let offered = Entity::find()
        .filter(Column::ArchivedAtMs.is_null())
        .filter(Column::PriceMicros.gt(0))
        .filter(Column::Currency.eq(currency.as_str()));
    Ok((ctx.acting_as(Actor::System), offered))
}

/// A page of an account's packages, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn granted_page(
    ctx: &Ctx,
    whose: Whose,
    request: &PageRequest<GrantedPackageId>,
) -> Result<Page<Owned>, Failed> {
    let (column, order) = (granted_package::Column::Id, ListOrder::Descending);
    let granted = granted(ctx, whose)?;
    let page = page::fetch_page(ctx.db.reader(), granted, column, order, request).await?;
    let (has_next, has_previous) = (page.has_next, page.has_previous);
    Ok(Page { items: owned(ctx, page.items).await?, has_next, has_previous })
}

/// How many packages an account has and had.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn granted_count(ctx: &Ctx, whose: Whose) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), granted(ctx, whose)?).await?)
}

/// A granted package that the caller may see: the operator any, an account its own.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_granted(ctx: &Ctx, id: GrantedPackageId) -> Result<Option<Owned>, Failed> {
    Ok(find_many_granted(ctx, &[id]).await?.pop())
}

/// [`find_granted`] of many; those that are not there, or not for the caller, are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_many_granted(ctx: &Ctx, ids: &[GrantedPackageId]) -> Result<Vec<Owned>, Failed> {
    let select = match ctx.actor.require(Action::ReadAllBilling) {
        Ok(()) => granted_package::Entity::find(),
        Err(_) => granted(ctx, Whose::Own)?,
    };
    let of_ids = select.filter(granted_package::Column::Id.is_in(ids.iter().copied()));
    let found = of_ids.all(ctx.db.reader()).await?;
    owned(ctx, found).await
}

fn granted(ctx: &Ctx, whose: Whose) -> Result<Select<granted_package::Entity>, Failed> {
    let account_id = whose.authorize(ctx)?;
    let of_account = granted_package::Column::AccountId.eq(account_id);
    Ok(granted_package::Entity::find().filter(of_account))
}

/// With their offers: those are the platform's, and whoever has one of them may see it.
async fn owned(ctx: &Ctx, rows: Vec<granted_package::Model>) -> Result<Vec<Owned>, Failed> {
    let ids = rows.iter().map(|row| row.package_id);
    let platform = ctx.acting_as(Actor::System);
    let offers = Entity::find().filter(Column::Id.is_in(ids)).all(platform.db.reader()).await;
    let offers: Result<HashMap<PackageId, Model>, DbErr> =
        offers.map(|offers| offers.into_iter().map(|offer| (offer.id, offer)).collect());
    let offers = offers?;
    let owned = |row: granted_package::Model| {
        let package = offers.get(&row.package_id).cloned();
        let package = package.ok_or_else(|| Failed::internal("a granted package of no package"))?;
        Ok(Owned { row, package })
    };
    rows.into_iter().map(owned).collect()
}
