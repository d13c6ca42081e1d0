//! Slowing down those who guess codes: a delay an account that grows with each wrong one. Never a
//! hard lock: whoever has a code gets its money, if a little later.
//!
//! A try is counted before the code is looked up and forgotten if it was right, so that many tries at
//! once get no more guesses than one after the other. A try that comes too early is refused and not
//! counted.

use entity::ids::AccountId;
use entity::time::UnixMillis;
use entity::voucher_throttle::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{EntityTrait, IntoActiveModel, QuerySelect, Set, Unchanged};

use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Failed;

/// Wrong codes that cost no delay: somebody reads a bad print.
const FREE: i32 = 5;
/// The first delay; doubled by each further wrong code.
const DELAY_MS: i64 = 1_000;
/// The longest delay: 288 guesses a day at 80 random bits, and five minutes for who mistyped.
const DELAY_MS_MAX: i64 = 5 * 60 * 1_000;
/// Wrong codes are forgotten after a day without one.
const FORGOTTEN_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;

/// Counts a try of an account's.
///
/// # Errors
/// [`Failed::RateLimited`] if it comes too early; then nothing is counted.
pub(super) async fn begin(ctx: &Ctx, account_id: AccountId) -> Result<(), Failed> {
    let now = ctx.clock.now();
    ctx.db.write(|tx| async move { count(&tx, account_id, now).await }).await
}

async fn count(tx: &Tx, account_id: AccountId, now: UnixMillis) -> Result<(), Failed> {
    let new = Model { account_id, failures: 0, allowed_at_ms: now, updated_at_ms: now };
    // Written as it is, which locks it: a row that is only left in place may be forgotten by another
    // try before it is read.
    let keep = OnConflict::column(Column::AccountId)
        .value(Column::Failures, Expr::col((Entity, Column::Failures)))
        .to_owned();
    let insert = Entity::insert(new.into_active_model()).on_conflict(keep);
    insert.exec_without_returning(&**tx).await?;
    let row = Entity::find_by_id(account_id).lock_exclusive().one(&**tx).await?;
    let row = row.ok_or_else(|| Failed::internal("a throttle row vanished under its lock"))?;
    let wait_ms = row.allowed_at_ms.since(now);
    if wait_ms > 0 {
        return Err(Failed::RateLimited { retry_after_ms: wait_ms.unsigned_abs() });
    }
    let forgotten = now.since(row.updated_at_ms) > FORGOTTEN_AFTER_MS;
    let failures = if forgotten { 1 } else { row.failures.saturating_add(1) };
    let row = ActiveModel {
        account_id: Unchanged(account_id),
        failures: Set(failures),
        allowed_at_ms: Set(now.plus_ms(delay_ms(failures))),
        updated_at_ms: Set(now),
    };
    Entity::update(row).exec(&**tx).await?;
    Ok(())
}

/// Forgets an account's tries: the last one was right.
pub(super) async fn forget(tx: &Tx, account_id: AccountId) -> Result<(), Failed> {
    Entity::delete_by_id(account_id).exec(&**tx).await?;
    Ok(())
}

/// How long to wait after so many wrong codes in a row.
fn delay_ms(failures: i32) -> i64 {
    match u32::try_from(failures - FREE) {
        Ok(doublings) => DELAY_MS.saturating_mul(1 << doublings.min(32)).min(DELAY_MS_MAX),
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_grows_from_nothing_to_five_minutes_and_no_further() {
        for (failures, expected_ms) in [
            (0, 0),
            (4, 0),
            (5, 1_000),
            (6, 2_000),
            (13, 256_000),
            (14, DELAY_MS_MAX),
            (i32::MAX, DELAY_MS_MAX),
        ] {
            assert_eq!(delay_ms(failures), expected_ms, "{failures}");
        }
    }
}
