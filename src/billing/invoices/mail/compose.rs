//! What e-mails about invoices say, and to whom. Made anew for each try, of what is so then.

use entity::enums::{InvoiceKind, InvoiceStatus, MailKind, Role};
use entity::ids::AccountId;
use entity::{billing_profile, invoice, mail, membership, person};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::billing::invoices::{pdf, queries, store};
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::mail::Outgoing;
use crate::types::money::Micros;

/// People that one e-mail goes to: an account has a few who see to money.
const PEOPLE_MAX: u64 = 20;

/// What there is to be sent.
pub(super) enum Composed {
    Mail(Outgoing),
    /// Nothing, and why.
    Nothing(&'static str),
}

/// Makes the e-mail of a row.
pub(super) async fn compose(
    ctx: &Ctx,
    row: &mail::Model,
    document: &invoice::Model,
) -> Result<Composed, Failed> {
    let is_settled = document.status != InvoiceStatus::Open;
    if row.kind == MailKind::Reminder && is_settled {
        return Ok(Composed::Nothing("the invoice was settled before the reminder was sent"));
    }
    let to = recipients(ctx, row.account_id).await?;
    if to.is_empty() {
        return Ok(Composed::Nothing(
            "the account has no billing profile, owner or billing person",
        ));
    }
    let (subject, text) = words(row, document)?;
    let pdf = match row.kind {
        MailKind::Finalized | MailKind::Reminder | MailKind::SendingSuspended => {
            pdf(ctx, document.id).await?.map(|pdf| (pdf.file_name, pdf.bytes))
        }
        MailKind::PaymentReceived => None,
    };
    let about = row.subject.replace('/', ".");
    Ok(Composed::Mail(Outgoing {
        message_id: format!("{}.{}.{about}", row.invoice_id, row.kind.code()),
        to,
        subject,
        text,
        pdf,
        written_at: row.created_at_ms,
    }))
}

/// Where an account's invoices are sent: as its billing profile says, else to its owners and billing
/// people.
async fn recipients(ctx: &Ctx, account_id: AccountId) -> Result<Vec<String>, DbErr> {
    let reader = ctx.db.reader();
    if let Some(profile) = billing_profile::Entity::find_by_id(account_id).one(reader).await? {
        return Ok(vec![profile.email]);
    }
    let members = membership::Entity::find()
        .filter(membership::Column::AccountId.eq(account_id))
        .filter(membership::Column::Role.is_in([Role::Owner, Role::Billing]))
        .order_by_asc(membership::Column::CreatedAtMs)
        .limit(PEOPLE_MAX)
        .all(reader)
        .await?;
    let ids = members.into_iter().map(|member| member.person_id);
    let people = person::Entity::find()
        .filter(person::Column::Id.is_in(ids))
        .order_by_asc(person::Column::Id)
        .all(reader)
        .await?;
    Ok(people.into_iter().map(|person| person.email).collect())
}

fn words(row: &mail::Model, document: &invoice::Model) -> Result<(String, String), Failed> {
    let number = document.number.as_deref().unwrap_or_default();
    let money = |amount: Micros| format!("{amount} {}", document.currency);
    let (total, due) = (money(Micros(document.total_micros)), store::due(document));
    let due_at = document.due_at_ms.map(pdf::date).unwrap_or_default();
    let (subject, text) = match row.kind {
        MailKind::Finalized => match document.kind {
            InvoiceKind::Invoice if due > Micros::ZERO => (
                format!("Invoice {number}"),
                format!(
                    "Invoice {number} comes to {total}. {} is to be paid by {due_at}.",
                    money(due)
                ),
            ),
            InvoiceKind::Invoice => (
                format!("Invoice {number}"),
                format!("Invoice {number} comes to {total}. Nothing is due."),
            ),
            InvoiceKind::Statement => (
                format!("Statement {number}"),
                format!("Statement {number} comes to {total}, which was paid beforehand."),
            ),
            InvoiceKind::CreditNote => (
                format!("Credit note {number}"),
                format!("Credit note {number} takes off {total}."),
            ),
        },
        MailKind::Reminder => (
            format!("Reminder of invoice {number}"),
            format!("Invoice {number} was to be paid by {due_at}. {} is due.", money(due)),
        ),
        MailKind::PaymentReceived => {
            let paid = money(Micros(row.amount_micros.unwrap_or_default()));
            let rest = match due {
                Micros::ZERO => "Nothing is due any more.".to_owned(),
                due => format!("{} is still due.", money(due)),
            };
            (
                format!("Payment received for invoice {number}"),
                format!("{paid} was paid of invoice {number}. {rest}"),
            )
        }
        MailKind::SendingSuspended => (
            format!("Sending is suspended: invoice {number} is overdue"),
            format!(
                "Invoice {number} was to be paid by {due_at} and {} is due. Messages are refused \
                 until every overdue invoice is paid.",
                money(due)
            ),
        ),
    };
    let issuer = queries::issuer(document)?.into_iter().next().unwrap_or_default();
    Ok((subject, format!("{text}\n\n{issuer}\n")))
}
