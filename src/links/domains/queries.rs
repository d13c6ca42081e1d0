//! Reads of domains.

use entity::enums::LinkDomainStatus;
use entity::ids::{AccountId, LinkDomainId};
use entity::link_domain::{Column, Entity, Model};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, Select};

use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::db::{Db, Tx};
use crate::error::Failed;

/// A page of the account's domains, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn page(ctx: &Ctx, request: &PageRequest<LinkDomainId>) -> Result<Page<Model>, Failed> {
    let order = ListOrder::Descending;
    Ok(page::fetch_page(ctx.db.reader(), of_account(ctx)?, Column::Id, order, request).await?)
}

/// How many domains [`page`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn count(ctx: &Ctx) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), of_account(ctx)?).await?)
}

/// Domains by id; those that the account has not are missing.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn by_ids(ctx: &Ctx, ids: &[LinkDomainId]) -> Result<Vec<Model>, Failed> {
    let select = of_account(ctx)?.filter(Column::Id.is_in(ids.iter().copied()));
    Ok(select.all(ctx.db.reader()).await?)
}

fn of_account(ctx: &Ctx) -> Result<Select<Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadLinkDomains)?;
    Ok(Entity::find().filter(Column::AccountId.eq(account_id)))
}

fn verified(account_id: AccountId, id: LinkDomainId) -> Select<Entity> {
    Entity::find_by_id((account_id, id)).filter(Column::Status.eq(LinkDomainStatus::Verified))
}

/// Whether a domain is the account's and verified. It is not deleted before the transaction ends.
///
/// # Errors
/// The store's own.
pub async fn is_verified(tx: &Tx, account_id: AccountId, id: LinkDomainId) -> Result<bool, DbErr> {
    Ok(verified(account_id, id).lock_shared().one(&**tx).await?.is_some())
}

/// What short links with a domain begin with, without a slash at its end; none unless the domain is
/// the account's and verified. Asks for no right: it is part of what the caller was authorized for.
///
/// # Errors
/// The store's own.
pub async fn base(
    db: &Db,
    account_id: AccountId,
    id: LinkDomainId,
) -> Result<Option<String>, DbErr> {
    let domain = verified(account_id, id).one(db.reader()).await?;
    Ok(domain.map(|domain| format!("https://{}", domain.host)))
}
