//! A fence around an account: whoever holds it exclusively is past everybody who held it shared, and
//! they see what was committed under it. It is held until the transaction ends.
//!
//! On PostgreSQL these are advisory locks, which write no row; on SQLite, where one transaction
//! writes at a time, there is nothing to do. Call it before the statements whose rows it guards:
//! at PostgreSQL's isolation (READ COMMITTED) a statement sees what was committed before it began.

use std::collections::BTreeSet;

use entity::ids::AccountId;
use sea_orm::sea_query::{ArrayType, Value};
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::{Store, Tx};

/// How a fence is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// Beside others: dispatch.
    Shared,
    /// Alone: an opt-out.
    Exclusive,
}

impl Fence {
    /// Takes the fences of accounts, in their order; waits for those who hold them otherwise.
    ///
    /// # Errors
    /// The store's own.
    pub async fn take(self, tx: &Tx, accounts: &BTreeSet<AccountId>) -> Result<(), DbErr> {
        if tx.store() == Store::Sqlite || accounts.is_empty() {
            return Ok(());
        }
        let lock = match self {
            Self::Shared => "pg_advisory_xact_lock_shared",
            Self::Exclusive => "pg_advisory_xact_lock",
        };
        // The last half of a UUIDv7 is random: two accounts with one key would merely wait for
        // each other.
        let keys = accounts.iter().map(|id| Value::from(id.0.as_u64_pair().1.cast_signed()));
        let keys = Value::Array(ArrayType::BigInt, Some(Box::new(keys.collect())));
        let sql = format!("SELECT {lock}(key) FROM UNNEST($1::bigint[]) AS keys(key)");
        let backend = tx.store().backend();
        tx.execute_raw(Statement::from_sql_and_values(backend, sql, [keys])).await?;
        Ok(())
    }
}
