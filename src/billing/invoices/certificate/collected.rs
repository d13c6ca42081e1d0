//! How much of the taxes of invoices was collected in a span.

use std::collections::BTreeMap;

use entity::enums::TaxKind;
use entity::ids::{AccountId, InvoiceId, TaxRateId};
use entity::time::UnixMillis;
use entity::{invoice, invoice_allocation, invoice_tax};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{CERTIFICATE_BATCH_MAX, CertificateLine, Certified, Span, documents_after};
use crate::billing::invoices::model;
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::types::money::{Currency, Micros};

/// What was paid and credited of an invoice, as far as it matters to one tax.
#[derive(Clone, Debug, Default)]
struct History {
    total: i64,
    tax: i64,
    paid: Vec<(UnixMillis, i64)>,
    /// When, of the total, and of the tax.
    credited: Vec<(UnixMillis, i64, i64)>,
}

impl History {
    /// What was collected of the tax before a time.
    fn collected(&self, before: UnixMillis, currency: Currency) -> Option<Micros> {
        let credited = self.credited.iter().filter(|(at, ..)| *at < before);
        let (mut total, mut tax) = (self.total, self.tax);
        for (_, of_total, of_tax) in credited {
            total = total.checked_sub(*of_total)?;
            tax = tax.checked_sub(*of_tax)?;
        }
        let paid = self.paid.iter().filter(|(at, _)| *at < before).map(|(_, amount)| *amount);
        let paid: i64 = paid.sum::<i64>().min(total);
        if paid <= 0 {
            return Some(Micros::ZERO);
        }
        model::share(Micros(tax), paid, total, currency)
    }
}

/// A line for each tax of which something was collected in a span.
pub(super) async fn lines(
    ctx: &Ctx,
    account_id: AccountId,
    currency: Currency,
    span: Span,
) -> Result<Vec<CertificateLine>, Failed> {
    let (mut lines, mut after) = (Vec::new(), None);
    loop {
        let documents = documents_after(ctx, account_id, currency, after).await?;
        after = documents.last().map(|document| document.id);
        let is_last = (documents.len() as u64) < CERTIFICATE_BATCH_MAX;
        lines.extend(lines_of(ctx, account_id, currency, span, documents).await?);
        if is_last {
            return Ok(lines);
        }
    }
}

async fn lines_of(
    ctx: &Ctx,
    account_id: AccountId,
    currency: Currency,
    span: Span,
    documents: Vec<invoice::Model>,
) -> Result<Vec<CertificateLine>, Failed> {
    let taxes = taxes(ctx, account_id, documents.iter().map(|row| row.id).collect()).await?;
    let taxed: Vec<InvoiceId> = taxes.iter().map(|tax| tax.invoice_id).collect();
    let paid = payments(ctx, account_id, taxed.clone()).await?;
    let notes = credit_notes(ctx, account_id, taxed).await?;
    let note_ids = notes.values().flatten().map(|note| note.id).collect();
    let credited: BTreeMap<(InvoiceId, TaxRateId), i64> = self::taxes(ctx, account_id, note_ids)
        .await?
        .into_iter()
        .map(|tax| ((tax.invoice_id, tax.tax_rate_id), tax.amount_micros))
        .collect();
    let documents: BTreeMap<InvoiceId, invoice::Model> =
        documents.into_iter().map(|row| (row.id, row)).collect();
    let mut lines = Vec::new();
    for tax in taxes {
        let Some(document) = documents.get(&tax.invoice_id) else { continue };
        let credited = notes.get(&document.id).into_iter().flatten().map(|note| {
            let of_tax = credited.get(&(note.id, tax.tax_rate_id)).copied().unwrap_or_default();
            (note.finalized_at_ms.unwrap_or(note.created_at_ms), note.total_micros, of_tax)
        });
        let history = History {
            total: document.total_micros,
            tax: tax.amount_micros,
            paid: paid.get(&document.id).cloned().unwrap_or_default(),
            credited: credited.collect(),
        };
        let until = history.collected(span.before, currency);
        let since = history.collected(span.from, currency);
        let amount = until.zip(since).and_then(|(until, since)| until.checked_sub(since));
        let amount = amount.ok_or_else(|| Failed::internal("a tax beyond 64 bits"))?;
        if amount != Micros::ZERO {
            lines.push(line(document, tax, amount));
        }
    }
    Ok(lines)
}

fn line(document: &invoice::Model, tax: invoice_tax::Model, amount: Micros) -> CertificateLine {
    CertificateLine {
        invoice_id: document.id,
        number: document.number.clone().unwrap_or_default(),
        at: document.finalized_at_ms.unwrap_or(document.created_at_ms),
        amount,
        what: Certified::Collected {
            name: tax.name,
            rate_millionths: tax.rate_millionths,
            base: Micros(tax.base_micros),
        },
    }
}

async fn taxes(
    ctx: &Ctx,
    account_id: AccountId,
    ids: Vec<InvoiceId>,
) -> Result<Vec<invoice_tax::Model>, Failed> {
    let found = invoice_tax::Entity::find()
        .filter(invoice_tax::Column::AccountId.eq(account_id))
        .filter(invoice_tax::Column::InvoiceId.is_in(ids))
        .filter(invoice_tax::Column::Kind.eq(TaxKind::Withholding));
    Ok(found.all(ctx.db.reader()).await?)
}

async fn payments(
    ctx: &Ctx,
    account_id: AccountId,
    ids: Vec<InvoiceId>,
) -> Result<BTreeMap<InvoiceId, Vec<(UnixMillis, i64)>>, Failed> {
    let found = invoice_allocation::Entity::find()
        .filter(invoice_allocation::Column::AccountId.eq(account_id))
        .filter(invoice_allocation::Column::InvoiceId.is_in(ids))
        .all(ctx.db.reader())
        .await?;
    let mut payments: BTreeMap<InvoiceId, Vec<_>> = BTreeMap::new();
    for row in found {
        let paid = (row.created_at_ms, row.amount_micros);
        payments.entry(row.invoice_id).or_default().push(paid);
    }
    Ok(payments)
}

async fn credit_notes(
    ctx: &Ctx,
    account_id: AccountId,
    ids: Vec<InvoiceId>,
) -> Result<BTreeMap<InvoiceId, Vec<invoice::Model>>, Failed> {
    let found = invoice::Entity::find()
        .filter(invoice::Column::AccountId.eq(account_id))
        .filter(invoice::Column::InvoiceId.is_in(ids))
        .all(ctx.db.reader())
        .await?;
    let mut notes: BTreeMap<InvoiceId, Vec<_>> = BTreeMap::new();
    for row in found {
        if let Some(of) = row.invoice_id {
            notes.entry(of).or_default().push(row);
        }
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        "USD".parse().expect("a currency")
    }

    fn collected(history: &History, before: i64) -> i64 {
        history.collected(UnixMillis(before), usd()).expect("it fits").0
    }

    #[test]
    fn a_part_that_is_paid_pays_the_same_part_of_the_tax_and_all_pays_all() {
        let paid = vec![(UnixMillis(10), 333_340_000), (UnixMillis(20), 833_330_000)];
        let history =
            History { total: 1_166_670_000, tax: 166_670_000, paid, credited: Vec::new() };
        assert_eq!(collected(&history, 10), 0, "before it was paid");
        assert_eq!(collected(&history, 11), 47_620_000);
        assert_eq!(collected(&history, 21), 166_670_000, "all of it, whatever was rounded");
    }

    #[test]
    fn a_credit_note_takes_off_from_its_day_on() {
        let history = History {
            total: 1_100_000_000,
            tax: 100_000_000,
            paid: vec![(UnixMillis(10), 1_100_000_000)],
            credited: vec![(UnixMillis(20), 550_000_000, 50_000_000)],
        };
        assert_eq!(collected(&history, 20), 100_000_000);
        assert_eq!(collected(&history, 21), 50_000_000, "the half of it is the account's credit");
        let all =
            History { credited: vec![(UnixMillis(20), 1_100_000_000, 100_000_000)], ..history };
        assert_eq!(collected(&all, 21), 0);
    }
}
