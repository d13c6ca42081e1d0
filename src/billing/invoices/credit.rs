//! Credit that an account has pays its invoices as they are finalized, so that no invoice asks for
//! more than the ledger lacks.

use entity::enums::{AllocationKind, BillingTerms, InvoiceKind, InvoiceStatus};
use entity::ids::PaymentId;
use entity::invoice;
use entity::time::UnixMillis;
use sea_orm::{ConnectionTrait, DbErr, EntityTrait, Statement, Value};

use super::charges;
use super::model::Month;
use super::payment::{Source, allocate_locked};
use crate::billing::queries;
use crate::ctx::Ctx;
use crate::db::{Store, Tx};
use crate::error::Failed;
use crate::events::NewEvent;
use crate::types::money::{Currency, Micros};

/// Lets an account's credit pay an invoice that this transaction has finalized and posted, as far as
/// it goes, and adds what is to be told to `news`. Nothing is posted: the invoice's postings have
/// taken the credit already.
///
/// The credit is what the balance would be without what invoices ask for: the balance, and what is
/// due of all invoices, this one included. Of an account that pays by invoice, messages, plans and
/// packages of months without an invoice are not taken out of it either: theirs comes later than this
/// one.
pub(super) async fn apply(
    ctx: &Ctx,
    tx: &Tx,
    now: UnixMillis,
    row: invoice::Model,
    mut news: Vec<NewEvent>,
) -> Result<(invoice::Model, Vec<NewEvent>), Failed> {
    if row.kind != InvoiceKind::Invoice || row.status != InvoiceStatus::Open {
        return Ok((row, news));
    }
    let mut credit = balance_locked(tx, &row).await?;
    credit = credit.checked_add(all_due(tx, &row).await?).ok_or_else(beyond)?;
    let terms = queries::terms_in(ctx, &**tx, row.account_id).await?.terms;
    if terms == BillingTerms::Postpaid {
        credit = credit.checked_add(not_invoiced(tx, &row).await?).ok_or_else(beyond)?;
    }
    if credit <= Micros::ZERO {
        return Ok((row, news));
    }
    let source = Source {
        kind: AllocationKind::Credit,
        // Credit pays an invoice once, when it is finalized.
        id: PaymentId(row.id.0),
        reference: None,
        occurred_at: None,
    };
    // A part of a cent cannot pay anything.
    let currency: Currency = row.currency.parse().map_err(Failed::internal)?;
    let payable = Micros(credit.0 - credit.0.rem_euclid(currency.minor_unit_micros()));
    let allocation = allocate_locked(tx, now, row, source, payable).await?;
    news.extend(allocation.events);
    Ok((allocation.invoice, news))
}

/// What the account has by the ledger, its wallet locked: with it, what is due of other invoices
/// cannot be paid in between.
async fn balance_locked(tx: &Tx, row: &invoice::Model) -> Result<Micros, DbErr> {
    let lock = match tx.store() {
        Store::Sqlite => "",
        Store::Postgres => "FOR UPDATE",
    };
    let sql = format!(
        "SELECT balance_micros AS amount FROM wallet \
         WHERE account_id = $1 AND currency = $2 AND purse = 0 {lock}"
    );
    amount(tx, &sql, vec![row.account_id.0.into(), row.currency.clone().into()]).await
}

/// What is due of all of an account's invoices: its balance has it taken off already.
pub(super) async fn all_due(tx: &Tx, row: &invoice::Model) -> Result<Micros, DbErr> {
    let sql = "SELECT CAST(COALESCE(SUM(total_micros - paid_micros - credited_micros), 0) AS BIGINT) \
        AS amount FROM invoice \
        WHERE account_id = $1 AND currency = $2 AND kind = 0 AND status IN (1, 4)";
    amount(tx, sql, vec![row.account_id.0.into(), row.currency.clone().into()]).await
}

/// What messages, plans and packages were charged that belong to months without an invoice.
async fn not_invoiced(tx: &Tx, row: &invoice::Model) -> Result<Micros, Failed> {
    let key = (row.account_id, row.currency.clone());
    let run = entity::invoice_run::Entity::find_by_id(key).one(&**tx).await?;
    let done = run.map(|run| run.month).into_iter().chain(row.month).max();
    let first = done.map_or(Month::from_stored(0), |month| Month::from_stored(month).next());
    let sql = "SELECT CAST(COALESCE(SUM(amount_micros), 0) AS BIGINT) AS amount FROM usage_day \
        WHERE account_id = $1 AND currency = $2 AND purse = 0 AND day >= $3";
    let of_row = || [row.account_id.0.into(), row.currency.clone().into()];
    let values = of_row().into_iter().chain([first.first_day().into()]).collect();
    let messages = amount(tx, sql, values).await?;
    let values = of_row().into_iter().chain([first.begins_at().0.into()]).collect();
    let charges = amount(tx, &charges::sum_since(), values).await?;
    messages.checked_add(charges).ok_or_else(beyond)
}

async fn amount(tx: &Tx, sql: &str, values: Vec<Value>) -> Result<Micros, DbErr> {
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    row.map_or(Ok(Micros::ZERO), |row| row.try_get("", "amount"))
}

fn beyond() -> Failed {
    Failed::internal("credit beyond 64 bits")
}
