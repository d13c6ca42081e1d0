//! Opening the store.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, RuntimeErr};

use super::{Db, Reader, Store, reach};
use crate::config::DatabaseUrl;

/// SQLite readers beside the one writer.
const SQLITE_READERS_MAX: u32 = 4;
/// How long a statement waits for another process (the command line beside a server) to finish.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two tries to open a file that others open too, where SQLite itself does not wait.
const SQLITE_OPEN_RETRY_DELAY: Duration = Duration::from_millis(20);
/// Such tries: those of [`SQLITE_BUSY_TIMEOUT`].
const SQLITE_OPEN_TRIES_MAX: u32 = 500;
/// Pages of the writer's cache: 64 MiB (negative: KiB).
const SQLITE_CACHE_KIB: &str = "-65536";
/// How long a caller waits for a connection before it is told `UNAVAILABLE`.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a PostgreSQL connection may be idle and still be used without a ping.
const IDLE_UNTESTED_MAX: Duration = Duration::from_secs(1);

/// Why the store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It is there and does not answer, or is not there.
    #[error("the store {url} cannot be opened")]
    Unreachable {
        /// Which.
        url: DatabaseUrl,
        /// Why.
        source: DbErr,
    },
}

impl Db {
    /// Opens the store, making the SQLite file if there is none. Runs no migration.
    ///
    /// `connections_max` bounds PostgreSQL's connections: half of them are for tenants' calls, so
    /// that these never keep messages from leaving.
    ///
    /// # Errors
    /// [`ConnectError::Unreachable`].
    pub async fn open(url: &DatabaseUrl, connections_max: u32) -> Result<Self, ConnectError> {
        let opened = match Store::of(url) {
            Store::Sqlite => open_sqlite(url).await,
            Store::Postgres => open_postgres(url, connections_max).await,
        };
        opened.map_err(|source| ConnectError::Unreachable { url: url.clone(), source })
    }

    /// Closes all connections; on SQLite this also folds the write-ahead log into the file.
    ///
    /// # Errors
    /// The store's own.
    pub async fn close(self) -> Result<(), DbErr> {
        if let Some(tenants) = self.tenants {
            tenants.close().await?;
        }
        self.reader.pool().close_by_ref().await?;
        self.writer.pool().close_by_ref().await
    }
}

fn options(url: &DatabaseUrl) -> ConnectOptions {
    let mut options = ConnectOptions::new(url.expose());
    options.sqlx_logging(false).record_stmt_in_spans(false).acquire_timeout(ACQUIRE_TIMEOUT);
    options
}

/// The writer's connection. Whoever switches a new file to its write-ahead log needs it alone for a
/// moment, and SQLite refuses without waiting if another process is there.
async fn open_sqlite_writer(url: &DatabaseUrl) -> Result<DatabaseConnection, DbErr> {
    for _ in 1..SQLITE_OPEN_TRIES_MAX {
        match connect_sqlite_writer(url).await {
            Err(error) if is_locked(&error) => tokio::time::sleep(SQLITE_OPEN_RETRY_DELAY).await,
            opened => return opened,
        }
    }
    connect_sqlite_writer(url).await
}

/// SQLITE_BUSY, with whatever more it says (<https://www.sqlite.org/rescode.html>).
fn is_locked(error: &DbErr) -> bool {
    let (DbErr::Conn(error) | DbErr::Exec(error) | DbErr::Query(error)) = error else {
        return false;
    };
    let RuntimeErr::SqlxError(error) = error else { return false };
    let code = error.as_database_error().and_then(|error| error.code());
    let code: Option<u32> = code.and_then(|code| code.parse().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

async fn connect_sqlite_writer(url: &DatabaseUrl) -> Result<DatabaseConnection, DbErr> {
    let writer = Database::connect({
        let mut options = options(url);
        options.max_connections(1).min_connections(1).test_before_acquire(false);
        // A full backlog of writers is not a fault of the store: they wait their turn.
        options.acquire_timeout(Duration::from_secs(60));
        options.map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                // FULL: what was answered survives a power cut.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(SQLITE_BUSY_TIMEOUT)
                .foreign_keys(true)
                .pragma("cache_size", SQLITE_CACHE_KIB)
                .pragma("wal_autocheckpoint", "4000")
                // Bulk updates join a few given rows with a large table by its key. Left free to
                // index the given rows on the fly, SQLite walks the large table whole instead as
                // soon as there are some hundred of them: 350 messages a second, not thousands.
                .pragma("automatic_index", "off")
        });
        options
    })
    .await?;
    // Creating the file's first page here lets readers open it even before the migrations.
    writer.execute_unprepared("PRAGMA user_version").await?;
    Ok(writer)
}

/// Opens the writer first, which makes the file, then the readers.
async fn open_sqlite(url: &DatabaseUrl) -> Result<Db, DbErr> {
    let writer = open_sqlite_writer(url).await?;
    let reader = Database::connect({
        let mut options = options(url);
        options.max_connections(SQLITE_READERS_MAX).min_connections(1).test_before_acquire(false);
        options.map_sqlx_sqlite_opts(|sqlite| {
            sqlite.pragma("query_only", "on").busy_timeout(SQLITE_BUSY_TIMEOUT)
        });
        options
    })
    .await?;
    let (reader, writer) = (Reader::new(reader, None), Reader::new(writer, None));
    Ok(Db { store: Store::Sqlite, reader, writer, tenants: None, url: Arc::new(url.clone()) })
}

async fn open_postgres(url: &DatabaseUrl, connections_max: u32) -> Result<Db, DbErr> {
    let tenants_max = (connections_max / 2).max(1);
    let mut options = postgres_options(url, connections_max.saturating_sub(tenants_max).max(1));
    options.map_sqlx_postgres_opts(|postgres| {
        our_plans(postgres).options([(reach::SETTING, reach::ALL_ACCOUNTS)])
    });
    let platform = Reader::new(Database::connect(options).await?, None);
    let mut options = postgres_options(url, tenants_max);
    options.map_sqlx_postgres_opts(our_plans);
    options.map_sqlx_postgres_pool_opts(|pool| {
        pool.after_connect(|connection, _| reach::enter(connection))
    });
    options.map_sqlx_postgres_before_acquire(|connection, _| {
        Box::pin(async move { reach::enter(connection).await.map(|()| true) })
    });
    let tenants = Some(Database::connect(options).await?);
    let url = Arc::new(url.clone());
    Ok(Db { store: Store::Postgres, reader: platform.clone(), writer: platform, tenants, url })
}

fn postgres_options(url: &DatabaseUrl, connections_max: u32) -> ConnectOptions {
    let mut options = options(url);
    options.max_connections(connections_max).min_connections(1);
    // A connection that has been idle may have died with its server: a ping is cheaper than an
    // error. A busy one is not asked.
    options.test_before_acquire_if_idle_for(IDLE_UNTESTED_MAX);
    options
}

fn our_plans(postgres: PgConnectOptions) -> PgConnectOptions {
    // Every statement of ours has its index. Statistics lag behind a table that grows by
    // thousands of rows a second, and a plan made for the empty table would be kept: without
    // this the queue is scanned whole until the next ANALYZE. For the same reason some given
    // rows are joined with a table one by one over its key, never by reading the table.
    postgres.options([
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("enable_material", "off"),
        ("jit", "off"),
    ])
}
