//! Invoices in the contract. Behaviour: `crate::billing::invoices`.

/// The yearly certificate of withholding tax.
pub mod certificate;
/// Drafts, and what becomes of invoices.
pub mod mutations;
/// What invoices are made of, and what becomes of them.
pub mod parts;
/// What the mutations refuse.
pub mod refusals;
/// To whom invoices are made out, and taxes.
pub mod taxes;

use async_graphql::{Context, Enum, ID, InputObject, Object};
use entity::enums;
use entity::ids::InvoiceId;
use entity::invoice::Model;

pub use self::certificate::CertificatesQuery;
pub use self::mutations::InvoicesMutation;
use self::parts::{InvoiceEmail, InvoiceLine, InvoicePayment, InvoiceReminder, InvoiceTax};
pub use self::taxes::{BillingProfile, TaxKind, TaxRate, TaxesMutation, TaxesQuery};
use super::call;
use super::connection::{Connection, PageArguments, cost, wants_total_count};
use super::errors::Answer;
use super::identity::Account;
use super::ids::{parse_id, show_id};
use super::loaders::{AccountRow, InvoiceRow, InvoiceTaxes, load};
use super::scalars::{CurrencyCode, Cursor, DateTime, Decimal};
use crate::billing::invoices::{self, LINES_PAGE_MAX, Month};
use crate::error::Failed;
use crate::types::cursor::CursorKind;
use crate::types::money::Micros;

/// Which document it is. Each has a series of numbers of its own.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::InvoiceKind")]
pub enum InvoiceKind {
    /// What an account has to pay.
    Invoice,
    /// What a month cost that was paid beforehand: nothing is due.
    Statement,
    /// What is taken off an invoice.
    CreditNote,
}

/// Where an invoice stands: `DRAFT` → `OPEN` → `PAID`, `VOID` or `UNCOLLECTIBLE`; from
/// `UNCOLLECTIBLE` still to `PAID` or `VOID`, and from `PAID` back to `OPEN` when a payment goes back. Statements and credit notes are `PAID` at once.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::InvoiceStatus")]
pub enum InvoiceStatus {
    /// It can be changed, and has no number yet. Only the operator's staff sees it.
    Draft,
    /// It is to be paid.
    Open,
    /// Nothing is due any more.
    Paid,
    /// It does not count: it was a mistake.
    Void,
    /// Nobody expects to see the money. It can still be paid.
    Uncollectible,
}

/// An invoice, statement or credit note.
#[derive(Clone, Debug)]
pub struct Invoice(pub Model);

/// An invoice, a statement or a credit note. What was finalized never changes but for what is paid
/// and credited of it. Read by owners, admins, developers, billing, keys with the scope
/// `billing:read`, and the operator's owners, admins and billing.
#[Object]
impl Invoice {
    /// The document's id, `inv_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Whose it is.
    async fn account(&self, context: &Context<'_>) -> Answer<Option<Account>> {
        Ok(load(context, AccountRow(self.0.account_id)).await?.map(Account))
    }

    /// Its number, without gaps in its account and kind; null for a draft.
    async fn number(&self) -> Option<&str> {
        self.0.number.as_deref()
    }

    /// Which document it is.
    async fn kind(&self) -> InvoiceKind {
        self.0.kind.into()
    }

    /// Where it stands.
    async fn status(&self) -> InvoiceStatus {
        self.0.status.into()
    }

    /// What all its amounts are in.
    async fn currency(&self) -> Answer<CurrencyCode> {
        Ok(CurrencyCode(self.0.currency.parse().map_err(Failed::internal)?))
    }

    /// When the month begins whose messages it lists, in UTC; null if it lists none of a month.
    async fn period_from(&self) -> Option<DateTime> {
        self.0.month.map(|month| Month::from_stored(month).begins_at().into())
    }

    /// When that month is over.
    async fn period_before(&self) -> Option<DateTime> {
        self.0.month.map(|month| Month::from_stored(month).next().begins_at().into())
    }

    /// The sum of its lines; of a draft: of those that the operator wrote.
    async fn subtotal(&self) -> Decimal {
        Decimal(Micros(self.0.subtotal_micros))
    }

    /// The sum of its taxes.
    async fn tax(&self) -> Decimal {
        Decimal(Micros(self.0.tax_micros))
    }

    /// Lines and taxes.
    async fn total(&self) -> Decimal {
        Decimal(Micros(self.0.total_micros))
    }

    /// What payments paid of it.
    async fn amount_paid(&self) -> Decimal {
        Decimal(Micros(self.0.paid_micros))
    }

    /// What credit notes took off it, with taxes.
    async fn amount_credited(&self) -> Decimal {
        Decimal(Micros(self.0.credited_micros))
    }

    /// What is still to be paid.
    async fn amount_due(&self) -> Decimal {
        Decimal(invoices::due(&self.0))
    }

    /// Its lines after a number, in their order; at most 100.
    #[graphql(complexity = "cost(first, None).saturating_mul(child_complexity)")]
    async fn lines(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How many, 0 to 100. Default 50.")] first: Option<i32>,
        #[graphql(desc = "Only those with a higher number; absent or null: from the first.")]
        after_number: Option<i32>,
    ) -> Answer<Vec<InvoiceLine>> {
        let first =
            u64::try_from(first.unwrap_or(50)).ok().filter(|first| *first <= LINES_PAGE_MAX);
        let first = first.ok_or_else(|| {
            Failed::BadRequest(format!("first must be from 0 to {LINES_PAGE_MAX}"))
        })?;
        let after = after_number.unwrap_or_default();
        let lines = invoices::lines(call(context)?, &self.0, after, first).await?;
        Ok(lines.into_iter().map(InvoiceLine).collect())
    }

    /// Its taxes, each on all lines; at most 5.
    async fn taxes(&self, context: &Context<'_>) -> Answer<Vec<InvoiceTax>> {
        let found = load(context, InvoiceTaxes(self.0.account_id, self.0.id)).await?;
        Ok(found.unwrap_or_default().into_iter().map(InvoiceTax).collect())
    }

    /// Who made it out, line by line, as that was when it was finalized; at most 11 lines.
    async fn issuer(&self) -> Answer<Vec<String>> {
        Ok(invoices::issuer(&self.0)?)
    }

    /// To whom it is made out, as that was when it was finalized; null if it had not been set.
    async fn bill_to(&self) -> Answer<Option<BillingProfile>> {
        Ok(invoices::bill_to(&self.0)?.map(Into::into))
    }

    /// What payments paid of it, oldest first; at most 100.
    #[graphql(complexity = "10 + child_complexity")]
    async fn payments(&self, context: &Context<'_>) -> Answer<Vec<InvoicePayment>> {
        let payments = invoices::payments(call(context)?, &self.0).await?;
        Ok(payments.into_iter().map(Into::into).collect())
    }

    /// The reminders of it, oldest first; at most 100.
    #[graphql(complexity = "10 + child_complexity")]
    async fn reminders(&self, context: &Context<'_>) -> Answer<Vec<InvoiceReminder>> {
        let reminders = invoices::reminders(call(context)?, &self.0).await?;
        Ok(reminders.into_iter().map(Into::into).collect())
    }

    /// What was told of it by e-mail or is to be, oldest first; at most 100.
    #[graphql(complexity = "10 + child_complexity")]
    async fn emails(&self, context: &Context<'_>) -> Answer<Vec<InvoiceEmail>> {
        let mails = invoices::mails(call(context)?, &self.0).await?;
        Ok(mails.into_iter().map(Into::into).collect())
    }

    /// Its credit notes, oldest first; at most 100.
    #[graphql(complexity = "cost(None, None).saturating_mul(child_complexity)")]
    async fn credit_notes(&self, context: &Context<'_>) -> Answer<Vec<Invoice>> {
        let notes = invoices::credit_notes(call(context)?, &self.0).await?;
        Ok(notes.into_iter().map(Invoice).collect())
    }

    /// The invoice that this credit note corrects; null for other documents.
    async fn corrects(&self, context: &Context<'_>) -> Answer<Option<Invoice>> {
        match self.0.invoice_id {
            Some(id) => Invoice::load(context, id).await,
            None => Ok(None),
        }
    }

    /// Why it was made (credit notes) or made void; null otherwise.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Where it is to be had as a PDF, by a request with the same `Authorization`; null for a draft.
    /// A PDF lists the first 1,000 lines, and the sum of the others.
    async fn pdf_url(&self, context: &Context<'_>) -> Answer<Option<String>> {
        if self.0.number.is_none() {
            return Ok(None);
        }
        let url = call(context)?.settings.public_url();
        Ok(Some(format!("{url}/invoices/{}/pdf", self.0.id)))
    }

    /// When it is to be paid; null if nothing was due.
    async fn due_at(&self) -> Option<DateTime> {
        self.0.due_at_ms.map(Into::into)
    }

    /// When it was found not to be paid in time; null if it was not.
    async fn overdue_at(&self) -> Option<DateTime> {
        self.0.overdue_at_ms.map(Into::into)
    }

    /// When it was finalized; null for a draft.
    async fn finalized_at(&self) -> Option<DateTime> {
        self.0.finalized_at_ms.map(Into::into)
    }

    /// When it was paid, made void or given up; null before.
    async fn ended_at(&self) -> Option<DateTime> {
        self.0.ended_at_ms.map(Into::into)
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

impl Invoice {
    /// The document with this id, if the caller may see it.
    ///
    /// # Errors
    /// Not allowed, or the store's own.
    pub async fn load(context: &Context<'_>, id: InvoiceId) -> Answer<Option<Self>> {
        Ok(load(context, InvoiceRow(id)).await?.map(Self))
    }
}

/// Which documents are wanted. Conditions are joined by AND; an absent or null one does not matter.
#[derive(InputObject, Clone, Debug, Default)]
pub struct InvoiceFilter {
    /// Only those of this status.
    pub status: Option<InvoiceStatus>,
    /// Only those of this kind.
    pub kind: Option<InvoiceKind>,
    /// Only those of a month that begins at this time or later.
    pub period_from: Option<DateTime>,
    /// Only those of a month that begins before this time.
    pub period_before: Option<DateTime>,
    /// Only those of this account, `acct_…`. Others' than the caller's own are seen in `allInvoices`
    /// alone.
    pub account_id: Option<ID>,
}

impl InvoiceFilter {
    fn stored(self) -> Answer<invoices::InvoiceFilter> {
        Ok(invoices::InvoiceFilter {
            status: self.status.map(Into::into),
            kind: self.kind.map(Into::into),
            period_from: self.period_from.map(|time| time.0),
            period_before: self.period_before.map(|time| time.0),
            account_id: self.account_id.as_ref().map(parse_id).transpose()?,
        })
    }
}

/// Reads.
#[derive(Default)]
pub struct InvoicesQuery;

#[Object]
impl InvoicesQuery {
    /// The invoices, statements and credit notes of the caller's account, newest first. For owners,
    /// admins, developers, billing, and keys with the scope `billing:read`.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn invoices(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which ones; absent or null: all.")] filter: Option<InvoiceFilter>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Invoice>> {
        let ctx = call(context)?;
        let arguments = PageArguments { first, after, last, before };
        let request = arguments.request(CursorKind::Invoices)?;
        let filter = filter.unwrap_or_default().stored()?;
        let page = invoices::page(ctx, filter, &request).await?;
        let total = if wants_total_count(context) {
            Some(invoices::count(ctx, filter).await?)
        } else {
            None
        };
        let page = page.map(|row| (row.id, Invoice(row)));
        Ok(Connection::new(CursorKind::Invoices, page, total))
    }

    /// The invoices, statements and credit notes of all accounts with their drafts, newest first. For
    /// the operator's owners, admins and billing.
    #[graphql(complexity = "cost(first, last).saturating_mul(child_complexity)")]
    async fn all_invoices(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which ones; absent or null: all.")] filter: Option<InvoiceFilter>,
        #[graphql(desc = "How many from the start of the list, 0 to 100. Default 50.")]
        first: Option<i32>,
        #[graphql(desc = "Only those that follow this cursor.")] after: Option<Cursor>,
        #[graphql(desc = "How many from the end of the list, 0 to 100; not with `first`.")]
        last: Option<i32>,
        #[graphql(desc = "Only those that come before this cursor.")] before: Option<Cursor>,
    ) -> Answer<Connection<Invoice>> {
        let ctx = call(context)?;
        let arguments = PageArguments { first, after, last, before };
        let request = arguments.request(CursorKind::Invoices)?;
        let filter = filter.unwrap_or_default().stored()?;
        let page = invoices::page_all(ctx, filter, &request).await?;
        let total = if wants_total_count(context) {
            Some(invoices::count_all(ctx, filter).await?)
        } else {
            None
        };
        let page = page.map(|row| (row.id, Invoice(row)));
        Ok(Connection::new(CursorKind::Invoices, page, total))
    }

    /// The invoice, statement or credit note with this id; null if there is none that the caller may
    /// see. For owners, admins, developers, billing, keys with the scope `billing:read`, and the
    /// operator's owners, admins and billing.
    async fn invoice(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The document's id, `inv_…`.")] id: ID,
    ) -> Answer<Option<Invoice>> {
        Invoice::load(context, parse_id(&id)?).await
    }
}
