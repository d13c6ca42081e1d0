//! Senders: what an account may show as the origin of its messages. An account registers a name,
//! number or short code; the operator approves or rejects it, and may change its mind.
//!
//! Invariants: a value is registered once per account, in its normalized form; only approved
//! senders are used for live messages (`messages` asks [`usable`]). Not here: how a sender goes
//! over the air (`carriers`).

mod commands;
mod queries;

pub use commands::{
    ApproveRejection, RegisterRejection, RejectRejection, approve, approve_value, register, reject,
};
pub use queries::{SenderFilter, count, count_all, find, page, page_all, usable};

/// Senders of one account, of whatever status: more is a mistake, not a business.
pub const SENDERS_PER_ACCOUNT_MAX: u64 = 1_000;
/// Characters of the reason for a rejection.
pub const REASON_CHARS_MAX: usize = 500;
