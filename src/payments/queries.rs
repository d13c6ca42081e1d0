//! Reading payments and the inbox.

use entity::enums::{PaymentPurpose, WebhookState};
use entity::ids::{PaymentId, WebhookEventId};
use entity::{payment, webhook_event};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

use super::facts::PaymentFacts;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::page::{self, ListOrder, Page, PageRequest};
use crate::error::Failed;

/// A page of the payments of the caller's account, newest first.
///
/// # Errors
/// A failure.
pub async fn payments(
    ctx: &Ctx,
    request: &PageRequest<PaymentId>,
) -> Result<Page<payment::Model>, Failed> {
    let select = own_payments(ctx)?;
    let (key, order) = (payment::Column::Id, ListOrder::Descending);
    Ok(page::fetch_page(ctx.db.reader(), select, key, order, request).await?)
}

/// How many payments the caller's account has.
///
/// # Errors
/// A failure.
pub async fn count_payments(ctx: &Ctx) -> Result<u64, Failed> {
    Ok(page::count_all(ctx.db.reader(), own_payments(ctx)?).await?)
}

fn own_payments(ctx: &Ctx) -> Result<Select<payment::Entity>, Failed> {
    let account_id = ctx.actor.require_in_account(Action::ReadBilling)?;
    Ok(payment::Entity::find()
        .filter(payment::Column::AccountId.eq(account_id))
        .filter(payment::Column::Purpose.ne(PaymentPurpose::Unmatched)))
}

/// A payment of the caller's account, or of any for the operator.
///
/// # Errors
/// A failure.
pub async fn payment(ctx: &Ctx, id: PaymentId) -> Result<Option<payment::Model>, Failed> {
    if ctx.actor.require(Action::ReadAllBilling).is_ok() {
        let select = payment::Entity::find().filter(payment::Column::Id.eq(id));
        return Ok(select.one(ctx.db.reader()).await?);
    }
    let select = own_payments(ctx)?.filter(payment::Column::Id.eq(id));
    Ok(select.one(ctx.db.reader()).await?)
}

/// What is known of a payment.
///
/// # Errors
/// A row that cannot be read: a fault of ours.
pub fn facts(row: &payment::Model) -> Result<PaymentFacts, Failed> {
    serde_json::from_str(&row.facts).map_err(Failed::internal)
}

/// A page of the inbox, newest first.
///
/// # Errors
/// A failure.
pub async fn webhooks(
    ctx: &Ctx,
    state: Option<WebhookState>,
    request: &PageRequest<WebhookEventId>,
) -> Result<Page<webhook_event::Model>, Failed> {
    ctx.actor.require(Action::ReadAllBilling)?;
    let (key, order) = (webhook_event::Column::Id, ListOrder::Descending);
    let select = select_webhooks(state);
    Ok(page::fetch_page(ctx.db.reader(), select, key, order, request).await?)
}

/// An event of the inbox.
///
/// # Errors
/// A failure.
pub async fn webhook(
    ctx: &Ctx,
    id: WebhookEventId,
) -> Result<Option<webhook_event::Model>, Failed> {
    ctx.actor.require(Action::ReadAllBilling)?;
    Ok(webhook_event::Entity::find_by_id(id).one(ctx.db.reader()).await?)
}

/// How many events the inbox holds.
///
/// # Errors
/// A failure.
pub async fn count_webhooks(ctx: &Ctx, state: Option<WebhookState>) -> Result<u64, Failed> {
    ctx.actor.require(Action::ReadAllBilling)?;
    Ok(page::count_all(ctx.db.reader(), select_webhooks(state)).await?)
}

fn select_webhooks(state: Option<WebhookState>) -> Select<webhook_event::Entity> {
    let select = webhook_event::Entity::find();
    match state {
        Some(state) => select.filter(webhook_event::Column::State.eq(state)),
        None => select,
    }
}
