//! What the operator does with invoices.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::invoice::Model;

use super::Invoice;
use super::refusals::{
    AddInvoiceLineError, CreateCreditNoteError, CreateInvoiceError, DiscardInvoiceError,
    ExtendInvoiceError, FinalizeInvoiceError, MarkUncollectibleError, PayInvoiceError,
    RecordPaymentError, RecordWithholdingError, RemoveInvoiceLineError, VoidInvoiceError,
};
use crate::billing::invoices::{
    self, CreateInvoiceRejection, NewCreditNote, NewLine, OutsidePayment, Withheld,
};
use crate::error::Error;
use crate::graphql::call;
use crate::graphql::errors::{Answer, value_or_rejection};
use crate::graphql::ids::{parse_id, show_id};
use crate::graphql::scalars::{DateTime, Decimal};
use crate::types::money::Micros;

/// Declares a payload of an invoice or an error, made of what a command answered.
macro_rules! invoice_payload {
    ($(#[$doc:meta])* $payload:ident, $(#[$field_doc:meta])* $field:ident, $error:ident) => {
        $(#[$doc])*
        #[derive(SimpleObject)]
        pub struct $payload {
            $(#[$field_doc])*
            $field: Option<Invoice>,
            /// Why not; empty if it was.
            user_errors: Vec<$error>,
        }

        impl $payload {
            fn of<R>(outcome: Result<Model, Error<R>>) -> Answer<Self>
            where
                $error: From<R>,
            {
                Ok(match value_or_rejection(outcome)? {
                    Ok(row) => Self { $field: Some(Invoice(row)), user_errors: Vec::new() },
                    Err(rejection) => Self { $field: None, user_errors: vec![rejection.into()] },
                })
            }
        }
    };
}

invoice_payload! {
    /// What `createInvoice` answers.
    CreateInvoicePayload,
    /// The draft; null if it was not made.
    invoice, CreateInvoiceError
}
invoice_payload! {
    /// What `addInvoiceLine` answers.
    AddInvoiceLinePayload,
    /// The draft with the line; null if it was not added.
    invoice, AddInvoiceLineError
}
invoice_payload! {
    /// What `removeInvoiceLine` answers.
    RemoveInvoiceLinePayload,
    /// The draft without the line; null if it was not removed.
    invoice, RemoveInvoiceLineError
}
invoice_payload! {
    /// What `finalizeInvoice` answers.
    FinalizeInvoicePayload,
    /// The invoice as it is now; null if it was not finalized.
    invoice, FinalizeInvoiceError
}
invoice_payload! {
    /// What `voidInvoice` answers.
    VoidInvoicePayload,
    /// The invoice as it is now; null if it was not made void.
    invoice, VoidInvoiceError
}
invoice_payload! {
    /// What `markUncollectible` answers.
    MarkUncollectiblePayload,
    /// The invoice as it is now; null if it was not given up.
    invoice, MarkUncollectibleError
}
invoice_payload! {
    /// What `extendInvoice` answers.
    ExtendInvoicePayload,
    /// The invoice as it is now; null if it was not given more time.
    invoice, ExtendInvoiceError
}
invoice_payload! {
    /// What `createCreditNote` answers.
    CreateCreditNotePayload,
    /// The credit note; null if it was not made.
    credit_note, CreateCreditNoteError
}
invoice_payload! {
    /// What `recordWithholding` answers.
    RecordWithholdingPayload,
    /// The invoice as it is now; null if nothing was recorded.
    invoice, RecordWithholdingError
}
invoice_payload! {
    /// What `recordPayment` answers.
    RecordPaymentPayload,
    /// The invoice as it is now; null if the payment was not recorded.
    invoice, RecordPaymentError
}

invoice_payload! {
    /// What `payInvoice` answers.
    PayInvoicePayload,
    /// The invoice as it is now; null if it was not paid.
    invoice, PayInvoiceError
}

/// What `createInvoice` takes.
#[derive(InputObject, Debug)]
pub struct CreateInvoiceInput {
    /// The account, `acct_…`.
    pub account_id: ID,
    /// The month whose messages are taken into it when it is finalized; absent or null: none.
    pub month: Option<InvoiceMonthInput>,
}

/// A month of the calendar, in UTC.
#[derive(InputObject, Debug)]
pub struct InvoiceMonthInput {
    /// The year, 1970 to 9999.
    pub year: i32,
    /// The month, 1 to 12.
    pub month: i32,
}

/// What `addInvoiceLine` takes.
#[derive(InputObject, Debug)]
pub struct AddInvoiceLineInput {
    /// The draft, `inv_…`.
    pub invoice_id: ID,
    /// What the line says: 1 to 500 characters.
    pub description: String,
    /// How many; absent or null: one.
    pub quantity: Option<Decimal>,
    /// What all of them come to, in whole minor units of the draft's currency; negative: a discount.
    pub amount: Decimal,
}

/// What `removeInvoiceLine` takes.
#[derive(InputObject, Debug)]
pub struct RemoveInvoiceLineInput {
    /// The draft, `inv_…`.
    pub invoice_id: ID,
    /// The line's number.
    pub number: i32,
}

/// What `finalizeInvoice` takes.
#[derive(InputObject, Debug)]
pub struct FinalizeInvoiceInput {
    /// The draft, `inv_…`.
    pub invoice_id: ID,
}

/// What `voidInvoice` takes.
#[derive(InputObject, Debug)]
pub struct VoidInvoiceInput {
    /// The invoice, `inv_…`.
    pub invoice_id: ID,
    /// Why, for the account to read: 1 to 500 characters.
    pub reason: String,
}

/// What `markUncollectible` takes.
#[derive(InputObject, Debug)]
pub struct MarkUncollectibleInput {
    /// The invoice, `inv_…`.
    pub invoice_id: ID,
}

/// What `extendInvoice` takes.
#[derive(InputObject, Debug)]
pub struct ExtendInvoiceInput {
    /// The invoice, `inv_…`.
    pub invoice_id: ID,
    /// When it is to be paid now: in the future, after it was due before, at most 366 days ahead.
    pub due_at: DateTime,
}

/// What `discardInvoice` takes.
#[derive(InputObject, Debug)]
pub struct DiscardInvoiceInput {
    /// The draft, `inv_…`.
    pub invoice_id: ID,
}

/// What `discardInvoice` answers.
#[derive(SimpleObject)]
pub struct DiscardInvoicePayload {
    /// The id of the draft that is no more; null if it was not discarded.
    deleted_invoice_id: Option<ID>,
    /// Why not; empty if it was.
    user_errors: Vec<DiscardInvoiceError>,
}

/// What `createCreditNote` takes.
#[derive(InputObject, Debug)]
pub struct CreateCreditNoteInput {
    /// The invoice that it corrects, `inv_…`.
    pub invoice_id: ID,
    /// Why, for the account to read: 1 to 500 characters.
    pub reason: String,
    /// What is taken off; 1 to 100 lines.
    pub lines: Vec<CreditNoteLineInput>,
    /// Chosen by the caller, 1 to 100 characters: the same key makes one credit note.
    pub idempotency_key: String,
}

/// A line of a credit note.
#[derive(InputObject, Debug)]
pub struct CreditNoteLineInput {
    /// What the line says: 1 to 500 characters.
    pub description: String,
    /// How much, before taxes: above zero, in whole minor units of the invoice's currency.
    pub amount: Decimal,
}

/// What `recordPayment` takes.
#[derive(InputObject, Debug)]
pub struct RecordPaymentInput {
    /// The invoice that it pays, `inv_…`.
    pub invoice_id: ID,
    /// How much came: above zero, in whole minor units of the invoice's currency. What is more than
    /// is due stays the account's credit.
    pub amount: Decimal,
    /// The bank's or the operator's own reference: 1 to 200 characters.
    pub reference: String,
    /// Chosen by the caller, 1 to 100 characters: the same key records one payment.
    pub idempotency_key: String,
}

/// What `payInvoice` takes.
#[derive(InputObject, Debug)]
pub struct PayInvoiceInput {
    /// The invoice, `inv_…`.
    pub invoice_id: ID,
    /// Chosen by the caller, 1 to 100 characters: the same key pays once.
    pub idempotency_key: String,
}

/// What `recordWithholding` takes.
#[derive(InputObject, Debug)]
pub struct RecordWithholdingInput {
    /// The invoice that it was withheld from, `inv_…`.
    pub invoice_id: ID,
    /// How much: above zero, at most what is due, in whole minor units of the invoice's currency.
    pub amount: Decimal,
    /// The number of the authority's certificate or receipt: 1 to 100 characters.
    pub certificate_number: Option<String>,
    /// When it was withheld: after the invoice was finalized, not in the future; absent or null: now.
    pub withheld_at: Option<DateTime>,
    /// Chosen by the caller, 1 to 100 characters: the same key records it once.
    pub idempotency_key: String,
}

/// Writes.
#[derive(Default)]
pub struct InvoicesMutation;

#[Object]
impl InvoicesMutation {
    /// Makes a draft for an account. For the operator's owners, admins and billing. Not idempotent,
    /// but that a month has one invoice that is not void.
    async fn create_invoice(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "For whom.")] input: CreateInvoiceInput,
    ) -> Answer<CreateInvoicePayload> {
        let account_id = parse_id(&input.account_id)?;
        let month = input.month.map(|month| (month.year, month.month));
        let outcome: Result<_, Error<CreateInvoiceRejection>> =
            invoices::create(call(context)?, account_id, month).await;
        CreateInvoicePayload::of(outcome)
    }

    /// Adds a line to a draft. For the operator's owners, admins and billing. Not idempotent.
    async fn add_invoice_line(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Where, and what.")] input: AddInvoiceLineInput,
    ) -> Answer<AddInvoiceLinePayload> {
        let line = NewLine {
            description: input.description,
            quantity: input.quantity.map_or(Micros(1_000_000), |quantity| quantity.0),
            amount: input.amount.0,
        };
        let id = parse_id(&input.invoice_id)?;
        AddInvoiceLinePayload::of(invoices::add_line(call(context)?, id, line).await)
    }

    /// Removes a line from a draft. For the operator's owners, admins and billing. Not idempotent: a
    /// second time the line is not there.
    async fn remove_invoice_line(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which line.")] input: RemoveInvoiceLineInput,
    ) -> Answer<RemoveInvoiceLinePayload> {
        let id = parse_id(&input.invoice_id)?;
        let outcome = invoices::remove_line(call(context)?, id, input.number).await;
        RemoveInvoiceLinePayload::of(outcome)
    }

    /// Finalizes a draft: it gets its month's messages, taxes, number and due date, and its lines and
    /// totals never change again. The drafts and missing invoices of a month are finalized without
    /// being asked an hour after its end. For the operator's owners, admins and billing. Idempotent.
    async fn finalize_invoice(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which draft.")] input: FinalizeInvoiceInput,
    ) -> Answer<FinalizeInvoicePayload> {
        let id = parse_id(&input.invoice_id)?;
        FinalizeInvoicePayload::of(invoices::finalize(call(context)?, id).await)
    }

    /// Makes an invoice void of which nothing was paid or credited, and takes back what it added to
    /// the account's debt: lines of the operator's own, rounding and taxes. Messages stay charged;
    /// their month may get another invoice. For the operator's owners, admins and billing.
    /// Idempotent.
    async fn void_invoice(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which invoice, and why.")] input: VoidInvoiceInput,
    ) -> Answer<VoidInvoicePayload> {
        let id = parse_id(&input.invoice_id)?;
        VoidInvoicePayload::of(invoices::void(call(context)?, id, &input.reason).await)
    }

    /// Gives an invoice up. The debt stays in the account's balance, and it can still be paid. For the
    /// operator's owners, admins and billing. Idempotent.
    async fn mark_uncollectible(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which invoice.")] input: MarkUncollectibleInput,
    ) -> Answer<MarkUncollectiblePayload> {
        let id = parse_id(&input.invoice_id)?;
        MarkUncollectiblePayload::of(invoices::mark_uncollectible(call(context)?, id).await)
    }

    /// Gives an open invoice more time: it is overdue no more, reminders begin anew after the new due
    /// time, and its account may send if nothing else is overdue. For the operator's owners, admins
    /// and billing. Idempotent.
    async fn extend_invoice(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which invoice, and until when.")] input: ExtendInvoiceInput,
    ) -> Answer<ExtendInvoicePayload> {
        let id = parse_id(&input.invoice_id)?;
        ExtendInvoicePayload::of(invoices::extend(call(context)?, id, input.due_at.0).await)
    }

    /// Removes a draft with its lines. Its month can have another, and is invoiced in any case. For
    /// the operator's owners, admins and billing. Not idempotent: a second time there is no such
    /// invoice.
    async fn discard_invoice(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which draft.")] input: DiscardInvoiceInput,
    ) -> Answer<DiscardInvoicePayload> {
        let id = parse_id(&input.invoice_id)?;
        let outcome = invoices::discard(call(context)?, id).await;
        Ok(match value_or_rejection(outcome)? {
            Ok(()) => DiscardInvoicePayload {
                deleted_invoice_id: Some(show_id(id)),
                user_errors: Vec::new(),
            },
            Err(rejection) => DiscardInvoicePayload {
                deleted_invoice_id: None,
                user_errors: vec![rejection.into()],
            },
        })
    }

    /// Takes an amount off a finalized invoice, with its part of each tax: what was not paid is due
    /// no more, the rest is the account's credit. For the operator's owners, admins and billing.
    /// Idempotent by its key.
    async fn create_credit_note(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of which invoice, and what.")] input: CreateCreditNoteInput,
    ) -> Answer<CreateCreditNotePayload> {
        let lines = input.lines.into_iter().map(|line| (line.description, line.amount.0));
        let new = NewCreditNote {
            invoice_id: parse_id(&input.invoice_id)?,
            reason: input.reason,
            lines: lines.collect(),
            idempotency_key: input.idempotency_key,
        };
        CreateCreditNotePayload::of(invoices::create_credit_note(call(context)?, new).await)
    }

    /// Records tax that an account withheld from what it paid and paid to the authority: it pays its
    /// part of the invoice. For the operator's owners, admins and billing. Idempotent by its key.
    async fn record_withholding(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "From which invoice, and how much.")] input: RecordWithholdingInput,
    ) -> Answer<RecordWithholdingPayload> {
        let withheld = Withheld {
            invoice_id: parse_id(&input.invoice_id)?,
            amount: input.amount.0,
            certificate_number: input.certificate_number,
            withheld_at: input.withheld_at.map(|time| time.0),
            idempotency_key: input.idempotency_key,
        };
        let outcome = invoices::record_withholding(call(context)?, withheld).await;
        RecordWithholdingPayload::of(outcome)
    }

    /// Records a payment that came by another way than a processor, such as a bank transfer, and lets
    /// it pay an invoice. For the operator's owners, admins and billing. Idempotent by its key.
    async fn record_payment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of which invoice, and how much.")] input: RecordPaymentInput,
    ) -> Answer<RecordPaymentPayload> {
        let payment = OutsidePayment {
            invoice_id: parse_id(&input.invoice_id)?,
            amount: input.amount.0,
            reference: input.reference,
            idempotency_key: input.idempotency_key,
        };
        RecordPaymentPayload::of(invoices::record_payment(call(context)?, payment).await)
    }

    /// Pays all that is due of an invoice with the account's credit: what it has that no message and
    /// no other invoice takes. Its balance already has the invoice taken off, and stays as it is. For
    /// the account's owners, admins and billing. Idempotent by its key.
    async fn pay_invoice(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Which invoice.")] input: PayInvoiceInput,
    ) -> Answer<PayInvoicePayload> {
        let id = parse_id(&input.invoice_id)?;
        let outcome = invoices::pay(call(context)?, id, &input.idempotency_key).await;
        PayInvoicePayload::of(outcome)
    }
}
