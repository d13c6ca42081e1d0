//! Periodic work: each closed month becomes an invoice or a statement, and open invoices become
//! overdue. How far an account's months were done stands in `invoice_run`; its row is locked while
//! one is made, so that two nodes make none twice and a run that was missed is made up for.

use entity::enums::{BillingTerms, EventKind, InvoiceKind, InvoiceStatus};
use entity::ids::{AccountId, InvoiceId};
use entity::{invoice, invoice_run};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QueryResult,
    QuerySelect, Statement,
};

use super::events::{ring, told};
use super::finalize::{FinalizeRejection, finalize_locked};
use super::model::Month;
use super::{charges, store};
use crate::authz::Action;
use crate::billing::queries;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::{self, NewEvent};

/// Accounts looked up by one statement.
const ACCOUNTS_BATCH: i64 = 200;
/// Invoices found overdue by one transaction.
const OVERDUE_BATCH: u64 = 200;

/// Makes and finalizes what is missing for the months that are over: an invoice for an account that
/// pays by invoice, a statement for one that pays beforehand. Says how many were made. Reaches the
/// same state however often it runs.
///
/// # Errors
/// The store's own. What cannot be finalized is logged and left to the operator.
pub async fn make_monthly(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ManageInvoices)?;
    let last = Month::last_closed(ctx.clock.now());
    let (mut made, mut after) = (0, None);
    loop {
        let behind = accounts_behind(ctx, last, after).await?;
        let Some((account_id, currency)) = behind.last() else { return Ok(made) };
        after = Some((*account_id, currency.clone()));
        for (account_id, currency) in &behind {
            while let Some(is_made) = make_next(ctx, *account_id, currency, last).await? {
                made += u64::from(is_made);
            }
        }
    }
}

/// Tells of invoices that were not paid when they were due, each once. Says of how many.
///
/// # Errors
/// The store's own.
pub async fn mark_overdue(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ManageInvoices)?;
    let mut marked = 0;
    loop {
        let accounts = ctx.db.write(|tx| async move { mark_batch(ctx, &tx).await }).await?;
        for account_id in &accounts {
            ring(ctx, *account_id);
        }
        marked += accounts.len() as u64;
        if (accounts.len() as u64) < OVERDUE_BATCH {
            return Ok(marked);
        }
    }
}

async fn mark_batch(ctx: &Ctx, tx: &Tx) -> Result<Vec<AccountId>, DbErr> {
    let now = ctx.clock.now();
    let late = invoice::Entity::find()
        .filter(invoice::Column::Status.eq(InvoiceStatus::Open))
        .filter(invoice::Column::DueAtMs.lt(now))
        .filter(invoice::Column::OverdueAtMs.is_null())
        .order_by_asc(invoice::Column::AccountId)
        .order_by_asc(invoice::Column::Id)
        .limit(OVERDUE_BATCH)
        .lock_exclusive()
        .all(&**tx)
        .await?;
    let (mut accounts, mut news) = (Vec::new(), Vec::new());
    for mut row in late {
        row.overdue_at_ms = Some(now);
        store::save(tx, now, &mut row).await?;
        accounts.push(row.account_id);
        news.push(told(&row, EventKind::InvoiceOverdue, now));
    }
    events::append(tx, news).await?;
    Ok(accounts)
}

/// Accounts with a journal of money whose months are not done up to `last`, after one of them.
async fn accounts_behind(
    ctx: &Ctx,
    last: Month,
    after: Option<(AccountId, String)>,
) -> Result<Vec<(AccountId, String)>, DbErr> {
    let (id, currency) = after.unwrap_or((AccountId(uuid::Uuid::nil()), String::new()));
    let sql = "SELECT wallet.account_id, wallet.currency FROM wallet \
        LEFT JOIN invoice_run ON invoice_run.account_id = wallet.account_id \
        AND invoice_run.currency = wallet.currency \
        WHERE wallet.purse = 0 AND (invoice_run.month IS NULL OR invoice_run.month < $1) \
        AND (wallet.account_id, wallet.currency) > ($2, $3) \
        ORDER BY wallet.account_id, wallet.currency LIMIT $4";
    let values = [last.stored().into(), id.0.into(), currency.into(), ACCOUNTS_BATCH.into()];
    let backend = ctx.db.store().backend();
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let rows = ctx.db.reader().query_all_raw(statement).await?;
    let of = |row: &QueryResult| Ok((row.try_get("", "account_id")?, row.try_get("", "currency")?));
    rows.iter().map(of).collect()
}

/// Does an account's next month up to `last`, and says whether a document was made; none if all
/// months are done.
async fn make_next(
    ctx: &Ctx,
    account_id: AccountId,
    currency: &str,
    last: Month,
) -> Result<Option<bool>, Failed> {
    let id: InvoiceId = ctx.ids.next();
    let make = |tx: Tx| async move {
        let Some(month) = lock_next(&tx, account_id, currency, last).await? else {
            return Ok(None);
        };
        let news = make_month(ctx, &tx, account_id, currency, month, id).await?;
        let is_made = !news.is_empty();
        events::append(&tx, news).await?;
        Ok(Some(is_made))
    };
    match ctx.db.write(make).await {
        Ok(Some(is_made)) => {
            if is_made {
                ring(ctx, account_id);
            }
            Ok(Some(is_made))
        }
        Ok(None) => Ok(None),
        Err(Error::Rejected(rejection)) => {
            leave(ctx, account_id, currency, last, rejection).await?;
            Ok(Some(false))
        }
        Err(Error::Failed(failed)) => Err(failed),
    }
}

/// Goes past a month that cannot be finalized: its draft stays for the operator.
async fn leave(
    ctx: &Ctx,
    account_id: AccountId,
    currency: &str,
    last: Month,
    rejection: FinalizeRejection,
) -> Result<(), Failed> {
    tracing::warn!(
        account.id = %account_id, reason = %rejection,
        "a month's invoice cannot be finalized; its draft is left to the operator"
    );
    let pass = |tx: Tx| async move {
        lock_next(&tx, account_id, currency, last).await?;
        Ok::<_, DbErr>(())
    };
    Ok(ctx.db.write(pass).await?)
}

/// Locks an account's run and moves it to its next month, if that is not after `last`. The first
/// month is the first in which the ledger took something for messages, plans or packages.
async fn lock_next(
    tx: &Tx,
    account_id: AccountId,
    currency: &str,
    last: Month,
) -> Result<Option<Month>, DbErr> {
    let of_messages = first_month(tx, account_id, currency).await?;
    let of_charges = charges::first_month(tx, account_id, currency).await?;
    let first = of_messages.into_iter().chain(of_charges).min().unwrap_or(last);
    let sql = "INSERT INTO invoice_run (account_id, currency, month) VALUES ($1, $2, $3) \
        ON CONFLICT (account_id, currency) DO NOTHING";
    let before_first = first.min(last).stored() - 1;
    let values = [account_id.0.into(), currency.into(), before_first.into()];
    tx.execute_raw(Statement::from_sql_and_values(tx.store().backend(), sql, values)).await?;
    let key = (account_id, currency.to_owned());
    let found = invoice_run::Entity::find_by_id(key).lock_exclusive().one(&**tx).await?;
    let Some(run) = found else { return Ok(None) };
    let next = Month::from_stored(run.month).next();
    if next > last {
        return Ok(None);
    }
    let moved = invoice_run::ActiveModel {
        account_id: sea_orm::Unchanged(account_id),
        currency: sea_orm::Unchanged(run.currency),
        month: sea_orm::Set(next.stored()),
    };
    invoice_run::Entity::update(moved).exec(&**tx).await?;
    Ok(Some(next))
}

async fn first_month(
    tx: &Tx,
    account_id: AccountId,
    currency: &str,
) -> Result<Option<Month>, DbErr> {
    let sql = "SELECT day FROM usage_day WHERE account_id = $1 AND currency = $2 AND purse = 0 \
        ORDER BY day LIMIT 1";
    let values = [account_id.0.into(), currency.into()];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    row.map(|row| Ok(Month::of_day(row.try_get("", "day")?))).transpose()
}

async fn make_month(
    ctx: &Ctx,
    tx: &Tx,
    account_id: AccountId,
    currency: &str,
    month: Month,
    id: InvoiceId,
) -> Result<Vec<NewEvent>, Error<FinalizeRejection>> {
    let found = store::of_month(tx, account_id, currency, month).await?;
    if found.as_ref().is_some_and(|row| row.status != InvoiceStatus::Draft) {
        return Ok(Vec::new());
    }
    let row = match found {
        Some(draft) => draft,
        None if !was_charged(tx, account_id, currency, month).await?
            && !charges::took_any(tx, account_id, currency, month).await? =>
        {
            return Ok(Vec::new());
        }
        None => {
            let kind = match queries::terms_in(ctx, &**tx, account_id).await?.terms {
                BillingTerms::Postpaid => InvoiceKind::Invoice,
                BillingTerms::Prepaid => InvoiceKind::Statement,
            };
            let currency = currency.to_owned();
            let mut row = store::blank(account_id, id, kind, currency, ctx.clock.now());
            row.month = Some(month.stored());
            store::insert(tx, &row).await?;
            row
        }
    };
    let (_, news) = finalize_locked(ctx, tx, row).await?;
    Ok(news)
}

/// Whether any message of a month cost something: a month of free ones needs no document.
async fn was_charged(
    tx: &Tx,
    account_id: AccountId,
    currency: &str,
    month: Month,
) -> Result<bool, DbErr> {
    let sql = "SELECT day FROM usage_day WHERE account_id = $1 AND currency = $2 AND purse = 0 \
        AND day >= $3 AND day < $4 AND amount_micros <> 0 LIMIT 1";
    let values = [
        account_id.0.into(),
        currency.into(),
        month.first_day().into(),
        month.next().first_day().into(),
    ];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    Ok(tx.query_one_raw(statement).await?.is_some())
}
