//! Typed settings: defaults compiled in, then a file, then the environment, then the command line.
//!
//! Everything is validated here, at start, and all faults are reported at once. What each setting
//! means, its unit and range, stands beside its default in `config/default.toml`.

mod billing;
mod contacts;
mod database_url;
mod links;
mod quiet_hours;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Serialized, Toml};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::billing::{Billing, Mail, Payments};
pub use self::contacts::Contacts;
pub use self::database_url::{DatabaseUrl, UnknownScheme};
pub use self::links::Links;
pub use self::quiet_hours::QuietHours;

/// The text of `config/default.toml`.
pub const DEFAULTS: &str = include_str!("../config/default.toml");
/// The longest validity of a message, in seconds: 48 hours (`messages::accept`).
const MESSAGE_VALIDITY_MAX_S: i64 = 48 * 3_600;
const ENV_PREFIX: &str = "HELIOGRAPH__";
/// Reminders of one invoice: more would be nagging.
const REMINDERS_MAX: usize = 10;

/// All settings.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The process and its address.
    pub server: Server,
    /// Where things are kept.
    pub store: Store,
    /// Accounts, log-ins, tokens.
    pub identity: Identity,
    /// Limits of the GraphQL edge.
    pub graphql: Graphql,
    /// What callers may spend.
    pub rate_limits: RateLimits,
    /// Sending.
    pub messages: Messages,
    /// Files of contacts.
    pub contacts: Contacts,
    /// Charging.
    pub billing: Billing,
    /// Payments through processors.
    pub payments: Payments,
    /// E-mail.
    pub mail: Mail,
    /// Roll-ups.
    pub metrics: Metrics,
    /// Campaigns.
    pub campaigns: Campaigns,
    /// Short links.
    pub links: Links,
    /// When marketing is not sent.
    pub quiet_hours: QuietHours,
    /// Logs and traces.
    pub telemetry: Telemetry,
}

/// The process and its address.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// Development or production.
    pub environment: Environment,
    /// What this node does.
    pub roles: Vec<NodeRole>,
    /// The address that clients reach; empty: from `listen`.
    pub public_url: String,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<String>,
    /// Seconds that a shutdown may take.
    pub shutdown_timeout_s: u64,
    /// Addresses and networks of proxies that are believed about their clients.
    pub trusted_proxies: Vec<String>,
    /// Seconds for a client that takes nothing.
    pub write_timeout_s: u64,
    /// At a time.
    pub connections_per_address_max: usize,
}

impl Server {
    /// The networks of `trusted_proxies`; an address is a network of its own.
    ///
    /// # Panics
    /// Never on settings that came from [`Settings::load`], which checked them.
    pub fn trusted_proxies(&self) -> Vec<IpNet> {
        let networks = self.trusted_proxies.iter().map(|text| network(text));
        networks.map(|network| network.expect("checked when loaded")).collect()
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// How guarded the edges are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Explorer and introspection for anyone.
    Development,
    /// Neither for strangers.
    Production,
}

/// A part that a node may play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// Serves HTTP.
    Api,
    /// Hands messages to carriers and runs sweeps.
    Worker,
}

/// Where things are kept.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// Directory of the SQLite file and the generated keys.
    pub data_dir: PathBuf,
    /// Empty: SQLite in `data_dir`.
    pub database_url: String,
    /// PostgreSQL's role that owns the tables; empty: the one of `database_url`.
    pub migrate_url: String,
    /// PostgreSQL connections of this node.
    pub connections_max: u32,
    /// Base64 of 32 bytes; empty: from a file in `data_dir`.
    pub master_key: String,
}

impl std::fmt::Debug for Store {
    /// Hides the key and the URLs, which may hold passwords.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

/// Accounts, log-ins, tokens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Whether strangers may make an account.
    pub sign_up_open: bool,
    /// Seconds.
    pub access_token_ttl_s: i64,
    /// Seconds.
    pub session_ttl_s: i64,
    /// KiB of memory of one password hash.
    pub argon2_memory_kib: u32,
}

/// Limits of the GraphQL edge.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Graphql {
    /// Bytes.
    pub body_bytes_max: usize,
    /// Bytes.
    pub document_bytes_max: usize,
    /// Tokens.
    pub document_tokens_max: usize,
    /// Levels.
    pub depth_max: usize,
    /// Of one operation.
    pub aliases_max: usize,
    /// Of one operation.
    pub directives_max: usize,
    /// Of one operation.
    pub root_fields_max: usize,
    /// Points.
    pub complexity_max: usize,
    /// Milliseconds.
    pub operation_timeout_ms: u64,
    /// On one socket.
    pub socket_subscriptions_max: usize,
    /// Bytes.
    pub socket_message_bytes_max: usize,
    /// At a time.
    pub streams_per_account_max: usize,
}

/// What callers may spend on a node, in points.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimits {
    /// Of an API key or a log-in, a second.
    pub credential_points_per_s: u64,
    /// The same, at once.
    pub credential_points_burst: u64,
    /// Of an account, a second.
    pub account_points_per_s: u64,
    /// The same, at once.
    pub account_points_burst: u64,
    /// Of strangers from an address, a second.
    pub address_points_per_s: u64,
    /// The same, at once.
    pub address_points_burst: u64,
}

impl RateLimits {
    fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("credential_points_per_s", self.credential_points_per_s),
            ("credential_points_burst", self.credential_points_burst),
            ("account_points_per_s", self.account_points_per_s),
            ("account_points_burst", self.account_points_burst),
            ("address_points_per_s", self.address_points_per_s),
            ("address_points_burst", self.address_points_burst),
        ]
    }
}

/// Sending.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    /// Messages claimed at once.
    pub claim_batch: u32,
    /// Results and receipts written at once.
    pub settle_batch: usize,
    /// Seconds.
    pub receipt_timeout_s: i64,
    /// Seconds.
    pub late_receipt_s: i64,
    /// Seconds.
    pub inbound_parts_timeout_s: i64,
    /// Seconds.
    pub idempotency_ttl_s: i64,
    /// Seconds.
    pub event_retention_s: i64,
}

/// Roll-ups.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Seconds.
    pub minute_retention_s: i64,
    /// Seconds; also of quarters of an hour.
    pub hour_retention_s: i64,
}

/// Campaigns.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Campaigns {
    /// Percent of the messages whose fate is decided.
    pub failure_percent_max: i64,
    /// Messages.
    pub failure_samples_min: i64,
}

/// Logs and traces.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// Filter, as in `RUST_LOG`.
    pub log: String,
    /// How a line looks.
    pub format: LogFormat,
    /// Where traces go; empty: nowhere.
    pub otlp_endpoint: String,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// For programs.
    Json,
}

/// What the command line sets over file and environment; `None` leaves them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Overrides {
    /// `--listen`
    pub listen: Option<SocketAddr>,
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--database-url`
    pub database_url: Option<String>,
    /// `--roles`
    pub roles: Option<Vec<NodeRole>>,
}

/// All that is wrong with the settings, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(pub Vec<String>);

impl Settings {
    /// Reads and validates the settings.
    ///
    /// # Errors
    /// [`SettingsError`] with every fault found.
    pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Self, SettingsError> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(path) = file {
            if !path.is_file() {
                return Err(SettingsError(vec![format!("no settings file {}", path.display())]));
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        figment = figment.merge(settings_environment());
        for (key, value) in values_from_files()? {
            figment = figment.merge(Serialized::default(&key, value));
        }
        if let Some(listen) = overrides.listen {
            figment = figment.merge(Serialized::default("server.listen", listen));
        }
        if let Some(roles) = &overrides.roles {
            figment = figment.merge(Serialized::default("server.roles", roles));
        }
        if let Some(data_dir) = &overrides.data_dir {
            figment = figment.merge(Serialized::default("store.data_dir", data_dir));
        }
        if let Some(url) = &overrides.database_url {
            figment = figment.merge(Serialized::default("store.database_url", url));
        }
        let settings: Self = figment.extract().map_err(|errors| {
            SettingsError(errors.into_iter().map(|error| error.to_string()).collect())
        })?;
        settings.validated()
    }

    fn validated(mut self) -> Result<Self, SettingsError> {
        let mut faults = self.quiet_hours.read();
        {
            let mut range = |name: &str, value: i64, min: i64, max: i64| {
                if !(min..=max).contains(&value) {
                    faults.push(format!("{name} is {value}: it must be from {min} to {max}"));
                }
            };
            let (server, store, identity) = (&self.server, &self.store, &self.identity);
            range("server.shutdown_timeout_s", server.shutdown_timeout_s as i64, 1, 300);
            range("server.write_timeout_s", server.write_timeout_s as i64, 1, 3_600);
            let connections = server.connections_per_address_max as i64;
            range("server.connections_per_address_max", connections, 1, 1_000_000);
            let streams = self.graphql.streams_per_account_max as i64;
            range("graphql.streams_per_account_max", streams, 1, 1_000_000);
            for (name, value) in self.rate_limits.named() {
                range(&format!("rate_limits.{name}"), value as i64, 1, 1_000_000_000);
            }
            range("store.connections_max", store.connections_max.into(), 2, 500);
            range("identity.access_token_ttl_s", identity.access_token_ttl_s, 60, 3_600);
            range("identity.session_ttl_s", identity.session_ttl_s, 3_600, 31_536_000);
            range("identity.argon2_memory_kib", identity.argon2_memory_kib.into(), 8, 1 << 20);
            range("messages.claim_batch", self.messages.claim_batch.into(), 1, 1_000);
            range("messages.settle_batch", self.messages.settle_batch as i64, 1, 5_000);
            range("messages.receipt_timeout_s", self.messages.receipt_timeout_s, 1, 2_592_000);
            range("messages.late_receipt_s", self.messages.late_receipt_s, 1, 2_592_000);
            range(
                "messages.inbound_parts_timeout_s",
                self.messages.inbound_parts_timeout_s,
                60,
                86_400,
            );
            range("messages.idempotency_ttl_s", self.messages.idempotency_ttl_s, 60, 31_536_000);
            range("messages.event_retention_s", self.messages.event_retention_s, 60, 315_360_000);
            let metrics = &self.metrics;
            range("metrics.minute_retention_s", metrics.minute_retention_s, 86_400, 31_536_000);
            range("metrics.hour_retention_s", metrics.hour_retention_s, 2_764_800, 315_360_000);
            for (name, value, min, max) in self.contacts.ranges() {
                range(name, value, min, max);
            }
            range("links.click_retention_s", self.links.click_retention_s, 86_400, 315_360_000);
            let campaigns = &self.campaigns;
            range("campaigns.failure_percent_max", campaigns.failure_percent_max, 1, 100);
            range("campaigns.failure_samples_min", campaigns.failure_samples_min, 1, 1_000_000);
            range("graphql.depth_max", self.graphql.depth_max as i64, 3, 100);
            range("billing.invoice_net_days", self.billing.invoice_net_days.into(), 0, 365);
            range("billing.suspend_after_days", self.billing.suspend_after_days.into(), 0, 365);
            for days in &self.billing.reminder_days {
                range("billing.reminder_days", (*days).into(), 1, 365);
            }
        }
        if self.billing.reminder_days.len() > REMINDERS_MAX {
            faults.push(format!("billing.reminder_days has more than {REMINDERS_MAX} days"));
        }
        let messages = &self.messages;
        let life_s = MESSAGE_VALIDITY_MAX_S + messages.receipt_timeout_s + messages.late_receipt_s;
        if messages.event_retention_s < life_s {
            faults.push(format!(
                "messages.event_retention_s is {}: a late receipt may come after {life_s} s (the \
                 longest validity, receipt_timeout_s and late_receipt_s), and what it corrects \
                 stands in the log",
                messages.event_retention_s
            ));
        }
        if let Err(fault) = self.billing.check_default_price() {
            faults.push(format!("billing.default_part_price: {fault}"));
        }
        let return_url = &self.payments.return_url;
        let is_web = return_url.starts_with("https://") || return_url.starts_with("http://");
        if !return_url.is_empty() && !is_web {
            faults.push("payments.return_url must begin with https:// or http://".to_owned());
        }
        if let Err(fault) = crate::mail::Mailer::new(&self.mail) {
            faults.push(fault);
        }
        faults.extend(self.links.faults());
        if self.server.roles.is_empty() {
            faults.push("server.roles is empty: name api, worker or both".to_owned());
        }
        for proxy in self.server.trusted_proxies.iter().filter(|it| network(it).is_none()) {
            faults.push(format!(
                "server.trusted_proxies has {proxy:?}: write 10.0.0.1 or 10.0.0.0/8"
            ));
        }
        let url = &self.store.database_url;
        if !url.is_empty() && DatabaseUrl::parse(url).is_err() {
            faults.push("store.database_url must begin with sqlite: or postgres:".to_owned());
        }
        let owner = &self.store.migrate_url;
        let is_postgres = |url: &str| DatabaseUrl::parse(url).is_ok_and(|url| !url.is_sqlite());
        let fits = owner.is_empty() || (is_postgres(owner) && is_postgres(url));
        if !fits {
            faults.push(
                "store.migrate_url is for PostgreSQL: it and store.database_url must begin with \
                 postgres:"
                    .to_owned(),
            );
        }
        if faults.is_empty() { Ok(self) } else { Err(SettingsError(faults)) }
    }

    /// The store that these settings name.
    ///
    /// # Panics
    /// Never on settings that came from [`Settings::load`], which checked the URL.
    pub fn database_url(&self) -> DatabaseUrl {
        if self.store.database_url.is_empty() {
            return DatabaseUrl::in_directory(&self.store.data_dir);
        }
        DatabaseUrl::parse(&self.store.database_url).expect("checked when loaded")
    }

    /// The same store by the role that owns its tables, where that is another.
    ///
    /// # Panics
    /// As [`database_url`](Self::database_url).
    pub fn migrate_url(&self) -> Option<DatabaseUrl> {
        let url = &self.store.migrate_url;
        (!url.is_empty()).then(|| DatabaseUrl::parse(url).expect("checked when loaded"))
    }

    /// The address that clients reach, without a slash at its end.
    pub fn public_url(&self) -> String {
        if self.server.public_url.is_empty() {
            format!("http://{}", self.server.listen)
        } else {
            self.server.public_url.trim_end_matches('/').to_owned()
        }
    }
}

/// The environment's settings, without the `…_FILE` variables, which name files.
fn settings_environment() -> Env {
    Env::prefixed(ENV_PREFIX)
        .filter(|name| !name.as_str().to_ascii_lowercase().ends_with("_file"))
        .split("__")
}

fn file_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars().filter_map(|(name, path)| {
        let name = name.strip_prefix(ENV_PREFIX)?;
        name.ends_with("_FILE").then(|| (name.to_lowercase(), path))
    })
}

fn values_from_files() -> Result<Vec<(String, String)>, SettingsError> {
    let mut faults = Vec::new();
    let mut values = Vec::new();
    for (name, path) in file_variables() {
        let key = name.trim_end_matches("_file").replace("__", ".");
        match std::fs::read_to_string(&path) {
            Ok(text) => values.push((key, text.trim().to_owned())),
            Err(error) => faults.push(format!("{key}: cannot read {path}: {error}")),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(SettingsError(faults)) }
}
