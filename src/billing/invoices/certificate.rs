//! The yearly certificate of withholding tax: what was collected from an account in advance with its
//! invoices, and what the account withheld itself.
//!
//! A tax is collected as its invoice is paid: a part of the invoice that is paid pays the same part of
//! the tax, all of it all. What credit notes take off counts from the day on which they do. The
//! figure of a year is what was collected by its end less what was collected by its beginning, each
//! rounded once; so the years of an invoice add up to its tax exactly, as the ledger has it.

mod collected;
mod paper;

use std::collections::HashMap;

use entity::enums::AllocationKind;
use entity::ids::{AccountId, InvoiceId};
use entity::time::UnixMillis;
use entity::{invoice, invoice_allocation};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

pub use self::paper::certificate_pdf;
use super::model::Month;
use super::{profile, queries};
use crate::billing::Whose;
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::types::money::{Currency, Micros};

/// Lines of a certificate that are listed; its totals are of all.
pub const CERTIFICATE_LINES_MAX: usize = 1_000;
/// Invoices and payments read by one statement.
pub(super) const CERTIFICATE_BATCH_MAX: u64 = 500;

/// A tax of an invoice that was collected, or tax that the account withheld.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateLine {
    /// Of which invoice.
    pub invoice_id: InvoiceId,
    /// Its number.
    pub number: String,
    /// When the invoice was finalized; of what was withheld, when that was.
    pub at: UnixMillis,
    /// How much; negative is what a credit note took off what was collected before.
    pub amount: Micros,
    /// What it is.
    pub what: Certified,
}

/// What a line of a certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certified {
    /// Collected with an invoice.
    Collected {
        /// The tax's name.
        name: String,
        /// The tax's rate.
        rate_millionths: i64,
        /// What it is a part of, all of the invoice.
        base: Micros,
    },
    /// Withheld by the account.
    Withheld {
        /// The authority's.
        certificate_number: Option<String>,
    },
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whose.
    pub account_id: AccountId,
    /// Of which year, in UTC.
    pub year: i32,
    /// Whether the year is over. Then it changes only if the operator records tax back into it, or a
    /// payment made in it goes back.
    pub is_complete: bool,
    /// What its amounts are in.
    pub currency: Currency,
    /// Who made it out, line by line.
    pub issuer: Vec<String>,
    /// To whom, line by line.
    pub holder: Vec<String>,
    /// At most [`CERTIFICATE_LINES_MAX`].
    pub lines: Vec<CertificateLine>,
    /// Lines that are not listed.
    pub lines_omitted: usize,
    /// All that was collected.
    pub collected: Micros,
    /// All that the account withheld.
    pub withheld: Micros,
}

/// A span of time.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: UnixMillis,
    before: UnixMillis,
}

/// The certificate of a year; none if no tax was collected or withheld in it.
///
/// # Errors
/// [`Failed`]: not allowed, no such year, or the store's own.
pub async fn certificate(
    ctx: &Ctx,
    whose: Whose,
    year: i32,
) -> Result<Option<Certificate>, Failed> {
    let account_id = whose.authorize(ctx)?;
    let no_year = || Failed::BadRequest("a year is from 1970 to 9998".to_owned());
    let first = Month::new(year, 1).ok_or_else(no_year)?;
    let next = Month::new(year.saturating_add(1), 1).ok_or_else(no_year)?;
    let span = Span { from: first.begins_at(), before: next.begins_at() };
    let currency = crate::billing::terms(ctx, account_id).await?.currency;
    let mut lines = collected::lines(ctx, account_id, currency, span).await?;
    lines.extend(withheld_lines(ctx, account_id, currency, span).await?);
    lines.sort_by_key(|line| (line.at, line.invoice_id));
    let Some(last) = lines.last() else { return Ok(None) };
    // As its latest document says: who pays the account's invoices may not read the operator's profile.
    let issuer = match queries::find(ctx, last.invoice_id).await? {
        Some(document) => queries::issuer(&document)?,
        None => Vec::new(),
    };
    let sum = |of: fn(&Certified) -> bool| {
        let amounts = lines.iter().filter(|line| of(&line.what)).map(|line| line.amount);
        Micros::checked_sum(amounts).ok_or_else(|| Failed::internal("taxes beyond 64 bits"))
    };
    let collected = sum(|what| matches!(what, Certified::Collected { .. }))?;
    let withheld = sum(|what| matches!(what, Certified::Withheld { .. }))?;
    let lines_omitted = lines.len().saturating_sub(CERTIFICATE_LINES_MAX);
    lines.truncate(CERTIFICATE_LINES_MAX);
    Ok(Some(Certificate {
        account_id,
        year,
        is_complete: ctx.clock.now() >= span.before,
        currency,
        issuer,
        holder: profile::account_lines(ctx.db.reader(), account_id).await?,
        lines,
        lines_omitted,
        collected,
        withheld,
    }))
}

/// What the account withheld in a span.
async fn withheld_lines(
    ctx: &Ctx,
    account_id: AccountId,
    currency: Currency,
    span: Span,
) -> Result<Vec<CertificateLine>, Failed> {
    use invoice_allocation::Column;
    // Without a time of its own, it was withheld when it was recorded.
    let at = Func::coalesce([Column::OccurredAtMs, Column::CreatedAtMs].map(Expr::col));
    let found = invoice_allocation::Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::Kind.eq(AllocationKind::Withholding))
        .filter(Expr::expr(at.clone()).gte(span.from.0))
        .filter(Expr::expr(at).lt(span.before.0))
        .order_by_asc(Column::CreatedAtMs)
        .all(ctx.db.reader())
        .await?;
    let mut documents = HashMap::new();
    let ids: Vec<InvoiceId> = found.iter().map(|row| row.invoice_id).collect();
    for ids in ids.chunks(CERTIFICATE_BATCH_MAX as usize) {
        let found = queries::find_many(ctx, ids).await?;
        documents.extend(found.into_iter().map(|document| (document.id, document)));
    }
    let line = |row: invoice_allocation::Model| {
        let document = documents.get(&row.invoice_id)?;
        (document.currency == currency.as_str()).then(|| CertificateLine {
            invoice_id: row.invoice_id,
            number: document.number.clone().unwrap_or_default(),
            at: row.occurred_at_ms.unwrap_or(row.created_at_ms),
            amount: Micros(row.amount_micros),
            what: Certified::Withheld { certificate_number: row.reference },
        })
    };
    Ok(found.into_iter().filter_map(line).collect())
}

/// The documents of an account with an id after one, at most a batch.
async fn documents_after(
    ctx: &Ctx,
    account_id: AccountId,
    currency: Currency,
    after: Option<InvoiceId>,
) -> Result<Vec<invoice::Model>, Failed> {
    use entity::enums::{InvoiceKind, InvoiceStatus};
    let mut select = invoice::Entity::find()
        .filter(invoice::Column::AccountId.eq(account_id))
        .filter(invoice::Column::Currency.eq(currency.as_str()))
        .filter(invoice::Column::Kind.eq(InvoiceKind::Invoice))
        .filter(invoice::Column::Status.is_not_in([InvoiceStatus::Draft, InvoiceStatus::Void]));
    if let Some(after) = after {
        select = select.filter(invoice::Column::Id.gt(after));
    }
    let select = select.order_by_asc(invoice::Column::Id).limit(CERTIFICATE_BATCH_MAX);
    Ok(select.all(ctx.db.reader()).await?)
}
