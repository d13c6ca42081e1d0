//! What the driver saw, and what follows from it.

use std::collections::HashMap;
use std::time::Duration;

use super::api::Accepted;

/// A status, as far as the driver tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Accepted, or returned to the queue.
    Queued,
    /// The carrier took it.
    Sent,
    /// It arrived.
    Delivered,
    /// It did not, for whatever reason; final.
    Failed,
    /// It cannot be known.
    Unknown,
    /// Anything else on the way.
    Other,
}

impl Status {
    /// The status whose name `text` begins with, up to the closing quote.
    pub fn at_start(text: &str) -> Option<Self> {
        Some(match text.split('"').next()? {
            "QUEUED" => Self::Queued,
            "SENT" => Self::Sent,
            "DELIVERED" => Self::Delivered,
            "UNDELIVERED" | "EXPIRED" | "REJECTED" | "FAILED" | "CANCELED" => Self::Failed,
            "UNKNOWN" => Self::Unknown,
            _ => Self::Other,
        })
    }

    /// Whether a message may stay so.
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Delivered | Self::Failed | Self::Unknown => true,
            Self::Queued | Self::Sent | Self::Other => false,
        }
    }
}

/// An event, as the subscriber saw it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Of which message.
    pub id: u128,
    /// Its number in the log.
    pub seq: u64,
    /// What became of the message.
    pub status: Status,
    /// When it was read, microseconds since 1970.
    pub at_us: u64,
}

/// Times of one message, microseconds since 1970; 0: not seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Its call was made.
    pub called_us: u64,
    /// Its SENT was seen.
    pub sent_us: u64,
    /// Its DELIVERED was seen.
    pub delivered_us: u64,
}

/// Joins answers and events by the number of the message.
pub fn times(accepted: &[Accepted], seen: &[Seen]) -> HashMap<u32, Times> {
    let mut times: HashMap<u32, Times> = HashMap::new();
    let mut numbers: HashMap<u128, u32> = HashMap::new();
    for batch in accepted {
        for (number, id) in (batch.first..).zip(&batch.ids) {
            numbers.insert(*id, number);
            times.insert(number, Times { called_us: batch.called_us, ..Times::default() });
        }
    }
    for event in seen {
        let number = numbers.get(&event.id);
        let Some(times) = number.and_then(|number| times.get_mut(number)) else { continue };
        match event.status {
            Status::Sent => times.sent_us = event.at_us,
            Status::Delivered => times.delivered_us = event.at_us,
            Status::Queued | Status::Failed | Status::Unknown | Status::Other => {}
        }
    }
    times
}

/// From one time to a later one; none if either was not seen. Clocks of one machine may still
/// differ by their rounding: never less than nothing.
pub fn between(from_us: u64, to_us: u64) -> Option<Duration> {
    (from_us > 0 && to_us > 0).then(|| Duration::from_micros(to_us.saturating_sub(from_us)))
}
