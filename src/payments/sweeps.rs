//! What is done by the clock: the processors' own lists of events are read, and payments that are
//! open, or of which something is missing, are asked for. So a webhook that never came costs time
//! and nothing else. What is learned enters by the inbox.

use entity::enums::{PaymentPurpose, PaymentStatus, ProcessorKind, WebhookState};
use entity::ids::WebhookEventId;
use entity::time::UnixMillis;
use entity::{payment, processor_endpoint};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set, Statement,
};
use uuid::Uuid;

use super::api::{About, Unasked, connect};
use super::automatic;
use super::endpoints::{api_key, callable};
use super::facts::{Fact, ObjectId, PaymentFacts};
use super::inbox::{Told, record};
use super::opening::start_at;
use super::stripe::api::Api;
use crate::ctx::Ctx;
use crate::error::Failed;

/// How far back before the last sweep events are read: Stripe lists them seconds late, and a sweep
/// may fail twice.
const OVERLAP_MS: i64 = 15 * 60_000;
/// Pages of events in one sweep: 10,000 events.
const PAGES_MAX: usize = 100;
/// How long the inbox keeps what is done with: 90 days, in milliseconds. Longer than any processor
/// repeats itself; and facts that came again would change nothing.
const KEPT_MS: i64 = 90 * 24 * 3_600_000;
/// Rows that one transaction forgets.
const PURGE_ROWS_MAX: u32 = 1_000;
/// Payments asked for in one run.
const POLLS_MAX: u64 = 100;
/// Objects of one payment asked for at once: more are other attempts.
const OBJECTS_MAX: usize = 20;
/// When a payment is asked for after it was started, in milliseconds: 2 min, 5 min, 15 min, 1 h,
/// 6 h, then daily to seven days.
const POLL_AGES_MS: [i64; 12] = {
    const MINUTE: i64 = 60_000;
    const DAY: i64 = 24 * 60 * MINUTE;
    [
        2 * MINUTE,
        5 * MINUTE,
        15 * MINUTE,
        60 * MINUTE,
        6 * 60 * MINUTE,
        DAY,
        2 * DAY,
        3 * DAY,
        4 * DAY,
        5 * DAY,
        6 * DAY,
        7 * DAY,
    ]
};

/// When a payment is first asked for.
pub(super) fn first_poll_at(started_at: UnixMillis) -> UnixMillis {
    started_at.plus_ms(POLL_AGES_MS[0])
}

/// Reads the processors' own lists of events; returns how many events they held. Idempotent.
///
/// # Errors
/// The store's own. A processor that does not answer is logged, and read from the same place the
/// next time.
pub async fn sweep_events(ctx: &Ctx) -> Result<u64, Failed> {
    let mut swept = 0;
    for row in callable(ctx, ProcessorKind::Stripe).await? {
        match sweep(ctx, &row).await {
            Ok(count) => swept += count,
            Err(Unasked::Store(failed)) => return Err(failed),
            Err(Unasked::Api(error)) => {
                tracing::warn!(processor.id = %row.id, %error, "cannot read a processor's events");
            }
        }
    }
    Ok(swept)
}

async fn sweep(ctx: &Ctx, row: &processor_endpoint::Model) -> Result<u64, Unasked> {
    let Some(api) = api_of(ctx, row)? else { return Ok(0) };
    let began_at = ctx.clock.now();
    let since_s = row.swept_until_ms.plus_ms(-OVERLAP_MS).0.div_euclid(1_000);
    let mut swept = 0;
    let mut after: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let page = api.events(since_s, after.as_deref()).await?;
        swept += page.events.len() as u64;
        if !page.unreadable.is_empty() {
            let events = page.unreadable.len();
            tracing::error!(processor.id = %row.id, events, "listed events cannot be read; parked");
        }
        let unreadable = page.unreadable.into_iter().map(|it| Told::Unreadable(it.id, it.reason));
        let told = page.events.into_iter().map(|it| Told::Event(Box::new(it)));
        let told = told.chain(unreadable).collect();
        record(ctx, row.id, told).await?;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if after.is_some() {
        // The oldest are missing still: the next sweep begins at the same place.
        tracing::error!(processor.id = %row.id, "more events than one sweep reads");
        return Ok(swept);
    }
    let change =
        processor_endpoint::ActiveModel { swept_until_ms: Set(began_at), ..Default::default() };
    update_endpoint(ctx, row, &change).await?;
    Ok(swept)
}

async fn update_endpoint(
    ctx: &Ctx,
    row: &processor_endpoint::Model,
    change: &processor_endpoint::ActiveModel,
) -> Result<(), Failed> {
    let updated = ctx
        .db
        .write(|tx| async move {
            processor_endpoint::Entity::update_many()
                .set(change.clone())
                .filter(processor_endpoint::Column::Id.eq(row.id))
                .exec(&*tx)
                .await
                .map(drop)
        })
        .await;
    updated.map_err(|error: sea_orm::DbErr| error.into())
}

fn api_of(ctx: &Ctx, row: &processor_endpoint::Model) -> Result<Option<Api>, Unasked> {
    let Some(key) = api_key(ctx, row)? else { return Ok(None) };
    Ok(Some(Api::new(&key, row.base_url.as_deref())?))
}

/// Asks for payments that are open, or of which something is missing; returns how many. Idempotent.
///
/// # Errors
/// The store's own.
pub async fn poll_payments(ctx: &Ctx) -> Result<u64, Failed> {
    let now = ctx.clock.now();
    let due = payment::Entity::find()
        .filter(payment::Column::NextPollAtMs.lte(now))
        .filter(payment::Column::Purpose.ne(PaymentPurpose::Unmatched))
        .order_by_asc(payment::Column::NextPollAtMs)
        .limit(POLLS_MAX)
        .all(ctx.db.reader())
        .await?;
    for row in &due {
        match poll(ctx, row).await {
            Ok(()) => {}
            Err(Unasked::Store(failed)) => return Err(failed),
            Err(Unasked::Api(error)) => {
                tracing::warn!(payment.id = %row.id, %error, "cannot ask for a payment");
            }
        }
        plan_next(ctx, row, now).await?;
    }
    Ok(due.len() as u64)
}

async fn poll(ctx: &Ctx, row: &payment::Model) -> Result<(), Unasked> {
    let endpoint = processor_endpoint::Entity::find_by_id(row.endpoint_id);
    let endpoint = endpoint.one(ctx.db.reader()).await.map_err(Failed::from)?;
    let Some(endpoint) = endpoint else { return Ok(()) };
    let Some(api) = connect(ctx, &endpoint)? else { return Ok(()) };
    let facts: PaymentFacts = serde_json::from_str(&row.facts).map_err(Failed::internal)?;
    if row.payment_method_id.is_some() {
        let is_unheard = facts.objects.is_empty() && row.status == PaymentStatus::Open;
        let has_failed =
            matches!(row.status, PaymentStatus::AttemptFailed | PaymentStatus::ActionRequired);
        if is_unheard || has_failed {
            let Some(stripe) = api_of(ctx, &endpoint)? else { return Ok(()) };
            return match is_unheard {
                true => automatic::ask_again(ctx, &stripe, row).await.map_err(Unasked::from),
                false => Ok(automatic::call_off(ctx, &stripe, row, &facts).await?),
            };
        }
    }
    let about = About::payment(row);
    let mut told: Vec<Fact> = Vec::new();
    if facts.objects.is_empty() && row.status == PaymentStatus::Open {
        // Started, and then nothing: asked for under the same key, or by our own id, the processor
        // says what came of it.
        start_at(ctx, &*api, row, None).await?;
        told.extend(api.find(&about).await?);
    }
    for id in wanted(&facts).filter(|id| api.can_look_up(id)).take(OBJECTS_MAX) {
        told.extend(api.look_up(id, &about).await?);
    }
    // A line of the books that an object just named is asked for at once.
    let lines: Vec<ObjectId> = named_lines(&told)
        .filter(|id| !facts.balance_transactions.contains_key(*id) && api.can_look_up(id))
        .take(OBJECTS_MAX)
        .cloned()
        .collect();
    for id in &lines {
        told.extend(api.look_up(id, &about).await?);
    }
    let told = told.into_iter().map(|fact| Told::Facts(vec![fact])).collect();
    Ok(record(ctx, row.endpoint_id, told).await?)
}

/// The objects that may tell more, and lines of the books known by their id only.
fn wanted(facts: &PaymentFacts) -> impl Iterator<Item = &ObjectId> {
    let lines = facts.balance_transactions.iter().filter(|(_, line)| line.is_none());
    facts.objects.iter().chain(lines.map(|(id, _)| id))
}

/// Lines of the processor's books that are named without their amounts.
fn named_lines(told: &[Fact]) -> impl Iterator<Item = &ObjectId> {
    let payments = told.iter().filter_map(|fact| match fact {
        Fact::Payment(facts) => Some(&facts.balance_transactions),
        Fact::Payout(_) | Fact::BalanceTransaction(_) | Fact::SavedMethod(_) => None,
    });
    payments.flatten().filter(|(_, line)| line.is_none()).map(|(id, _)| id)
}

/// Plans the next time, or gives up: what nobody could tell in seven days a person looks at.
async fn plan_next(ctx: &Ctx, row: &payment::Model, now: UnixMillis) -> Result<(), Failed> {
    let age_ms = now.since(row.created_at_ms);
    let next = POLL_AGES_MS.iter().find(|planned| **planned > age_ms);
    let next_at = next.map(|planned| row.created_at_ms.plus_ms(*planned));
    let change = &payment::ActiveModel {
        polls: Set(row.polls + 1),
        next_poll_at_ms: Set(next_at),
        stale: Set(next_at.is_none()),
        ..Default::default()
    };
    // One that was folded meanwhile has planned for itself.
    let planned = ctx
        .db
        .write(|tx| async move {
            payment::Entity::update_many()
                .set(change.clone())
                .filter(payment::Column::AccountId.eq(row.account_id))
                .filter(payment::Column::Id.eq(row.id))
                .filter(payment::Column::NextPollAtMs.eq(row.next_poll_at_ms))
                .exec(&*tx)
                .await
                .map(drop)
        })
        .await;
    planned.map_err(|error: sea_orm::DbErr| error.into())
}

/// Forgets what was folded or ignored and has been kept for [`KEPT_MS`]; returns how many. What is
/// parked or dead stays until a person has dealt with it. Idempotent.
///
/// # Errors
/// The store's own; what was committed before stays.
pub async fn purge_inbox(ctx: &Ctx) -> Result<u64, Failed> {
    let before = ctx.clock.now().plus_ms(-KEPT_MS);
    // Ids begin with the millisecond of arrival: the primary key serves the range.
    let ms = u64::try_from(before.0).unwrap_or(0) & 0xffff_ffff_ffff;
    let first_kept = WebhookEventId(Uuid::from_u64_pair(ms << 16, 0));
    let mut purged = 0;
    loop {
        let statement = &Statement::from_sql_and_values(
            ctx.db.store().backend(),
            "DELETE FROM webhook_event WHERE id IN (SELECT id FROM webhook_event \
             WHERE id < $1 AND state IN ($2, $3) ORDER BY id LIMIT $4)",
            [
                first_kept.0.into(),
                WebhookState::Folded.code().into(),
                WebhookState::Ignored.code().into(),
                i64::from(PURGE_ROWS_MAX).into(),
            ],
        );
        let deleted = ctx.db.write(|tx| async move { tx.execute_raw(statement.clone()).await });
        let count = deleted.await.map_err(|error: sea_orm::DbErr| Failed::from(error))?;
        purged += count.rows_affected();
        if count.rows_affected() < u64::from(PURGE_ROWS_MAX) {
            return Ok(purged);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_become_rarer_and_end_after_a_week() {
        assert!(POLL_AGES_MS.is_sorted());
        assert_eq!(POLL_AGES_MS[POLL_AGES_MS.len() - 1], 7 * 24 * 3_600_000);
        assert_eq!(first_poll_at(UnixMillis(0)), UnixMillis(120_000));
    }
}
