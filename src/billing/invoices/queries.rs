//! Reads of invoices. Those in an account see what was finalized; the operator's staff sees all, with
//! the drafts.

use entity::enums::{InvoiceKind, InvoiceStatus};
use entity::ids::{AccountId, InvoiceId};
use entity::invoice::{Column, Entity, Model};
use entity::time::UnixMillis;
use entity::{invoice_allocation, invoice_line, invoice_tax};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::model::Month;
use super::profile::Profile;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;

/// Lines of one answer.
pub const LINES_PAGE_MAX: u64 = 100;
/// Payments and credit notes of one invoice that are listed.
const PARTS_MAX: u64 = 100;

/// Which documents are wanted; the conditions are joined by AND.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InvoiceFilter {
    /// Of this status.
    pub status: Option<InvoiceStatus>,
    /// Of this kind.
    pub kind: Option<InvoiceKind>,
    /// Of months that begin at this time or later.
    pub period_from: Option<UnixMillis>,
    /// Of months that begin before this time.
    pub period_before: Option<UnixMillis>,
    /// Of this account; only the operator's staff asks for others' than its own.
    pub account_id: Option<AccountId>,
}

/// A document that the caller may see.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find(ctx: &Ctx, id: InvoiceId) -> Result<Option<Model>, Failed> {
    Ok(visible(ctx)?.filter(Column::Id.eq(id)).one(ctx.db.reader()).await?)
}

/// Those of some documents that the caller may see.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn find_many(ctx: &Ctx, ids: &[InvoiceId]) -> Result<Vec<Model>, Failed> {
    let ids = ids.iter().copied();
    Ok(visible(ctx)?.filter(Column::Id.is_in(ids)).all(ctx.db.reader()).await?)
}

/// A page of the account's documents, newest first.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn page(
    ctx: &Ctx,
    filter: InvoiceFilter,
    request: &PageRequest<InvoiceId>,
) -> Result<Page<Model>, Failed> {
    let select = of_account(ctx, filter)?;
    let order = ListOrder::Descending;
    Ok(page::fetch_page(ctx.db.reader(), select, Column::Id, order, request).await?)
}

/// How many documents [`page`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn count(ctx: &Ctx, filter: InvoiceFilter) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), of_account(ctx, filter)?).await?)
}

/// A page of all accounts' documents, newest first, for the operator's staff.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn page_all(
    ctx: &Ctx,
    filter: InvoiceFilter,
    request: &PageRequest<InvoiceId>,
) -> Result<Page<Model>, Failed> {
    let select = of_all(ctx, filter)?;
    let order = ListOrder::Descending;
    Ok(page::fetch_page(ctx.db.reader(), select, Column::Id, order, request).await?)
}

/// How many documents [`page_all`] pages through.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn count_all(ctx: &Ctx, filter: InvoiceFilter) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), of_all(ctx, filter)?).await?)
}

/// Lines of a document that the caller found, after a number, at most [`LINES_PAGE_MAX`].
///
/// # Errors
/// The store's own.
pub async fn lines(
    ctx: &Ctx,
    row: &Model,
    after: i32,
    limit: u64,
) -> Result<Vec<invoice_line::Model>, Failed> {
    let lines = lines_after(row, after).limit(limit.min(LINES_PAGE_MAX));
    Ok(lines.all(ctx.db.reader()).await?)
}

/// The lines of a document after a number, in their order.
pub(super) fn lines_after(row: &Model, after: i32) -> Select<invoice_line::Entity> {
    invoice_line::Entity::find()
        .filter(invoice_line::Column::AccountId.eq(row.account_id))
        .filter(invoice_line::Column::InvoiceId.eq(row.id))
        .filter(invoice_line::Column::Number.gt(after))
        .order_by_asc(invoice_line::Column::Number)
}

/// The taxes of documents that the caller found, each named with its account; at most as many of
/// each as an invoice may have.
///
/// # Errors
/// The store's own.
pub async fn taxes(
    ctx: &Ctx,
    of: &[(AccountId, InvoiceId)],
) -> Result<Vec<invoice_tax::Model>, Failed> {
    let accounts = of.iter().map(|(account_id, _)| *account_id);
    let ids = of.iter().map(|(_, id)| *id);
    let taxes = invoice_tax::Entity::find()
        .filter(invoice_tax::Column::AccountId.is_in(accounts))
        .filter(invoice_tax::Column::InvoiceId.is_in(ids))
        .order_by_asc(invoice_tax::Column::InvoiceId)
        .order_by_asc(invoice_tax::Column::TaxRateId);
    Ok(taxes.all(ctx.db.reader()).await?)
}

/// What payments paid of an invoice that the caller found, oldest first; at most 100.
///
/// # Errors
/// The store's own.
pub async fn payments(ctx: &Ctx, row: &Model) -> Result<Vec<invoice_allocation::Model>, Failed> {
    let payments = invoice_allocation::Entity::find()
        .filter(invoice_allocation::Column::AccountId.eq(row.account_id))
        .filter(invoice_allocation::Column::InvoiceId.eq(row.id))
        .order_by_asc(invoice_allocation::Column::CreatedAtMs)
        .order_by_asc(invoice_allocation::Column::PaymentId)
        .limit(PARTS_MAX);
    Ok(payments.all(ctx.db.reader()).await?)
}

/// The credit notes of an invoice that the caller found, oldest first; at most 100.
///
/// # Errors
/// The store's own.
pub async fn credit_notes(ctx: &Ctx, row: &Model) -> Result<Vec<Model>, Failed> {
    let notes = Entity::find()
        .filter(Column::AccountId.eq(row.account_id))
        .filter(Column::InvoiceId.eq(row.id))
        .order_by_asc(Column::Id)
        .limit(PARTS_MAX);
    Ok(notes.all(ctx.db.reader()).await?)
}

/// Who made a document out, line by line, as that was when it was finalized.
///
/// # Errors
/// If the row does not hold what was written: a fault of ours.
pub fn issuer(row: &Model) -> Result<Vec<String>, Failed> {
    let lines = row.issuer.as_deref().map(serde_json::from_str).transpose();
    Ok(lines.map_err(Failed::internal)?.unwrap_or_default())
}

/// To whom a document is made out, as it was when it was finalized.
///
/// # Errors
/// If the row does not hold what was written: a fault of ours.
pub fn bill_to(row: &Model) -> Result<Option<Profile>, Failed> {
    row.bill_to.as_deref().map(serde_json::from_str).transpose().map_err(Failed::internal)
}

fn visible(ctx: &Ctx) -> Result<Select<Entity>, Failed> {
    if ctx.actor.require(Action::ReadAllBilling).is_ok() {
        return Ok(Entity::find());
    }
    let account_id = ctx.actor.require_in_account(Action::ReadBilling)?;
    let own = Entity::find().filter(Column::AccountId.eq(account_id));
    Ok(own.filter(Column::Status.ne(InvoiceStatus::Draft)))
}

fn of_account(ctx: &Ctx, filter: InvoiceFilter) -> Result<Select<Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadBilling)?;
    let own = Entity::find().filter(Column::AccountId.eq(account_id));
    Ok(filtered(own.filter(Column::Status.ne(InvoiceStatus::Draft)), filter))
}

fn of_all(ctx: &Ctx, filter: InvoiceFilter) -> Result<Select<Entity>, Failed> {
    ctx.actor.require(Action::ReadAllBilling)?;
    Ok(filtered(Entity::find(), filter))
}

fn filtered(mut select: Select<Entity>, filter: InvoiceFilter) -> Select<Entity> {
    if let Some(status) = filter.status {
        select = select.filter(Column::Status.eq(status));
    }
    if let Some(kind) = filter.kind {
        select = select.filter(Column::Kind.eq(kind));
    }
    if let Some(from) = filter.period_from {
        select = select.filter(Column::Month.gte(first_month_from(from)));
    }
    if let Some(before) = filter.period_before {
        select = select.filter(Column::Month.lt(first_month_from(before)));
    }
    if let Some(account_id) = filter.account_id {
        select = select.filter(Column::AccountId.eq(account_id));
    }
    select
}

/// The first month that begins at a time or later, as it is stored.
fn first_month_from(time: UnixMillis) -> i32 {
    let month = Month::of(time);
    if month.begins_at() < time { month.next().stored() } else { month.stored() }
}
