//! The event log, append-only and dense per account, and the doorbell that wakes its readers.
//!
//! The log is the message timeline and the source of subscriptions. The doorbell carries no data
//! and may be lost: every waiter also looks by itself after [`POLL_INTERVAL`].

mod doorbell;
mod hub;
mod log;
mod notify;

use std::time::Duration;

pub use doorbell::{Doorbell, Topic};
pub use hub::{Hub, Subscription, SubscriptionError};
pub use log::{NewEvent, append, first_seq, last_seq, read_after, timeline};
pub use notify::connect_nodes;

/// How late a reader may be when a ring was lost.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);
