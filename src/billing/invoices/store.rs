//! Statements about invoices and their lines. Asks for no rights.

use entity::enums::{InvoiceKind, InvoiceLineKind, InvoiceStatus};
use entity::ids::{AccountId, InvoiceId};
use entity::time::UnixMillis;
use entity::{invoice, invoice_line, invoice_tax};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, Statement,
};

use super::model::Month;
use crate::db::Tx;
use crate::types::money::Micros;

/// Lines read by one statement while they are rounded: bounds memory, whatever an invoice has.
const LINES_BATCH_MAX: u64 = 5_000;

/// A document that is not written yet.
pub(super) fn blank(
    account_id: AccountId,
    id: InvoiceId,
    kind: InvoiceKind,
    currency: String,
    now: UnixMillis,
) -> invoice::Model {
    invoice::Model {
        account_id,
        id,
        kind,
        status: InvoiceStatus::Draft,
        number: None,
        currency,
        month: None,
        invoice_id: None,
        reason: None,
        request_key: None,
        issuer: None,
        bill_to: None,
        subtotal_micros: 0,
        tax_micros: 0,
        total_micros: 0,
        paid_micros: 0,
        credited_net_micros: 0,
        credited_micros: 0,
        due_at_ms: None,
        overdue_at_ms: None,
        finalized_at_ms: None,
        ended_at_ms: None,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
    }
}

/// What is still to be paid of a document.
pub fn due(row: &invoice::Model) -> Micros {
    match (row.kind, row.status) {
        (InvoiceKind::Invoice, InvoiceStatus::Open | InvoiceStatus::Uncollectible) => {
            Micros((row.total_micros - row.paid_micros - row.credited_micros).max(0))
        }
        _ => Micros::ZERO,
    }
}

/// The document with this id, its row locked until the transaction ends. Invoices are locked
/// before wallets.
pub(super) async fn lock(tx: &Tx, id: InvoiceId) -> Result<Option<invoice::Model>, DbErr> {
    invoice::Entity::find().filter(invoice::Column::Id.eq(id)).lock_exclusive().one(&**tx).await
}

/// Writes a new document.
pub(super) async fn insert(tx: &Tx, row: &invoice::Model) -> Result<(), DbErr> {
    let insert = invoice::Entity::insert(row.clone().into_active_model());
    insert.exec_without_returning(&**tx).await?;
    Ok(())
}

/// Writes a document that [`lock`] returned, as its next version.
pub(super) async fn save(tx: &Tx, now: UnixMillis, row: &mut invoice::Model) -> Result<(), DbErr> {
    row.version += 1;
    row.updated_at_ms = now;
    let all = row.clone().into_active_model().reset_all();
    invoice::Entity::update(all).exec(&**tx).await?;
    Ok(())
}

/// Writes a line.
pub(super) async fn insert_line(tx: &Tx, row: invoice_line::Model) -> Result<(), DbErr> {
    let insert = invoice_line::Entity::insert(row.into_active_model());
    insert.exec_without_returning(&**tx).await?;
    Ok(())
}

/// The next number of an account's series. The row stays locked until the transaction ends, and a
/// transaction that is rolled back gives its number back: so there are no gaps.
pub(super) async fn next_number(
    tx: &Tx,
    account_id: AccountId,
    kind: InvoiceKind,
) -> Result<i64, DbErr> {
    let sql = "INSERT INTO invoice_counter (account_id, kind, last_number) VALUES ($1, $2, 1) \
        ON CONFLICT (account_id, kind) DO UPDATE \
        SET last_number = invoice_counter.last_number + 1 RETURNING last_number";
    let values = [account_id.0.into(), kind.code().into()];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("invoice counter".into()))?.try_get("", "last_number")
}

/// The highest number of a document's lines, 0 if there are none.
pub(super) async fn last_line(tx: &Tx, row: &invoice::Model) -> Result<i32, DbErr> {
    let last: Option<i32> = invoice_line::Entity::find()
        .select_only()
        .column(invoice_line::Column::Number)
        .filter(invoice_line::Column::AccountId.eq(row.account_id))
        .filter(invoice_line::Column::InvoiceId.eq(row.id))
        .order_by_desc(invoice_line::Column::Number)
        .limit(1)
        .into_tuple()
        .one(&**tx)
        .await?;
    Ok(last.unwrap_or_default())
}

/// What the lines of messages say that packages paid for.
const PAID_BY_PACKAGES: &str = "paid by packages";

/// Writes a line for each country, class and price of a month's messages, after line `last`, with
/// what the ledger took for them in money; and says how many. What packages paid for stands on lines
/// of its own, at a price of nothing.
pub(super) async fn insert_message_lines(
    tx: &Tx,
    row: &invoice::Model,
    month: Month,
    last: i32,
) -> Result<u64, DbErr> {
    let sql = "INSERT INTO invoice_line (account_id, invoice_id, number, kind, description, \
        country, class, unit_price_nanos, messages, quantity_micros, amount_micros) \
        SELECT account_id, $1, \
        $2 + CAST(row_number() OVER (ORDER BY country, class, paid_by, price) AS INTEGER), \
        0, paid_by, country, class, price, messages, parts * 1000000, amount \
        FROM (SELECT account_id, country, class, paid_by, price, \
        CAST(SUM(messages) AS BIGINT) AS messages, CAST(SUM(parts) AS BIGINT) AS parts, \
        CAST(SUM(amount) AS BIGINT) AS amount FROM (SELECT account_id, country, class, messages, \
        parts, CASE WHEN purse = 0 THEN '' ELSE $7 END AS paid_by, \
        CASE WHEN purse = 0 THEN unit_price_nanos ELSE 0 END AS price, \
        CASE WHEN purse = 0 THEN amount_micros ELSE 0 END AS amount FROM usage_day \
        WHERE account_id = $3 AND currency IN ($4, 'XXX') AND day >= $5 AND day < $6) AS days \
        GROUP BY account_id, country, class, paid_by, price) AS used";
    let values = [
        row.id.0.into(),
        last.into(),
        row.account_id.0.into(),
        row.currency.clone().into(),
        month.first_day().into(),
        month.next().first_day().into(),
        PAID_BY_PACKAGES.into(),
    ];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

/// Hands each line's kind and amount to `take`, in the order of the lines.
pub(super) async fn each_line(
    tx: &Tx,
    row: &invoice::Model,
    mut take: impl FnMut(InvoiceLineKind, Micros),
) -> Result<(), DbErr> {
    let mut after = 0;
    loop {
        let lines: Vec<(i32, InvoiceLineKind, i64)> = invoice_line::Entity::find()
            .select_only()
            .column(invoice_line::Column::Number)
            .column(invoice_line::Column::Kind)
            .column(invoice_line::Column::AmountMicros)
            .filter(invoice_line::Column::AccountId.eq(row.account_id))
            .filter(invoice_line::Column::InvoiceId.eq(row.id))
            .filter(invoice_line::Column::Number.gt(after))
            .order_by_asc(invoice_line::Column::Number)
            .limit(LINES_BATCH_MAX)
            .into_tuple()
            .all(&**tx)
            .await?;
        let Some((last, ..)) = lines.last() else { return Ok(()) };
        after = *last;
        for (_, kind, amount) in lines {
            take(kind, Micros(amount));
        }
    }
}

/// The taxes of a document, in the order of the rates' making.
pub(super) async fn taxes<C: ConnectionTrait>(
    connection: &C,
    account_id: AccountId,
    ids: &[InvoiceId],
) -> Result<Vec<invoice_tax::Model>, DbErr> {
    invoice_tax::Entity::find()
        .filter(invoice_tax::Column::AccountId.eq(account_id))
        .filter(invoice_tax::Column::InvoiceId.is_in(ids.iter().copied()))
        .order_by_asc(invoice_tax::Column::InvoiceId)
        .order_by_asc(invoice_tax::Column::TaxRateId)
        .all(connection)
        .await
}

/// Writes a document's taxes.
pub(super) async fn insert_taxes(tx: &Tx, taxes: &[invoice_tax::Model]) -> Result<(), DbErr> {
    for tax in taxes {
        let insert = invoice_tax::Entity::insert(tax.clone().into_active_model());
        insert.exec_without_returning(&**tx).await?;
    }
    Ok(())
}

/// Whether a month has an invoice or statement that counts.
pub(super) async fn of_month(
    tx: &Tx,
    account_id: AccountId,
    currency: &str,
    month: Month,
) -> Result<Option<invoice::Model>, DbErr> {
    invoice::Entity::find()
        .filter(invoice::Column::AccountId.eq(account_id))
        .filter(invoice::Column::Currency.eq(currency))
        .filter(invoice::Column::Month.eq(month.stored()))
        .filter(invoice::Column::Status.ne(InvoiceStatus::Void))
        .lock_exclusive()
        .one(&**tx)
        .await
}
