//! Finalizing: a draft gets its messages, months of plans, packages, taxes, number and due date, and
//! never changes again.

use entity::enums::{BillingTerms, EventKind, InvoiceKind, InvoiceLineKind, InvoiceStatus};
use entity::ids::InvoiceId;
use entity::time::UnixMillis;
use entity::{invoice, invoice_line, invoice_tax};

use super::events::{ring, told};
use super::mail::{self, NewMail};
use super::model::{self, Month};
use super::postings::{self, Extra};
use super::{charges, credit, profile, store, tax_rates};
use crate::authz::Action;
use crate::billing::queries;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::{self, NewEvent};
use crate::types::money::{Currency, Micros};

/// Why an invoice was not finalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FinalizeRejection {
    /// There is no such invoice.
    #[error("there is no such invoice")]
    InvoiceNotFound,
    /// Its month is not over.
    #[error("its month is not over, or was over for less than an hour")]
    MonthNotOver,
    /// The account pays beforehand: what its messages cost was paid.
    #[error("the account pays beforehand, so that its month has a statement and no invoice")]
    AccountIsPrepaid,
    /// It has no lines.
    #[error("an invoice has one line at least")]
    NoLines,
    /// It comes to less than nothing.
    #[error("an invoice comes to nothing or more: make a credit note")]
    NegativeTotal,
}

/// Finalizes a draft: takes its month's messages, plans and packages into it, adds rounding and taxes, gives it the next
/// number and its due date, and posts what is not in the ledger yet. Idempotent: what was finalized
/// before is left as it is.
///
/// # Errors
/// [`FinalizeRejection`], or a failure.
pub async fn finalize(
    ctx: &Ctx,
    id: InvoiceId,
) -> Result<invoice::Model, Error<FinalizeRejection>> {
    ctx.actor.require(Action::ManageInvoices)?;
    let finalize = |tx: Tx| async move {
        let found = store::lock(&tx, id).await?;
        let row = found.ok_or(Error::Rejected(FinalizeRejection::InvoiceNotFound))?;
        if row.status != InvoiceStatus::Draft {
            return Ok::<_, Error<FinalizeRejection>>((row, false));
        }
        let (row, events) = finalize_locked(ctx, &tx, row).await?;
        events::append(&tx, events).await?;
        Ok((row, true))
    };
    let (row, is_new) = ctx.db.write(finalize).await?;
    if is_new {
        ring(ctx, row.account_id);
    }
    Ok(row)
}

/// Finalizes a document whose row this transaction holds, and returns what is to be told.
pub(super) async fn finalize_locked(
    ctx: &Ctx,
    tx: &Tx,
    mut row: invoice::Model,
) -> Result<(invoice::Model, Vec<NewEvent>), Error<FinalizeRejection>> {
    let now = ctx.clock.now();
    let currency: Currency = row.currency.parse().map_err(Failed::internal)?;
    if let Some(month) = row.month.map(Month::from_stored) {
        take_month(ctx, tx, &row, month, now).await?;
    }
    let mut sums = sum_lines(tx, &row, currency).await?;
    if sums.net().ok_or_else(beyond)? < Micros::ZERO
        && charges::remove_given_back(tx, &row).await? > 0
    {
        sums = sum_lines(tx, &row, currency).await?;
    }
    if sums.lines == 0 {
        return Err(Error::Rejected(FinalizeRejection::NoLines));
    }
    let rounding = match row.kind {
        InvoiceKind::Invoice => sums.rounding,
        // Nothing is paid by it, so nothing has to be payable.
        InvoiceKind::Statement | InvoiceKind::CreditNote => Micros::ZERO,
    };
    if rounding != Micros::ZERO {
        insert_rounding(tx, &row, rounding).await?;
    }
    let subtotal = Micros::checked_sum([sums.charged, sums.items, rounding]).ok_or_else(beyond)?;
    if subtotal < Micros::ZERO {
        return Err(Error::Rejected(FinalizeRejection::NegativeTotal));
    }
    let bill_to = profile::read(&**tx, row.account_id).await?.map(|kept| kept.profile);
    let country = bill_to.as_ref().map(|profile| profile.country.as_str());
    let taxes = taxes(tx, &row, country, subtotal, currency).await?;
    let tax = Micros::checked_sum(taxes.iter().map(|tax| Micros(tax.amount_micros)));
    let tax = tax.ok_or_else(beyond)?;
    let total = subtotal.checked_add(tax).ok_or_else(beyond)?;
    store::insert_taxes(tx, &taxes).await?;
    row.issuer = Some(issuer(tx).await?);
    row.bill_to =
        bill_to.map(|to| serde_json::to_string(&to)).transpose().map_err(Failed::internal)?;
    (row.subtotal_micros, row.tax_micros, row.total_micros) = (subtotal.0, tax.0, total.0);
    let nothing_due = total == Micros::ZERO || row.kind == InvoiceKind::Statement;
    row.status = if nothing_due { InvoiceStatus::Paid } else { InvoiceStatus::Open };
    let net_days = i64::from(ctx.settings.billing.invoice_net_days);
    row.due_at_ms = (!nothing_due).then(|| now.plus_ms(net_days * model::DAY_MS));
    row.ended_at_ms = nothing_due.then_some(now);
    row.finalized_at_ms = Some(now);
    let counted = store::next_number(tx, row.account_id, row.kind).await?;
    row.number = Some(model::number(row.kind, row.account_id, counted));
    store::save(tx, now, &mut row).await?;
    if row.kind == InvoiceKind::Invoice {
        let extra = Extra { items: sums.items, rounding };
        postings::post_finalized(ctx, tx, now, &row, extra, &taxes).await?;
    }
    mail::enqueue(tx, now, vec![NewMail::finalized(&row)]).await?;
    let news = vec![told(&row, EventKind::InvoiceFinalized, now)];
    Ok(credit::apply(ctx, tx, now, row, news).await?)
}

/// Who makes invoices out: the operator, as its own billing profile says. As it is stored.
async fn issuer(tx: &Tx) -> Result<String, Failed> {
    let lines = profile::operator_lines(&**tx).await?;
    serde_json::to_string(&lines).map_err(Failed::internal)
}

async fn take_month(
    ctx: &Ctx,
    tx: &Tx,
    row: &invoice::Model,
    month: Month,
    now: UnixMillis,
) -> Result<(), Error<FinalizeRejection>> {
    if month > Month::last_closed(now) {
        return Err(Error::Rejected(FinalizeRejection::MonthNotOver));
    }
    let terms = queries::terms_in(ctx, &**tx, row.account_id).await?.terms;
    if row.kind == InvoiceKind::Invoice && terms == BillingTerms::Prepaid {
        return Err(Error::Rejected(FinalizeRejection::AccountIsPrepaid));
    }
    let last = store::last_line(tx, row).await?;
    store::insert_message_lines(tx, row, month, last).await?;
    let last = store::last_line(tx, row).await?;
    charges::insert_lines(tx, row, month, last).await?;
    Ok(())
}

/// What the lines of a document come to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) lines: u64,
    /// What the ledger took before: for messages, months of plans and packages.
    pub(super) charged: Micros,
    pub(super) items: Micros,
    /// What rounding each line of that to the minor unit adds or takes, in all.
    pub(super) rounding: Micros,
}

async fn sum_lines(tx: &Tx, row: &invoice::Model, currency: Currency) -> Result<Sums, Failed> {
    let mut sums = Some(Sums::default());
    store::each_line(tx, row, |kind, amount| {
        sums = sums.take().and_then(|sums| sums.with(kind, amount, currency));
    })
    .await?;
    sums.ok_or_else(beyond)
}

impl Sums {
    fn with(mut self, kind: InvoiceLineKind, amount: Micros, currency: Currency) -> Option<Self> {
        self.lines += 1;
        match kind {
            InvoiceLineKind::Messages | InvoiceLineKind::Plan | InvoiceLineKind::Package => {
                let rounding = amount.rounded(currency).checked_sub(amount)?;
                self.charged = self.charged.checked_add(amount)?;
                self.rounding = self.rounding.checked_add(rounding)?;
            }
            InvoiceLineKind::Item => self.items = self.items.checked_add(amount)?,
            InvoiceLineKind::Rounding => self.rounding = self.rounding.checked_add(amount)?,
        }
        Some(self)
    }

    /// What all of it comes to, rounded.
    fn net(&self) -> Option<Micros> {
        Micros::checked_sum([self.charged, self.items, self.rounding])
    }
}

async fn insert_rounding(tx: &Tx, row: &invoice::Model, rounding: Micros) -> Result<(), Failed> {
    let line = invoice_line::Model {
        account_id: row.account_id,
        invoice_id: row.id,
        number: store::last_line(tx, row).await? + 1,
        kind: InvoiceLineKind::Rounding,
        description: String::new(),
        country: None,
        class: None,
        unit_price_nanos: None,
        messages: None,
        quantity_micros: model::MILLIONTHS,
        amount_micros: rounding.0,
    };
    Ok(store::insert_line(tx, line).await?)
}

async fn taxes(
    tx: &Tx,
    row: &invoice::Model,
    country: Option<&str>,
    base: Micros,
    currency: Currency,
) -> Result<Vec<invoice_tax::Model>, Failed> {
    if row.kind != InvoiceKind::Invoice {
        return Ok(Vec::new());
    }
    let rates = tax_rates::rates_of(&**tx, row.account_id, country).await?;
    let of = |rate: entity::tax_rate::Model| {
        let amount = model::tax(base, rate.rate_millionths, currency).ok_or_else(beyond)?;
        Ok(invoice_tax::Model {
            account_id: row.account_id,
            invoice_id: row.id,
            tax_rate_id: rate.id,
            name: rate.name,
            kind: rate.kind,
            rate_millionths: rate.rate_millionths,
            base_micros: base.0,
            amount_micros: amount.0,
        })
    };
    rates.into_iter().map(of).collect()
}

fn beyond() -> Failed {
    Failed::internal("an invoice beyond 64 bits")
}
