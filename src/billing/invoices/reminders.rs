//! Reminders: an account is told on a schedule of invoices that it did not pay in time.
//!
//! The row of a step is written with what is told of it, so that each is given once, whatever fails
//! or runs at once. Steps that were missed are not made up for: only the latest is given.

use entity::enums::{EventKind, InvoiceKind, InvoiceStatus, MailKind};
use entity::ids::{AccountId, InvoiceId};
use entity::time::UnixMillis;
use entity::{invoice, invoice_reminder};
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{
    ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

use super::events::{ring, told};
use super::mail::{self, NewMail};
use super::model::DAY_MS;
use super::store;
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Failed;
use crate::events;

/// Invoices reminded of by one transaction.
const BATCH_MAX: u64 = 200;
/// Reminders of one invoice that are listed: it may have been given more time now and then.
const LISTED_MAX: u64 = 100;

/// Gives the reminders that are due, and says how many. Reaches the same state however often it
/// runs.
///
/// # Errors
/// The store's own.
pub async fn remind(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ManageInvoices)?;
    let mut steps = ctx.settings.billing.reminder_days.clone();
    steps.sort_unstable();
    let mut given = 0;
    // The latest step goes first, and keeps those before it from being given after it.
    for after_days in steps.into_iter().rev() {
        loop {
            let remind = |tx: Tx| async move { remind_batch(ctx, &tx, after_days.into()).await };
            let accounts = ctx.db.write(remind).await?;
            for account_id in &accounts {
                ring(ctx, *account_id);
            }
            given += accounts.len() as u64;
            if (accounts.len() as u64) < BATCH_MAX {
                break;
            }
        }
    }
    Ok(given)
}

/// The reminders of an invoice that the caller found, oldest first; at most 100.
///
/// # Errors
/// The store's own.
pub async fn reminders(
    ctx: &Ctx,
    of: &invoice::Model,
) -> Result<Vec<invoice_reminder::Model>, Failed> {
    let reminders = invoice_reminder::Entity::find()
        .filter(invoice_reminder::Column::AccountId.eq(of.account_id))
        .filter(invoice_reminder::Column::InvoiceId.eq(of.id))
        .order_by_asc(invoice_reminder::Column::SentAtMs)
        .limit(LISTED_MAX);
    Ok(reminders.all(ctx.db.reader()).await?)
}

async fn remind_batch(ctx: &Ctx, tx: &Tx, after_days: i32) -> Result<Vec<AccountId>, DbErr> {
    let now = ctx.clock.now();
    let (mut accounts, mut news, mut mails) = (Vec::new(), Vec::new(), Vec::new());
    for mut row in to_be_reminded_of(tx, now, after_days).await? {
        let Some(due_at) = row.due_at_ms else { continue };
        if !is_first(tx, now, (row.account_id, row.id), due_at, after_days).await? {
            continue;
        }
        store::save(tx, now, &mut row).await?;
        accounts.push(row.account_id);
        news.push(told(&row, EventKind::InvoiceReminded, now));
        mails.push(NewMail {
            account_id: row.account_id,
            invoice_id: row.id,
            kind: MailKind::Reminder,
            subject: format!("{}/{after_days}", due_at.0),
            amount: None,
        });
    }
    mail::enqueue(tx, now, mails).await?;
    events::append(tx, news).await?;
    Ok(accounts)
}

/// Open invoices that have been due for so many days and were not reminded of since then, locked.
async fn to_be_reminded_of(
    tx: &Tx,
    now: UnixMillis,
    after_days: i32,
) -> Result<Vec<invoice::Model>, DbErr> {
    use invoice_reminder::Column as Given;
    let column = |column: invoice::Column| Expr::col((invoice::Entity, column));
    let given = Query::select()
        .column(Given::AfterDays)
        .from(invoice_reminder::Entity)
        .and_where(
            Expr::col((invoice_reminder::Entity, Given::AccountId))
                .eq(column(invoice::Column::AccountId)),
        )
        .and_where(
            Expr::col((invoice_reminder::Entity, Given::InvoiceId)).eq(column(invoice::Column::Id)),
        )
        .and_where(
            Expr::col((invoice_reminder::Entity, Given::DueAtMs))
                .eq(column(invoice::Column::DueAtMs)),
        )
        .and_where(Expr::col((invoice_reminder::Entity, Given::AfterDays)).gte(after_days))
        .to_owned();
    invoice::Entity::find()
        .filter(invoice::Column::Kind.eq(InvoiceKind::Invoice))
        .filter(invoice::Column::Status.eq(InvoiceStatus::Open))
        .filter(invoice::Column::DueAtMs.lte(now.plus_ms(-i64::from(after_days) * DAY_MS)))
        .filter(Expr::exists(given).not())
        .order_by_asc(invoice::Column::AccountId)
        .order_by_asc(invoice::Column::Id)
        .limit(BATCH_MAX)
        .lock_exclusive()
        .all(&**tx)
        .await
}

/// Writes that a reminder was given; `false`: it had been, by a node that was faster.
async fn is_first(
    tx: &Tx,
    now: UnixMillis,
    (account_id, invoice_id): (AccountId, InvoiceId),
    due_at: UnixMillis,
    after_days: i32,
) -> Result<bool, DbErr> {
    use invoice_reminder::Column;
    let row = invoice_reminder::Model {
        account_id,
        invoice_id,
        due_at_ms: due_at,
        after_days,
        sent_at_ms: now,
    };
    let key = [Column::AccountId, Column::InvoiceId, Column::DueAtMs, Column::AfterDays];
    let insert = invoice_reminder::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned());
    Ok(insert.exec_without_returning(&**tx).await? == 1)
}
