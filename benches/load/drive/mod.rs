//! The client side: prepared calls of `sendMessages`, a subscriber that reads as little as it can,
//! and what both saw; Stripe's webhooks. It shares the machine with what it measures, so it is kept cheap.

pub mod api;
mod calls;
pub mod hooks;
pub mod journal;
pub mod record;
pub mod stream;
pub mod stripe;

use std::time::Duration;

pub use calls::{Batch, Plan, Texts, number_of};

/// A call that takes longer has failed; the server gives an operation 10 s.
const CALL_TIME_MAX: Duration = Duration::from_secs(30);

/// A client that keeps its connections.
pub fn http_client() -> reqwest::Client {
    let builder = reqwest::Client::builder().timeout(CALL_TIME_MAX).tcp_nodelay(true).no_proxy();
    builder.build().expect("the options of the client fit together")
}

/// A client for a stream, which has no end.
pub fn stream_client() -> reqwest::Client {
    let builder = reqwest::Client::builder().tcp_nodelay(true).no_proxy();
    builder.build().expect("the options of the client fit together")
}

/// Microseconds since 1970 by the machine's clock, which the SMSC's journal is written by as well.
pub fn unix_us() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.expect("the clock is past 1970").as_micros()).expect("not past the year 5000")
}
