//! Sending is suspended for as long as an invoice is not paid: after a time that the settings say, and
//! until no overdue invoice is left. Not the operator's suspension of an account, which is
//! `identity`'s.
//!
//! The mark stands in `billing_account`, which sending reads anyway. Who suspends holds the rows of
//! the invoices that it is for, and who settles one of them holds its row, so one of the two sees
//! what the other did. Locks: invoice → billing account.

use entity::enums::{EventKind, InvoiceKind, InvoiceStatus, MailKind};
use entity::ids::AccountId;
use entity::time::UnixMillis;
use entity::{billing_account, invoice};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, Set, Unchanged,
};

use super::events::ring;
use super::mail::{self, NewMail};
use super::model::DAY_MS;
use crate::authz::Action;
use crate::billing::commands::settle_terms;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::{self, NewEvent};

/// Accounts looked up by one statement.
const ACCOUNTS_BATCH: u64 = 200;

/// Suspends the sending of accounts whose invoices were not paid for too long, and lifts what no
/// invoice stands for any more. Says of how many accounts either was done. Reaches the same state
/// however often it runs.
///
/// # Errors
/// The store's own.
pub async fn suspend_overdue(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ManageInvoices)?;
    let mut changed = 0;
    if let Some(due_before) = due_before(ctx) {
        loop {
            let late = late_accounts(ctx, due_before).await?;
            let mut suspended = 0;
            for account_id in &late {
                let suspend =
                    |tx: Tx| async move { suspend(ctx, &tx, *account_id, due_before).await };
                suspended += count(ctx, *account_id, ctx.db.write(suspend).await?);
            }
            changed += suspended;
            // What was suspended is not found again; what was paid meanwhile neither.
            if (late.len() as u64) < ACCOUNTS_BATCH || suspended == 0 {
                break;
            }
        }
    }
    for account_id in suspended_accounts(ctx).await? {
        let lift = |tx: Tx| async move {
            let news = match due_before(ctx) {
                None => lift(&tx, ctx.clock.now(), account_id).await?,
                Some(_) => resume(&tx, ctx.clock.now(), account_id).await?,
            };
            let is_lifted = news.is_some();
            events::append(&tx, news.into_iter().collect()).await?;
            Ok::<_, DbErr>(is_lifted)
        };
        changed += count(ctx, account_id, ctx.db.write(lift).await?);
    }
    Ok(changed)
}

fn count(ctx: &Ctx, account_id: AccountId, is_changed: bool) -> u64 {
    if is_changed {
        ring(ctx, account_id);
    }
    u64::from(is_changed)
}

/// Until when an invoice must have been due for its account to be suspended now; none: never.
fn due_before(ctx: &Ctx) -> Option<UnixMillis> {
    let days = ctx.settings.billing.suspend_after_days;
    (days > 0).then(|| ctx.clock.now().plus_ms(-i64::from(days) * DAY_MS))
}

/// What is not paid, whether somebody expects to see the money or not.
fn unpaid() -> Select<invoice::Entity> {
    invoice::Entity::find()
        .filter(invoice::Column::Kind.eq(InvoiceKind::Invoice))
        .filter(invoice::Column::Status.is_in([InvoiceStatus::Open, InvoiceStatus::Uncollectible]))
}

/// Accounts that have such invoices and may send.
async fn late_accounts(ctx: &Ctx, due_before: UnixMillis) -> Result<Vec<AccountId>, DbErr> {
    let suspended = sea_orm::sea_query::Query::select()
        .column(billing_account::Column::AccountId)
        .from(billing_account::Entity)
        .and_where(billing_account::Column::SuspendedAtMs.is_not_null())
        .to_owned();
    unpaid()
        .select_only()
        .column(invoice::Column::AccountId)
        .filter(invoice::Column::DueAtMs.lte(due_before))
        .filter(invoice::Column::AccountId.not_in_subquery(suspended))
        .distinct()
        .order_by_asc(invoice::Column::AccountId)
        .limit(ACCOUNTS_BATCH)
        .into_tuple()
        .all(ctx.db.reader())
        .await
}

async fn suspended_accounts(ctx: &Ctx) -> Result<Vec<AccountId>, DbErr> {
    billing_account::Entity::find()
        .select_only()
        .column(billing_account::Column::AccountId)
        .filter(billing_account::Column::SuspendedAtMs.is_not_null())
        .order_by_asc(billing_account::Column::AccountId)
        .into_tuple()
        .all(ctx.db.reader())
        .await
}

/// Suspends an account if an invoice still stands for it, whose row stays locked.
async fn suspend(
    ctx: &Ctx,
    tx: &Tx,
    account_id: AccountId,
    due_before: UnixMillis,
) -> Result<bool, Failed> {
    let now = ctx.clock.now();
    let late = unpaid()
        .filter(invoice::Column::AccountId.eq(account_id))
        .filter(invoice::Column::DueAtMs.lte(due_before))
        .order_by_asc(invoice::Column::Id)
        .limit(1)
        .lock_exclusive()
        .one(&**tx)
        .await?;
    let Some(late) = late else { return Ok(false) };
    match settle_terms(ctx, tx, account_id, None, None).await {
        Ok(_) => {}
        Err(Error::Rejected(rejection)) => return Err(Failed::internal(rejection)),
        Err(Error::Failed(failed)) => return Err(failed),
    }
    let Some(row) = lock(tx, account_id).await?.filter(|row| row.suspended_at_ms.is_none()) else {
        return Ok(false);
    };
    mark(tx, now, row, Some(now)).await?;
    let mail = NewMail {
        account_id,
        invoice_id: late.id,
        kind: MailKind::SendingSuspended,
        subject: now.0.to_string(),
        amount: None,
    };
    mail::enqueue(tx, now, vec![mail]).await?;
    events::append(tx, vec![told(account_id, EventKind::SendingSuspended, now)]).await?;
    Ok(true)
}

/// Lets an account send again if none of its invoices is overdue any more. Call it when one was
/// settled or given more time, with its row saved; what is returned is to be told.
pub(super) async fn resume(
    tx: &Tx,
    now: UnixMillis,
    account_id: AccountId,
) -> Result<Option<NewEvent>, DbErr> {
    let of_account = billing_account::Entity::find_by_id(account_id);
    let found = of_account.one(&**tx).await?;
    if found.is_none_or(|row| row.suspended_at_ms.is_none()) {
        return Ok(None);
    }
    // Locked before it is looked for: of two who settle one each, the second sees both settled.
    lock(tx, account_id).await?;
    let overdue = unpaid()
        .filter(invoice::Column::AccountId.eq(account_id))
        .filter(invoice::Column::DueAtMs.lt(now))
        .limit(1)
        .one(&**tx)
        .await?;
    if overdue.is_some() { Ok(None) } else { lift(tx, now, account_id).await }
}

async fn lift(tx: &Tx, now: UnixMillis, account_id: AccountId) -> Result<Option<NewEvent>, DbErr> {
    let Some(row) = lock(tx, account_id).await?.filter(|row| row.suspended_at_ms.is_some()) else {
        return Ok(None);
    };
    mark(tx, now, row, None).await?;
    Ok(Some(told(account_id, EventKind::SendingResumed, now)))
}

async fn lock(tx: &Tx, account_id: AccountId) -> Result<Option<billing_account::Model>, DbErr> {
    billing_account::Entity::find_by_id(account_id).lock_exclusive().one(&**tx).await
}

async fn mark(
    tx: &Tx,
    now: UnixMillis,
    row: billing_account::Model,
    suspended_at: Option<UnixMillis>,
) -> Result<(), DbErr> {
    let row = billing_account::ActiveModel {
        account_id: Unchanged(row.account_id),
        suspended_at_ms: Set(suspended_at),
        version: Set(row.version + 1),
        updated_at_ms: Set(now),
        ..Default::default()
    };
    billing_account::Entity::update(row).exec(&**tx).await?;
    Ok(())
}

fn told(account_id: AccountId, kind: EventKind, now: UnixMillis) -> NewEvent {
    NewEvent {
        account_id,
        kind,
        subject_id: account_id.0,
        status: 0,
        version: 0,
        error_code: None,
        occurred_at: now,
    }
}
