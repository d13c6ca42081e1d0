//! What an operator may set of an SMPP account, with its defaults.
//!
//! Plain data: it opens nothing and checks only itself. Deserialised from the carrier's stored
//! settings; read by every other file of this module.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// Longest system id, octets without the terminator (SMPP 3.4, 5.2.1).
pub const SYSTEM_ID_LENGTH_MAX: usize = 15;
/// Longest password, octets without the terminator (SMPP 3.4, 5.2.2).
pub const PASSWORD_LENGTH_MAX: usize = 8;
/// Longest system type, octets without the terminator (SMPP 3.4, 5.2.3).
pub const SYSTEM_TYPE_LENGTH_MAX: usize = 12;
/// Longest service type, octets without the terminator (SMPP 3.4, 5.2.11).
pub const SERVICE_TYPE_LENGTH_MAX: usize = 5;
/// Longest address range, octets without the terminator (SMPP 3.4, 5.2.7).
pub const ADDRESS_RANGE_LENGTH_MAX: usize = 40;
/// Most binds of one account; carriers commonly grant 1 to 10.
pub const BINDS_MAX: u16 = 50;
/// Largest fixed window, submit_sm without an answer on one bind. Carriers commonly grant 10 to
/// 100; beyond this the only effect is more uncertain messages when a link breaks.
pub const WINDOW_MAX: u16 = 1_000;
/// Largest and smallest window that `auto` chooses.
pub const WINDOW_AUTO_RANGE: std::ops::RangeInclusive<u16> = 10..=100;

/// One SMPP account at a carrier.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmppConfig {
    /// The carrier's name, as logs and metrics show it.
    pub name: String,
    /// `host:port`; a name is resolved again at each connect.
    pub address: String,
    /// Up to 15 octets.
    pub system_id: String,
    /// Up to 8 octets. Never serialised.
    #[serde(default = "empty_secret", deserialize_with = "secret", skip_serializing)]
    pub password: SecretString,
    /// Up to 12 octets; most carriers ignore it. Default empty.
    #[serde(default)]
    pub system_type: String,
    /// Default: one connection for both directions.
    #[serde(default)]
    pub bind: Bind,
    /// How many binds (pairs of them with `transmitter_receiver`). Default 1.
    #[serde(default = "one")]
    pub binds: u16,
    /// TLS to the carrier. Default none.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// Unanswered submit_sm at a time, per bind. Default 10.
    #[serde(default)]
    pub window: Window,
    /// Parts a second over all binds together. Default none: as fast as the windows allow, until
    /// the carrier throttles.
    #[serde(default)]
    pub rate_parts_per_s: Option<f64>,
    /// After so much silence an enquire_link is sent; after two without an answer the link is
    /// dropped. Default 30,000 ms.
    #[serde(default = "enquire_link_ms")]
    pub enquire_link_ms: u64,
    /// After so long an unanswered submit_sm is uncertain and its window slot free. Default
    /// 30,000 ms.
    #[serde(default = "response_timeout_ms")]
    pub response_timeout_ms: u64,
    /// For the TCP connect, the TLS handshake and the bind, each. Default 10,000 ms.
    #[serde(default = "connect_timeout_ms")]
    pub connect_timeout_ms: u64,
    /// Waits between connects.
    #[serde(default)]
    pub reconnect: Reconnect,
    /// At shutdown, the longest wait for answers and acknowledgements. Default 15,000 ms.
    #[serde(default = "shutdown_timeout_ms")]
    pub shutdown_timeout_ms: u64,
    /// `interface_version` of the bind. Default 0x34 (SMPP 3.4).
    #[serde(default = "interface_version")]
    pub interface_version: u8,
    /// `address_range` of the bind. Default empty.
    #[serde(default)]
    pub address_range: String,
    /// Type of number and plan by kind of address.
    #[serde(default)]
    pub numbering: Numbering,
    /// `service_type` of every submit_sm, up to 5 octets. Default empty.
    #[serde(default)]
    pub service_type: String,
    /// Default: the remaining validity, as a relative time.
    #[serde(default)]
    pub validity: Validity,
    /// Whether `query_sm` may be sent, for messages that no receipt comes for. Default off: many
    /// carriers do not answer it.
    #[serde(default)]
    pub query_sm: bool,
    /// How `data_coding` 0 of inbound messages reads. Default GSM 03.38.
    #[serde(default)]
    pub default_alphabet: DefaultAlphabet,
}

/// Which connections a bind is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bind {
    /// One `bind_transceiver`.
    #[default]
    Transceiver,
    /// One `bind_transmitter` and one `bind_receiver`.
    TransmitterReceiver,
}

/// TLS to the carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The name that the certificate must be for.
    pub server_name: String,
    /// Whom to trust. Default: what the machine trusts.
    #[serde(default)]
    pub roots: TlsRoots,
}

/// Whom TLS trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsRoots {
    /// The machine's certificate store.
    #[default]
    Native,
    /// The certificates in this PEM file and no others.
    PemFile(PathBuf),
}

/// How many submit_sm may wait for their answers on one bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// This many, 1 to [`WINDOW_MAX`].
    Fixed(u16),
    /// Rate ÷ binds × 95th percentile of the answer time × 1.5, within [`WINDOW_AUTO_RANGE`].
    Auto,
}

impl Window {
    /// The most that it may be.
    pub const fn most(self) -> u16 {
        match self {
            Self::Fixed(window) => window,
            Self::Auto => *WINDOW_AUTO_RANGE.end(),
        }
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::Fixed(10)
    }
}

/// Waits between connects, each ± 20 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reconnect {
    /// After a link is lost; doubled after each failure. Default 1,000 ms.
    pub first_ms: u64,
    /// The longest wait. Default 60,000 ms.
    pub max_ms: u64,
    /// After a bind refused for its credentials: trying faster locks accounts. Default
    /// 300,000 ms.
    pub refused_ms: u64,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self { first_ms: 1_000, max_ms: 60_000, refused_ms: 300_000 }
    }
}

/// Type of number and numbering plan indicator (SMPP 3.4, 5.2.5 and 5.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TonNpi {
    /// Type of number.
    pub ton: u8,
    /// Numbering plan indicator.
    pub npi: u8,
}

/// What each kind of address is sent as. Carriers differ most on short codes (3/0, 6/0, 0/1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Numbering {
    /// Alphanumeric senders. Default 5/0.
    pub alphanumeric: TonNpi,
    /// International senders. Default 1/1.
    pub international: TonNpi,
    /// Short codes as senders. Default 3/0.
    pub short_code: TonNpi,
    /// Recipients. Default 1/1.
    pub destination: TonNpi,
}

impl Default for Numbering {
    fn default() -> Self {
        Self {
            alphanumeric: TonNpi { ton: 5, npi: 0 },
            international: TonNpi { ton: 1, npi: 1 },
            short_code: TonNpi { ton: 3, npi: 0 },
            destination: TonNpi { ton: 1, npi: 1 },
        }
    }
}

/// What `validity_period` carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validity {
    /// What remains until the message expires, as a relative time (SMPP 3.4, 7.1.1.2).
    #[default]
    Relative,
    /// Nothing: for carriers that refuse the field.
    Omitted,
}

/// What a carrier's default alphabet is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultAlphabet {
    /// GSM 03.38, one septet an octet.
    #[default]
    Gsm,
    /// ISO 8859-1.
    Latin1,
}

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A text field is longer than the protocol carries, or not ASCII.
    #[error("{field} must be ASCII of at most {octets_max} octets")]
    Text {
        /// Which.
        field: &'static str,
        /// The protocol's limit.
        octets_max: usize,
    },
    /// A number is out of its range.
    #[error("{field} must be from {min} to {max}")]
    Range {
        /// Which.
        field: &'static str,
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// The rate is not a positive number.
    #[error("rate_parts_per_s must be a number above zero")]
    Rate,
    /// The address has no port.
    #[error("address must be host:port")]
    Address,
}

impl SmppConfig {
    /// The settings for one transceiver bind without TLS; everything else is the default.
    pub fn new(name: &str, address: &str, system_id: &str, password: SecretString) -> Self {
        Self {
            name: name.to_owned(),
            address: address.to_owned(),
            system_id: system_id.to_owned(),
            password,
            system_type: String::new(),
            bind: Bind::default(),
            binds: one(),
            tls: None,
            window: Window::default(),
            rate_parts_per_s: None,
            enquire_link_ms: enquire_link_ms(),
            response_timeout_ms: response_timeout_ms(),
            connect_timeout_ms: connect_timeout_ms(),
            reconnect: Reconnect::default(),
            shutdown_timeout_ms: shutdown_timeout_ms(),
            interface_version: interface_version(),
            address_range: String::new(),
            numbering: Numbering::default(),
            service_type: String::new(),
            validity: Validity::default(),
            query_sm: false,
            default_alphabet: DefaultAlphabet::default(),
        }
    }

    /// Checks what the protocol limits.
    ///
    /// # Errors
    /// Names the first field that cannot be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        use secrecy::ExposeSecret;
        text("system_id", &self.system_id, SYSTEM_ID_LENGTH_MAX)?;
        text("password", self.password.expose_secret(), PASSWORD_LENGTH_MAX)?;
        text("system_type", &self.system_type, SYSTEM_TYPE_LENGTH_MAX)?;
        text("service_type", &self.service_type, SERVICE_TYPE_LENGTH_MAX)?;
        text("address_range", &self.address_range, ADDRESS_RANGE_LENGTH_MAX)?;
        range("binds", u64::from(self.binds), 1, u64::from(BINDS_MAX))?;
        if let Window::Fixed(window) = self.window {
            range("window", u64::from(window), 1, u64::from(WINDOW_MAX))?;
        }
        for (field, ms) in [
            ("enquire_link_ms", self.enquire_link_ms),
            ("response_timeout_ms", self.response_timeout_ms),
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("reconnect.first_ms", self.reconnect.first_ms),
            ("reconnect.max_ms", self.reconnect.max_ms),
            ("reconnect.refused_ms", self.reconnect.refused_ms),
        ] {
            range(field, ms, 1, WAIT_MS_MAX)?;
        }
        range("shutdown_timeout_ms", self.shutdown_timeout_ms, 0, WAIT_MS_MAX)?;
        if self.rate_parts_per_s.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            return Err(ConfigError::Rate);
        }
        match self.address.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(()),
            Some(_) | None => Err(ConfigError::Address),
        }
    }

    pub(super) fn response_timeout(&self) -> Duration {
        Duration::from_millis(self.response_timeout_ms)
    }

    pub(super) fn enquire_link(&self) -> Duration {
        Duration::from_millis(self.enquire_link_ms)
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(super) fn shutdown_timeout(&self) -> Duration {
        Duration::from_millis(self.shutdown_timeout_ms)
    }
}

/// Longest of all waits, a day in ms: a typing error should not silence a carrier for longer.
const WAIT_MS_MAX: u64 = 86_400_000;

fn text(field: &'static str, value: &str, octets_max: usize) -> Result<(), ConfigError> {
    if value.len() > octets_max || !value.is_ascii() || value.contains('\0') {
        return Err(ConfigError::Text { field, octets_max });
    }
    Ok(())
}

fn range(field: &'static str, value: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(ConfigError::Range { field, min, max }) }
}

fn secret<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn empty_secret() -> SecretString {
    SecretString::from("")
}

const fn one() -> u16 {
    1
}

const fn enquire_link_ms() -> u64 {
    30_000
}

const fn response_timeout_ms() -> u64 {
    30_000
}

const fn connect_timeout_ms() -> u64 {
    10_000
}

const fn shutdown_timeout_ms() -> u64 {
    15_000
}

const fn interface_version() -> u8 {
    0x34
}

#[cfg(test)]
mod tests;
