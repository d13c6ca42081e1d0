//! More time to pay.

use entity::enums::{EventKind, InvoiceKind, InvoiceStatus};
use entity::ids::InvoiceId;
use entity::invoice;
use entity::time::UnixMillis;

use super::events::{ring, told};
use super::model::DAY_MS;
use super::{store, suspension};
use crate::authz::Action;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::Error;
use crate::events;

/// How far ahead an invoice can be due, in days: a year.
pub const EXTENSION_DAYS_MAX: i64 = 366;

/// Why an invoice was not given more time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtendRejection {
    /// There is no such invoice.
    #[error("there is no such invoice")]
    InvoiceNotFound,
    /// It is a draft, paid, void or given up, or a statement or credit note.
    #[error("only an open invoice can be given more time")]
    NotOpen,
    /// The time is past, not later than the invoice is due, or too far ahead.
    #[error(
        "the new due time lies in the future, after the present one, and at most \
         {EXTENSION_DAYS_MAX} days ahead"
    )]
    InvalidDueAt,
}

/// Gives an open invoice more time: it is overdue no more, reminders begin anew after the new due
/// time, and its account may send if nothing else is overdue. Idempotent.
///
/// # Errors
/// [`ExtendRejection`], or a failure.
pub async fn extend(
    ctx: &Ctx,
    id: InvoiceId,
    due_at: UnixMillis,
) -> Result<invoice::Model, Error<ExtendRejection>> {
    ctx.actor.require(Action::ManageInvoices)?;
    let now = ctx.clock.now();
    let extend = |tx: Tx| async move {
        let found = store::lock(&tx, id).await?;
        let mut row = found.ok_or(Error::Rejected(ExtendRejection::InvoiceNotFound))?;
        if row.kind != InvoiceKind::Invoice || row.status != InvoiceStatus::Open {
            return Err(Error::Rejected(ExtendRejection::NotOpen));
        }
        if row.due_at_ms == Some(due_at) {
            return Ok::<_, Error<ExtendRejection>>((row, false));
        }
        let is_later = due_at > now && row.due_at_ms.is_none_or(|before| due_at > before);
        if !is_later || due_at.since(now) > EXTENSION_DAYS_MAX * DAY_MS {
            return Err(Error::Rejected(ExtendRejection::InvalidDueAt));
        }
        row.due_at_ms = Some(due_at);
        row.overdue_at_ms = None;
        store::save(&tx, now, &mut row).await?;
        let mut news = vec![told(&row, EventKind::InvoiceExtended, now)];
        news.extend(suspension::resume(&tx, now, row.account_id).await?);
        events::append(&tx, news).await?;
        Ok((row, true))
    };
    let (row, is_new) = ctx.db.write(extend).await?;
    if is_new {
        ring(ctx, row.account_id);
    }
    Ok(row)
}
