//! Money: what accounts have, owe and pay for messages.
//!
//! - A **wallet** is what an account has in one currency and purse; its row is the lock of its
//!   **journal**, a chain of **transfers** between **books** that balance. Nothing is ever changed
//!   or deleted in it, the store refuses; what was wrong is corrected by another transfer.
//! - Amounts of legs are credit-positive: the customer's book is what the customer has with us.
//! - `posted − held ≥ −credit limit` whenever something is held; the statement that holds checks.
//! - What a wallet has is the fold of its journal; what it holds is the sum of its messages' holds.
//!   The same holds for each granted package. [`verify`] recomputes them.
//!
//! Not here: payments (`payments`), and the contract (`graphql::billing`).

mod chain;
mod charging;
mod commands;
mod entries;
/// Invoices, statements and credit notes.
pub mod invoices;
mod ledger;
mod model;
/// Parts and credit that are bought beforehand and expire.
pub mod packages;
/// What accounts pay each month.
pub mod plans;
mod prices;
mod queries;
/// Lists of prices.
pub mod rate_cards;
mod usage;
mod verify;
/// Codes that are worth an amount.
pub mod vouchers;

pub use charging::{
    Charge, RETURNING_CHARGE, available_locked, day_of, hold, parts_paid, read as read_charge,
    settle as settle_charges,
};
pub use commands::{CreditChange, SetCreditRejection, set_credit};
pub use entries::{EntriesOf, Entry, Whose, entries, entries_count, find_entry};
pub use ledger::post;
pub use model::{
    Balance, Book, DETAIL_CHARS_MAX, Journal, KEY_CHARS_MAX, Leg, NewTransfer, Posted, Unit,
    Unpostable, fold,
};
pub use prices::{PriceTable, Prices};
pub use queries::{Terms, available, balance, balance_of_account, terms};
pub use usage::{DAYS_MAX, Dimension, GROUPS_MAX, Usage, UsageKey, UsageQuestion, UsageSum, usage};
pub use verify::{Fault, Verified, verify};
