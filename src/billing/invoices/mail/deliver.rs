//! Sending what is to be told. A row is tried until a server takes it, with longer and longer pauses,
//! for five days at most (RFC 5321, section 4.5.4.1); then it says that it was given up, and why.

use entity::enums::{MailKind, MailState};
use entity::ids::InvoiceId;
use entity::{invoice, mail};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set, Unchanged};

use super::compose::{self, Composed};
use crate::authz::Action;
use crate::billing::invoices::queries;
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::mail::{Mailer, SendError};

/// E-mails of one run: each may take half a minute.
const BATCH_MAX: u64 = 100;
/// E-mails of one document that are listed.
const LISTED_MAX: u64 = 100;
/// How long one is tried, in milliseconds.
const TRIED_MAX_MS: i64 = 5 * 24 * 3_600_000;
/// Pauses after the first tries, in milliseconds; the last one again and again.
const PAUSES_MS: &[i64] = &[60_000, 300_000, 900_000, 3_600_000, 4 * 3_600_000];
/// Why nothing is sent where no server is named.
const NO_SERVER: &str = "no mail server is set (mail.smtp_url)";

/// Sends what is due, and says how much was. Sends at least once: a message of which it could not be
/// noted that it was sent is sent again, with the same Message-ID.
///
/// # Errors
/// The store's own.
pub async fn deliver(ctx: &Ctx) -> Result<u64, Failed> {
    ctx.actor.require(Action::ManageInvoices)?;
    let mailer = Mailer::new(&ctx.settings.mail).map_err(Failed::internal)?;
    let mut sent = 0;
    for row in due(ctx).await? {
        let outcome = match &mailer {
            Some(mailer) => try_one(ctx, mailer, &row).await?,
            None => Outcome::GivenUp(NO_SERVER.to_owned()),
        };
        let was_sent = outcome == Outcome::Sent;
        let is_out_of_reach = matches!(outcome, Outcome::Failed(SendError::Unreachable));
        note(ctx, &row, outcome).await?;
        sent += u64::from(was_sent);
        if is_out_of_reach {
            // Neither can the others be sent; each would wait for its answer in vain.
            break;
        }
    }
    Ok(sent)
}

/// The e-mails about a document that the caller found, oldest first; at most 100.
///
/// # Errors
/// The store's own.
pub async fn mails(ctx: &Ctx, of: &invoice::Model) -> Result<Vec<mail::Model>, Failed> {
    let mails = mail::Entity::find()
        .filter(mail::Column::AccountId.eq(of.account_id))
        .filter(mail::Column::InvoiceId.eq(of.id))
        .order_by_asc(mail::Column::CreatedAtMs)
        .order_by_asc(mail::Column::Kind)
        .limit(LISTED_MAX);
    Ok(mails.all(ctx.db.reader()).await?)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Sent,
    Failed(SendError),
    /// There is nothing to be sent any more, or nobody to send it to.
    GivenUp(String),
}

async fn due(ctx: &Ctx) -> Result<Vec<mail::Model>, Failed> {
    let due = mail::Entity::find()
        .filter(mail::Column::State.eq(MailState::Pending))
        .filter(mail::Column::NextAtMs.lte(ctx.clock.now()))
        .order_by_asc(mail::Column::NextAtMs)
        .order_by_asc(mail::Column::CreatedAtMs)
        .limit(BATCH_MAX);
    Ok(due.all(ctx.db.reader()).await?)
}

async fn try_one(ctx: &Ctx, mailer: &Mailer, row: &mail::Model) -> Result<Outcome, Failed> {
    let document = queries::find(ctx, row.invoice_id).await?;
    let document = document.ok_or_else(|| Failed::internal("an e-mail without its document"))?;
    match compose::compose(ctx, row, &document).await? {
        Composed::Nothing(why) => Ok(Outcome::GivenUp(why.to_owned())),
        Composed::Mail(mail) => Ok(match mailer.send(mail).await {
            Ok(()) => Outcome::Sent,
            Err(error) => Outcome::Failed(error),
        }),
    }
}

async fn note(ctx: &Ctx, row: &mail::Model, outcome: Outcome) -> Result<(), Failed> {
    let now = ctx.clock.now();
    let attempts = row.attempts + 1;
    let (state, fault) = match outcome {
        Outcome::Sent => (MailState::Sent, None),
        Outcome::GivenUp(why) => (MailState::GivenUp, Some(why)),
        Outcome::Failed(error) => {
            let is_final = match error {
                SendError::Unwritable | SendError::Refused(_) => true,
                SendError::NotTaken(_) | SendError::Unreachable => {
                    now.since(row.created_at_ms) >= TRIED_MAX_MS
                }
            };
            let state = if is_final { MailState::GivenUp } else { MailState::Pending };
            (state, Some(error.to_string()))
        }
    };
    if let Some(fault) = &fault {
        tell(row, state, fault);
    }
    let changed = &mail::ActiveModel {
        account_id: Unchanged(row.account_id),
        invoice_id: Unchanged(row.invoice_id),
        kind: Unchanged(row.kind),
        subject: Unchanged(row.subject.clone()),
        state: Set(state),
        attempts: Set(attempts),
        next_at_ms: Set(now.plus_ms(pause_ms(attempts))),
        fault: Set(fault),
        ended_at_ms: Set((state != MailState::Pending).then_some(now)),
        ..Default::default()
    };
    // What another node has noted meanwhile stays.
    let write = |tx: crate::db::Tx| async move {
        mail::Entity::update_many()
            .set(changed.clone())
            .filter(mail::Column::AccountId.eq(row.account_id))
            .filter(mail::Column::InvoiceId.eq(row.invoice_id))
            .filter(mail::Column::Kind.eq(row.kind))
            .filter(mail::Column::Subject.eq(row.subject.as_str()))
            .filter(mail::Column::State.eq(MailState::Pending))
            .exec(&*tx)
            .await
    };
    ctx.db.write(write).await?;
    metrics::counter!("mail_total", "state" => format!("{state:?}").to_lowercase()).increment(1);
    Ok(())
}

fn tell(row: &mail::Model, state: MailState, fault: &str) {
    let (invoice_id, kind): (InvoiceId, MailKind) = (row.invoice_id, row.kind);
    match state {
        MailState::GivenUp if fault == NO_SERVER => {}
        MailState::GivenUp => tracing::warn!(
            invoice.id = %invoice_id, ?kind, fault, "an e-mail was given up"
        ),
        MailState::Pending | MailState::Sent => tracing::info!(
            invoice.id = %invoice_id, ?kind, fault, "an e-mail was not sent; it is tried again"
        ),
    }
}

fn pause_ms(attempts: i32) -> i64 {
    let index = usize::try_from(attempts - 1).unwrap_or_default();
    PAUSES_MS[index.min(PAUSES_MS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use entity::time::UnixMillis;

    use super::*;

    #[test]
    fn pauses_grow_and_end_before_the_last_try() {
        assert_eq!(pause_ms(1), 60_000);
        assert_eq!(pause_ms(4), 3_600_000);
        assert_eq!((pause_ms(5), pause_ms(500)), (4 * 3_600_000, 4 * 3_600_000));
        let tries = (1..).scan(0, |at, attempts| {
            *at += pause_ms(attempts);
            (*at < TRIED_MAX_MS).then_some(UnixMillis(*at))
        });
        assert_eq!(tries.count(), 33);
    }
}
