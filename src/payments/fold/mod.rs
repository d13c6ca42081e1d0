//! Folding: what the inbox holds becomes payments, transfers and events.
//!
//! Runs on one node at a time, under the lease of its job. A batch of webhooks is one transaction;
//! one that cannot be folded is tried alone, so that it holds up no other. Locks go payment →
//! means of payment → automatic top-up → invoice → wallet → event counter.

mod outcomes;
mod working;

use entity::enums::{AccountKind, PaymentPurpose, WebhookState};
use entity::ids::{AccountId, PaymentId, WebhookEventId};
use entity::time::UnixMillis;
use entity::{account, payment, webhook_event};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use self::working::Working;
use super::facts::Fact;
use crate::billing;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::{self, Topic};

/// Webhooks folded by one transaction: each reads a few rows.
const BATCH_MAX: u64 = 100;
/// Tries before a webhook is dead: with the waits between them about half an hour.
const TRIES_MAX: i32 = 10;
/// Wait after the first failed try, doubled for each further one.
const RETRY_DELAY_MS: i64 = 2_000;
/// How long money whose payment is not known may wait for the webhook that names it, before it is
/// booked as suspense. An hour: webhooks of one payment come within seconds of each other.
pub(super) const UNMATCHED_WAIT_MS: i64 = 3_600_000;

/// Folding failed in a way that a person has to look at.
const FOLD_FAILED: &str = "FOLD_FAILED";

/// Why a webhook is not folded: the reason that is stored.
type FoldError = Error<&'static str>;

/// Folds what the inbox holds; returns how many webhooks. Idempotent.
///
/// # Errors
/// The store's own.
pub async fn fold(ctx: &Ctx) -> Result<u64, Failed> {
    let operator_id = operator(ctx).await?;
    let mut folded = 0;
    loop {
        let now = ctx.clock.now();
        let due = webhook_event::Entity::find()
            .filter(webhook_event::Column::State.eq(WebhookState::Received))
            .filter(webhook_event::Column::NextAtMs.lte(now))
            .order_by_asc(webhook_event::Column::Id)
            .limit(BATCH_MAX)
            .all(ctx.db.reader())
            .await?;
        let count = due.len() as u64;
        if count == 0 {
            return Ok(folded);
        }
        if let Err(error) = fold_batch(ctx, operator_id, &due).await {
            tracing::debug!(%error, "a batch of webhooks is folded one by one");
            for event in &due {
                fold_alone(ctx, operator_id, event).await?;
            }
        }
        folded += count;
    }
}

async fn operator(ctx: &Ctx) -> Result<AccountId, Failed> {
    let found = account::Entity::find()
        .filter(account::Column::Kind.eq(AccountKind::Operator))
        .one(ctx.db.reader())
        .await?;
    found.map(|row| row.id).ok_or_else(|| Failed::internal("there is no operator's account"))
}

async fn fold_alone(
    ctx: &Ctx,
    operator_id: AccountId,
    event: &webhook_event::Model,
) -> Result<(), Failed> {
    let now = ctx.clock.now();
    let change = match fold_batch(ctx, operator_id, std::slice::from_ref(event)).await {
        Ok(()) => return Ok(()),
        Err(Error::Failed(Failed::Unavailable(source))) => return Err(Failed::Unavailable(source)),
        Err(Error::Rejected(reason)) => webhook_event::ActiveModel {
            state: Set(WebhookState::Parked),
            reason: Set(Some(reason.to_owned())),
            ..Default::default()
        },
        Err(Error::Failed(failed)) => {
            let error: &dyn std::error::Error = &failed;
            tracing::error!(webhook.id = %event.id, error, "a webhook cannot be folded");
            let attempts = event.attempts + 1;
            let is_dead = attempts >= TRIES_MAX;
            let wait_ms = RETRY_DELAY_MS << attempts.clamp(0, TRIES_MAX);
            webhook_event::ActiveModel {
                state: Set(if is_dead { WebhookState::Dead } else { WebhookState::Received }),
                reason: Set(Some(FOLD_FAILED.to_owned())),
                attempts: Set(attempts),
                next_at_ms: Set(now.plus_ms(wait_ms)),
                ..Default::default()
            }
        }
    };
    set_states(ctx, event.id, &change).await
}

async fn set_states(
    ctx: &Ctx,
    id: WebhookEventId,
    change: &webhook_event::ActiveModel,
) -> Result<(), Failed> {
    ctx.db
        .write(|tx| async move {
            webhook_event::Entity::update_many()
                .set(change.clone())
                .filter(webhook_event::Column::Id.eq(id))
                .exec(&*tx)
                .await
                .map(drop)
        })
        .await
        .map_err(|error: sea_orm::DbErr| error.into())
}

/// Folds some webhooks in one transaction.
async fn fold_batch(
    ctx: &Ctx,
    operator_id: AccountId,
    batch: &[webhook_event::Model],
) -> Result<(), FoldError> {
    let now = ctx.clock.now();
    // For payments that nobody knows of: drawn before the transaction, which may run again.
    let fresh: Vec<PaymentId> = batch.iter().map(|_| ctx.ids.next()).collect();
    let fresh = &fresh;
    let accounts = ctx
        .db
        .write(|tx| async move {
            let mut working = Working::new(ctx, &tx, operator_id, now);
            for (event, id) in batch.iter().zip(fresh) {
                let facts: Vec<Fact> =
                    serde_json::from_str(&event.facts).map_err(Failed::internal)?;
                for fact in facts {
                    working.add(event.endpoint_id, fact, *id).await?;
                }
            }
            let accounts = write(ctx, &tx, working, now).await?;
            mark_folded(&tx, batch).await?;
            Ok::<_, FoldError>(accounts)
        })
        .await?;
    for account_id in accounts {
        ctx.doorbell.ring(Topic::Events(account_id));
    }
    Ok(())
}

async fn write(
    ctx: &Ctx,
    tx: &Tx,
    working: Working<'_>,
    now: UnixMillis,
) -> Result<Vec<AccountId>, FoldError> {
    let effects = working.write().await?;
    let mut accounts: Vec<_> = effects.events.iter().map(|event| event.account_id).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let posted = billing::post(tx, &ctx.master_key, now, effects.transfers).await;
    posted.map_err(|error| match error {
        Error::Rejected(_) => Error::Rejected("NOT_POSTABLE"),
        Error::Failed(failed) => Error::Failed(failed),
    })?;
    events::append(tx, effects.events).await?;
    Ok(accounts)
}

async fn mark_folded(tx: &Tx, batch: &[webhook_event::Model]) -> Result<(), sea_orm::DbErr> {
    let change = webhook_event::ActiveModel {
        state: Set(WebhookState::Folded),
        reason: Set(None),
        ..Default::default()
    };
    webhook_event::Entity::update_many()
        .set(change)
        .filter(webhook_event::Column::Id.is_in(batch.iter().map(|event| event.id)))
        .exec(&**tx)
        .await
        .map(drop)
}

/// Books money as suspense whose payment was not found in time; returns how many such payments
/// were looked at. Idempotent.
///
/// # Errors
/// The store's own.
pub async fn settle_unmatched(ctx: &Ctx) -> Result<u64, Failed> {
    let operator_id = operator(ctx).await?;
    let mut settled = 0;
    loop {
        let now = ctx.clock.now();
        let due = payment::Entity::find()
            .filter(payment::Column::Purpose.eq(PaymentPurpose::Unmatched))
            .filter(payment::Column::NextPollAtMs.lte(now))
            .order_by_asc(payment::Column::Id)
            .limit(BATCH_MAX)
            .all(ctx.db.reader())
            .await?;
        if due.is_empty() {
            return Ok(settled);
        }
        let ids: Vec<PaymentId> = due.iter().map(|row| row.id).collect();
        let ids = &ids;
        let done = ctx
            .db
            .write(|tx| async move {
                let mut working = Working::new(ctx, &tx, operator_id, now);
                working.revisit(ids).await?;
                write(ctx, &tx, working, now).await
            })
            .await;
        done.map_err(|error: FoldError| match error {
            Error::Rejected(reason) => Failed::internal(reason),
            Error::Failed(failed) => failed,
        })?;
        settled += due.len() as u64;
    }
}
