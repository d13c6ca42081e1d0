//! Bringing the store's schema up to this program's, by one process at a time.

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, SqliteTransactionMode,
    TransactionOptions,
};

use super::{Db, Store, reach};
use crate::config::DatabaseUrl;

/// Held in PostgreSQL by the node that migrates: "helio" in ASCII and the number of this use.
const MIGRATION_LOCK: i64 = 0x6865_6c69_6f01;

impl Db {
    /// Runs the migrations that the store has not seen, oldest first. Many nodes may call it at
    /// once: one works, the others wait and then find nothing to do. Idempotent.
    ///
    /// On PostgreSQL they run as the role of `owner`, which then owns the tables and grants the
    /// program's own role what it needs; without it, as the program's own.
    ///
    /// # Errors
    /// The store's own; also if the store was migrated by a newer version of the program.
    pub async fn migrate(&self, owner: Option<&DatabaseUrl>) -> Result<(), DbErr> {
        match (self.store, owner) {
            (Store::Sqlite, _) => self.migrate_sqlite().await,
            (Store::Postgres, Some(owner)) => {
                self.migrate_postgres(owner).await?;
                if self.pending_migrations().await?.is_empty() {
                    return Ok(());
                }
                let elsewhere = "store.migrate_url leads to another database or schema than \
                                 store.database_url";
                Err(DbErr::Custom(elsewhere.to_owned()))
            }
            // A role that owns nothing may not even ask to create what is there.
            (Store::Postgres, None) if self.pending_migrations().await?.is_empty() => Ok(()),
            (Store::Postgres, None) => self.migrate_postgres(&self.url).await,
        }
    }

    /// The names of the migrations that the store has not seen; writes nothing.
    ///
    /// # Errors
    /// As [`migrate`](Self::migrate).
    pub async fn pending_migrations(&self) -> Result<Vec<String>, DbErr> {
        let pending = Migrator::get_pending_migrations_read_only(self.reader.pool()).await?;
        Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
    }

    /// All in one transaction: it holds SQLite's write lock, for which other processes wait, and a
    /// process that dies on the way leaves the file as it was.
    async fn migrate_sqlite(&self) -> Result<(), DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.writer.begin(options).await?;
        Migrator::up(&transaction, None).await?;
        transaction.commit().await
    }

    /// Each migration in a transaction of its own, under a lock that belongs to a connection: it is
    /// free again as soon as the process is gone.
    async fn migrate_postgres(&self, owner: &DatabaseUrl) -> Result<(), DbErr> {
        let role = self.role().await?.map(|role| role.name).unwrap_or_default();
        let mut options = ConnectOptions::new(owner.expose());
        options.max_connections(1).sqlx_logging(false);
        // What a migration moves may be any account's.
        options.map_sqlx_postgres_opts(|postgres| {
            postgres.options([(reach::SETTING, reach::ALL_ACCOUNTS)])
        });
        let connection = Database::connect(options).await?;
        let outcome = migrate_locked(&connection, &role).await;
        connection.close().await?;
        outcome
    }
}

async fn migrate_locked(connection: &DatabaseConnection, role: &str) -> Result<(), DbErr> {
    let lock = format!("SELECT pg_advisory_lock({MIGRATION_LOCK})");
    connection.execute_unprepared(&lock).await?;
    // Closing the connection gives the lock back.
    Migrator::up(connection, None).await?;
    // To the owner itself this changes nothing. The program adds and removes rows; it needs no
    // right to any table's form, and keeps no sequences.
    let grant = format!(
        "DO $$ BEGIN IF current_user <> {literal} THEN EXECUTE format( \
         'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', \
         current_schema(), {literal}); EXECUTE format( \
         'REVOKE INSERT, UPDATE, DELETE ON seaql_migrations FROM %I', {literal}); END IF; END $$",
        literal = literal(role),
    );
    connection.execute_unprepared(&grant).await?;
    Ok(())
}

/// A text as PostgreSQL reads it inside a statement.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
