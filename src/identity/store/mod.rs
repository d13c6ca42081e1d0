//! The statements of identity, a file a group of tables. Private to `identity`; no rule is decided
//! here.

pub(super) mod accounts;
pub(super) mod api_keys;
pub(super) mod links;
pub(super) mod sessions;
pub(super) mod signing_keys;
pub(super) mod throttle;

use sea_orm::DbErr;

/// Whether `error` is a second row with a value that has to be unique; `constraint` is the name
/// that PostgreSQL tells, `column` the `table.column` that SQLite tells.
fn is_double(error: &DbErr, constraint: &str, column: &str) -> bool {
    crate::error::violated_constraint(error)
        .is_some_and(|text| text.contains(constraint) || text.contains(column))
}
