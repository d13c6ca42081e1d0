//! What is told of invoices by e-mail.
//!
//! A row of `mail` is written by the transaction that makes the news, and says what it is about;
//! [`deliver`] sends it later. The row's key is what it tells, so that nothing is told twice by two
//! rows; a message may still be sent twice, if the node ends between sending it and noting that, and
//! then both have the same Message-ID. Neither text nor address is stored.

mod compose;
mod deliver;

pub use deliver::{deliver, mails};
use entity::enums::{MailKind, MailState};
use entity::ids::{AccountId, InvoiceId};
use entity::time::UnixMillis;
use entity::{invoice, mail};
use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait, IntoActiveModel};

use crate::db::Tx;
use crate::types::money::Micros;

/// News to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewMail {
    /// To whose people.
    pub(super) account_id: AccountId,
    /// About which document.
    pub(super) invoice_id: InvoiceId,
    /// What it tells.
    pub(super) kind: MailKind,
    /// What tells it apart from others of the kind about the document; at most 64 characters.
    pub(super) subject: String,
    /// Of a payment: how much of it went to the invoice.
    pub(super) amount: Option<Micros>,
}

impl NewMail {
    /// That a document was finalized.
    pub(super) fn finalized(row: &invoice::Model) -> Self {
        Self {
            account_id: row.account_id,
            invoice_id: row.id,
            kind: MailKind::Finalized,
            subject: String::new(),
            amount: None,
        }
    }
}

/// Writes that news are to be told; what was written before is left as it is.
pub(super) async fn enqueue(tx: &Tx, now: UnixMillis, news: Vec<NewMail>) -> Result<(), DbErr> {
    use mail::Column;
    if news.is_empty() {
        return Ok(());
    }
    let row = |new: NewMail| {
        let row = mail::Model {
            account_id: new.account_id,
            invoice_id: new.invoice_id,
            kind: new.kind,
            subject: new.subject,
            amount_micros: new.amount.map(|amount| amount.0),
            state: MailState::Pending,
            attempts: 0,
            next_at_ms: now,
            fault: None,
            created_at_ms: now,
            ended_at_ms: None,
        };
        row.into_active_model()
    };
    let key = [Column::AccountId, Column::InvoiceId, Column::Kind, Column::Subject];
    let insert = mail::Entity::insert_many(news.into_iter().map(row))
        .on_conflict(OnConflict::columns(key).do_nothing().to_owned());
    insert.exec_without_returning(&**tx).await?;
    Ok(())
}
