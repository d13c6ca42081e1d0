//! `write()`: the only place where a transaction starts.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions};

use super::{Db, Store};
use crate::error::{Error, Failed, is_connection_loss, is_retryable};

/// Tries of one transaction that keeps losing races for locks.
const TRIES_MAX: u32 = 6;
/// Wait before the second try; doubled for each further one.
const RETRY_DELAY: Duration = Duration::from_millis(5);

/// An open transaction. It commits when the closure that got it returns `Ok`, else rolls back.
pub struct Tx {
    inner: Arc<DatabaseTransaction>,
    store: Store,
}

impl Tx {
    /// Which store this is.
    pub const fn store(&self) -> Store {
        self.store
    }
}

impl Deref for Tx {
    type Target = DatabaseTransaction;

    fn deref(&self) -> &DatabaseTransaction {
        &self.inner
    }
}

/// An error of a transaction's body: it may hold the store's own, which decides on a retry.
pub trait TransactionError: From<DbErr> + Send {
    /// The store's error, if this is one.
    fn store_error(&self) -> Option<&DbErr>;
}

impl TransactionError for DbErr {
    fn store_error(&self) -> Option<&DbErr> {
        Some(self)
    }
}

impl TransactionError for Failed {
    fn store_error(&self) -> Option<&DbErr> {
        match self {
            Self::Internal(source) | Self::Unavailable(source) => source.downcast_ref(),
            _ => None,
        }
    }
}

impl<R: Send> TransactionError for Error<R> {
    fn store_error(&self) -> Option<&DbErr> {
        match self {
            Self::Failed(failed) => failed.store_error(),
            Self::Rejected(_) => None,
        }
    }
}

impl Db {
    /// Runs `body` in one transaction and commits it. A lost race for locks (deadlock,
    /// serialization failure, busy) runs it again, up to `TRIES_MAX` times: so `body` draws no
    /// ids or random values, and calls no network. So does a connection that was dead from the
    /// start; one that is lost later is an error, as nobody knows whether it committed.
    ///
    /// # Errors
    /// Those of `body`, after rolling back, and the store's own.
    pub async fn write<T, E, F, Fut>(&self, body: F) -> Result<T, E>
    where
        F: Fn(Tx) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Send,
        E: TransactionError,
    {
        let mut tries = 1;
        loop {
            let error = match self.begin().await {
                Ok(transaction) => match self.try_write(transaction, &body).await {
                    Ok(value) => return Ok(value),
                    Err(error) if !error.store_error().is_some_and(is_retryable) => {
                        return Err(error);
                    }
                    Err(error) => error,
                },
                // Nothing has been done yet: a connection that died with its server is replaced.
                Err(error) if is_connection_loss(&error) => error.into(),
                Err(error) => return Err(error.into()),
            };
            if tries == TRIES_MAX {
                return Err(error);
            }
            metrics::counter!("db_transaction_retries_total").increment(1);
            tokio::time::sleep(RETRY_DELAY * 2u32.pow(tries - 1)).await;
            tries += 1;
        }
    }

    async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            // Deferred transactions fail with BUSY when they come to write.
            sqlite_transaction_mode: match self.store {
                Store::Sqlite => Some(SqliteTransactionMode::Immediate),
                Store::Postgres => None,
            },
            ..TransactionOptions::default()
        };
        self.writer.begin(options).await
    }

    async fn try_write<T, E, F, Fut>(
        &self,
        transaction: DatabaseTransaction,
        body: &F,
    ) -> Result<T, E>
    where
        F: Fn(Tx) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
        T: Send,
        E: TransactionError,
    {
        let transaction = Arc::new(transaction);
        let outcome = body(Tx { inner: Arc::clone(&transaction), store: self.store }).await;
        let transaction = Arc::into_inner(transaction)
            .expect("a body cannot keep its Tx: Tx is not Clone and the body has returned");
        match outcome {
            Ok(value) => {
                transaction.commit().await?;
                Ok(value)
            }
            Err(error) => {
                // If the connection is gone the store rolls back by itself.
                let _ = transaction.rollback().await;
                Err(error)
            }
        }
    }
}
