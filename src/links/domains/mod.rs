//! Hosts of accounts' own, which their short links begin with.
//!
//! Invariants:
//! - An account uses a host that it proved to own: by a record in the DNS under the host, with a
//!   value that is made of account and host under the master key (`proof`). Nobody is asked but
//!   resolvers: no request goes to a host that somebody names.
//! - At most one account at a time has a host VERIFIED: an index holds to it. Another account that
//!   proves it takes the host over only if the record of the first is gone.
//! - What is verified stays so until it is deleted or taken over: a record that is gone, or a DNS
//!   that does not answer, ends no links that were sent.
//! - A domain that a campaign names which is not over is not deleted.

mod commands;
mod proof;
mod queries;

pub use commands::{
    CreateDomainRejection, DeleteDomainRejection, VerifyDomainRejection, create, delete, verify,
};
pub use proof::{VerificationRecord, verification_record};
pub use queries::{base, by_ids, count, is_verified, page};

/// Domains of one account.
pub const DOMAINS_MAX: u64 = 20;
/// Between two looks for the record of a domain, in ms, so that nobody has resolvers flooded.
pub const CHECK_INTERVAL_MS: i64 = 5_000;
