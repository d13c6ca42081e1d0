//! Points in time as they are stored: whole milliseconds since 1970-01-01 UTC.
//!
//! An integer sorts, compares and binds the same way on SQLite and PostgreSQL, which RFC 3339
//! text and `timestamptz` do not. The API shows RFC 3339 (`DateTime`).

use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, UTC.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    DeriveValueType,
)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// This time moved by `ms` milliseconds (negative: earlier), saturating.
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this time; negative if `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}
