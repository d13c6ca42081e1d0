//! Automatic top-up: when an account has less available than it wishes, a kept means of payment is
//! charged without the payer.
//!
//! - One payment at a time: its row and the note that it is pending are one transaction, under the
//!   lock of the account's row here, and no other is started before its outcome is known.
//! - The payment's id is the processor's idempotency key. The processor forgets keys after a day; a
//!   payment whose outcome is not known by then is looked for, and never asked for again.
//! - So many a day and no more, whatever goes wrong. After [`FAILURES_MAX`] in a row it ends.

mod charge;
mod settings;

use entity::automatic_top_up::{Entity, Model};
use entity::enums::{AccountStatus, AutomaticTopUpEnd, EventKind, PaymentPurpose};
use entity::ids::{AccountId, PaymentId, PaymentMethodId};
use entity::time::UnixMillis;
use entity::{account, payment, payment_method};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QuerySelect, Statement,
};

pub(super) use self::charge::{ask_again, call_off};
pub use self::settings::{
    AutomaticTopUpRejection, NewAutomaticTopUp, NotSetUp, automatic_top_up,
    disable_automatic_top_up, set_automatic_top_up,
};
use super::facts::Money;
use super::start::Blank;
use crate::billing::{self, Journal};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Failed;
use crate::events::NewEvent;
use crate::types::money::{Currency, Micros};

/// Failed payments in a row after which it ends: the payer has to do something.
pub(super) const FAILURES_MAX: i16 = 3;
/// How long nothing is tried after a failure, in milliseconds: six hours. Banks count what they
/// decline, and a salary or a transfer may come meanwhile.
const FAILURE_DELAY_MS: i64 = 6 * 3_600_000;
/// How long nothing is tried where the processor cannot be called, in milliseconds: ten minutes.
const UNREADY_DELAY_MS: i64 = 600_000;
/// Accounts of one run; the next comes soon.
const ACCOUNTS_MAX: i64 = 100;

/// How an automatic payment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The money is there.
    Collected,
    /// It is not, and nobody is there to see to it.
    Failed,
}

/// Starts a payment for each account that has less available than it wishes; returns how many.
/// Running it twice starts none twice.
///
/// # Errors
/// The store's own; what was started before stays.
pub async fn top_up_accounts(ctx: &Ctx) -> Result<u64, Failed> {
    let mut started = 0;
    for account_id in low_accounts(ctx).await? {
        let id = ctx.ids.next();
        let start = |tx: Tx| async move { start(ctx, &tx, account_id, id).await };
        let Some(row) = ctx.db.write(start).await? else { continue };
        started += 1;
        if let Err(error) = charge::charge(ctx, &row).await {
            // It stays pending: the sweep of payments asks again, under the same key.
            tracing::warn!(payment.id = %row.id, %error, "cannot charge an automatic top-up yet");
        }
    }
    Ok(started)
}

async fn low_accounts(ctx: &Ctx) -> Result<Vec<AccountId>, Failed> {
    let now = ctx.clock.now();
    let sql = "SELECT t.account_id FROM automatic_top_up t \
        JOIN account ON account.id = t.account_id \
        LEFT JOIN wallet w ON w.account_id = t.account_id AND w.currency = t.currency \
        AND w.purse = 0 \
        WHERE t.ended IS NULL AND t.pending_payment_id IS NULL AND t.next_at_ms <= $1 \
        AND (t.day <> $2 OR t.started_in_day < $3) AND account.status = $4 \
        AND COALESCE(w.balance_micros - w.held_micros + w.credit_limit_micros, 0) \
        < t.threshold_micros \
        ORDER BY t.next_at_ms, t.account_id LIMIT $5";
    let values = [
        now.0.into(),
        billing::day_of(now).into(),
        per_day(ctx).into(),
        AccountStatus::Active.code().into(),
        ACCOUNTS_MAX.into(),
    ];
    let statement = Statement::from_sql_and_values(ctx.db.store().backend(), sql, values);
    let rows = ctx.db.reader().query_all_raw(statement).await?;
    let ids = rows.iter().map(|row| row.try_get("", "account_id"));
    Ok(ids.collect::<Result<_, _>>()?)
}

fn per_day(ctx: &Ctx) -> i16 {
    i16::try_from(ctx.settings.payments.automatic_top_ups_per_day).unwrap_or(i16::MAX)
}

/// Keeps a payment for an account, if it still needs one: what was read before is read again under
/// its row's lock.
async fn start(
    ctx: &Ctx,
    tx: &Tx,
    account_id: AccountId,
    id: PaymentId,
) -> Result<Option<payment::Model>, Failed> {
    let now = ctx.clock.now();
    let found = Entity::find_by_id(account_id).lock_exclusive().one(&**tx).await?;
    let Some(mut row) = found else { return Ok(None) };
    let today = billing::day_of(now);
    let started = if row.day == today { row.started_in_day } else { 0 };
    let may_start = row.ended.is_none()
        && row.pending_payment_id.is_none()
        && row.next_at_ms <= now
        && started < per_day(ctx);
    let owner = account::Entity::find_by_id(account_id).one(&**tx).await?;
    let is_active = owner.is_some_and(|owner| owner.status == AccountStatus::Active);
    if !may_start || !is_active || !is_low(tx, &row).await? {
        return Ok(None);
    }
    let method = payment_method::Entity::find_by_id((account_id, row.payment_method_id));
    let method = method.one(&**tx).await?.filter(|method| method.removed_at_ms.is_none());
    let Some(method) = method else {
        // Removed at the moment when it was chosen; the account sees the reason.
        row.ended = Some(AutomaticTopUpEnd::MethodRemoved);
        save(tx, now, row).await?;
        return Ok(None);
    };
    if !charge::is_ready(tx, method.endpoint_id).await? {
        row.next_at_ms = now.plus_ms(UNREADY_DELAY_MS);
        save(tx, now, row).await?;
        return Ok(None);
    }
    let currency: Currency = row.currency.parse().map_err(Failed::internal)?;
    let amount = Money { currency, amount_micros: row.amount_micros };
    let (endpoint_id, purpose) = (method.endpoint_id, PaymentPurpose::TopUp);
    let blank = Blank { id, account_id, endpoint_id, purpose, amount };
    let payment = payment::Model { payment_method_id: Some(method.id), ..blank.row(now) };
    let insert = payment::Entity::insert(payment.clone().into_active_model());
    insert.exec_without_returning(&**tx).await?;
    row.pending_payment_id = Some(payment.id);
    row.day = today;
    row.started_in_day = started + 1;
    save(tx, now, row).await?;
    Ok(Some(payment))
}

async fn is_low(tx: &Tx, row: &Model) -> Result<bool, Failed> {
    let currency: Currency = row.currency.parse().map_err(Failed::internal)?;
    let journal = Journal::of_money(row.account_id, currency);
    Ok(billing::available_locked(tx, journal).await? < Micros(row.threshold_micros))
}

async fn save(tx: &Tx, now: UnixMillis, mut row: Model) -> Result<(), Failed> {
    row.version += 1;
    row.updated_at_ms = now;
    Entity::update(row.into_active_model().reset_all()).exec(&**tx).await?;
    Ok(())
}

/// Notes how the pending payment ended; of another payment nothing. What it returns is to be told,
/// last in the transaction.
pub(super) async fn settle(
    tx: &Tx,
    now: UnixMillis,
    payment: &payment::Model,
    outcome: Outcome,
) -> Result<Option<NewEvent>, Failed> {
    let found = Entity::find_by_id(payment.account_id).lock_exclusive().one(&**tx).await?;
    let is_its = |row: &Model| row.pending_payment_id == Some(payment.id);
    let Some(mut row) = found.filter(is_its) else { return Ok(None) };
    row.pending_payment_id = None;
    let mut event = None;
    match outcome {
        Outcome::Collected => row.failures = 0,
        Outcome::Failed => {
            row.failures = row.failures.saturating_add(1);
            row.next_at_ms = now.plus_ms(FAILURE_DELAY_MS);
            if row.failures >= FAILURES_MAX && row.ended.is_none() {
                row.ended = Some(AutomaticTopUpEnd::PaymentsFailed);
                event = Some(ended(&row, AutomaticTopUpEnd::PaymentsFailed, now));
            }
        }
    }
    save(tx, now, row).await?;
    Ok(event)
}

/// Ends the automatic top-up of an account, if it runs (and charges `method_id`, if one is named). A
/// payment that is pending goes on. What it returns is to be told, last in the transaction.
pub(super) async fn end(
    tx: &Tx,
    now: UnixMillis,
    account_id: AccountId,
    method_id: Option<PaymentMethodId>,
    why: AutomaticTopUpEnd,
) -> Result<Option<NewEvent>, Failed> {
    let found = Entity::find_by_id(account_id).lock_exclusive().one(&**tx).await?;
    let is_meant = |row: &Model| {
        row.ended.is_none() && method_id.is_none_or(|method_id| method_id == row.payment_method_id)
    };
    let Some(mut row) = found.filter(is_meant) else { return Ok(None) };
    row.ended = Some(why);
    let event = ended(&row, why, now);
    save(tx, now, row).await?;
    Ok(Some(event))
}

fn ended(row: &Model, why: AutomaticTopUpEnd, now: UnixMillis) -> NewEvent {
    NewEvent {
        account_id: row.account_id,
        kind: EventKind::AutomaticTopUpEnded,
        subject_id: row.account_id.0,
        status: why.code(),
        version: row.version + 1,
        error_code: None,
        occurred_at: now,
    }
}
