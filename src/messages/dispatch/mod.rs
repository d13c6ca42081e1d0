//! From the queue to the carriers, and what comes back.
//!
//! Each carrier account is run by one node at a time, which holds its lease ([`lease`]): so window,
//! rate and links are kept for the whole platform, and a claim needs no contest. The lease's token
//! fences: rows claimed under a lower token than the holder's were left in the middle by a crash.
//!
//! For a running carrier ([`runner`]) two loops work side by side: one claims batches fairly
//! ([`claim`]) and hands them over, one takes what the carrier reports and writes it in groups
//! ([`settle`]). A group is whatever came while the last one was being committed, so it grows with
//! the load and waits for nothing when there is none.

mod claim;
mod in_flight;
mod inbound;
mod lease;
mod matching;
mod parked;
mod parts;
mod query;
mod receipt_ids;
mod recover;
mod runner;
mod settle;
mod supervisor;
mod verdict;

pub use supervisor::{CarrierFactory, run};
