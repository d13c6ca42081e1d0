//! Tax that a customer keeps back from what it pays, and pays to the authority on the operator's
//! behalf: it pays its part of the invoice, and the authority owes it to the operator.

use entity::enums::{AllocationKind, BookKind, InvoiceKind, InvoiceStatus, TransferCode};
use entity::ids::{InvoiceId, PaymentId};
use entity::invoice;
use entity::time::UnixMillis;

use super::credit_note::is_request_key;
use super::events::ring;
use super::model::is_payable;
use super::payment::{Source, allocate_locked};
use super::{postings, store};
use crate::authz::Action;
use crate::billing::model::{NewTransfer, Unpostable};
use crate::billing::post;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events;
use crate::types::money::Micros;

/// Characters of a certificate's number.
const CERTIFICATE_CHARS_MAX: usize = 100;

/// Tax that was withheld, as the customer's certificate shows it.
#[derive(Clone, Debug)]
pub struct Withheld {
    /// From which invoice.
    pub invoice_id: InvoiceId,
    /// How much.
    pub amount: Micros,
    /// The number of the authority's certificate or receipt.
    pub certificate_number: Option<String>,
    /// When it was withheld; none: now.
    pub withheld_at: Option<UnixMillis>,
    /// The same key records it once.
    pub idempotency_key: String,
}

/// Why withheld tax was not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordWithholdingRejection {
    /// There is no such invoice.
    #[error("there is no such invoice")]
    InvoiceNotFound,
    /// Nothing can be paid of it.
    #[error("only an open invoice, or one that was given up, can be paid")]
    NotPayable,
    /// The amount is not above zero, or finer than the currency's minor unit.
    #[error("an amount is above zero and in whole minor units of the currency")]
    InvalidAmount,
    /// It is more than is due.
    #[error("no more can be withheld than is due of the invoice")]
    AboveDue,
    /// The number is empty or too long.
    #[error("a certificate's number has 1 to {CERTIFICATE_CHARS_MAX} characters on one line")]
    InvalidCertificateNumber,
    /// The time has not come, or is before the invoice.
    #[error("tax is withheld after the invoice was finalized, and not in the future")]
    InvalidTime,
    /// The key is empty or too long.
    #[error("an idempotency key has 1 to 100 characters")]
    InvalidIdempotencyKey,
    /// The key was used with another input.
    #[error("this idempotency key was used with another input")]
    IdempotencyKeyReused,
}

/// Records tax that a customer withheld: posts it as owed by the authority, and lets it pay its part of
/// the invoice. Idempotent by its key.
///
/// # Errors
/// [`RecordWithholdingRejection`], or a failure.
pub async fn record_withholding(
    ctx: &Ctx,
    mut withheld: Withheld,
) -> Result<invoice::Model, Error<RecordWithholdingRejection>> {
    use RecordWithholdingRejection as Rejection;
    ctx.actor.require(Action::ManageInvoices)?;
    if !is_request_key(&withheld.idempotency_key) {
        return Err(Error::Rejected(Rejection::InvalidIdempotencyKey));
    }
    if withheld.amount <= Micros::ZERO {
        return Err(Error::Rejected(Rejection::InvalidAmount));
    }
    if let Some(number) = &mut withheld.certificate_number {
        *number = number.trim().to_owned();
        let fits = (1..=CERTIFICATE_CHARS_MAX).contains(&number.chars().count());
        if !fits || number.contains(char::is_control) {
            return Err(Error::Rejected(Rejection::InvalidCertificateNumber));
        }
    }
    let withheld = &withheld;
    let record = |tx: Tx| async move { write(ctx, &tx, withheld).await };
    let (row, is_new) = ctx.db.write(record).await?;
    if is_new {
        ring(ctx, row.account_id);
    }
    Ok(row)
}

async fn write(
    ctx: &Ctx,
    tx: &Tx,
    withheld: &Withheld,
) -> Result<(invoice::Model, bool), Error<RecordWithholdingRejection>> {
    use RecordWithholdingRejection as Rejection;
    let now = ctx.clock.now();
    let found = store::lock(tx, withheld.invoice_id).await?;
    let row = found.ok_or(Error::Rejected(Rejection::InvoiceNotFound))?;
    let journal = postings::journal_of(&row)?;
    let (from, to) = (BookKind::Withholding, BookKind::Customer);
    let code = TransferCode::Withholding;
    let transfer = NewTransfer::between(journal, code, from, to, withheld.amount)
        .at(withheld.withheld_at.unwrap_or(now))
        .about(row.id.0)
        .keyed(format!("withheld/{}", withheld.idempotency_key));
    // As for payments: what was posted under the key before is not recorded again.
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
    check(&row, withheld, now).map_err(Error::Rejected)?;
    if journal.unit.currency().is_none_or(|currency| !is_payable(withheld.amount, currency)) {
        return Err(Error::Rejected(Rejection::InvalidAmount));
    }
    let source = Source {
        kind: AllocationKind::Withholding,
        id: PaymentId(posted.id.0),
        reference: withheld.certificate_number.clone(),
        occurred_at: withheld.withheld_at,
    };
    let allocation = allocate_locked(tx, now, row, source, withheld.amount).await?;
    events::append(tx, allocation.events).await?;
    Ok((allocation.invoice, true))
}

fn check(
    row: &invoice::Model,
    withheld: &Withheld,
    now: UnixMillis,
) -> Result<(), RecordWithholdingRejection> {
    use RecordWithholdingRejection as Rejection;
    let is_payable_now = row.kind == InvoiceKind::Invoice
        && matches!(row.status, InvoiceStatus::Open | InvoiceStatus::Uncollectible);
    if !is_payable_now {
        return Err(Rejection::NotPayable);
    }
    if withheld.amount > store::due(row) {
        return Err(Rejection::AboveDue);
    }
    let is_sound = withheld
        .withheld_at
        .is_none_or(|at| at <= now && row.finalized_at_ms.is_none_or(|finalized| at >= finalized));
    if is_sound { Ok(()) } else { Err(Rejection::InvalidTime) }
}
