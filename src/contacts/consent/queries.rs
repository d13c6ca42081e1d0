//! Reads of suppressions and of the log of consent, always within the caller's account.

use entity::enums::SuppressionScope;
use entity::ids::{AccountId, ConsentEventId, SuppressionId};
use entity::{consent_event, suppression};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Select};

use super::number_in;
use crate::authz::Action;
use crate::contacts::store::number_mac;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;
use crate::types::phone::PhoneNumber;

/// Which suppressions or statements are wanted; absent fields leave all, present ones all hold.
#[derive(Clone, Debug, Default)]
pub struct ConsentFilter {
    /// Of this number, as people write it.
    pub number: Option<String>,
    /// In this kind of scope.
    pub scope: Option<SuppressionScope>,
}

/// A page of the account's suppressions, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn suppressions_page(
    ctx: &Ctx,
    filter: &ConsentFilter,
    request: &PageRequest<SuppressionId>,
) -> Result<Page<suppression::Model>, Failed> {
    let (select, key) = (suppressions(ctx, filter).await?, suppression::Column::Id);
    Ok(page::fetch_page(ctx.db.reader(), select, key, ListOrder::Descending, request).await?)
}

/// How many suppressions [`suppressions_page`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn suppressions_count(ctx: &Ctx, filter: &ConsentFilter) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), suppressions(ctx, filter).await?).await?)
}

async fn suppressions(
    ctx: &Ctx,
    filter: &ConsentFilter,
) -> Result<Select<suppression::Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    let mut select =
        suppression::Entity::find().filter(suppression::Column::AccountId.eq(account_id));
    if let Some(number) = &filter.number {
        let mac = mac_of(ctx, account_id, number).await?;
        select = select.filter(suppression::Column::NumberMac.eq(mac));
    }
    if let Some(scope) = filter.scope {
        select = select.filter(suppression::Column::Scope.eq(scope));
    }
    Ok(select)
}

/// A page of the account's log of consent, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn events_page(
    ctx: &Ctx,
    filter: &ConsentFilter,
    request: &PageRequest<ConsentEventId>,
) -> Result<Page<consent_event::Model>, Failed> {
    let (select, key) = (events(ctx, filter).await?, consent_event::Column::Id);
    Ok(page::fetch_page(ctx.db.reader(), select, key, ListOrder::Descending, request).await?)
}

/// How many statements [`events_page`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn events_count(ctx: &Ctx, filter: &ConsentFilter) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), events(ctx, filter).await?).await?)
}

async fn events(
    ctx: &Ctx,
    filter: &ConsentFilter,
) -> Result<Select<consent_event::Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadContacts)?;
    let mut select =
        consent_event::Entity::find().filter(consent_event::Column::AccountId.eq(account_id));
    if let Some(number) = &filter.number {
        let mac = mac_of(ctx, account_id, number).await?;
        select = select.filter(consent_event::Column::NumberMac.eq(mac));
    }
    if let Some(scope) = filter.scope {
        select = select.filter(consent_event::Column::Scope.eq(scope));
    }
    Ok(select)
}

/// The keyed hash of a number as people write it; of what is no number, one that nobody has.
async fn mac_of(ctx: &Ctx, account_id: AccountId, number: &str) -> Result<Vec<u8>, DbErr> {
    let number = number_in(ctx, account_id, number).await?;
    Ok(number.map_or_else(Vec::new, |number| {
        number_mac(&ctx.master_key, account_id, number.e164()).to_vec()
    }))
}

/// A suppression of the caller's account.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_suppression(
    ctx: &Ctx,
    id: SuppressionId,
) -> Result<Option<suppression::Model>, Failed> {
    let select = suppressions(ctx, &ConsentFilter::default()).await?;
    Ok(select.filter(suppression::Column::Id.eq(id)).one(ctx.db.reader()).await?)
}

/// A statement of the caller's account.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_event(
    ctx: &Ctx,
    id: ConsentEventId,
) -> Result<Option<consent_event::Model>, Failed> {
    let select = events(ctx, &ConsentFilter::default()).await?;
    Ok(select.filter(consent_event::Column::Id.eq(id)).one(ctx.db.reader()).await?)
}

/// The suppressions of a number of an account, for its owner: the caller has proved to be that.
///
/// # Errors
/// The store's own.
pub async fn suppressions_of(
    ctx: &Ctx,
    account_id: AccountId,
    number: &PhoneNumber,
) -> Result<Vec<suppression::Model>, DbErr> {
    let mac = number_mac(&ctx.master_key, account_id, number.e164()).to_vec();
    let found = suppression::Entity::find()
        .filter(suppression::Column::AccountId.eq(account_id))
        .filter(suppression::Column::NumberMac.eq(mac));
    found.all(ctx.db.reader()).await
}

/// The suppressions of contacts, by the keyed hashes of their numbers.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn suppressions_by_macs(
    ctx: &Ctx,
    macs: &[[u8; 32]],
) -> Result<Vec<suppression::Model>, Failed> {
    let select = suppressions(ctx, &ConsentFilter::default()).await?;
    let of_macs = suppression::Column::NumberMac.is_in(macs.iter().map(|mac| mac.to_vec()));
    Ok(select.filter(of_macs).all(ctx.db.reader()).await?)
}
