//! What payments pay of invoices. The money itself is posted by whoever took it; what is more than
//! is due stays the customer's credit, and what goes back is due again.

use entity::enums::{
    AllocationKind, BookKind, EventKind, InvoiceKind, InvoiceStatus, MailKind, TransferCode,
};
use entity::ids::{AccountId, InvoiceId, PaymentId};
use entity::time::UnixMillis;
use entity::{invoice, invoice_allocation};
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, IntoActiveModel, ModelTrait, Set};

use super::credit_note::is_request_key;
use super::events::{ring, told};
use super::mail::{self, NewMail};
use super::model::is_payable;
use super::{postings, store, suspension};
use crate::authz::Action;
use crate::billing::model::{NewTransfer, Unpostable};
use crate::billing::post;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events::{self, NewEvent};
use crate::types::money::Micros;

/// Characters of a payment's reference.
pub const REFERENCE_CHARS_MAX: usize = 200;

/// What a payment paid of an invoice.
#[derive(Clone, Debug)]
pub struct Allocation {
    /// The invoice as it is then.
    pub invoice: invoice::Model,
    /// How much of the payment went to it; the rest stays the customer's credit.
    pub allocated: Micros,
    /// What is to be told, if this is new: append it last in the transaction, and ring the
    /// account's events after the commit.
    pub events: Vec<NewEvent>,
}

/// A payment that came by another way, as the operator saw it.
#[derive(Clone, Debug)]
pub struct OutsidePayment {
    /// Of which invoice.
    pub invoice_id: InvoiceId,
    /// How much came.
    pub amount: Micros,
    /// The bank's or the operator's own reference.
    pub reference: String,
    /// The same key records one payment.
    pub idempotency_key: String,
}

/// Why a payment was not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordPaymentRejection {
    /// There is no such invoice.
    #[error("there is no such invoice")]
    InvoiceNotFound,
    /// Nothing can be paid of it.
    #[error("only an open invoice, or one that was given up, can be paid")]
    NotPayable,
    /// The amount is not above zero, or finer than the currency's minor unit.
    #[error("an amount is above zero and in whole minor units of the currency")]
    InvalidAmount,
    /// The reference is empty or too long.
    #[error("a reference has 1 to {REFERENCE_CHARS_MAX} characters on one line")]
    InvalidReference,
    /// The key is empty or too long.
    #[error("an idempotency key has 1 to 100 characters")]
    InvalidIdempotencyKey,
    /// The key was used with another input.
    #[error("this idempotency key was used with another input")]
    IdempotencyKeyReused,
}

/// Makes what a payment pays of an invoice be `amount`, as far as what is due goes; none if the
/// account has no such invoice. `amount` is what was collected of the payment and did not go back:
/// where it became less, the invoice is due again. Posts nothing: the caller posts the payment, in
/// the same transaction and after this, as the invoice's row is locked before the wallet's.
/// Idempotent by the payment's id. Asks for no right: it is part of paying.
///
/// # Errors
/// The store's own.
pub async fn allocate(
    tx: &Tx,
    now: UnixMillis,
    account_id: AccountId,
    invoice_id: InvoiceId,
    payment_id: PaymentId,
    amount: Micros,
) -> Result<Option<Allocation>, Failed> {
    let found = store::lock(tx, invoice_id).await?;
    let Some(row) = found.filter(|row| row.account_id == account_id) else { return Ok(None) };
    allocate_locked(tx, now, row, Source::payment(payment_id), amount).await.map(Some)
}

/// What pays a part of an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) kind: AllocationKind,
    /// The same pays once.
    pub(super) id: PaymentId,
    /// The bank's, the operator's or the tax authority's own.
    pub(super) reference: Option<String>,
    /// When it was so, if not now.
    pub(super) occurred_at: Option<UnixMillis>,
}

impl Source {
    fn payment(id: PaymentId) -> Self {
        Self { kind: AllocationKind::Payment, id, reference: None, occurred_at: None }
    }
}

/// Allocates to an invoice whose row this transaction holds.
pub(super) async fn allocate_locked(
    tx: &Tx,
    now: UnixMillis,
    mut row: invoice::Model,
    source: Source,
    amount: Micros,
) -> Result<Allocation, Failed> {
    let key = (row.account_id, row.id, source.id);
    let kept = invoice_allocation::Entity::find_by_id(key).one(&**tx).await?;
    let before = Micros(kept.as_ref().map_or(0, |kept| kept.amount_micros));
    let wanted = amount.max(Micros::ZERO);
    let more = Micros(wanted.0.saturating_sub(before.0)).min(store::due(&row));
    let allocated = if wanted < before { wanted } else { Micros(before.0 + more.0) };
    if allocated == before {
        return Ok(Allocation { invoice: row, allocated, events: Vec::new() });
    }
    let paid = invoice_allocation::Model {
        account_id: row.account_id,
        invoice_id: row.id,
        payment_id: source.id,
        kind: source.kind,
        amount_micros: allocated.0,
        reference: source.reference,
        occurred_at_ms: source.occurred_at,
        created_at_ms: now,
    };
    write_allocation(tx, kept, paid).await?;
    row.paid_micros += allocated.0 - before.0;
    let kind = end_or_reopen(&mut row, now, allocated < before);
    store::save(tx, now, &mut row).await?;
    let is_paid = kind == EventKind::InvoicePaid;
    let mut events = vec![told(&row, kind, now)];
    if is_paid {
        events.extend(suspension::resume(tx, now, row.account_id).await?);
    }
    let mail = NewMail {
        account_id: row.account_id,
        invoice_id: row.id,
        kind: MailKind::PaymentReceived,
        subject: source.id.to_string(),
        amount: Some(allocated),
    };
    let mails = match source.kind {
        AllocationKind::Payment | AllocationKind::Withholding if allocated > before => vec![mail],
        // The e-mail about the invoice says so; and what went back is no payment.
        AllocationKind::Payment | AllocationKind::Withholding | AllocationKind::Credit => {
            Vec::new()
        }
    };
    mail::enqueue(tx, now, mails).await?;
    Ok(Allocation { invoice: row, allocated, events })
}

/// What went back whole is no payment of the invoice any more.
async fn write_allocation(
    tx: &Tx,
    kept: Option<invoice_allocation::Model>,
    paid: invoice_allocation::Model,
) -> Result<(), DbErr> {
    match kept {
        None => {
            let insert = invoice_allocation::Entity::insert(paid.into_active_model());
            insert.exec_without_returning(&**tx).await.map(drop)
        }
        Some(kept) if paid.amount_micros == 0 => kept.delete(&**tx).await.map(drop),
        Some(kept) => {
            let mut change = kept.into_active_model();
            change.amount_micros = Set(paid.amount_micros);
            change.update(&**tx).await.map(drop)
        }
    }
}

/// The status that follows from what is due, and what is told of it.
fn end_or_reopen(row: &mut invoice::Model, now: UnixMillis, went_back: bool) -> EventKind {
    let is_covered = row.paid_micros + row.credited_micros >= row.total_micros;
    if went_back {
        if row.status == InvoiceStatus::Paid && !is_covered {
            row.status = InvoiceStatus::Open;
            row.ended_at_ms = None;
        }
        return EventKind::InvoiceReopened;
    }
    if !is_covered {
        return EventKind::InvoiceReduced;
    }
    row.status = InvoiceStatus::Paid;
    row.ended_at_ms = Some(now);
    EventKind::InvoicePaid
}

/// Records a payment that came by another way than a processor, such as a bank transfer: posts it and
/// lets it pay the invoice. Idempotent by its key.
///
/// # Errors
/// [`RecordPaymentRejection`], or a failure.
pub async fn record_payment(
    ctx: &Ctx,
    payment: OutsidePayment,
) -> Result<invoice::Model, Error<RecordPaymentRejection>> {
    use RecordPaymentRejection as Rejection;
    ctx.actor.require(Action::ManageInvoices)?;
    let reference = payment.reference.trim();
    let reference_fits = (1..=REFERENCE_CHARS_MAX).contains(&reference.chars().count());
    if !reference_fits || reference.contains(char::is_control) {
        return Err(Error::Rejected(Rejection::InvalidReference));
    }
    if !is_request_key(&payment.idempotency_key) {
        return Err(Error::Rejected(Rejection::InvalidIdempotencyKey));
    }
    if payment.amount <= Micros::ZERO {
        return Err(Error::Rejected(Rejection::InvalidAmount));
    }
    let payment = &OutsidePayment { reference: reference.to_owned(), ..payment };
    let record = |tx: Tx| async move { write(ctx, &tx, payment).await };
    let (row, is_new) = ctx.db.write(record).await?;
    if is_new {
        ring(ctx, row.account_id);
    }
    Ok(row)
}

async fn write(
    ctx: &Ctx,
    tx: &Tx,
    payment: &OutsidePayment,
) -> Result<(invoice::Model, bool), Error<RecordPaymentRejection>> {
    use RecordPaymentRejection as Rejection;
    let now = ctx.clock.now();
    let found = store::lock(tx, payment.invoice_id).await?;
    let row = found.ok_or(Error::Rejected(Rejection::InvoiceNotFound))?;
    let journal = postings::journal_of(&row)?;
    let (from, to) = (BookKind::Bank, BookKind::Customer);
    let transfer = NewTransfer::between(journal, TransferCode::Payment, from, to, payment.amount)
        .at(now)
        .about(row.id.0)
        .keyed(format!("recorded payment/{}", payment.idempotency_key));
    // The ledger's key is the payment's: what was posted under it before is not recorded again.
    let posted = match post(tx, &ctx.master_key, now, vec![transfer]).await {
        Ok(posted) => posted,
        Err(Error::Rejected(Unpostable::KeyReused)) => {
            return Err(Error::Rejected(Rejection::IdempotencyKeyReused));
        }
        Err(Error::Rejected(fault)) => return Err(Failed::internal(fault).into()),
        Err(Error::Failed(failed)) => return Err(failed.into()),
    };
    let posted = posted.first().ok_or_else(|| Failed::internal("one transfer was posted"))?;
    if posted.replayed {
        return Ok((row, false));
    }
    let is_payable_now = row.kind == InvoiceKind::Invoice
        && matches!(row.status, InvoiceStatus::Open | InvoiceStatus::Uncollectible);
    if !is_payable_now {
        return Err(Error::Rejected(Rejection::NotPayable));
    }
    if journal.unit.currency().is_none_or(|currency| !is_payable(payment.amount, currency)) {
        return Err(Error::Rejected(Rejection::InvalidAmount));
    }
    let source = Source {
        reference: Some(payment.reference.clone()),
        ..Source::payment(PaymentId(posted.id.0))
    };
    let allocation = allocate_locked(tx, now, row, source, payment.amount).await?;
    events::append(tx, allocation.events).await?;
    Ok((allocation.invoice, true))
}
