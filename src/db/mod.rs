//! The store: pools, `write()`, bulk statements.
//!
//! One [`Db`] serves SQLite and PostgreSQL. On SQLite all transactions share one writer
//! connection, which the pool hands out in the order of asking, and reads have connections of
//! their own; on PostgreSQL one pool does both. Nothing else opens a connection or a transaction.

mod bulk;
mod connect;
mod migrate;
/// Keyset paging.
pub mod page;
mod transaction;

use sea_orm::{DatabaseConnection, DbBackend};

pub use bulk::{Bulk, BulkColumn, BulkType};
pub use connect::ConnectError;
pub use transaction::{TransactionError, Tx};

use crate::config::DatabaseUrl;

/// Which store this is, for the few statements that must differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// SQLite, one machine.
    Sqlite,
    /// PostgreSQL, many nodes.
    Postgres,
}

impl Store {
    fn of(url: &DatabaseUrl) -> Self {
        if url.is_sqlite() { Self::Sqlite } else { Self::Postgres }
    }

    /// SeaORM's word for it.
    pub const fn backend(self) -> DbBackend {
        match self {
            Self::Sqlite => DbBackend::Sqlite,
            Self::Postgres => DbBackend::Postgres,
        }
    }

    /// The placeholder of the `n`-th value, from 1.
    pub fn placeholder(self, n: usize) -> String {
        match self {
            Self::Sqlite => format!("?{n}"),
            Self::Postgres => format!("${n}"),
        }
    }
}

/// The store's connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    store: Store,
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    url: DatabaseUrl,
}

impl Db {
    /// Which store this is.
    pub const fn store(&self) -> Store {
        self.store
    }

    /// For reads outside a transaction. On SQLite these connections cannot write.
    pub const fn reader(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Where the store is; its text hides a password.
    pub const fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// The same store, telling `observer` of each statement after it ran: its text with placeholders,
    /// without the values. For counting what something costs.
    pub fn observed(mut self, observer: impl Fn(&str) + Send + Sync + Clone + 'static) -> Self {
        for connection in [&mut self.reader, &mut self.writer] {
            let observer = observer.clone();
            connection.set_metric_callback(move |info| observer(&info.statement.sql));
        }
        self
    }

    /// The connection that migrations run on.
    pub const fn migrator(&self) -> &DatabaseConnection {
        &self.writer
    }
}
