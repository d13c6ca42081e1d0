//! Payments on both stores: webhooks in, books out.

mod automatic;
mod books;
mod card_sweep;
mod contract;
mod hooks;
mod localstripe;
mod reconciliation;
mod requery;
mod invoices;
mod fake_stripe;
mod sweeps;
mod top_ups;
pub mod world;
