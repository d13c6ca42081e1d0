//! A throw-away PostgreSQL with its ordinary settings, durability above all: `fsync`,
//! `synchronous_commit` and `full_page_writes` are on, as `initdb` leaves them. Unlike
//! `scripts/throwaway-postgres`, which trades all that for the speed of tests.

use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{free_address, process, shown};

/// A server that comes up does so within a second.
const START_TIME_MAX: Duration = Duration::from_secs(60);
const ROLE: &str = "heliograph";
const DATABASE: &str = "heliograph";

/// How to stop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Connections are cut, what is committed is flushed (`pg_ctl stop -m fast`).
    Fast,
    /// As in a crash: it recovers from its log at the next start (`-m immediate`).
    Immediate,
}

/// A running server in a directory of its own.
pub struct Postgres {
    bin: PathBuf,
    directory: tempfile::TempDir,
    user: Option<(u32, u32)>,
    address: SocketAddr,
    child: Option<Child>,
    url: String,
    settings: Vec<String>,
}

impl Postgres {
    /// Makes a cluster, starts it and makes an empty database in it. `settings` are `name=value`,
    /// beside the defaults.
    pub fn start(settings: &[String]) -> Self {
        let bin = find_bin();
        let directory = tempfile::Builder::new().prefix("heliograph-load-pg.").tempdir().unwrap();
        let address = free_address();
        let url = format!("postgres://{ROLE}:load@{address}/{DATABASE}");
        let user = other_user_if_root();
        if let Some((uid, gid)) = user {
            chown(directory.path(), Some(uid), Some(gid)).unwrap();
        }
        let mut postgres =
            Self { bin, directory, user, address, child: None, url, settings: settings.to_vec() };
        let data = shown(&postgres.data());
        let arguments = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"];
        postgres.run("initdb", &[&arguments[..], &["--pgdata", &data]].concat());
        postgres.restart();
        postgres.sql("postgres", &format!("CREATE ROLE {ROLE} LOGIN PASSWORD 'load'"));
        postgres.sql("postgres", &format!("CREATE DATABASE {DATABASE} OWNER {ROLE}"));
        postgres
    }

    /// Where the database is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Processor time of the server and all its backends, ended ones included.
    pub fn cpu(&self) -> Duration {
        self.child.as_ref().map_or(Duration::ZERO, |child| process::cpu_of_family(child.id()))
    }

    /// Stops it.
    pub fn stop(&mut self, stop: Stop) {
        let Some(mut child) = self.child.take() else { return };
        let signal = match stop {
            Stop::Fast => "INT",
            Stop::Immediate => "QUIT",
        };
        process::signal(child.id(), signal);
        child.wait().unwrap();
    }

    /// Starts it, and waits until it takes connections.
    pub fn restart(&mut self) {
        let mut command = self.command("postgres");
        command.args(["-D", &shown(&self.data())]);
        let port = format!("port={}", self.address.port());
        let own = ["listen_addresses=127.0.0.1", &port, "unix_socket_directories="];
        for setting in own.into_iter().chain(self.settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        let log = std::fs::File::create(self.directory.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let deadline = Instant::now() + START_TIME_MAX;
        while !self.is_ready() {
            assert!(Instant::now() < deadline, "PostgreSQL does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a statement as the superuser.
    pub fn sql(&self, database: &str, statement: &str) {
        let url = format!("postgres://postgres@{}/{database}", self.address);
        self.run("psql", &["--no-psqlrc", "--quiet", "--command", statement, &url]);
    }

    fn is_ready(&self) -> bool {
        let mut command = self.command("pg_isready");
        command.args(["--quiet", "--host=127.0.0.1", "--port", &self.address.port().to_string()]);
        command.status().unwrap().success()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let path = self.bin.join(program);
        // Distributions put the client programs into PATH as well.
        let mut command = Command::new(if path.exists() { path } else { PathBuf::from(program) });
        command.current_dir("/");
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = self.command(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop(Stop::Immediate);
    }
}

/// The newest of the places where Debian and others keep the server's programs.
fn find_bin() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort_by_key(|bin| version_of(bin));
    let in_path = std::env::var_os("PATH").into_iter().flat_map(|path| {
        std::env::split_paths(&path).filter(|dir| dir.join("initdb").exists()).collect::<Vec<_>>()
    });
    found.pop().or_else(|| in_path.into_iter().next()).expect(
        "PostgreSQL's programs (initdb, postgres) were not found: install PostgreSQL 15 or newer",
    )
}

fn version_of(bin: &Path) -> u32 {
    let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// PostgreSQL refuses to run as root: `postgres` or `nobody` does it then.
fn other_user_if_root() -> Option<(u32, u32)> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let uid =
        status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?;
    if uid != "0" {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let fields: Vec<&str> = line.split(':').collect();
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody"))
}
