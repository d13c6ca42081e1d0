//! The transport-neutral error.
//!
//! A command or query ends in `Ok`, in [`Error::Rejected`] (the caller's problem, a type of the
//! command's own, answered in `userErrors`) or in [`Error::Failed`] (everything else, answered as
//! a top-level error with one of a closed list of codes). The edges translate; nothing here knows
//! GraphQL or HTTP. The internal source of a failure is for the log alone.

use std::error::Error as StdError;

use sea_orm::DbErr;

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// What ends a command that cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum Error<R> {
    /// The caller's problem, typed by the command.
    #[error("rejected")]
    Rejected(R),
    /// Not the command's to name.
    #[error(transparent)]
    Failed(#[from] Failed),
}

impl<R> From<DbErr> for Error<R> {
    fn from(error: DbErr) -> Self {
        Self::Failed(error.into())
    }
}

/// A failure that every command shares. The text of a variant is public; its source is not.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// Nobody, or a credential that is not good any more.
    #[error("sign in, or send an API key, to do this")]
    Unauthenticated,
    /// Somebody who may not. The text says which right is missing.
    #[error("{0}")]
    Forbidden(String),
    /// Malformed beyond what the schema can say.
    #[error("{0}")]
    BadRequest(String),
    /// Text that should be an id of one kind and is not.
    #[error("{0}")]
    InvalidId(entity::ids::InvalidId),
    /// Too often; worth trying again.
    #[error("too many requests: try again later")]
    RateLimited {
        /// When, in milliseconds from now.
        retry_after_ms: u64,
    },
    /// The store or another part cannot be reached now; worth trying again.
    #[error("the service is not available at this moment: try again")]
    Unavailable(#[source] Source),
    /// A fault of ours.
    #[error("an internal error: it was logged with the request's id")]
    Internal(#[source] Source),
}

impl Failed {
    /// A fault of ours, with what caused it.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }
}

impl From<DbErr> for Failed {
    fn from(error: DbErr) -> Self {
        if is_connection_loss(&error) {
            Self::Unavailable(Box::new(error))
        } else {
            Self::Internal(Box::new(error))
        }
    }
}

/// Whether the store was out of reach, rather than the statement wrong.
pub fn is_connection_loss(error: &DbErr) -> bool {
    use sea_orm::{RuntimeErr, SqlxError};
    match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner)) => {
            match inner.as_ref() {
                SqlxError::Io(_)
                | SqlxError::PoolTimedOut
                | SqlxError::PoolClosed
                | SqlxError::WorkerCrashed
                | SqlxError::Protocol(_) => true,
                // 57P01…03: PostgreSQL is being shut down or started; 08…: connection exceptions;
                // 53300: too many connections.
                SqlxError::Database(db) => db.code().is_some_and(|code| {
                    code.starts_with("57P") || code.starts_with("08") || code == "53300"
                }),
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether running the same transaction again may well succeed: it lost a race for locks.
pub fn is_retryable(error: &DbErr) -> bool {
    use sea_orm::{RuntimeErr, SqlxError};
    let (DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner))) =
        error
    else {
        return false;
    };
    match inner.as_ref() {
        // PostgreSQL: serialization failure, deadlock; SQLite: BUSY and its extended codes.
        SqlxError::Database(db) => db
            .code()
            .is_some_and(|code| matches!(code.as_ref(), "40001" | "40P01" | "5" | "261" | "517")),
        _ => false,
    }
}

/// The name of the constraint that a statement violated, where the store tells.
///
/// PostgreSQL names it; SQLite names `table.column`, which is returned as it stands.
pub fn violated_constraint(error: &DbErr) -> Option<String> {
    match error.sql_err()? {
        sea_orm::SqlErr::UniqueConstraintViolation(text)
        | sea_orm::SqlErr::ForeignKeyConstraintViolation(text) => Some(text),
        _ => None,
    }
}
