//! Starting a payment, giving one back, trying a webhook again.
//!
//! The payment's row is committed before the processor is called, and its id is the processor's
//! idempotency key: a crash between them leaves a row that the sweep asks for.

use entity::enums::{PaymentPurpose, PaymentStatus, ProcessorKind, WebhookState};
use entity::ids::{AccountId, PaymentId, WebhookEventId};
use entity::payment::{ActiveModel, Column, Entity, Model};
use entity::{processor_endpoint, webhook_event};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Set};

use super::endpoints::{api_key, callable};
use super::facts::{Money, PaymentFacts};
use super::inbox::{Told, letters, record};
use super::stripe::api::{Api, ApiError, NewPage, is_chargeable};
use super::sweeps::first_poll_at;
use crate::authz::{Action, Actor};
use crate::billing;
use crate::ctx::Ctx;
use crate::error::{Error, Failed, violated_constraint};
use crate::events::Topic;
use crate::keys::Purpose;
use crate::types::money::{Currency, Micros};

/// Characters of an idempotency key.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 100;
/// The most that one top-up may be, in millionths of the currency's main unit: below a billion, as
/// every amount, and what Stripe charges at once in most currencies (eight digits in minor units).
pub const TOP_UP_MICROS_MAX: i64 = 999_999_990_000;
/// What the payer reads on the processor's page.
const TOP_UP_TITLE: &str = "Account balance";
/// Why a webhook cannot be tried again: nothing would be different.
const FINAL_REASONS: [&str; 1] = ["HINT_ONLY"];

/// A top-up to be started.
#[derive(Clone, Debug)]
pub struct NewTopUp {
    /// 1 to 100 characters, unique in the account.
    pub idempotency_key: String,
    /// How much.
    pub amount: Micros,
    /// Of what: the account's currency.
    pub currency: Currency,
    /// Through whom.
    pub processor: ProcessorKind,
}

/// Why a top-up was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopUpRejection {
    /// Empty or too long.
    #[error("an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters")]
    InvalidKey,
    /// It was used for another top-up.
    #[error("the idempotency key was used with another input")]
    KeyReused,
    /// Not above zero, too large, or finer than the processor's unit.
    #[error("an amount is above zero, at most 999,999.99 and in whole minor units")]
    InvalidAmount,
    /// The account is charged in another currency.
    #[error("the account is charged in another currency")]
    OtherCurrency,
    /// No such processor is connected, or none that payments can be started with.
    #[error("this processor is not connected")]
    NoProcessor,
    /// The processor said no.
    #[error("the processor refused the payment")]
    Refused,
}

/// Starts a top-up: keeps the payment, then has the processor make a page for the payer. The same
/// key gives the same payment.
///
/// # Errors
/// [`TopUpRejection`]; [`Failed::Unavailable`] if the processor cannot be reached: the payment is
/// kept, and the same key goes on with it.
pub async fn start_top_up(ctx: &Ctx, new: NewTopUp) -> Result<Model, Error<TopUpRejection>> {
    let account_id = ctx.actor.require_in_account(Action::Pay)?;
    let row = top_up_row(ctx, account_id, new).await?;
    let row = insert_or_find(ctx, row).await?;
    if row.redirect_url.is_some() || row.status != PaymentStatus::Open {
        return Ok(row);
    }
    // Processors and what they tell are the installation's, not the account's.
    let ctx = &ctx.acting_as(Actor::System);
    let endpoint = processor_endpoint::Entity::find_by_id(row.endpoint_id);
    let endpoint = endpoint.one(ctx.db.reader()).await?;
    let endpoint = endpoint.ok_or(Error::Rejected(TopUpRejection::NoProcessor))?;
    let key = api_key(ctx, &endpoint)?.ok_or(Error::Rejected(TopUpRejection::NoProcessor))?;
    let api = Api::new(&key, endpoint.base_url.as_deref()).map_err(Failed::internal)?;
    match make_page(ctx, &api, &row).await {
        Ok(url) => Ok(Model { redirect_url: Some(url), ..row }),
        Err(ApiError::Refused(status)) => {
            tracing::warn!(payment.id = %row.id, status, "a processor refused a payment");
            Err(Error::Rejected(TopUpRejection::Refused))
        }
        Err(error) => Err(Failed::Unavailable(Box::new(error)).into()),
    }
}

async fn top_up_row(
    ctx: &Ctx,
    account_id: AccountId,
    new: NewTopUp,
) -> Result<Model, Error<TopUpRejection>> {
    let refused = |why| Err(Error::Rejected(why));
    let key_chars = new.idempotency_key.chars().count();
    if !(1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key_chars) {
        return refused(TopUpRejection::InvalidKey);
    }
    let amount = Money { currency: new.currency, amount_micros: new.amount.0 };
    let is_in_range = (1..=TOP_UP_MICROS_MAX).contains(&amount.amount_micros);
    if !is_in_range || new.amount.rounded(new.currency) != new.amount || !is_chargeable(amount) {
        return refused(TopUpRejection::InvalidAmount);
    }
    if billing::terms(ctx, account_id).await?.currency != new.currency {
        return refused(TopUpRejection::OtherCurrency);
    }
    // Only Stripe's pages are made here so far.
    let everywhere = ctx.acting_as(Actor::System);
    let endpoint = match new.processor {
        ProcessorKind::Stripe => {
            callable(&everywhere, ProcessorKind::Stripe).await?.into_iter().next()
        }
        ProcessorKind::Paystack
        | ProcessorKind::PayMongo
        | ProcessorKind::Xendit
        | ProcessorKind::MPesa => None,
    };
    let Some(endpoint) = endpoint else { return refused(TopUpRejection::NoProcessor) };
    let input = format!("{}/{}/{}", new.amount.0, new.currency, new.processor.code());
    let now = ctx.clock.now();
    Ok(Model {
        account_id,
        id: ctx.ids.next(),
        purpose: PaymentPurpose::TopUp,
        endpoint_id: endpoint.id,
        amount_micros: new.amount.0,
        currency: new.currency.as_str().to_owned(),
        status: PaymentStatus::Open,
        redirect_url: None,
        facts: "{}".to_owned(),
        posted: "{}".to_owned(),
        idempotency_key: Some(new.idempotency_key),
        input_mac: Some(ctx.master_key.hash(Purpose::Idempotency, input.as_bytes()).to_vec()),
        polls: 0,
        next_poll_at_ms: Some(first_poll_at(now)),
        stale: false,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    })
}

/// Keeps a new payment, or finds the one that was started under the same key.
async fn insert_or_find(ctx: &Ctx, row: Model) -> Result<Model, Error<TopUpRejection>> {
    let inserted = &row;
    let kept = ctx
        .db
        .write(|tx| async move {
            let row = ActiveModel::from(inserted.clone());
            Entity::insert(row).exec_without_returning(&*tx).await.map(drop)
        })
        .await;
    match kept {
        Ok(()) => Ok(row),
        Err(error) if is_key_taken(&error) => {
            let found = Entity::find()
                .filter(Column::AccountId.eq(row.account_id))
                .filter(Column::IdempotencyKey.eq(row.idempotency_key))
                .one(ctx.db.reader())
                .await?;
            let same = found.filter(|found| found.input_mac == row.input_mac);
            same.ok_or(Error::Rejected(TopUpRejection::KeyReused))
        }
        Err(error) => Err(error.into()),
    }
}

fn is_key_taken(error: &DbErr) -> bool {
    violated_constraint(error).is_some_and(|name| {
        name.contains("payment_idempotency_unique") || name.contains("payment.idempotency_key")
    })
}

/// Has the processor make the payment's page and keeps its address. The processor gives the same
/// page for the same payment.
pub(super) async fn make_page(ctx: &Ctx, api: &Api, row: &Model) -> Result<String, ApiError> {
    let currency = row.currency.parse().map_err(|_| ApiError::Misconfigured)?;
    let new = NewPage {
        payment_id: row.id,
        amount: Money { currency, amount_micros: row.amount_micros },
        title: TOP_UP_TITLE,
        return_url: &ctx.settings.payments.return_url(&ctx.settings),
    };
    let page = api.make_page(new).await?;
    let url = &page.url;
    let stored = ctx
        .db
        .write(|tx| async move {
            let change = ActiveModel { redirect_url: Set(Some(url.clone())), ..Default::default() };
            Entity::update_many()
                .set(change)
                .filter(Column::AccountId.eq(row.account_id))
                .filter(Column::Id.eq(row.id))
                .exec(&*tx)
                .await
                .map(drop)
        })
        .await;
    let recorded = match stored {
        Ok(()) => record(ctx, row.endpoint_id, vec![Told::Facts(vec![page.facts])]).await,
        Err(error) => Err(Failed::from(error)),
    };
    if let Err(error) = recorded {
        // The payer can go on; what the store missed the sweep finds.
        tracing::error!(payment.id = %row.id, %error, "cannot keep a payment's page");
    }
    Ok(page.url)
}

/// A refund to be made.
#[derive(Clone, Debug)]
pub struct NewRefund {
    /// 1 to 100 characters, unique for the payment.
    pub idempotency_key: String,
    /// Of which payment.
    pub payment_id: PaymentId,
    /// How much; `None`: all that is left.
    pub amount: Option<Micros>,
}

/// Why a refund was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefundRejection {
    /// Empty or too long.
    #[error("an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters")]
    InvalidKey,
    /// There is none.
    #[error("there is no such payment")]
    NotFound,
    /// Nothing was collected, or its processor cannot be asked to give it back.
    #[error("this payment cannot be refunded")]
    NotRefundable,
    /// Not above zero, more than is left, or finer than the processor's unit.
    #[error(
        "a refund is above zero, at most what is left of the payment, and in whole minor units"
    )]
    InvalidAmount,
    /// The processor said no, perhaps because the key was used with another input.
    #[error("the processor refused the refund")]
    Refused,
}

/// Has the processor give back a payment, or some of it. The payment and the books follow when the
/// refund's facts are folded, a moment later. The same key makes one refund: the processor sees to
/// it.
///
/// # Errors
/// [`RefundRejection`]; [`Failed::Unavailable`] if the processor cannot be reached.
pub async fn refund(ctx: &Ctx, new: NewRefund) -> Result<Model, Error<RefundRejection>> {
    ctx.actor.require(Action::ManageCredit)?;
    let refused = |why| Err(Error::Rejected(why));
    let key_chars = new.idempotency_key.chars().count();
    if !(1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key_chars) {
        return refused(RefundRejection::InvalidKey);
    }
    let found = Entity::find().filter(Column::Id.eq(new.payment_id)).one(ctx.db.reader()).await?;
    let Some(row) = found else { return refused(RefundRejection::NotFound) };
    let facts: PaymentFacts = serde_json::from_str(&row.facts).map_err(Failed::internal)?;
    let Ok(Some(totals)) = facts.totals() else { return refused(RefundRejection::NotRefundable) };
    let intent = facts.intents.iter().find(|(id, intent)| {
        let captured = intent.captured.single().ok().flatten();
        id.as_str().starts_with("pi_") && captured.is_some_and(|it| it.amount_micros > 0)
    });
    let Some((intent, _)) = intent else { return refused(RefundRejection::NotRefundable) };
    let left = totals.captured_micros - totals.refunded_micros - totals.disputed_micros;
    let amount_micros = new.amount.map_or(left, |amount| amount.0);
    let amount = Money { currency: totals.currency, amount_micros };
    // Under a key that was used before, nothing may be left: the processor knows the key.
    if amount_micros <= 0 || amount_micros > totals.captured_micros || !is_chargeable(amount) {
        return refused(RefundRejection::InvalidAmount);
    }
    let endpoint = processor_endpoint::Entity::find_by_id(row.endpoint_id);
    let endpoint = endpoint.one(ctx.db.reader()).await?;
    let endpoint = endpoint.filter(|it| it.kind == ProcessorKind::Stripe);
    let Some(endpoint) = endpoint else { return refused(RefundRejection::NotRefundable) };
    let Some(key) = api_key(ctx, &endpoint)? else {
        return refused(RefundRejection::NotRefundable);
    };
    let api = Api::new(&key, endpoint.base_url.as_deref()).map_err(Failed::internal)?;
    // The client's key may be any text; the processor's is short and for this payment alone.
    let input = format!("{}/refund/{}", row.id, new.idempotency_key);
    let hash = ctx.master_key.hash(Purpose::Idempotency, input.as_bytes());
    match api.refund(intent, amount, row.id, &letters(&hash)).await {
        Ok(fact) => {
            record(ctx, row.endpoint_id, vec![Told::Facts(vec![fact])]).await?;
            Ok(row)
        }
        Err(ApiError::Refused(status)) => {
            tracing::warn!(payment.id = %row.id, status, "a processor refused a refund");
            refused(RefundRejection::Refused)
        }
        Err(error) => Err(Failed::Unavailable(Box::new(error)).into()),
    }
}

/// Why a webhook is not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryRejection {
    /// There is none.
    #[error("there is no such webhook")]
    NotFound,
    /// It is not parked or dead, or nothing would be different.
    #[error("this webhook cannot be tried again")]
    NotRetryable,
}

/// Has a parked or dead webhook folded again. Idempotent.
///
/// # Errors
/// [`RetryRejection`], or a failure.
pub async fn retry_webhook(
    ctx: &Ctx,
    id: WebhookEventId,
) -> Result<webhook_event::Model, Error<RetryRejection>> {
    ctx.actor.require(Action::ManageCredit)?;
    let found = webhook_event::Entity::find_by_id(id).one(ctx.db.reader()).await?;
    let row = found.ok_or(Error::Rejected(RetryRejection::NotFound))?;
    let is_open = matches!(row.state, WebhookState::Parked | WebhookState::Dead);
    let is_final = row.reason.as_deref().is_some_and(|it| FINAL_REASONS.contains(&it));
    if !is_open || is_final || row.facts == "[]" {
        return Err(Error::Rejected(RetryRejection::NotRetryable));
    }
    let now = ctx.clock.now();
    ctx.db
        .write(|tx| async move {
            let change = webhook_event::ActiveModel {
                state: Set(WebhookState::Received),
                attempts: Set(0),
                next_at_ms: Set(now),
                reason: Set(None),
                ..Default::default()
            };
            webhook_event::Entity::update_many()
                .set(change)
                .filter(webhook_event::Column::Id.eq(id))
                .exec(&*tx)
                .await
        })
        .await
        .map_err(|error: DbErr| Failed::from(error))?;
    ctx.doorbell.ring(Topic::Webhooks);
    Ok(webhook_event::Model {
        state: WebhookState::Received,
        attempts: 0,
        next_at_ms: now,
        reason: None,
        ..row
    })
}
