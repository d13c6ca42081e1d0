//! Invoices: what messages of a month, further lines and taxes come to, and what was paid of it.
//!
//! - A document is changed as long as it is a draft. Finalizing gives it a number, freezes lines,
//!   taxes and totals, and posts what the ledger does not have yet: messages were charged when
//!   carriers took them. What was wrong is corrected by a credit note.
//! - Numbers have no gaps within an account and kind: the counter's row is locked by the transaction
//!   that finalizes, and is rolled back with it.
//! - The lines of messages, plans and packages are the ledger's own amounts, those of messages added
//!   up from the usage of its days; what rounding them to the minor unit makes is a line and a
//!   transfer of its own.
//! - A payment pays of an invoice what was collected of it and did not go back. An invoice whose
//!   payment is refunded or disputed is open again.
//! - What is not paid in time is reminded of, and suspends its account's sending in the end; credit
//!   that the account has pays invoices as they are finalized.
//! - Rows are locked in this order: invoice → wallet → event counter.
//!
//! Not here: how payments come in (`payments`), and the contract (`graphql::invoices`).

mod certificate;
mod charges;
mod credit;
mod credit_note;
mod draft;
mod events;
mod extend;
mod finalize;
mod mail;
mod model;
mod monthly;
mod pay;
mod payment;
mod pdf;
mod postings;
mod profile;
mod queries;
mod reminders;
mod settle;
mod store;
mod suspension;
mod tax_rates;
mod withholding;

pub use certificate::{
    CERTIFICATE_LINES_MAX, Certificate, CertificateLine, Certified, certificate, certificate_pdf,
};
pub use credit_note::{
    CREDIT_NOTE_LINES_MAX, CreditRejection, NewCreditNote, REQUEST_KEY_CHARS_MAX,
    create_credit_note,
};
pub use draft::{
    AddLineRejection, CreateInvoiceRejection, DiscardRejection, ITEMS_MAX, NewLine,
    RemoveLineRejection, add_line, create, discard, remove_line,
};
pub use events::follow;
pub use extend::{EXTENSION_DAYS_MAX, ExtendRejection, extend};
pub use finalize::{FinalizeRejection, finalize};
pub use mail::{deliver as deliver_mail, mails};
pub use model::{Month, is_payable, may_become, share, tax};
pub use monthly::{make_monthly, mark_overdue};
pub use pay::{PayRejection, pay};
pub use payment::{Allocation, OutsidePayment, RecordPaymentRejection, allocate, record_payment};
pub use pdf::{PDF_LINES_MAX, Pdf, pdf};
pub use profile::{Profile, ProfileRejection, TAX_IDS_MAX, TaxId, profile, set_profile};
pub use queries::{
    InvoiceFilter, LINES_PAGE_MAX, bill_to, count, count_all, credit_notes, find, find_many,
    issuer, lines, page, page_all, payments, taxes,
};
pub use reminders::{remind, reminders};
pub use settle::{
    REASON_CHARS_MAX, UncollectibleRejection, VoidRejection, mark_uncollectible, void,
};
pub use store::due;
pub use suspension::suspend_overdue;
pub use tax_rates::{
    ArchiveTaxRateRejection, CreateTaxRateRejection, NewTaxRate, SetAccountTaxRatesRejection,
    TAX_RATES_MAX, TAXES_PER_INVOICE_MAX, archive_tax_rate, create_tax_rate, find_tax_rate,
    percentage, set_account_tax_rates, tax_rates,
};
pub use withholding::{RecordWithholdingRejection, Withheld, record_withholding};
