//! The checks, one function each.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entity::installation;
use sea_orm::{ConnectionTrait, EntityTrait, Statement};

use crate::app::check_value;
use crate::config::Settings;
use crate::db::{Db, Role, Store};
use crate::keys::{MASTER_KEY_FILE, MasterKey};
use crate::sys::Clock;

/// Below this much room the store may fill the disk within a day of heavy sending, in bytes: 2 GiB.
const DISK_BYTES_MIN: u64 = 2 << 30;
/// PostgreSQL's number for 15.0, the oldest version that is tested.
const POSTGRES_VERSION_MIN: i32 = 150_000;
/// Clocks that are further apart than this confuse leases and log-ins, in milliseconds.
const CLOCK_SKEW_MS_MAX: i64 = 1_000;
/// This program was not made before this time: 2026-01-01T00:00:00Z.
const BUILT_AFTER_MS: i64 = 1_767_225_600_000;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing to do.
    Good,
    /// It works, but worth a look.
    Warning,
    /// It will not work.
    Fault,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    name: &'static str,
    text: String,
    /// What to do about it; empty if there is nothing to do.
    fix: String,
}

impl Finding {
    pub(super) fn good(name: &'static str, text: impl Into<String>) -> Self {
        Self { verdict: Verdict::Good, name, text: text.into(), fix: String::new() }
    }

    pub(super) fn warning(
        name: &'static str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { verdict: Verdict::Warning, name, text: text.into(), fix: fix.into() }
    }

    pub(super) fn fault(
        name: &'static str,
        text: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { verdict: Verdict::Fault, name, text: text.into(), fix: fix.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Good => "ok",
            Verdict::Warning => "look",
            Verdict::Fault => "FAULT",
        };
        write!(f, "{verdict:<6}{:<16}{}", self.name, self.text.replace('\n', "; "))?;
        if !self.fix.is_empty() {
            write!(f, "\n{:<22}→ {}", "", self.fix)?;
        }
        Ok(())
    }
}

/// Runs every check that makes sense after the ones before it.
pub(super) async fn all(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![Finding::good("settings", "read, and within their ranges")];
    findings.push(clock(&Clock::system()));
    let (finding, master_key) = master_key(settings);
    findings.push(finding);
    let data_dir = &settings.store.data_dir;
    findings.extend(directory(data_dir));
    if settings.database_url().is_sqlite() && !data_dir.is_dir() {
        findings.push(Finding::good("store", "none yet: the first start makes it"));
        return findings;
    }
    findings.extend(store(settings, master_key.as_ref()).await);
    findings
}

fn clock(clock: &Clock) -> Finding {
    if clock.now().0 < BUILT_AFTER_MS {
        return Finding::fault(
            "clock",
            "the machine's clock is before this program was made",
            "set the clock, and keep it by NTP",
        );
    }
    Finding::good("clock", "after this program was made")
}

fn master_key(settings: &Settings) -> (Finding, Option<MasterKey>) {
    let name = "master key";
    let fix = "give 32 bytes in base64, the same on every node: openssl rand -base64 32";
    if !settings.store.master_key.is_empty() {
        return match MasterKey::parse(&settings.store.master_key) {
            Ok(key) => (Finding::good(name, "from the settings"), Some(key)),
            Err(error) => (Finding::fault(name, error.to_string(), fix), None),
        };
    }
    let path = settings.store.data_dir.join(MASTER_KEY_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => match MasterKey::parse(&text) {
            Ok(key) => (key_file(&path), Some(key)),
            Err(error) => (Finding::fault(name, format!("{}: {error}", path.display()), fix), None),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = format!("none yet: the first start makes {}", path.display());
            (Finding::good(name, text), None)
        }
        Err(error) => {
            let text = format!("{}: {error}", path.display());
            (Finding::fault(name, text, "let the program's user read it"), None)
        }
    }
}

/// The key's file is there and readable: by whom?
fn key_file(path: &Path) -> Finding {
    let name = "master key";
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = path.metadata().map(|metadata| metadata.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o077 != 0) {
            let text = format!("others may read {}", path.display());
            return Finding::fault(name, text, format!("chmod 600 {}", path.display()));
        }
    }
    Finding::good(name, format!("from {}", path.display()))
}

/// The data directory: can it be written to, and is there room?
fn directory(path: &Path) -> Vec<Finding> {
    let name = "data directory";
    if !path.exists() {
        return vec![Finding::good(name, format!("{} will be made", path.display()))];
    }
    let mut findings = Vec::new();
    let writable = path.metadata().is_ok_and(|metadata| metadata.is_dir())
        && rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    findings.push(if writable {
        Finding::good(name, path.display().to_string())
    } else {
        Finding::fault(
            name,
            format!("{} cannot be written to", path.display()),
            "let the program's user write there, or choose another place with --data-dir",
        )
    });
    match rustix::fs::statvfs(path) {
        Ok(disk) => findings.push(disk_space(disk.f_bavail.saturating_mul(disk.f_frsize))),
        Err(error) => findings.push(Finding::warning(
            "disk",
            format!("its free space cannot be read: {error}"),
            "look at df by hand",
        )),
    }
    findings
}

fn disk_space(free_bytes: u64) -> Finding {
    let text = format!("{} MiB free", free_bytes >> 20);
    if free_bytes < DISK_BYTES_MIN {
        let needed = format!("make room: at least {} MiB", DISK_BYTES_MIN >> 20);
        return Finding::warning("disk", text, needed);
    }
    Finding::good("disk", text)
}

async fn store(settings: &Settings, master_key: Option<&MasterKey>) -> Vec<Finding> {
    let url = settings.database_url();
    if url.is_sqlite() && !sqlite_file_exists(settings) {
        return vec![Finding::good("store", "none yet: the first start makes it")];
    }
    let db = match Db::open(&url, settings.store.connections_max).await {
        Ok(db) => db,
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            return vec![Finding::fault(
                "store",
                format!("{error}: {}", source.unwrap_or_default()),
                "see that it runs, and that store.database_url names it",
            )];
        }
    };
    let mut findings = vec![Finding::good("store", format!("{url} answers"))];
    if db.store() == Store::Postgres {
        findings.extend(postgres(&db).await);
    }
    let schema = schema(&db, master_key).await;
    let is_usable = schema.iter().all(|finding| finding.verdict == Verdict::Good);
    findings.extend(schema);
    if is_usable {
        findings.extend(super::carriers::all(&db).await);
    }
    // It was only read from.
    let _ = db.close().await;
    findings
}

fn sqlite_file_exists(settings: &Settings) -> bool {
    let url = settings.database_url();
    let path = url.expose().trim_start_matches("sqlite:");
    let path = path.strip_prefix("//").unwrap_or(path);
    Path::new(path.split('?').next().unwrap_or_default()).is_file()
}

/// The server's version, clock, and what its role may do.
async fn postgres(db: &Db) -> Vec<Finding> {
    let asked = Statement::from_string(
        db.store().backend(),
        "SELECT current_setting('server_version_num')::int AS version, \
         (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms",
    );
    let answer = match db.reader().query_one_raw(asked).await {
        Ok(Some(row)) => row
            .try_get("", "version")
            .and_then(|version: i32| Ok((version, row.try_get("", "now_ms")?))),
        Ok(None) => return Vec::new(),
        Err(error) => Err(error),
    };
    let (version, now_ms): (i32, i64) = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let text = format!("the server does not say its version: {error}");
            return vec![Finding::fault("PostgreSQL", text, "see the server's log")];
        }
    };
    let skew_ms = Clock::system().now().0 - now_ms;
    let role = match db.role().await {
        Ok(role) => role.map(|role| postgres_role(&role)),
        Err(error) => Some(Finding::fault(
            "PostgreSQL role",
            format!("the server does not say what the role may do: {error}"),
            "see the server's log",
        )),
    };
    [postgres_version(version), postgres_clock(skew_ms)].into_iter().chain(role).collect()
}

fn postgres_version(number: i32) -> Finding {
    let text = format!("version {}.{}", number / 10_000, number % 10_000);
    if number < POSTGRES_VERSION_MIN {
        return Finding::fault("PostgreSQL", text, "run version 15 or newer");
    }
    Finding::good("PostgreSQL", text)
}

fn postgres_clock(skew_ms: i64) -> Finding {
    let text = format!("{skew_ms} ms apart from the database server's");
    if skew_ms.abs() > CLOCK_SKEW_MS_MAX {
        return Finding::warning("clock", text, "keep both machines' clocks by NTP");
    }
    Finding::good("clock", text)
}

fn postgres_role(role: &Role) -> Finding {
    let name = "PostgreSQL role";
    if !role.is_walled {
        return Finding::fault(
            name,
            format!("{} is a superuser or has BYPASSRLS: the program refuses to start", role.name),
            format!("make a role of its own, and connect as it:\n{}", role.sql_for_proper_role()),
        );
    }
    if role.owns_tables {
        return Finding::warning(
            name,
            format!("{} owns the tables: it works, but could take row security down", role.name),
            "stronger: let another role own them, and name it in store.migrate_url",
        );
    }
    Finding::good(name, format!("{} may use the tables, and owns none", role.name))
}

/// Whether the schema is this program's, and the master key is the one of the first start.
async fn schema(db: &Db, master_key: Option<&MasterKey>) -> Vec<Finding> {
    let pending = match db.pending_migrations().await {
        Ok(pending) => pending,
        Err(error) => {
            return vec![Finding::fault(
                "migrations",
                error.to_string(),
                "a store of a newer version needs that version of the program",
            )];
        }
    };
    if !pending.is_empty() {
        return vec![Finding::warning(
            "migrations",
            format!("{} to run: {}", pending.len(), pending.join(", ")),
            "the next start runs them, or: heliograph migrate up",
        )];
    }
    let mut findings = vec![Finding::good("migrations", "all have run")];
    findings.extend(installed_key(db, master_key).await);
    findings
}

async fn installed_key(db: &Db, master_key: Option<&MasterKey>) -> Option<Finding> {
    let name = "master key";
    let installed = match installation::Entity::find().one(db.reader()).await {
        Ok(installed) => installed?,
        Err(error) => {
            return Some(Finding::fault(name, error.to_string(), "see that the store is whole"));
        }
    };
    let known = STANDARD.encode(&installed.master_key_check);
    match master_key.map(|key| STANDARD.encode(check_value(key))) {
        Some(check) if check == known => {
            Some(Finding::good(name, "the one that the store was first started with"))
        }
        _ => Some(Finding::fault(
            name,
            "not the one that the store was first started with",
            "restore it from the backup: stored secrets and API keys cannot be used without it",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(is_walled: bool, owns_tables: bool) -> Role {
        let (name, database) = ("program".to_owned(), "sms".to_owned());
        Role { name, database, is_walled, owns_tables }
    }

    #[test]
    fn each_fault_names_its_fix() {
        for finding in [
            postgres_version(140_012),
            postgres_clock(5_000),
            postgres_role(&role(false, false)),
            postgres_role(&role(true, true)),
            disk_space(1 << 20),
            clock(&crate::sys::ManualClock::starting_at(entity::time::UnixMillis(0)).clock()),
        ] {
            assert_ne!(finding.verdict, Verdict::Good, "{finding}");
            assert!(finding.to_string().contains("→ "), "{finding}");
        }
    }

    #[test]
    fn what_is_well_asks_for_nothing() {
        for finding in [
            postgres_version(150_000),
            postgres_clock(-20),
            postgres_role(&role(true, false)),
            disk_space(1 << 40),
        ] {
            assert_eq!(finding.verdict, Verdict::Good, "{finding}");
            assert!(!finding.to_string().contains('→'), "{finding}");
        }
    }
}
