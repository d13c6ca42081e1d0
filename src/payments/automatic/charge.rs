//! Charging the kept means of payment of a payment that stands here already. What comes of it enters
//! by the inbox, as everything that a processor tells.

use entity::enums::ProcessorKind;
use entity::ids::ProcessorId;
use entity::{payment, payment_method, processor_endpoint};
use sea_orm::EntityTrait;

use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::payments::api::{About, ApiError, ProcessorApi};
use crate::payments::endpoints::api_key;
use crate::payments::facts::{Fact, Money, PaymentFacts};
use crate::payments::inbox::{Told, record};
use crate::payments::stripe::api::Api;
use crate::payments::stripe::off_session::{NewCharge, refused};

/// How long Stripe is sure to know an idempotency key, in milliseconds: of the 24 hours after which it
/// forgets keys, an hour is left for clocks and calls under way.
const KEY_KEPT_MS: i64 = 23 * 3_600_000;

/// Whether a processor can be called at all.
pub(super) async fn is_ready(tx: &Tx, endpoint_id: ProcessorId) -> Result<bool, Failed> {
    let found = processor_endpoint::Entity::find_by_id(endpoint_id).one(&**tx).await?;
    Ok(found.is_some_and(|endpoint| {
        endpoint.kind == ProcessorKind::Stripe
            && endpoint.enabled
            && endpoint.sealed_api_key.is_some()
    }))
}

/// Charges a payment that was just kept.
pub(super) async fn charge(ctx: &Ctx, row: &payment::Model) -> Result<(), Error<ApiError>> {
    let endpoint = processor_endpoint::Entity::find_by_id(row.endpoint_id);
    let endpoint = endpoint.one(ctx.db.reader()).await?;
    let endpoint = endpoint.ok_or_else(|| Failed::internal("a payment without its processor"))?;
    let key = api_key(ctx, &endpoint)?.ok_or(Error::Rejected(ApiError::Misconfigured))?;
    let api = Api::new(&key, endpoint.base_url.as_deref()).map_err(Error::Rejected)?;
    ask_again(ctx, &api, row).await
}

/// Charges a payment of which the processor told nothing yet. As long as it knows the payment's id
/// this charges once; after that it is only asked what became of it.
pub(in crate::payments) async fn ask_again(
    ctx: &Ctx,
    api: &Api,
    row: &payment::Model,
) -> Result<(), Error<ApiError>> {
    let method_id = row.payment_method_id;
    let method_id = method_id.ok_or_else(|| Failed::internal("a charge of nothing kept"))?;
    let method = payment_method::Entity::find_by_id((row.account_id, method_id));
    let method = method.one(ctx.db.reader()).await?;
    let method = method.ok_or_else(|| Failed::internal("a charge of nothing kept"))?;
    let facts = outcome_of(ctx, api, row, &method).await.map_err(Error::Rejected)?;
    Ok(record(ctx, row.endpoint_id, vec![Told::Facts(facts)]).await?)
}

async fn outcome_of(
    ctx: &Ctx,
    api: &Api,
    row: &payment::Model,
    method: &payment_method::Model,
) -> Result<Vec<Fact>, ApiError> {
    if ctx.clock.now().since(row.created_at_ms) >= KEY_KEPT_MS {
        let found = api.find_charge(&method.customer_id, row.id).await?;
        // It never began, and will not: nobody asks for it any more.
        return Ok(if found.is_empty() { vec![refused(row.id)] } else { found });
    }
    let currency = row.currency.parse().map_err(|_| ApiError::Misconfigured)?;
    let new = NewCharge {
        payment_id: row.id,
        amount: Money { currency, amount_micros: row.amount_micros },
        customer: &method.customer_id,
        method: &method.method_id,
    };
    match api.charge(new).await {
        // Declined, or the bank asks for the payer: there is an intent that says why.
        Err(ApiError::Refused(402)) => {
            let found = api.find_charge(&method.customer_id, row.id).await?;
            if found.is_empty() { Err(ApiError::Refused(402)) } else { Ok(found) }
        }
        // The means of payment is gone, or the amount is nothing that Stripe charges.
        Err(ApiError::Refused(400 | 404)) => Ok(vec![refused(row.id)]),
        other => other,
    }
}

/// Calls off the intents of a payment that failed: nobody is there to try again, and another payment
/// may follow it.
pub(in crate::payments) async fn call_off(
    ctx: &Ctx,
    api: &Api,
    row: &payment::Model,
    facts: &PaymentFacts,
) -> Result<(), Error<ApiError>> {
    let mut told = Vec::new();
    for id in facts.intents.keys().filter(|id| id.as_str().starts_with("pi_")) {
        let outcome = match api.cancel(id).await {
            // It was collected, or called off already.
            Err(ApiError::Refused(_)) => api.look_up(id, &About::default()).await,
            outcome => outcome,
        };
        told.extend(outcome.map_err(Error::Rejected)?);
    }
    let told = told.into_iter().map(|fact| Told::Facts(vec![fact])).collect();
    Ok(record(ctx, row.endpoint_id, told).await?)
}
