//! Months of plans and packages, as lines of the invoice or statement of the month in which the ledger
//! took them. An amount stands on a line exactly as it was taken. What was given back of a package's
//! price stands on the month's lines, too, unless the document would come to less than nothing by it:
//! then it stays the account's credit, which pays invoices.

use entity::enums::{InvoiceLineKind, TransferCode};
use entity::ids::AccountId;
use entity::time::UnixMillis;
use entity::{invoice, invoice_line};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Statement, Value};

use super::model::Month;
use crate::db::Tx;

/// Transfers `t` of account `$1` in currency `$2` that took money for months of plans and packages or
/// gave it back, with what they took from the customer, and whose package it was. What taking back an
/// invoice posted is about no package.
fn taken() -> String {
    format!(
        "ledger_transfer t JOIN ledger_entry e ON e.account_id = t.account_id \
         AND e.currency = t.currency AND e.purse = t.purse AND e.seq = t.seq AND e.kind = 0 \
         LEFT JOIN granted_package g ON g.account_id = t.account_id AND g.id = t.subject_id \
         WHERE t.account_id = $1 AND t.currency = $2 AND t.purse = 0 AND t.code IN ({}, {}, {}) \
         AND (t.code <> {reversal} OR g.id IS NOT NULL)",
        TransferCode::PackageBought.code(),
        TransferCode::Subscription.code(),
        TransferCode::Reversal.code(),
        reversal = TransferCode::Reversal.code(),
    )
}

/// The statement that adds up what was taken since time `$3`, as `amount`.
pub(super) fn sum_since() -> String {
    format!(
        "SELECT CAST(COALESCE(-SUM(e.amount_micros), 0) AS BIGINT) AS amount \
         FROM {} AND t.posted_at_ms >= $3",
        taken()
    )
}

/// The first month in which something was taken.
pub(super) async fn first_month(
    tx: &Tx,
    account_id: AccountId,
    currency: &str,
) -> Result<Option<Month>, DbErr> {
    let sql =
        format!("SELECT t.posted_at_ms AS at FROM {} ORDER BY t.posted_at_ms LIMIT 1", taken());
    let values: [Value; 2] = [account_id.0.into(), currency.into()];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    row.map(|row| Ok(Month::of(row.try_get::<UnixMillis>("", "at")?))).transpose()
}

/// Whether anything was taken in a month.
pub(super) async fn took_any(
    tx: &Tx,
    account_id: AccountId,
    currency: &str,
    month: Month,
) -> Result<bool, DbErr> {
    let sql = format!(
        "SELECT 1 AS one FROM {} AND t.posted_at_ms >= $3 AND t.posted_at_ms < $4 \
         AND e.amount_micros < 0 LIMIT 1",
        taken()
    );
    let values = [
        account_id.0.into(),
        currency.into(),
        month.begins_at().0.into(),
        month.next().begins_at().0.into(),
    ];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    Ok(tx.query_one_raw(statement).await?.is_some())
}

/// Writes a line for each transfer of a month, after line `last`, in the order of posting.
pub(super) async fn insert_lines(
    tx: &Tx,
    row: &invoice::Model,
    month: Month,
    last: i32,
) -> Result<(), DbErr> {
    // The key of a plan's month ends with the day on which it began.
    let sql = format!(
        "INSERT INTO invoice_line (account_id, invoice_id, number, kind, description, \
         quantity_micros, amount_micros) \
         SELECT charge.account_id, $5, $6 + CAST(row_number() OVER (ORDER BY charge.seq) AS INTEGER), \
         charge.kind, COALESCE((SELECT plan.name FROM plan WHERE plan.id = charge.plan_id), \
         (SELECT package.name FROM package WHERE package.id = charge.package_id), '(deleted)') \
         || charge.rest, \
         1000000, charge.amount \
         FROM (SELECT t.account_id, t.seq, CAST(-e.amount_micros AS BIGINT) AS amount, \
         CASE WHEN t.code = {plan} THEN {of_plan} ELSE {of_package} END AS kind, \
         CASE WHEN t.code = {plan} THEN t.subject_id END AS plan_id, g.package_id, \
         CASE t.code WHEN {plan} THEN ', month from ' || substr(t.key, length(t.key) - 9) \
         WHEN {back} THEN ', given back' ELSE '' END AS rest \
         FROM {} AND t.posted_at_ms >= $3 AND t.posted_at_ms < $4) AS charge",
        taken(),
        plan = TransferCode::Subscription.code(),
        back = TransferCode::Reversal.code(),
        of_plan = InvoiceLineKind::Plan.code(),
        of_package = InvoiceLineKind::Package.code(),
    );
    let values = [
        row.account_id.0.into(),
        row.currency.clone().into(),
        month.begins_at().0.into(),
        month.next().begins_at().0.into(),
        row.id.0.into(),
        last.into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(tx.store().backend(), sql, values)).await?;
    Ok(())
}

/// Takes the lines of what was given back out of a document, and says how many there were.
pub(super) async fn remove_given_back(tx: &Tx, row: &invoice::Model) -> Result<u64, DbErr> {
    let removed = invoice_line::Entity::delete_many()
        .filter(invoice_line::Column::AccountId.eq(row.account_id))
        .filter(invoice_line::Column::InvoiceId.eq(row.id))
        .filter(invoice_line::Column::Kind.eq(InvoiceLineKind::Package))
        .filter(invoice_line::Column::AmountMicros.lt(0))
        .exec(&**tx)
        .await?;
    Ok(removed.rows_affected)
}
