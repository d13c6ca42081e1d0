//! Folding: what the inbox holds becomes payments, transfers and events.
//!
//! Runs on one node at a time, under the lease of its job. A batch of webhooks is one transaction.
//! One that fails is halved until the webhook that cannot be folded stands alone, so that it holds
//! up no other. Locks go payment → means of payment → automatic top-up → invoice → wallet → event
//! counter.

mod outcomes;
mod rows;
mod working;

use std::collections::BTreeSet;

use entity::enums::{AccountKind, PaymentPurpose, WebhookState};
use entity::ids::{AccountId, PaymentId, ProcessorId, WebhookEventId};
use entity::time::UnixMillis;
use entity::{account, payment, webhook_event};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};

use self::working::Working;
use super::facts::Fact;
use crate::billing;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::{self, Topic};

/// Webhooks folded by one transaction: some ten milliseconds of work for either store.
const BATCH_MAX: u64 = 250;
/// Tries before a webhook is dead: with the waits between them about half an hour.
const TRIES_MAX: i32 = 10;
/// Wait after the first failed try, doubled for each further one.
const RETRY_DELAY_MS: i64 = 4_000;
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
    let mut after = None;
    loop {
        let due = due(ctx, after).await?;
        let Some(last) = due.last() else { return Ok(folded) };
        after = Some((last.next_at_ms, last.id));
        let mut parts = vec![&due[..]];
        while let Some(part) = parts.pop() {
            match fold_batch(ctx, operator_id, part).await {
                Ok(()) => {}
                // Not the webhooks' fault: they are all folded later.
                Err(Error::Failed(failed @ Failed::Unavailable(_))) => return Err(failed),
                Err(error) => match part {
                    [event] => put_aside(ctx, event, error).await?,
                    several => {
                        let (first, rest) = several.split_at(several.len() / 2);
                        parts.extend([rest, first]);
                    }
                },
            }
        }
        folded += due.len() as u64;
    }
}

/// The next webhooks that are due, behind those that this run has seen: entries of the index that
/// were just done with are not walked over again.
async fn due(
    ctx: &Ctx,
    after: Option<(UnixMillis, WebhookEventId)>,
) -> Result<Vec<webhook_event::Model>, Failed> {
    use webhook_event::Column::{Id, NextAtMs};
    // Not bound: only a condition that is known when the statement is planned finds the index of
    // what is due, and without it every look walks over all that the inbox keeps.
    let is_received = Expr::cust(format!("state = {}", WebhookState::Received.code()));
    let mut select =
        webhook_event::Entity::find().filter(is_received).filter(NextAtMs.lte(ctx.clock.now()));
    if let Some((next_at, id)) = after {
        let later_id = Condition::all().add(NextAtMs.eq(next_at)).add(Id.gt(id));
        select = select
            .filter(NextAtMs.gte(next_at))
            .filter(Condition::any().add(NextAtMs.gt(next_at)).add(later_id));
    }
    let select = select.order_by_asc(NextAtMs).order_by_asc(Id).limit(BATCH_MAX);
    Ok(select.all(ctx.db.reader()).await?)
}

pub(super) async fn operator(ctx: &Ctx) -> Result<AccountId, Failed> {
    let found = account::Entity::find()
        .filter(account::Column::Kind.eq(AccountKind::Operator))
        .one(ctx.db.reader())
        .await?;
    found.map(|row| row.id).ok_or_else(|| Failed::internal("there is no operator's account"))
}

/// Parks a webhook that a person has to look at, or plans its next try.
async fn put_aside(
    ctx: &Ctx,
    event: &webhook_event::Model,
    error: FoldError,
) -> Result<(), Failed> {
    let now = ctx.clock.now();
    let change = &match error {
        Error::Rejected(reason) => webhook_event::ActiveModel {
            state: Set(WebhookState::Parked),
            reason: Set(Some(reason.to_owned())),
            ..Default::default()
        },
        Error::Failed(failed) => {
            let error: &dyn std::error::Error = &failed;
            tracing::error!(webhook.id = %event.id, error, "a webhook cannot be folded");
            let attempts = event.attempts + 1;
            let is_dead = attempts >= TRIES_MAX;
            let wait_ms = RETRY_DELAY_MS << event.attempts.clamp(0, TRIES_MAX);
            webhook_event::ActiveModel {
                state: Set(if is_dead { WebhookState::Dead } else { WebhookState::Received }),
                reason: Set(Some(FOLD_FAILED.to_owned())),
                attempts: Set(attempts),
                next_at_ms: Set(now.plus_ms(wait_ms)),
                ..Default::default()
            }
        }
    };
    // Unless it was folded meanwhile.
    let change = |tx: Tx| async move {
        webhook_event::Entity::update_many()
            .set(change.clone())
            .filter(webhook_event::Column::Id.eq(event.id))
            .filter(webhook_event::Column::State.eq(WebhookState::Received))
            .exec(&*tx)
            .await
            .map(drop)
    };
    ctx.db.write(change).await.map_err(|error: sea_orm::DbErr| error.into())
}

/// Folds some webhooks in one transaction.
async fn fold_batch(
    ctx: &Ctx,
    operator_id: AccountId,
    batch: &[webhook_event::Model],
) -> Result<(), FoldError> {
    let now = ctx.clock.now();
    // For payments that nobody knows of: drawn before the transaction, which may run again.
    let mut facts: Vec<(ProcessorId, Fact, PaymentId)> = Vec::with_capacity(batch.len());
    for event in batch {
        let told: Vec<Fact> = serde_json::from_str(&event.facts).map_err(Failed::internal)?;
        facts.extend(told.into_iter().map(|fact| (event.endpoint_id, fact, ctx.ids.next())));
    }
    let facts = &facts;
    let accounts = ctx
        .db
        .write(|tx| async move {
            let mut working = Working::new(ctx, &tx, operator_id, now);
            let told: Vec<_> = facts.iter().map(|(at, fact, _)| (*at, fact)).collect();
            working.read(&told).await?;
            for (endpoint_id, fact, fresh) in facts {
                working.add(*endpoint_id, fact, *fresh).await?;
            }
            let accounts = write(ctx, &tx, working, now).await?;
            rows::mark_folded(&tx, batch).await?;
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
        let ids: BTreeSet<PaymentId> = due.iter().map(|row| row.id).collect();
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
