//! What becomes due by the clock: scheduled messages, validities that end, receipts that never
//! come, and what has been kept long enough. Each sweep works in batches, one transaction a batch,
//! and reaches the same state however often it runs.

use std::collections::BTreeSet;

use entity::enums::MessageStatus;
use entity::ids::{AccountId, CarrierId};
use sea_orm::sea_query::Value;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::quiet_hours;
use super::store::{Changed, RELEASE_HOLD, is_due_in, returning_changed};
use crate::billing;
use crate::carriers::errors::codes;
use crate::ctx::Ctx;
use crate::db::{Store, Tx};
use crate::events::{self, Topic};

/// Rows of one transaction.
const BATCH_MAX: u64 = 1_000;

/// Queues scheduled messages whose time has come. Returns how many.
///
/// # Errors
/// The store's own; what was committed before stays.
pub async fn queue_scheduled(ctx: &Ctx) -> Result<u64, DbErr> {
    let change = format!(
        "SET status = {queued}, version = version + 1",
        queued = MessageStatus::Queued.code()
    );
    let due = format!("{} AND due_at_ms <= $1", is_due_in(MessageStatus::Scheduled));
    sweep(ctx, &change, &due, "due_at_ms", Vec::new()).await
}

/// Expires queued messages whose validity ended before any carrier took them; those of whom only the
/// window of quiet hours ended are scheduled anew.
///
/// # Errors
/// As [`queue_scheduled`].
pub async fn expire_queued(ctx: &Ctx) -> Result<u64, DbErr> {
    let change = format!(
        "SET status = {expired}, {RELEASE_HOLD}, version = version + 1, finished_at_ms = $1, \
         error_code = $3",
        expired = MessageStatus::ExpiredHere.code()
    );
    quiet_hours::hold_over(ctx).await?;
    let due = format!(
        "status = {} AND expires_at_ms <= $1 AND (valid_until_ms IS NULL OR valid_until_ms <= $1)",
        MessageStatus::Queued.code()
    );
    let code = codes::EXPIRED_BEFORE_SUBMISSION.into();
    sweep(ctx, &change, &due, "expires_at_ms", vec![code]).await
}

/// Turns messages without a final receipt into UNKNOWN once their time for one is over.
///
/// # Errors
/// As [`queue_scheduled`].
pub async fn time_out_receipts(ctx: &Ctx) -> Result<u64, DbErr> {
    let mut swept = 0;
    for status in [MessageStatus::Sent, MessageStatus::Enroute] {
        let change = format!(
            "SET status = {unknown}, version = version + 1, finished_at_ms = $1, error_code = $3",
            unknown = MessageStatus::Unknown.code()
        );
        let due = format!("{} AND due_at_ms <= $1", is_due_in(status));
        let code = codes::NO_FINAL_RECEIPT.into();
        swept += sweep(ctx, &change, &due, "due_at_ms", vec![code]).await?;
    }
    Ok(swept)
}

/// Gives back what is still held for messages whose fate nobody knows, once no late receipt can tell
/// any more: what was not proven to have been taken is not charged.
///
/// # Errors
/// As [`queue_scheduled`].
pub async fn release_unknown(ctx: &Ctx) -> Result<u64, DbErr> {
    let sql = format!(
        "UPDATE message SET {RELEASE_HOLD}, version = version + 1 WHERE (account_id, id) IN \
         (SELECT account_id, id FROM message WHERE status = {unknown} AND charged_micros IS NULL \
          AND finished_at_ms <= $1 ORDER BY finished_at_ms LIMIT $2) {returning}",
        unknown = MessageStatus::Unknown.code(),
        returning = returning_changed(),
    );
    let sql = sql.as_str();
    let mut released = 0;
    loop {
        let now = ctx.clock.now();
        let before = now.plus_ms(-ctx.settings.messages.late_receipt_s * 1_000);
        let count = ctx
            .db
            .write(|tx| async move {
                let values = [before.0.into(), (BATCH_MAX as i64).into()];
                let backend = tx.store().backend();
                let statement = Statement::from_sql_and_values(backend, sql, values);
                let rows = tx.query_all_raw(statement).await?;
                let changed: Vec<Changed> =
                    rows.iter().map(Changed::read).collect::<Result<_, _>>()?;
                let count = changed.len() as u64;
                let charges = changed.into_iter().filter_map(|message| message.charge).collect();
                billing::settle_charges(&tx, &ctx.master_key, now, charges).await?;
                Ok::<_, DbErr>(count)
            })
            .await?;
        released += count;
        if count < BATCH_MAX {
            return Ok(released);
        }
    }
}

/// Runs one change over all messages that are due, batch by batch, with their events. `$1` is the
/// time, `$2` the size of a batch; `extra` follows.
async fn sweep(
    ctx: &Ctx,
    change: &str,
    due: &str,
    order: &str,
    extra: Vec<Value>,
) -> Result<u64, DbErr> {
    let mut swept = 0;
    loop {
        let now = ctx.clock.now();
        let mut values: Vec<Value> = vec![now.0.into(), (BATCH_MAX as i64).into()];
        values.extend(extra.iter().cloned());
        let values = &values;
        let changed = ctx
            .db
            .write(|tx| async move {
                let sql = statement(&tx, change, due, order);
                let statement =
                    Statement::from_sql_and_values(tx.store().backend(), sql, values.clone());
                let rows = tx.query_all_raw(statement).await?;
                let changed: Vec<(Changed, CarrierId)> = rows
                    .iter()
                    .map(|row| {
                        Ok::<_, DbErr>((Changed::read(row)?, row.try_get("", "carrier_id")?))
                    })
                    .collect::<Result<_, _>>()?;
                let charges =
                    changed.iter().filter_map(|(message, _)| message.charge.clone()).collect();
                billing::settle_charges(&tx, &ctx.master_key, now, charges).await?;
                let events = changed.iter().map(|(message, _)| message.event(now)).collect();
                events::append(&tx, events).await?;
                Ok::<_, DbErr>(changed)
            })
            .await?;
        swept += changed.len() as u64;
        ring(ctx, &changed);
        if (changed.len() as u64) < BATCH_MAX {
            return Ok(swept);
        }
    }
}

fn statement(tx: &Tx, change: &str, due: &str, order: &str) -> String {
    // PostgreSQL: rows that are being claimed or canceled at this moment are left to the next run.
    let lock = match tx.store() {
        Store::Sqlite => "",
        Store::Postgres => "FOR UPDATE SKIP LOCKED",
    };
    format!(
        "UPDATE message {change} WHERE (account_id, id) IN \
         (SELECT account_id, id FROM message WHERE {due} ORDER BY {order} LIMIT $2 {lock}) \
         {}, message.carrier_id",
        returning_changed(),
    )
}

fn ring(ctx: &Ctx, changed: &[(Changed, CarrierId)]) {
    let accounts: BTreeSet<AccountId> =
        changed.iter().map(|(message, _)| message.account_id).collect();
    for account_id in accounts {
        ctx.doorbell.ring(Topic::Events(account_id));
    }
    let queued = changed.iter().filter(|(message, _)| message.status == MessageStatus::Queued);
    let carriers: BTreeSet<CarrierId> = queued.map(|(_, carrier_id)| *carrier_id).collect();
    for carrier_id in carriers {
        ctx.doorbell.ring(Topic::Queue(carrier_id));
    }
}

/// Removes what has been kept long enough: idempotency keys, parked receipts, events. Returns how
/// many rows.
///
/// # Errors
/// As [`queue_scheduled`].
pub async fn purge(ctx: &Ctx) -> Result<u64, DbErr> {
    let now = ctx.clock.now();
    let settings = &ctx.settings.messages;
    /// How long a receipt waits for its message: 72 hours.
    const PARKED_MS: i64 = 72 * 3_600_000;
    /// How long the answer to a keyword is remembered: 30 days, longer than its message can wait.
    const AUTO_REPLY_MS: i64 = 30 * 24 * 3_600_000;
    let rules = [
        (
            "idempotency",
            "created_at_ms",
            "account_id, operation, key",
            settings.idempotency_ttl_s * 1_000,
        ),
        ("auto_reply", "created_at_ms", "account_id, inbound_message_id", AUTO_REPLY_MS),
        ("parked_receipt", "received_at_ms", "carrier_id, carrier_message_id, sequence", PARKED_MS),
    ];
    let mut purged = 0;
    for (table, time, key, kept_ms) in rules {
        let sql = format!(
            "DELETE FROM {table} WHERE ({key}) IN \
             (SELECT {key} FROM {table} WHERE {time} < $1 ORDER BY {time} LIMIT $2)"
        );
        purged += delete_all(ctx, &sql, now.plus_ms(-kept_ms).0).await?;
    }
    purged += purge_events(ctx, now.plus_ms(-settings.event_retention_s * 1_000).0).await?;
    Ok(purged)
}

async fn delete_all(ctx: &Ctx, sql: &str, before_ms: i64) -> Result<u64, DbErr> {
    let mut deleted = 0;
    loop {
        let result = ctx
            .db
            .write(|tx| async move {
                let values = [before_ms.into(), (BATCH_MAX as i64).into()];
                let backend = tx.store().backend();
                tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await
            })
            .await?;
        deleted += result.rows_affected();
        if result.rows_affected() < BATCH_MAX {
            return Ok(deleted);
        }
    }
}

/// Events go from the front of each account's log, so that what is left has no gap, and not before
/// they were folded into the roll-ups.
async fn purge_events(ctx: &Ctx, before_ms: i64) -> Result<u64, DbErr> {
    let accounts: Vec<AccountId> = {
        use sea_orm::{EntityTrait, QuerySelect};
        entity::event_counter::Entity::find()
            .select_only()
            .column(entity::event_counter::Column::AccountId)
            .into_tuple()
            .all(ctx.db.reader())
            .await?
    };
    let mut purged = 0;
    for account_id in accounts {
        loop {
            let result = ctx
                .db
                .write(|tx| async move {
                    let values = [account_id.0.into(), before_ms.into(), (BATCH_MAX as i64).into()];
                    tx.execute_raw(Statement::from_sql_and_values(
                        tx.store().backend(),
                        "DELETE FROM event WHERE account_id = $1 AND seq IN \
                         (SELECT seq FROM (SELECT seq, occurred_at_ms FROM event \
                          WHERE account_id = $1 AND seq <= (SELECT seq FROM rollup_cursor \
                          WHERE account_id = $1) ORDER BY seq LIMIT $3) AS oldest \
                          WHERE occurred_at_ms < $2)",
                        values,
                    ))
                    .await
                })
                .await?;
            purged += result.rows_affected();
            if result.rows_affected() < BATCH_MAX {
                break;
            }
        }
    }
    Ok(purged)
}
