//! A house for one test: the platform on a fresh store, with a manual clock and a seed.

use std::hash::{DefaultHasher, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use entity::ids::AccountId;
use entity::time::UnixMillis;
use heliograph::authz::Actor;
use heliograph::billing::{self, CreditChange, Prices};
use heliograph::config::{DEFAULTS, DatabaseUrl, Settings};
use heliograph::ctx::{Ctx, Platform};
use heliograph::db::{Db, Store};
use heliograph::events::Doorbell;
use heliograph::keys::MasterKey;
use heliograph::sys::{IdGenerator, ManualClock, Randomness};
use heliograph::types::money::Micros;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, QueryResult, Statement, TryGetable, Value};
use tempfile::TempDir;

use super::{postgres, within};

/// When every test begins: 2026-01-05T00:00:00Z, a Monday.
const START: UnixMillis = UnixMillis(1_767_571_200_000);
/// The longest a test may run. A deadlock then fails its test instead of hanging the whole run.
const TEST_TIME_MAX: Duration = Duration::from_secs(180);
/// The credit of accounts that are to send: a hundred million parts at the default price.
const CREDIT_LIMIT: Micros = Micros(1_000_000 * 1_000_000);
/// PostgreSQL connections of a house: a server takes 300, and many tests run at once.
const CONNECTIONS_MAX: u32 = 8;

/// A house for one test.
pub struct TestHouse {
    /// The parts that commands use.
    pub platform: Arc<Platform>,
    /// Moves the house's time.
    pub hand: ManualClock,
    directory: TempDir,
}

/// Runs `test` in a house of its own, and removes the house if it passes. Called by `both_stores!`.
pub async fn run<F, Fut>(store: Store, name: &str, test: F)
where
    F: FnOnce(TestHouse) -> Fut,
    Fut: Future<Output = ()>,
{
    let (house, database) = build(store, name).await;
    let db = house.platform.db.clone();
    within(TEST_TIME_MAX, test(house)).await;
    if let Some(database) = database {
        // Whatever task still holds a connection loses it.
        within(TEST_TIME_MAX, postgres::drop_database(&database)).await;
    }
    drop(db);
}

async fn build(store: Store, name: &str) -> (TestHouse, Option<String>) {
    let directory = tempfile::tempdir().expect("makes a directory");
    let (database, url) = match store {
        Store::Sqlite => (None, DatabaseUrl::in_directory(directory.path())),
        Store::Postgres => {
            let (database, url) = postgres::create_database().await;
            (Some(database), url)
        }
    };
    let settings = settings(directory.path(), &url);
    let db = Db::open(&url, settings.store.connections_max).await.expect("opens the store");
    if store == Store::Sqlite {
        Migrator::up(db.migrator(), None).await.expect("the migrations run on an empty file");
    }
    let hand = ManualClock::starting_at(START);
    let randomness = Randomness::seeded(seed(name));
    let master_key =
        MasterKey::in_directory(directory.path(), &randomness).expect("makes a master key");
    let platform = Platform {
        db,
        clock: hand.clock(),
        ids: IdGenerator::new(hand.clock(), randomness.clone()),
        randomness,
        doorbell: Doorbell::default(),
        master_key: Arc::new(master_key),
        settings: Arc::new(settings),
    };
    (TestHouse { platform: Arc::new(platform), hand, directory }, database)
}

/// The defaults, without a look at the environment, on a free port and with a cheap password hash.
fn settings(directory: &Path, url: &DatabaseUrl) -> Settings {
    let mut settings: Settings = toml::from_str(DEFAULTS).expect("the defaults are settings");
    settings.server.listen = "127.0.0.1:0".parse().expect("an address");
    settings.store.data_dir = directory.to_owned();
    settings.store.database_url = url.expose().to_owned();
    settings.store.connections_max = CONNECTIONS_MAX;
    // The least that argon2 takes: the default costs 0.1 s and 19 MiB a hash.
    settings.identity.argon2_memory_kib = 8;
    settings
}

/// The same for the same test in every run, and another for another test.
fn seed(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(name.as_bytes());
    hasher.finish()
}

impl TestHouse {
    /// Which store the house is on.
    pub fn store(&self) -> Store {
        self.platform.db.store()
    }

    /// A directory of this test alone, removed at its end.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The time in the house.
    pub fn now(&self) -> UnixMillis {
        self.platform.clock.now()
    }

    /// A context for a caller.
    pub fn ctx_as(&self, actor: Actor) -> Ctx {
        Ctx::new(Arc::clone(&self.platform), actor, Arc::from("test"))
    }

    /// A context for the program's own work.
    pub fn system(&self) -> Ctx {
        self.ctx_as(Actor::System)
    }

    /// Lets an account send for a long time.
    pub async fn give_credit(&self, account_id: AccountId) {
        let limit = Some(CREDIT_LIMIT);
        let change = CreditChange { limit, ..CreditChange::default() };
        billing::set_credit(&self.system(), account_id, change).await.expect("gives credit");
    }

    /// The prices of a node.
    pub fn prices(&self) -> Prices {
        let platform = &self.platform;
        let (db, clock) = (platform.db.clone(), platform.clock.clone());
        Prices::new(db, clock, &platform.doorbell, &platform.settings)
    }

    /// The platform with other settings, over the same store and clock.
    pub fn platform_with(&self, change: impl FnOnce(&mut Settings)) -> Arc<Platform> {
        let mut settings = Settings::clone(&self.platform.settings);
        change(&mut settings);
        let platform = Platform::clone(&self.platform);
        Arc::new(Platform { settings: Arc::new(settings), ..platform })
    }

    /// The rows of a query; `$1`, `$2` … stand for `values` on both stores.
    pub async fn rows(&self, sql: &str, values: impl Into<Vec<Value>>) -> Vec<QueryResult> {
        let db = &self.platform.db;
        let statement = Statement::from_sql_and_values(db.store().backend(), sql, values.into());
        db.migrator()
            .query_all_raw(statement)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The first column of a query's only row.
    pub async fn value<T: TryGetable>(&self, sql: &str, values: impl Into<Vec<Value>>) -> T {
        let rows = self.rows(sql, values).await;
        assert_eq!(rows.len(), 1, "{sql}: one row");
        rows[0].try_get_by_index(0).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs a statement and says how many rows it changed.
    pub async fn execute(&self, sql: &str, values: impl Into<Vec<Value>>) -> u64 {
        let db = &self.platform.db;
        let statement = Statement::from_sql_and_values(db.store().backend(), sql, values.into());
        let done = db.migrator().execute_raw(statement).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}")).rows_affected()
    }
}
