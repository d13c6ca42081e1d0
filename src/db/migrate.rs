//! Bringing the store's schema up to this program's, by one process at a time.

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};

use super::{Db, Store};

/// Held in PostgreSQL by the node that migrates: "helio" in ASCII and the number of this use.
const MIGRATION_LOCK: i64 = 0x6865_6c69_6f01;

impl Db {
    /// Runs the migrations that the store has not seen, oldest first. Many nodes may call it at
    /// once: one works, the others wait and then find nothing to do. Idempotent.
    ///
    /// # Errors
    /// The store's own; also if the store was migrated by a newer version of the program.
    pub async fn migrate(&self) -> Result<(), DbErr> {
        match self.store {
            Store::Sqlite => self.migrate_sqlite().await,
            Store::Postgres => self.migrate_postgres().await,
        }
    }

    /// The names of the migrations that the store has not seen; writes nothing.
    ///
    /// # Errors
    /// As [`migrate`](Self::migrate).
    pub async fn pending_migrations(&self) -> Result<Vec<String>, DbErr> {
        let pending = Migrator::get_pending_migrations_read_only(&self.reader).await?;
        Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
    }

    /// All in one transaction: it holds SQLite's write lock, for which other processes wait, and a
    /// process that dies on the way leaves the file as it was.
    async fn migrate_sqlite(&self) -> Result<(), DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.writer.begin_with_options(options).await?;
        Migrator::up(&transaction, None).await?;
        transaction.commit().await
    }

    /// Each migration in a transaction of its own, under a lock that belongs to a connection: it is
    /// free again as soon as the process is gone.
    async fn migrate_postgres(&self) -> Result<(), DbErr> {
        let mut options = ConnectOptions::new(self.url.expose());
        options.max_connections(1).sqlx_logging(false);
        let connection = Database::connect(options).await?;
        let outcome = migrate_locked(&connection).await;
        connection.close().await?;
        outcome
    }
}

async fn migrate_locked(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let lock = format!("SELECT pg_advisory_lock({MIGRATION_LOCK})");
    connection.execute_unprepared(&lock).await?;
    // Closing the connection gives the lock back.
    Migrator::up(connection, None).await
}
