//! The store: pools, `write()`, bulk statements.
//!
//! One [`Db`] serves SQLite and PostgreSQL. On SQLite all transactions share one writer
//! connection, which the pool hands out in the order of asking, and reads have connections of
//! their own; on PostgreSQL one pool does both for the platform and another for tenants' calls,
//! which see their own rows alone ([`Db::for_account`]). Nothing else opens a connection or a
//! transaction.

mod bulk;
mod connect;
mod fence;
mod migrate;
/// Keyset paging.
pub mod page;
mod reach;
mod role;
mod transaction;

use std::sync::Arc;

use entity::ids::AccountId;
use sea_orm::{DatabaseConnection, DbBackend};

pub use bulk::{Bulk, BulkColumn, BulkType};
pub use connect::ConnectError;
pub use fence::Fence;
pub use reach::Reader;
pub use role::{Role, RoleError};
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
    reader: Reader,
    writer: Reader,
    /// PostgreSQL's connections for tenants' calls.
    tenants: Option<DatabaseConnection>,
    url: Arc<DatabaseUrl>,
}

impl Db {
    /// Which store this is.
    pub const fn store(&self) -> Store {
        self.store
    }

    /// For reads outside a transaction. On SQLite these connections cannot write.
    pub const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The same store for a call of a tenant: on PostgreSQL it neither shows nor takes rows of
    /// another account, nor the platform's own.
    pub fn for_account(&self, account_id: AccountId) -> Self {
        let Some(tenants) = &self.tenants else { return self.clone() };
        let own_rows = Reader::new(tenants.clone(), Some(account_id));
        Self { reader: own_rows.clone(), writer: own_rows, ..self.clone() }
    }

    /// Where the store is; its text hides a password.
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// The same store, telling `observer` of each statement after it ran: its text with placeholders,
    /// without the values. For counting what something costs.
    pub fn observed(mut self, observer: impl Fn(&str) + Send + Sync + Clone + 'static) -> Self {
        let own = [self.reader.pool_mut(), self.writer.pool_mut()];
        for connection in own.into_iter().chain(&mut self.tenants) {
            let observer = observer.clone();
            connection.set_metric_callback(move |info| observer(&info.statement.sql));
        }
        self
    }

    /// The connection that migrations run on.
    pub const fn migrator(&self) -> &DatabaseConnection {
        self.writer.pool()
    }
}
