//! Payments through processors: what their webhooks prove, and what follows from it.
//!
//! A webhook comes in by the [`Inbox`], is kept as facts, and answered; a job [`fold`]s facts into
//! payments, transfers and events. [`start_top_up`], [`start_invoice_payment`] and [`refund`] call the processor; sweeps ask
//! it for what its webhooks did not tell.
//!
//! A webhook's bytes are a [`RawBody`](raw_body::RawBody). [`receive`](processor::receive) consumes
//! it: its signature is checked over the raw bytes, then it is projected to [`facts`], a closed set
//! of ids, amounts, currencies, choices and times. Nothing else of it is kept, shown or logged.
//!
//! What holds:
//!
//! - Nothing is parsed before its signature was found good.
//! - No free text leaves the projection, and no id that reads as a card number.
//! - Facts merge in any order and any number of times to the same result, so neither the order of
//!   webhooks nor their repetition matters; the status is computed from the merged facts.
//! - What came unsigned, or with a token that never changes, is a hint: [`ask_hints`] asks the
//!   processor, and only its answer is credited.

mod api;
mod automatic;
mod books;
mod commands;
mod endpoints;
pub mod facts;
mod fold;
mod hints;
mod inbox;
mod methods;
pub mod mpesa;
mod opening;
pub mod paymongo;
pub mod paystack;
pub mod processor;
mod queries;
pub mod raw_body;
mod reconciliation;
mod start;
pub mod stripe;
mod sweeps;
pub mod xendit;

mod document;
mod signature;

pub use automatic::{
    AutomaticTopUpRejection, NewAutomaticTopUp, NotSetUp, automatic_top_up,
    disable_automatic_top_up, set_automatic_top_up, top_up_accounts,
};
pub use commands::{
    IDEMPOTENCY_KEY_CHARS_MAX, NewRefund, RefundRejection, RetryRejection, refund, retry_webhook,
};
pub use endpoints::{
    BASE_URL_CHARS_MAX, NewProcessor, PROCESSORS_MAX, ProcessorRejection, SECRET_CHARS_MAX,
    add_processor, path, processor, processors, rotate_secret,
};
pub use fold::{fold, settle_unmatched};
pub use hints::ask_hints;
pub use inbox::{Inbox, Post, Reception, Writer};
pub use methods::{
    METHODS_MAX, Method, RemoveMethodRejection, detach_removed, method, methods, remove_method,
};
pub use queries::{count_payments, count_webhooks, facts, payment, payments, webhook, webhooks};
pub use reconciliation::{
    DIFFERENCES_MAX, ReportFilter, count_reports, differences, reconcile, report, reports,
};
pub use start::{
    InvoicePaymentRejection, NewInvoicePayment, NewTopUp, StartedPayment, TOP_UP_MICROS_MAX,
    TopUpRejection, start_invoice_payment, start_top_up,
};
pub use sweeps::{poll_payments, purge_inbox, sweep_events};
