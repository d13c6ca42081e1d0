//! Giving a payment back, trying a webhook again.

use entity::enums::{ProcessorKind, WebhookState};
use entity::ids::{PaymentId, WebhookEventId};
use entity::payment::{Column, Entity, Model};
use entity::{processor_endpoint, webhook_event};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Set};

use super::api::ApiError;
use super::endpoints::api_key;
use super::facts::{Money, PaymentFacts};
use super::hints;
use super::inbox::{HINT_ONLY, Told, letters, record};
use super::processor::Processor;
use super::stripe::api::Api;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::events::Topic;
use crate::keys::Purpose;
use crate::types::money::Micros;

/// Characters of an idempotency key.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 100;

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
    if amount_micros <= 0
        || amount_micros > totals.captured_micros
        || !Processor::Stripe.is_chargeable(amount)
    {
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

/// Has a parked or dead webhook folded again, or its processor asked again where it is a hint.
/// Idempotent.
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
    let reason = row.reason.as_deref().unwrap_or_default();
    // Nothing would be different: the processor is asked anyway, or nothing of it is known.
    if !is_open || reason == HINT_ONLY || row.facts == "[]" {
        return Err(Error::Rejected(RetryRejection::NotRetryable));
    }
    let now = ctx.clock.now();
    // A hint is never folded: its processor is asked again.
    let (state, reason) = if hints::REASONS.contains(&reason) {
        (WebhookState::Parked, Some(HINT_ONLY.to_owned()))
    } else {
        (WebhookState::Received, None)
    };
    let kept = &reason;
    ctx.db
        .write(|tx| async move {
            let change = webhook_event::ActiveModel {
                state: Set(state),
                attempts: Set(0),
                next_at_ms: Set(now),
                reason: Set(kept.clone()),
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
    Ok(webhook_event::Model { state, attempts: 0, next_at_ms: now, reason, ..row })
}
