//! Roll-ups: what became of messages, added up by time and kind, so that a chart costs what it shows
//! and not what was ever sent.
//!
//! - They are **folded from the event log**, by one worker, some of the log at a time: the account's
//!   cursor and the sums move in one transaction, so each event counts exactly once. Nothing is
//!   written for them while messages are accepted, sent or settled.
//! - The worker **remembers** messages that are under way, a bounded number, so that most events cost
//!   one row to read. The result never depends on it.
//! - A message counts **where it was accepted**: in the minute of its id, whenever something becomes
//!   of it. So the sums of any time are those of `messages` with the same filter, also after a late
//!   receipt.
//! - Parts and cost count **when they were charged**: so their sums are those of usage, invoices and
//!   the ledger.
//! - What people did (objected, answered, followed a link) counts **when they did it**, with the kind of the message
//!   that it answers.
//! - The totals of campaigns are folded with them (`campaigns`).
//! - The log is not purged beyond a cursor.
//!
//! Not here: usage by price, which invoices are made of (`billing::usage`), and the counters of the
//! process (`telemetry`).

mod campaigns;
mod fold;
mod histogram;
mod live;
mod model;
mod periods;
mod purge;
mod queries;
mod read;
mod recent;
mod store;
mod timeline;

pub use fold::Folder;
pub use histogram::Histogram;
pub use live::{Live, LiveQuestion, LiveRejection, LiveState, MINUTES_MAX, follow};
pub use model::{Counts, Kind, Measure, Measures, Resolution};
pub use periods::{Interval, POINTS_MAX, PeriodRejection, RANGE_DAYS_MAX};
pub use purge::purge;
pub use queries::{
    Breakdown, BreakdownQuestion, Dimension, FILTER_VALUES_MAX, Figures, Filter, Group, GroupKey,
    Latencies, Metrics, MetricsQuestion, MetricsRejection, Mode, Point, Series, TOP_MAX, Whose,
    breakdown, metrics,
};
pub use store::write;
pub use timeline::{Facts, Step, Tally};
