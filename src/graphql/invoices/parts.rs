//! What invoices are made of: lines and taxes; and what becomes of them: payments and reminders.

use async_graphql::{Enum, Object, SimpleObject};
use entity::enums;
use entity::{invoice_allocation, invoice_line, invoice_reminder, invoice_tax, mail};

use super::TaxKind;
use crate::billing::invoices;
use crate::graphql::messages::enums::MessageClass;
use crate::graphql::scalars::{DateTime, Decimal};
use crate::types::money::Micros;
use crate::types::price::PartPrice;

/// What a line is for.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::InvoiceLineKind")]
pub enum InvoiceLineKind {
    /// Messages to one country, of one class, at one price; the amount is exactly what the ledger
    /// took for them.
    Messages,
    /// What the operator wrote.
    Item,
    /// What rounding each line of messages, plans and packages to the currency's minor unit, half to
    /// even, adds or takes in all.
    Rounding,
    /// A month of a plan, taken from the balance when it began; the amount is the ledger's.
    Plan,
    /// A package that was bought, taken from the balance at once; or, below zero, what of its price
    /// was given back. The amount is the ledger's.
    Package,
}

/// A line of an invoice, statement or credit note.
pub struct InvoiceLine(pub invoice_line::Model);

/// A line of an invoice, statement or credit note.
#[Object]
impl InvoiceLine {
    /// Its number in the document, ascending. Give the last one as `afterNumber` to go on.
    async fn number(&self) -> i32 {
        self.0.number
    }

    /// What it is for.
    async fn kind(&self) -> InvoiceLineKind {
        self.0.kind.into()
    }

    /// What the operator wrote; the plan's name and the day on which its month began; the package's
    /// name; of messages that packages paid for, at a price of nothing: `paid by packages`. Null for
    /// other messages and rounding.
    async fn description(&self) -> Option<&str> {
        Some(self.0.description.as_str()).filter(|text| !text.is_empty())
    }

    /// Of messages: the recipients' country, two letters of ISO 3166-1; null where the numbering plan
    /// names none.
    async fn country(&self) -> Option<&str> {
        self.0.country.as_deref().filter(|country| !country.is_empty())
    }

    /// Of messages: their class; null otherwise.
    async fn class(&self) -> Option<MessageClass> {
        self.0.class.map(Into::into)
    }

    /// Of messages: the price of a part, exact, with up to nine decimals; null otherwise.
    async fn unit_price(&self) -> Option<String> {
        let price = self.0.unit_price_nanos.and_then(PartPrice::from_nanos);
        price.map(|price| price.to_string())
    }

    /// Of messages: how many; null otherwise.
    async fn messages(&self) -> Option<Decimal> {
        self.0.messages.map(|count| Decimal(Micros(count.saturating_mul(1_000_000))))
    }

    /// How many; of messages: parts.
    async fn quantity(&self) -> Decimal {
        Decimal(Micros(self.0.quantity_micros))
    }

    /// What it comes to, in the document's currency.
    async fn amount(&self) -> Decimal {
        Decimal(Micros(self.0.amount_micros))
    }
}

/// A tax of an invoice or credit note.
pub struct InvoiceTax(pub invoice_tax::Model);

/// A tax of an invoice or credit note, rounded once, half to even.
#[Object]
impl InvoiceTax {
    /// The tax's name when the document was finalized.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// How it is collected.
    async fn kind(&self) -> TaxKind {
        self.0.kind.into()
    }

    /// The tax's rate then, in percent.
    async fn percentage(&self) -> Decimal {
        Decimal(invoices::percentage(self.0.rate_millionths))
    }

    /// What it is a part of.
    async fn base(&self) -> Decimal {
        Decimal(Micros(self.0.base_micros))
    }

    /// What it comes to, in the document's currency.
    async fn amount(&self) -> Decimal {
        Decimal(Micros(self.0.amount_micros))
    }
}

/// What paid a part of an invoice.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::AllocationKind")]
pub enum InvoicePaymentKind {
    /// A payment.
    Payment,
    /// Credit that the account had when the invoice was finalized.
    Credit,
    /// Tax that the account withheld and paid to the authority.
    Withholding,
}

/// What one payment paid of an invoice.
#[derive(SimpleObject)]
pub struct InvoicePayment {
    /// What paid.
    kind: InvoicePaymentKind,
    /// How much of it went to the invoice.
    amount: Decimal,
    /// The bank's or the operator's own reference, of a payment that the operator recorded; of tax that
    /// was withheld, the number of the authority's certificate. Null for others.
    reference: Option<String>,
    /// When.
    created_at: DateTime,
}

impl From<invoice_allocation::Model> for InvoicePayment {
    fn from(row: invoice_allocation::Model) -> Self {
        Self {
            kind: row.kind.into(),
            amount: Decimal(Micros(row.amount_micros)),
            reference: row.reference,
            created_at: row.created_at_ms.into(),
        }
    }
}

/// A reminder of an invoice that was not paid in time.
#[derive(SimpleObject)]
pub struct InvoiceReminder {
    /// Which step of the schedule: how many days after `dueAt`.
    after_days: i32,
    /// When the invoice was due then.
    due_at: DateTime,
    /// When it was given.
    sent_at: DateTime,
}

impl From<invoice_reminder::Model> for InvoiceReminder {
    fn from(row: invoice_reminder::Model) -> Self {
        Self {
            after_days: row.after_days,
            due_at: row.due_at_ms.into(),
            sent_at: row.sent_at_ms.into(),
        }
    }
}

/// What an e-mail about an invoice tells.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::MailKind")]
pub enum InvoiceEmailKind {
    /// The document was finalized; with the PDF.
    Finalized,
    /// It was not paid in time; with the PDF.
    Reminder,
    /// A part of it was paid, or all.
    PaymentReceived,
    /// The account may not send until it has paid; with the PDF.
    SendingSuspended,
}

/// Where an e-mail stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::MailState")]
pub enum InvoiceEmailState {
    /// It is to be sent.
    Pending,
    /// A mail server took it.
    Sent,
    /// It was not sent, and is not tried any more: `fault` says why.
    GivenUp,
}

/// An e-mail about an invoice.
#[derive(SimpleObject)]
pub struct InvoiceEmail {
    /// What it tells.
    kind: InvoiceEmailKind,
    /// Where it stands.
    state: InvoiceEmailState,
    /// How often it was tried.
    attempts: i32,
    /// Why the last try failed; null if it did not.
    fault: Option<String>,
    /// When what it tells happened.
    created_at: DateTime,
    /// When it was sent or given up; null before.
    ended_at: Option<DateTime>,
}

impl From<mail::Model> for InvoiceEmail {
    fn from(row: mail::Model) -> Self {
        Self {
            kind: row.kind.into(),
            state: row.state.into(),
            attempts: row.attempts,
            fault: row.fault,
            created_at: row.created_at_ms.into(),
            ended_at: row.ended_at_ms.map(Into::into),
        }
    }
}
