//! Reads of vouchers, for the operator: by batches, never by codes.

use std::collections::HashMap;

use entity::ids::VoucherBatchId;
use entity::voucher_batch::{Column, Entity, Model};
use sea_orm::{DbErr, EntityTrait, QueryFilter, QuerySelect};

use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;

/// A batch, and how much of it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The batch.
    pub row: Model,
    /// How many of its vouchers have been redeemed.
    pub redeemed: i64,
}

/// A batch.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find(ctx: &Ctx, id: VoucherBatchId) -> Result<Option<Batch>, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    let row = Entity::find_by_id(id).one(ctx.db.reader()).await?;
    let redeemed = redeemed(ctx, vec![id]).await?;
    Ok(row.map(|row| Batch { redeemed: redeemed.get(&row.id).copied().unwrap_or_default(), row }))
}

/// A page of the batches, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn page(ctx: &Ctx, request: &PageRequest<VoucherBatchId>) -> Result<Page<Batch>, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    let (reader, order) = (ctx.db.reader(), ListOrder::Descending);
    let page = page::fetch_page(reader, Entity::find(), Column::Id, order, request).await?;
    let redeemed = redeemed(ctx, page.items.iter().map(|row| row.id).collect()).await?;
    let batch =
        |row: Model| Batch { redeemed: redeemed.get(&row.id).copied().unwrap_or_default(), row };
    Ok(page.map(batch))
}

/// How many batches there are.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn count(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ManagePrices)?;
    Ok(page::count_all(ctx.db.reader(), Entity::find()).await?)
}

/// How many vouchers of each batch have been redeemed; those of which none was are missing.
async fn redeemed(
    ctx: &Ctx,
    ids: Vec<VoucherBatchId>,
) -> Result<HashMap<VoucherBatchId, i64>, DbErr> {
    use entity::voucher::{Column as Voucher, Entity as Vouchers};
    use sea_orm::ColumnTrait;
    let counts: Vec<(VoucherBatchId, i64)> = Vouchers::find()
        .select_only()
        .column(Voucher::BatchId)
        .column_as(Voucher::CodeHash.count(), "redeemed")
        .filter(Voucher::BatchId.is_in(ids))
        .filter(Voucher::AccountId.is_not_null())
        .group_by(Voucher::BatchId)
        .into_tuple()
        .all(ctx.db.reader())
        .await?;
    Ok(counts.into_iter().collect())
}
