//! Packages: parts of messages or credit, bought beforehand or included in a plan, which expire.
//!
//! - A **package** is an offer of the operator's. A **granted package** is what an account has of one;
//!   what it holds and pays for is what the offer said when it was granted.
//! - A message is paid by one granted package as a whole, or by money as a whole; never by both. Of
//!   those that have enough for it and pay for its number and class the one that expires first is
//!   taken, of those the oldest. What costs nothing takes nothing from a package.
//! - What is left of a granted package is what the journal of its purse says: granting, charging,
//!   expiring and revoking are transfers about it, and its row is written in their transaction, under
//!   the lock of the purse's wallet. `balance ≥ held ≥ 0` is a condition of the row.
//! - What a package was promised for when it expired or was revoked is still paid by it; what comes
//!   back of that is gone at once.
//!
//! Locks go terms → wallets in the order of their keys → granted packages → event counter.
//!
//! Not here: which messages there are (`messages`), and the contract (`graphql::packages`).

mod commands;
mod expiry;
mod grant;
mod hold;
mod import;
mod model;
mod queries;
mod revoke;
mod settle;

pub use commands::{
    ArchivePackageRejection, ChangePackageRejection, CreatePackageRejection, NewPackage,
    PackageChange, archive, change, create,
};
pub use expiry::close_due;
pub use grant::{BuyRejection, GrantRejection, Granted, buy, grant};
pub(in crate::billing) use grant::{Included, include, lock_account};
pub use hold::{cover, hold, lock as lock_purses};
pub use import::{ImportPackagesRejection, ImportedPackages, import};
pub use model::{
    Cover, Holding, InvalidPackage, ScopeText, Validity, Want, classes_of, prefixes_of,
};
pub use queries::{
    Owned, catalog_count, catalog_page, find, find_granted, find_included, find_many_granted,
    granted_count, granted_page, offered_count, offered_page,
};
pub use revoke::{RevokeRejection, revoke};
pub(in crate::billing) use settle::{Closed, Settling, settle};

/// Characters of a package's name.
pub const NAME_CHARS_MAX: usize = 100;
/// Packages of a platform: more than a list of offers that a person reads.
pub const PACKAGES_MAX: u64 = 1_000;
/// Active packages of an account: all of them are read with each call that sends.
pub const ACTIVE_MAX: u64 = 100;
/// Prefixes of a package: every country, and the networks of some.
pub const PREFIXES_MAX: usize = 300;
/// Characters of an idempotency key.
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;

fn is_idempotency_key(key: &str) -> bool {
    (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key.chars().count())
        && !key.chars().any(char::is_control)
}
