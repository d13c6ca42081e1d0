//! The PostgreSQL server of the tests, and a fresh database in it for each test.
//!
//! The server is the one that `HELIOGRAPH_TEST_POSTGRES` names (`scripts/test` starts one and sets
//! it), or else one that this process starts by `scripts/throwaway-postgres` and that goes with the
//! process. Migrations run once, in a template that each test's database is copied from. Without a
//! server the tests fail; they never pass by being left out.

use std::hash::{DefaultHasher, Hasher};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use heliograph::config::DatabaseUrl;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement};

/// The server's URL with a database to connect to, of a role that may create others.
const SERVER_VARIABLE: &str = "HELIOGRAPH_TEST_POSTGRES";
/// Held while a process makes the template: "helio" in ASCII.
const TEMPLATE_LOCK: i64 = 0x68_65_6c_69_6f;

/// A server on this machine answers in milliseconds, unless it is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes a database for one test, migrated, and returns its name and where it is.
pub async fn create_database() -> (String, DatabaseUrl) {
    let name = free_name();
    let admin = connect(server_url()).await;
    let template = template(&admin).await;
    run(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    run(&admin, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
    close(admin).await;
    let url = DatabaseUrl::parse(&url_of(&name)).expect("the server's URL is PostgreSQL's");
    (name, url)
}

fn free_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("heliograph_test_{}_{number}", std::process::id())
}

/// A database without a schema, for a test of what makes one.
pub struct EmptyDatabase(String);

impl EmptyDatabase {
    /// Makes one, which the server's role owns.
    pub async fn create() -> Self {
        let name = free_name();
        let admin = connect(server_url()).await;
        run(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        run(&admin, &format!("CREATE DATABASE {name}")).await;
        close(admin).await;
        Self(name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Where it is for another role of the server; all have one password.
    pub fn url_as(&self, role: &str) -> String {
        let url = url_of(&self.0);
        let (scheme, rest) = url.split_once("://").expect("the server's URL has a scheme");
        let (credentials, host) = rest.rsplit_once('@').expect("the server's URL names a role");
        let password = credentials.split_once(':').map_or("", |(_, password)| password);
        format!("{scheme}://{role}:{password}@{host}")
    }

    /// Removes it, whoever is still connected to it.
    pub async fn remove(self) {
        drop_database(&self.0).await;
    }
}

/// Removes a test's database, whoever is still connected to it.
pub async fn drop_database(name: &str) {
    let admin = connect(server_url()).await;
    run(&admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    close(admin).await;
}

/// The name of the migrated template, which the first caller makes: of all threads and, as nextest
/// runs a process per test, of all processes.
async fn template(admin: &DatabaseConnection) -> String {
    // Named after the migrations, so that a server that lives longer never serves an older schema.
    let name = format!("heliograph_template_{:016x}", hash_of_migrations());
    run(admin, &format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
    let exists = Statement::from_sql_and_values(
        admin.get_database_backend(),
        "SELECT 1 FROM pg_database WHERE datname = $1",
        [name.clone().into()],
    );
    if admin.query_one_raw(exists).await.expect("reads the databases").is_none() {
        // It takes its name when it is complete: a process that dies here leaves no half of one.
        let draft = format!("{name}_draft");
        run(admin, &format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await;
        run(admin, &format!("CREATE DATABASE {draft}")).await;
        let database = connect(&url_of(&draft)).await;
        Migrator::up(&database, None).await.expect("the migrations run on an empty database");
        close(database).await;
        run(admin, &format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
    }
    run(admin, &format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})")).await;
    name
}

fn hash_of_migrations() -> u64 {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("migration/src");
    let entries = std::fs::read_dir(directory).expect("the migrations' directory is there");
    let mut files: Vec<_> =
        entries.map(|entry| entry.expect("reads the migrations").path()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        hasher.write(&std::fs::read(file).expect("reads a migration"));
    }
    hasher.finish()
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    // One connection, since an advisory lock belongs to the connection that took it.
    options.max_connections(1).sqlx_logging(false).acquire_timeout(CONNECT_TIMEOUT);
    match Database::connect(options).await {
        Ok(connection) => connection,
        Err(error) => panic!("the tests' PostgreSQL does not answer ({SERVER_VARIABLE}): {error}"),
    }
}

async fn run(connection: &DatabaseConnection, sql: &str) {
    if let Err(error) = connection.execute_unprepared(sql).await {
        panic!("the tests' PostgreSQL refused {sql}: {error}");
    }
}

async fn close(connection: DatabaseConnection) {
    connection.close().await.expect("a connection closes");
}

/// The server's URL with another database.
fn url_of(database: &str) -> String {
    let (server, query) = match server_url().split_once('?') {
        Some((server, query)) => (server, format!("?{query}")),
        None => (server_url(), String::new()),
    };
    let (authority, _) = server.rsplit_once('/').expect("the server's URL names a database");
    format!("{authority}/{database}{query}")
}

fn server_url() -> &'static str {
    static GIVEN: OnceLock<Option<String>> = OnceLock::new();
    static STARTED: OnceLock<Result<Server, String>> = OnceLock::new();
    let given =
        GIVEN.get_or_init(|| std::env::var(SERVER_VARIABLE).ok().filter(|url| !url.is_empty()));
    if let Some(url) = given {
        return url;
    }
    match STARTED.get_or_init(Server::start) {
        Ok(server) => &server.url,
        Err(error) => panic!("no PostgreSQL for the tests: {error}"),
    }
}

/// A server that lives as long as this process: it stops when the pipe to its stdin closes, also
/// if the process is killed.
struct Server {
    url: String,
    _process: Child,
}

impl Server {
    fn start() -> Result<Self, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/throwaway-postgres");
        let mut command = Command::new(&script);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A group of its own: Ctrl-C ends the tests, and then the server has time to clean up.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process =
            command.spawn().map_err(|error| format!("{}: {error}", script.display()))?;
        let stdout = process.stdout.take().expect("stdout is a pipe");
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url).map_err(|error| error.to_string())?;
        if url.is_empty() {
            let output = process.wait_with_output().map_err(|error| error.to_string())?;
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(Self { url: url.trim().to_owned(), _process: process })
    }
}
