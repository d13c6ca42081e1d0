//! A finalized document as a PDF, with the figures that the API shows. What is drawn where stands in
//! `sheet`; here is what is said.

pub(super) mod sheet;

use chrono::DateTime;
use entity::enums::{InvoiceKind, InvoiceLineKind, InvoiceStatus};
use entity::ids::InvoiceId;
use entity::time::UnixMillis;
use entity::{account, invoice, invoice_line, invoice_tax};
use sea_orm::{ConnectionTrait, EntityTrait, QuerySelect, Statement};
use tokio::sync::Semaphore;

use self::sheet::{Cells, Row};
use super::model::MILLIONTHS;
use super::{Month, percentage, queries, store};
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::types::money::Micros;
use crate::types::price::PartPrice;

/// Lines that a PDF lists, 18 pages of them; what follows is one line with their number and sum.
/// The API lists all.
pub const PDF_LINES_MAX: u64 = 1_000;
/// PDFs that one node draws at once: each keeps a processor busy for a moment.
const AT_ONCE_MAX: usize = 2;

static DRAWING: Semaphore = Semaphore::const_new(AT_ONCE_MAX);

/// A PDF.
#[derive(Clone, Debug)]
pub struct Pdf {
    /// Its name, without a path.
    pub file_name: String,
    /// The file.
    pub bytes: Vec<u8>,
}

/// The PDF of a document that the caller may see; none for one that is a draft, or not there.
///
/// # Errors
/// [`Failed`]: not allowed, or the store's own.
pub async fn pdf(ctx: &Ctx, id: InvoiceId) -> Result<Option<Pdf>, Failed> {
    let Some(row) = queries::find(ctx, id).await? else { return Ok(None) };
    let Some(number) = row.number.clone() else { return Ok(None) };
    let rows = rows_of(ctx, &row, &number).await?;
    let bytes = draw(number.clone(), rows).await?;
    Ok(Some(Pdf { file_name: format!("{number}.pdf"), bytes }))
}

/// Draws rows, when it is their turn.
pub(super) async fn draw(title: String, rows: Vec<Row>) -> Result<Vec<u8>, Failed> {
    let _turn = DRAWING.acquire().await.map_err(Failed::internal)?;
    let drawn = tokio::task::spawn_blocking(move || sheet::draw(&title, &rows)).await;
    drawn.map_err(Failed::internal)?.map_err(Failed::internal)
}

async fn rows_of(ctx: &Ctx, row: &invoice::Model, number: &str) -> Result<Vec<Row>, Failed> {
    let mut rows = vec![Row::title(format!("{} {number}", title(row))), Row::blank()];
    rows.extend(queries::issuer(row)?.into_iter().map(Row::text));
    rows.extend([Row::blank(), Row::text("To".to_owned())]);
    rows.extend(buyer(ctx, row).await?.into_iter().map(Row::text));
    rows.push(Row::blank());
    rows.extend(dates(ctx, row).await?.into_iter().map(Row::text));
    rows.push(Row::blank());
    rows.push(Row::cells(Cells {
        text: "Description".to_owned(),
        quantity: "Quantity".to_owned(),
        price: "Price".to_owned(),
        amount: row.currency.clone(),
    }));
    rows.push(Row::rule());
    rows.extend(lines(ctx, row).await?);
    rows.push(Row::rule());
    let taxes = queries::taxes(ctx, &[(row.account_id, row.id)]).await?;
    rows.extend(totals(row, &taxes).into_iter().map(|(text, amount)| Row::sum(text, amount)));
    Ok(rows)
}

fn title(row: &invoice::Model) -> &'static str {
    match (row.kind, row.status) {
        (InvoiceKind::Invoice, InvoiceStatus::Void) => "Void invoice",
        (InvoiceKind::Invoice, _) => "Invoice",
        (InvoiceKind::Statement, _) => "Statement",
        (InvoiceKind::CreditNote, _) => "Credit note",
    }
}

async fn buyer(ctx: &Ctx, row: &invoice::Model) -> Result<Vec<String>, Failed> {
    if let Some(profile) = queries::bill_to(row)? {
        return Ok(profile.lines());
    }
    let found = account::Entity::find_by_id(row.account_id).one(ctx.db.reader()).await?;
    Ok(found.into_iter().map(|account| account.name).collect())
}

async fn dates(ctx: &Ctx, row: &invoice::Model) -> Result<Vec<String>, Failed> {
    let mut lines = Vec::new();
    lines.extend(row.finalized_at_ms.map(|at| format!("Date: {}", date(at))));
    if let Some(month) = row.month.map(Month::from_stored) {
        let last = month.next().begins_at().plus_ms(-1);
        lines.push(format!("Period: {} to {} (UTC)", date(month.begins_at()), date(last)));
    }
    if store::due(row) > Micros::ZERO {
        lines.extend(row.due_at_ms.map(|at| format!("Due: {}", date(at))));
    }
    if let Some(of) = row.invoice_id {
        let corrected =
            invoice::Entity::find_by_id((row.account_id, of)).one(ctx.db.reader()).await?;
        let number = corrected.and_then(|corrected| corrected.number);
        lines.extend(number.map(|number| format!("Corrects: {number}")));
    }
    lines.extend(row.reason.as_ref().map(|reason| format!("Reason: {reason}")));
    Ok(lines)
}

pub(super) fn date(time: UnixMillis) -> String {
    let time = DateTime::from_timestamp_millis(time.0).unwrap_or_default();
    time.format("%Y-%m-%d").to_string()
}

async fn lines(ctx: &Ctx, row: &invoice::Model) -> Result<Vec<Row>, Failed> {
    let reader = ctx.db.reader();
    let listed = queries::lines_after(row, 0).limit(PDF_LINES_MAX).all(reader).await?;
    let last = listed.last().map_or(0, |line| line.number);
    let mut rows: Vec<Row> = listed.into_iter().map(|line| Row::cells(cells(line))).collect();
    let sql = "SELECT COUNT(*) AS lines, CAST(COALESCE(SUM(amount_micros), 0) AS BIGINT) AS amount \
        FROM invoice_line WHERE account_id = $1 AND invoice_id = $2 AND number > $3";
    let values = [row.account_id.0.into(), row.id.0.into(), last.into()];
    let statement = Statement::from_sql_and_values(ctx.db.store().backend(), sql, values);
    if let Some(rest) = reader.query_one_raw(statement).await? {
        let count: i64 = rest.try_get("", "lines")?;
        let amount: Micros = rest.try_get("", "amount")?;
        if count > 0 {
            rows.push(Row::cells(Cells {
                text: format!("{count} further lines: see the API"),
                quantity: String::new(),
                price: String::new(),
                amount: amount.to_string(),
            }));
        }
    }
    Ok(rows)
}

fn cells(line: invoice_line::Model) -> Cells {
    let price = line.unit_price_nanos.and_then(PartPrice::from_nanos);
    let text = match line.kind {
        InvoiceLineKind::Messages => {
            let country = line.country.filter(|country| !country.is_empty());
            let class = line.class.map(|class| format!("{class:?}").to_lowercase());
            let to = format!(
                "Messages to {}, {}",
                country.as_deref().unwrap_or("other destinations"),
                class.unwrap_or_default()
            );
            if line.description.is_empty() { to } else { format!("{to}, {}", line.description) }
        }
        InvoiceLineKind::Item | InvoiceLineKind::Package => line.description,
        InvoiceLineKind::Plan => format!("Plan {}", line.description),
        InvoiceLineKind::Rounding => "Rounding".to_owned(),
    };
    let quantity = match line.kind {
        InvoiceLineKind::Rounding => String::new(),
        InvoiceLineKind::Messages
        | InvoiceLineKind::Item
        | InvoiceLineKind::Plan
        | InvoiceLineKind::Package => quantity(line.quantity_micros),
    };
    let price = price.map(|price| price.to_string()).unwrap_or_default();
    Cells { text, quantity, price, amount: Micros(line.amount_micros).to_string() }
}

/// A quantity without decimals that it does not need.
fn quantity(micros: i64) -> String {
    if micros % MILLIONTHS == 0 {
        return (micros / MILLIONTHS).to_string();
    }
    Micros(micros).to_string()
}

fn totals(row: &invoice::Model, taxes: &[invoice_tax::Model]) -> Vec<(String, String)> {
    let sum = |text: &str, micros: i64| (text.to_owned(), Micros(micros).to_string());
    let mut totals = vec![sum("Subtotal", row.subtotal_micros)];
    totals.extend(taxes.iter().map(|tax| {
        let text = format!("{} {} %", tax.name, percentage(tax.rate_millionths));
        (text, Micros(tax.amount_micros).to_string())
    }));
    totals.push(sum("Total", row.total_micros));
    if row.kind == InvoiceKind::Invoice {
        if row.credited_micros > 0 {
            totals.push(sum("Credited", -row.credited_micros));
        }
        if row.paid_micros > 0 {
            totals.push(sum("Paid", -row.paid_micros));
        }
        totals.push(sum("Amount due", store::due(row).0));
    }
    totals
}
