//! Whose rows a connection of PostgreSQL may see: the second wall between accounts.
//!
//! The tables' policies (`migration/src/ddl.rs`) go by the setting `heliograph.account`. The
//! platform's connections are opened with `*`: all accounts. Those of tenants' calls are opened
//! without it, and see nothing until they are handed out: then they get the account of the call,
//! and no query of ours, however wrong, reads or writes another's rows. On SQLite there is no such
//! wall, and `authz` and the queries stand alone.
//!
//! The pool calls [`enter`] in the task that asks for a connection, so the account travels as a
//! task-local value. It costs a round trip a read or transaction, and no transaction around a read.

use std::fmt;

use entity::ids::AccountId;
use futures::future::BoxFuture;
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement, TransactionOptions, TransactionTrait,
};

/// The setting that the policies go by.
pub(super) const SETTING: &str = "heliograph.account";
/// Its value on the platform's connections.
pub(super) const ALL_ACCOUNTS: &str = "*";

tokio::task_local! {
    /// The account of the call that asks for a connection.
    static ACCOUNT: AccountId;
}

/// Gives a connection that is about to be handed out to the account that asks for it; to none, if
/// none asks.
pub(super) fn enter(connection: &mut PgConnection) -> BoxFuture<'_, Result<(), sqlx::Error>> {
    let account = ACCOUNT.try_with(|account| account.0.to_string()).unwrap_or_default();
    Box::pin(async move {
        // A UUID's text has nothing to quote, and a plain SET is not planned.
        let sql = format!("SET {SETTING} = '{account}'");
        connection.execute(AssertSqlSafe(sql)).await.map(drop)
    })
}

/// A pool as one caller reaches it. Each statement may run on another connection.
#[derive(Clone)]
pub struct Reader {
    pool: DatabaseConnection,
    /// Absent: the pool's connections are the platform's.
    account: Option<AccountId>,
}

impl Reader {
    pub(super) const fn new(pool: DatabaseConnection, account: Option<AccountId>) -> Self {
        Self { pool, account }
    }

    pub(super) const fn pool(&self) -> &DatabaseConnection {
        &self.pool
    }

    pub(super) const fn pool_mut(&mut self) -> &mut DatabaseConnection {
        &mut self.pool
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// The store's own.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.reaching(self.pool.ping()).await
    }

    pub(super) async fn begin(
        &self,
        options: TransactionOptions,
    ) -> Result<DatabaseTransaction, DbErr> {
        self.reaching(self.pool.begin_with_options(options)).await
    }

    async fn reaching<F: Future>(&self, statement: F) -> F::Output {
        match self.account {
            Some(account) => ACCOUNT.scope(account, statement).await,
            None => statement.await,
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("account", &self.account).finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Reader {
    fn get_database_backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.reaching(self.pool.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.reaching(self.pool.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.reaching(self.pool.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.reaching(self.pool.query_all_raw(statement)).await
    }

    fn support_returning(&self) -> bool {
        self.pool.support_returning()
    }
}
