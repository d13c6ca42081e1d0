//! Credit notes: what is taken off an invoice that was finalized, with its part of the taxes.

use std::collections::BTreeMap;

use entity::enums::{EventKind, InvoiceKind, InvoiceLineKind, InvoiceStatus};
use entity::ids::{InvoiceId, TaxRateId};
use entity::{invoice, invoice_line, invoice_tax};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::draft::described;
use super::events::{ring, told};
use super::mail::{self, NewMail};
use super::model::{self, is_payable};
use super::settle::reasoned;
use super::{postings, store, suspension};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed, violated_constraint};
use crate::events::{self, NewEvent};
use crate::types::money::{Currency, Micros};

/// Lines of a credit note: what a person writes.
pub const CREDIT_NOTE_LINES_MAX: usize = 100;
/// Characters of an idempotency key.
pub const REQUEST_KEY_CHARS_MAX: usize = 100;

/// What is to be taken off.
#[derive(Clone, Debug)]
pub struct NewCreditNote {
    /// From which invoice.
    pub invoice_id: InvoiceId,
    /// Why, for the account to read.
    pub reason: String,
    /// What for, and how much before taxes.
    pub lines: Vec<(String, Micros)>,
    /// The same key makes one credit note.
    pub idempotency_key: String,
}

/// Why no credit note was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreditRejection {
    /// There is no such invoice.
    #[error("there is no such invoice")]
    InvoiceNotFound,
    /// It is not an invoice, or a draft, or void.
    #[error("a credit note is made for an invoice that was finalized and is not void")]
    NotCreditable,
    /// The reason is empty or too long.
    #[error("a reason has 1 to 500 characters on one line")]
    InvalidReason,
    /// There are no lines, or too many, or one has no sound description.
    #[error(
        "a credit note has 1 to {CREDIT_NOTE_LINES_MAX} lines with a description of 1 to 500 characters"
    )]
    InvalidLines,
    /// An amount is not above zero, or finer than the currency's minor unit.
    #[error("an amount is above zero and in whole minor units of the currency")]
    InvalidAmount,
    /// It is more than the invoice has left to credit.
    #[error("it is more than the invoice has left to credit, before taxes")]
    AboveCreditable,
    /// The key is empty or too long.
    #[error("an idempotency key has 1 to {REQUEST_KEY_CHARS_MAX} characters")]
    InvalidIdempotencyKey,
    /// The key was used with another input.
    #[error("this idempotency key was used with another input")]
    IdempotencyKeyReused,
}

/// Takes an amount off a finalized invoice, with its part of each tax, and gives it to the customer
/// in the ledger: what was not paid is due no more, the rest stays the customer's credit. Idempotent
/// by its key.
///
/// # Errors
/// [`CreditRejection`], or a failure.
pub async fn create_credit_note(
    ctx: &Ctx,
    new: NewCreditNote,
) -> Result<invoice::Model, Error<CreditRejection>> {
    ctx.actor.require(Action::ManageInvoices)?;
    let new = &checked(new).map_err(Error::Rejected)?;
    let id: InvoiceId = ctx.ids.next();
    let create = |tx: Tx| async move { write(ctx, &tx, id, new).await };
    let (row, is_new) = ctx.db.write(create).await?;
    if is_new {
        ring(ctx, row.account_id);
    }
    Ok(row)
}

fn checked(mut new: NewCreditNote) -> Result<NewCreditNote, CreditRejection> {
    new.reason = reasoned(&new.reason).ok_or(CreditRejection::InvalidReason)?;
    if !is_request_key(&new.idempotency_key) {
        return Err(CreditRejection::InvalidIdempotencyKey);
    }
    if !(1..=CREDIT_NOTE_LINES_MAX).contains(&new.lines.len()) {
        return Err(CreditRejection::InvalidLines);
    }
    for (description, amount) in &mut new.lines {
        *description = described(description).ok_or(CreditRejection::InvalidLines)?;
        if *amount <= Micros::ZERO {
            return Err(CreditRejection::InvalidAmount);
        }
    }
    Ok(new)
}

/// Whether a text can be an idempotency key.
pub(super) fn is_request_key(text: &str) -> bool {
    (1..=REQUEST_KEY_CHARS_MAX).contains(&text.chars().count()) && !text.contains(char::is_control)
}

async fn write(
    ctx: &Ctx,
    tx: &Tx,
    id: InvoiceId,
    new: &NewCreditNote,
) -> Result<(invoice::Model, bool), Error<CreditRejection>> {
    let now = ctx.clock.now();
    let found = store::lock(tx, new.invoice_id).await?;
    let mut of = found.ok_or(Error::Rejected(CreditRejection::InvoiceNotFound))?;
    let net = Micros::checked_sum(new.lines.iter().map(|(_, amount)| *amount))
        .ok_or(Error::Rejected(CreditRejection::AboveCreditable))?;
    if let Some(earlier) = made_under(tx, &of, &new.idempotency_key).await? {
        let is_same = earlier.invoice_id == Some(of.id)
            && earlier.subtotal_micros == net.0
            && earlier.reason.as_deref() == Some(new.reason.as_str());
        let reused = Error::Rejected(CreditRejection::IdempotencyKeyReused);
        return if is_same { Ok((earlier, false)) } else { Err(reused) };
    }
    let currency: Currency = of.currency.parse().map_err(Failed::internal)?;
    check(&of, net, &new.lines, currency).map_err(Error::Rejected)?;
    let mut row =
        store::blank(of.account_id, id, InvoiceKind::CreditNote, of.currency.clone(), now);
    row.invoice_id = Some(of.id);
    row.reason = Some(new.reason.clone());
    row.request_key = Some(new.idempotency_key.clone());
    row.issuer.clone_from(&of.issuer);
    row.bill_to.clone_from(&of.bill_to);
    let taxes = credited_taxes(tx, &of, id, net, currency).await?;
    let tax: i64 = taxes.iter().map(|tax| tax.amount_micros).sum();
    (row.subtotal_micros, row.tax_micros, row.total_micros) = (net.0, tax, net.0 + tax);
    row.status = InvoiceStatus::Paid;
    (row.finalized_at_ms, row.ended_at_ms) = (Some(now), Some(now));
    let counted = store::next_number(tx, row.account_id, row.kind).await?;
    row.number = Some(model::number(row.kind, row.account_id, counted));
    match store::insert(tx, &row).await {
        // Somebody else used the key for another invoice at the same time.
        Err(error) if violated_constraint(&error).is_some() => {
            return Err(Error::Rejected(CreditRejection::IdempotencyKeyReused));
        }
        inserted => inserted?,
    }
    write_lines(tx, &row, &new.lines).await?;
    store::insert_taxes(tx, &taxes).await?;
    let of_invoice = reduce(&mut of, net, Micros(row.total_micros), now);
    store::save(tx, now, &mut of).await?;
    // The account's terms are locked before its wallets.
    let resumed = suspension::resume(tx, now, row.account_id).await?;
    postings::post_credit_note(ctx, tx, now, &row, &taxes).await?;
    let of_note = told(&row, EventKind::InvoiceFinalized, now);
    let of_invoice = NewEvent { version: of.version, ..of_invoice };
    let mut news = vec![of_note, of_invoice];
    news.extend(resumed);
    mail::enqueue(tx, now, vec![NewMail::finalized(&row)]).await?;
    events::append(tx, news).await?;
    Ok((row, true))
}

async fn made_under(
    tx: &Tx,
    of: &invoice::Model,
    key: &str,
) -> Result<Option<invoice::Model>, sea_orm::DbErr> {
    invoice::Entity::find()
        .filter(invoice::Column::AccountId.eq(of.account_id))
        .filter(invoice::Column::RequestKey.eq(key))
        .one(&**tx)
        .await
}

fn check(
    of: &invoice::Model,
    net: Micros,
    lines: &[(String, Micros)],
    currency: Currency,
) -> Result<(), CreditRejection> {
    let is_final = match of.status {
        InvoiceStatus::Open | InvoiceStatus::Paid | InvoiceStatus::Uncollectible => true,
        InvoiceStatus::Draft | InvoiceStatus::Void => false,
    };
    if of.kind != InvoiceKind::Invoice || !is_final {
        return Err(CreditRejection::NotCreditable);
    }
    if lines.iter().any(|(_, amount)| !is_payable(*amount, currency)) {
        return Err(CreditRejection::InvalidAmount);
    }
    if net.0 > of.subtotal_micros - of.credited_net_micros {
        return Err(CreditRejection::AboveCreditable);
    }
    Ok(())
}

/// Takes a credit note off its invoice, and returns what is to be told of it.
fn reduce(
    of: &mut invoice::Model,
    net: Micros,
    total: Micros,
    now: entity::time::UnixMillis,
) -> NewEvent {
    of.credited_net_micros += net.0;
    of.credited_micros += total.0;
    let is_settled = store::due(of) == Micros::ZERO && of.status != InvoiceStatus::Paid;
    if is_settled {
        of.status = InvoiceStatus::Paid;
        of.ended_at_ms = Some(now);
    }
    let kind = if is_settled { EventKind::InvoicePaid } else { EventKind::InvoiceReduced };
    told(of, kind, now)
}

async fn write_lines(
    tx: &Tx,
    row: &invoice::Model,
    lines: &[(String, Micros)],
) -> Result<(), sea_orm::DbErr> {
    for (number, (description, amount)) in (1..).zip(lines) {
        let line = invoice_line::Model {
            account_id: row.account_id,
            invoice_id: row.id,
            number,
            kind: InvoiceLineKind::Item,
            description: description.clone(),
            country: None,
            class: None,
            unit_price_nanos: None,
            messages: None,
            quantity_micros: model::MILLIONTHS,
            amount_micros: amount.0,
        };
        store::insert_line(tx, line).await?;
    }
    Ok(())
}

/// The part of each of the invoice's taxes that is credited with `net`. It is what all credit notes
/// together take off the tax, less what the earlier ones took: so rounding never adds up, and
/// crediting all of an invoice credits all of its taxes.
async fn credited_taxes(
    tx: &Tx,
    of: &invoice::Model,
    id: InvoiceId,
    net: Micros,
    currency: Currency,
) -> Result<Vec<invoice_tax::Model>, Failed> {
    let notes: Vec<InvoiceId> = invoice::Entity::find()
        .select_only()
        .column(invoice::Column::Id)
        .filter(invoice::Column::AccountId.eq(of.account_id))
        .filter(invoice::Column::InvoiceId.eq(of.id))
        .into_tuple()
        .all(&**tx)
        .await?;
    let mut before: BTreeMap<TaxRateId, i64> = BTreeMap::new();
    for tax in store::taxes(&**tx, of.account_id, &notes).await? {
        *before.entry(tax.tax_rate_id).or_default() += tax.amount_micros;
    }
    let credited = of.credited_net_micros + net.0;
    let part = |tax: invoice_tax::Model| {
        let all = model::share(Micros(tax.amount_micros), credited, of.subtotal_micros, currency);
        let all = all.ok_or_else(|| Failed::internal("a credit note of nothing"))?;
        let earlier = before.get(&tax.tax_rate_id).copied().unwrap_or_default();
        Ok(invoice_tax::Model {
            invoice_id: id,
            base_micros: net.0,
            amount_micros: all.0 - earlier,
            ..tax
        })
    };
    let taxes = store::taxes(&**tx, of.account_id, &[of.id]).await?;
    taxes.into_iter().map(part).collect()
}
