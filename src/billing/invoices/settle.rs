//! How an open invoice ends without being paid: made void, or given up.

use entity::enums::{EventKind, InvoiceKind, InvoiceLineKind, InvoiceStatus};
use entity::ids::InvoiceId;
use entity::invoice;

use super::events::{ring, told};
use super::model::may_become;
use super::postings::{self, Extra};
use super::{store, suspension};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Failed};
use crate::events;
use crate::types::money::Micros;

/// Characters of a reason.
pub const REASON_CHARS_MAX: usize = 500;

/// Why an invoice was not given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UncollectibleRejection {
    /// There is no such invoice.
    #[error("there is no such invoice")]
    InvoiceNotFound,
    /// It is a draft, paid or void, or a statement or credit note.
    #[error("only an open invoice can be given up")]
    NotOpen,
}

/// Why an invoice was not made void.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoidRejection {
    /// There is no such invoice.
    #[error("there is no such invoice")]
    InvoiceNotFound,
    /// It is a draft or paid, or a statement or credit note.
    #[error("only an open invoice, or one that was given up, can be made void")]
    NotOpen,
    /// A part of it was paid.
    #[error("a part of it was paid: make a credit note for the rest")]
    PartlyPaid,
    /// A credit note was made for it.
    #[error("a credit note was made for it: make another for the rest")]
    PartlyCredited,
    /// The reason is empty or too long.
    #[error("a reason has 1 to {REASON_CHARS_MAX} characters on one line")]
    InvalidReason,
}

/// Makes an invoice void that was a mistake, and takes back what it posted: what the operator added,
/// rounding and taxes. What messages were charged stays charged, and its month may get another
/// invoice. Idempotent.
///
/// # Errors
/// [`VoidRejection`], or a failure.
pub async fn void(
    ctx: &Ctx,
    id: InvoiceId,
    reason: &str,
) -> Result<invoice::Model, Error<VoidRejection>> {
    ctx.actor.require(Action::ManageInvoices)?;
    let reason = &reasoned(reason).ok_or(Error::Rejected(VoidRejection::InvalidReason))?;
    let now = ctx.clock.now();
    let void = |tx: Tx| async move {
        let found = store::lock(&tx, id).await?;
        let mut row = found.ok_or(Error::Rejected(VoidRejection::InvoiceNotFound))?;
        if row.status == InvoiceStatus::Void {
            return Ok::<_, Error<VoidRejection>>((row, false));
        }
        if row.paid_micros > 0 {
            return Err(Error::Rejected(VoidRejection::PartlyPaid));
        }
        if row.credited_micros > 0 {
            return Err(Error::Rejected(VoidRejection::PartlyCredited));
        }
        if !may_end(&row, InvoiceStatus::Void) {
            return Err(Error::Rejected(VoidRejection::NotOpen));
        }
        row.status = InvoiceStatus::Void;
        row.ended_at_ms = Some(now);
        row.reason = Some(reason.clone());
        store::save(&tx, now, &mut row).await?;
        let taxes = store::taxes(&*tx, row.account_id, &[row.id]).await?;
        let extra = extra_of(&tx, &row).await?;
        // The account's terms are locked before its wallets.
        let resumed = suspension::resume(&tx, now, row.account_id).await?;
        postings::post_voided(ctx, &tx, now, &row, extra, &taxes).await?;
        let mut news = vec![told(&row, EventKind::InvoiceVoided, now)];
        news.extend(resumed);
        events::append(&tx, news).await?;
        Ok((row, true))
    };
    let (row, is_new) = ctx.db.write(void).await?;
    if is_new {
        ring(ctx, row.account_id);
    }
    Ok(row)
}

/// Gives an invoice up. Its debt stays in the ledger, so that nobody can send more by not paying; a
/// payment may still come. Idempotent.
///
/// # Errors
/// [`UncollectibleRejection`], or a failure.
pub async fn mark_uncollectible(
    ctx: &Ctx,
    id: InvoiceId,
) -> Result<invoice::Model, Error<UncollectibleRejection>> {
    ctx.actor.require(Action::ManageInvoices)?;
    let now = ctx.clock.now();
    let give_up = |tx: Tx| async move {
        let found = store::lock(&tx, id).await?;
        let mut row = found.ok_or(Error::Rejected(UncollectibleRejection::InvoiceNotFound))?;
        if row.status == InvoiceStatus::Uncollectible {
            return Ok::<_, Error<UncollectibleRejection>>((row, false));
        }
        if !may_end(&row, InvoiceStatus::Uncollectible) {
            return Err(Error::Rejected(UncollectibleRejection::NotOpen));
        }
        row.status = InvoiceStatus::Uncollectible;
        row.ended_at_ms = Some(now);
        store::save(&tx, now, &mut row).await?;
        events::append(&tx, vec![told(&row, EventKind::InvoiceUncollectible, now)]).await?;
        Ok((row, true))
    };
    let (row, is_new) = ctx.db.write(give_up).await?;
    if is_new {
        ring(ctx, row.account_id);
    }
    Ok(row)
}

fn may_end(row: &invoice::Model, to: InvoiceStatus) -> bool {
    row.kind == InvoiceKind::Invoice && may_become(row.status, to)
}

async fn extra_of(tx: &Tx, row: &invoice::Model) -> Result<Extra, Failed> {
    let mut extra = Some(Extra::default());
    store::each_line(tx, row, |kind, amount| {
        extra = extra.and_then(|extra| add(extra, kind, amount));
    })
    .await?;
    extra.ok_or_else(|| Failed::internal("an invoice beyond 64 bits"))
}

fn add(mut extra: Extra, kind: InvoiceLineKind, amount: Micros) -> Option<Extra> {
    match kind {
        // The ledger took these before the invoice was made.
        InvoiceLineKind::Messages | InvoiceLineKind::Plan | InvoiceLineKind::Package => {}
        InvoiceLineKind::Item => extra.items = extra.items.checked_add(amount)?,
        InvoiceLineKind::Rounding => extra.rounding = extra.rounding.checked_add(amount)?,
    }
    Some(extra)
}

/// A reason without blanks around it.
pub(super) fn reasoned(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = (1..=REASON_CHARS_MAX).contains(&text.chars().count());
    (fits && !text.contains(char::is_control)).then(|| text.to_owned())
}
