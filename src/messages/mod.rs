//! Messages: from acceptance to a truthful final status.
//!
//! Invariants:
//! - An accepted message is durable, and ends in a final status or in `UNKNOWN`.
//! - A row's status moves only by compare-and-set on its rank (`model`); what changes no row makes
//!   no event.
//! - `submitted_at_ms` is committed before the first octet of an attempt leaves, so a crash leaves
//!   no doubt about what may have left.
//! - Text is read and written by `text_store` alone, and lives nowhere else but in memory on its
//!   way to the carrier.
//! - Nothing here speaks to the network inside a transaction.
//!
//! `commands` (accept, estimate, cancel), `opt_out` (consent, and what it
//! stops), `campaigns` (what campaigns send, hold back and cancel), `answered` (which message a person answers), `auto_reply` (keywords from phones, and their answers), `queries`, `live` (the event log, inbound messages),
//! `dispatch` (the queue's way to the carriers and what comes back), `inbound_parts` (long messages
//! from phones), `sweeps` (what becomes due by
//! the clock).

mod accept;
mod answered;
pub mod auto_reply;
mod batch;
pub mod campaigns;
pub mod commands;
pub mod dispatch;
mod estimate;
mod idempotency;
mod inbound;
pub mod inbound_parts;
pub mod live;
pub mod model;
pub mod opt_out;
pub mod preferences;
pub mod queries;
pub mod quiet_hours;
pub mod retry;
mod store;
pub mod sweeps;
mod text_store;

pub use accept::{ItemError, ItemErrorCode, NewMessage};
pub use estimate::{Estimate, Estimates, estimate};
