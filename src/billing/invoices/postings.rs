//! What invoices move in the ledger. The messages on an invoice were charged when carriers took
//! them, so an invoice posts the rest: what the operator added, rounding and taxes.

use entity::enums::{BookKind, TransferCode};
use entity::time::UnixMillis;
use entity::{invoice, invoice_tax};

use crate::billing::model::{Book, DETAIL_CHARS_MAX, Journal, Leg, NewTransfer, Unpostable};
use crate::billing::post;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::types::money::Micros;

/// The detail of the book that credit notes are taken from: so the book of revenue by messages stays
/// the sum of what messages were charged.
const CREDIT_NOTES: &str = "credit notes";

/// What a document adds to what messages were charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extra {
    /// What the operator added.
    pub(super) items: Micros,
    /// What rounding the lines of messages adds or takes.
    pub(super) rounding: Micros,
}

/// The journal of a document.
///
/// # Errors
/// If its row has no currency's code: a fault of ours.
pub(super) fn journal_of(row: &invoice::Model) -> Result<Journal, Failed> {
    let currency = row.currency.parse().map_err(Failed::internal)?;
    Ok(Journal::of_money(row.account_id, currency))
}

/// Posts what a finalized invoice adds.
pub(super) async fn post_finalized(
    ctx: &Ctx,
    tx: &Tx,
    now: UnixMillis,
    row: &invoice::Model,
    extra: Extra,
    taxes: &[invoice_tax::Model],
) -> Result<(), Failed> {
    let revenue = |amount| vec![leg(BookKind::OtherRevenue, amount)];
    let transfers = [
        ("items", TransferCode::Adjustment, revenue(extra.items)),
        ("rounding", TransferCode::Adjustment, revenue(extra.rounding)),
        ("tax", TransferCode::Tax, tax_legs(taxes)),
    ];
    let mut posting = Vec::new();
    for (part, code, legs) in transfers {
        posting.extend(transfer(row, part, code, now, legs)?);
    }
    post_all(ctx, tx, now, posting).await
}

/// Takes back what [`post_finalized`] posted. What messages were charged stays charged.
pub(super) async fn post_voided(
    ctx: &Ctx,
    tx: &Tx,
    now: UnixMillis,
    row: &invoice::Model,
    extra: Extra,
    taxes: &[invoice_tax::Model],
) -> Result<(), Failed> {
    let added = extra.items.checked_add(extra.rounding).ok_or_else(overflow)?;
    let mut legs = vec![leg(BookKind::OtherRevenue, added)];
    legs.extend(tax_legs(taxes));
    let back = legs.into_iter().map(negated).collect();
    let posting = transfer(row, "void", TransferCode::Reversal, now, back)?;
    post_all(ctx, tx, now, posting.into_iter().collect()).await
}

/// Posts a credit note.
pub(super) async fn post_credit_note(
    ctx: &Ctx,
    tx: &Tx,
    now: UnixMillis,
    row: &invoice::Model,
    taxes: &[invoice_tax::Model],
) -> Result<(), Failed> {
    let book = Book { kind: BookKind::OtherRevenue, detail: CREDIT_NOTES.to_owned() };
    let mut legs = vec![Leg { book, amount: Micros(row.subtotal_micros) }];
    legs.extend(tax_legs(taxes));
    let back = legs.into_iter().map(negated).collect();
    let posting = transfer(row, "credit", TransferCode::CreditNote, now, back)?;
    post_all(ctx, tx, now, posting.into_iter().collect()).await
}

/// A transfer that moves `legs` out of what the customer has. None if they move nothing.
fn transfer(
    row: &invoice::Model,
    part: &str,
    code: TransferCode,
    now: UnixMillis,
    mut legs: Vec<Leg>,
) -> Result<Option<NewTransfer>, Failed> {
    legs.retain(|leg| leg.amount != Micros::ZERO);
    let sum = Micros::checked_sum(legs.iter().map(|leg| leg.amount)).ok_or_else(overflow)?;
    if sum != Micros::ZERO {
        legs.insert(0, leg(BookKind::Customer, sum.negated()));
    }
    if legs.is_empty() {
        return Ok(None);
    }
    Ok(Some(NewTransfer {
        journal: journal_of(row)?,
        code,
        key: Some(format!("{}/{part}", row.id)),
        subject_id: Some(row.id.0),
        occurred_at: now,
        legs,
    }))
}

async fn post_all(
    ctx: &Ctx,
    tx: &Tx,
    now: UnixMillis,
    transfers: Vec<NewTransfer>,
) -> Result<(), Failed> {
    match post(tx, &ctx.master_key, now, transfers).await {
        Ok(_) => Ok(()),
        // The keys are made of the document's id and the amounts are the document's own.
        Err(Error::Rejected(fault)) => Err(Failed::internal(fault)),
        Err(Error::Failed(failed)) => Err(failed),
    }
}

fn tax_legs(taxes: &[invoice_tax::Model]) -> Vec<Leg> {
    let of = |tax: &invoice_tax::Model| {
        let detail = tax.tax_rate_id.to_string();
        debug_assert!(detail.len() <= DETAIL_CHARS_MAX, "an id fits a book's detail");
        Leg { book: Book { kind: BookKind::Tax, detail }, amount: Micros(tax.amount_micros) }
    };
    taxes.iter().map(of).collect()
}

fn leg(kind: BookKind, amount: Micros) -> Leg {
    Leg { book: kind.into(), amount }
}

fn negated(leg: Leg) -> Leg {
    Leg { amount: leg.amount.negated(), ..leg }
}

fn overflow() -> Failed {
    Failed::internal(Unpostable::Overflow)
}
