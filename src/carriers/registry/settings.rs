//! What the operator sets of an SMPP account, as it is stored (JSON).
//!
//! Without the name and the password, which have columns of their own. What is not among these
//! settings has the SMPP client's default.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::carriers::smpp::{Bind, ConfigError, SmppConfig, TlsConfig, Window};
use crate::types::secret::SecretText;

/// An SMPP account at a carrier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmppSettings {
    /// `host:port`; a name is resolved again at each connect.
    pub address: String,
    /// Up to 15 octets of ASCII.
    pub system_id: String,
    /// Up to 12 octets of ASCII; most carriers ignore it.
    #[serde(default)]
    pub system_type: String,
    /// One connection for both directions, or one each.
    #[serde(default)]
    pub bind: Bind,
    /// How many binds, 1 to 50.
    #[serde(default = "one")]
    pub binds: u16,
    /// Unanswered submissions at a time, per bind.
    #[serde(default)]
    pub window: Window,
    /// Parts a second over all binds together; as fast as the windows allow if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_parts_per_s: Option<f64>,
    /// TLS to the carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
}

impl SmppSettings {
    /// One transceiver bind with the defaults.
    pub fn new(address: &str, system_id: &str) -> Self {
        Self {
            address: address.to_owned(),
            system_id: system_id.to_owned(),
            system_type: String::new(),
            bind: Bind::default(),
            binds: one(),
            window: Window::default(),
            rate_parts_per_s: None,
            tls: None,
        }
    }

    /// The client's configuration.
    pub fn config(&self, name: &str, password: &SecretText) -> SmppConfig {
        let password = SecretString::from(password.expose());
        SmppConfig {
            system_type: self.system_type.clone(),
            bind: self.bind,
            binds: self.binds,
            window: self.window,
            rate_parts_per_s: self.rate_parts_per_s,
            tls: self.tls.clone(),
            ..SmppConfig::new(name, &self.address, &self.system_id, password)
        }
    }

    /// Checks what the protocol and reason limit.
    ///
    /// # Errors
    /// Names the first field that cannot be used.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.config("", &SecretText::new(String::new())).validate()
    }

    /// Host and port of the address, if it has both.
    pub fn host_and_port(&self) -> Option<(&str, u16)> {
        let (host, port) = self.address.rsplit_once(':')?;
        Some((host, port.parse().ok()?))
    }
}

/// Checks a password: up to 8 octets of ASCII (SMPP 3.4, 5.2.2).
///
/// # Errors
/// Names the field.
pub(super) fn validate_password(password: &SecretText) -> Result<(), ConfigError> {
    SmppSettings::new("localhost:2775", "").config("", password).validate()
}

const fn one() -> u16 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_smpp_cannot_carry_is_refused_by_the_clients_own_rules() {
        assert_eq!(SmppSettings::new("localhost:2775", "me").validate(), Ok(()));
        assert_eq!(SmppSettings::new("localhost", "me").validate(), Err(ConfigError::Address));
        let long = SmppSettings::new("localhost:2775", &"a".repeat(16)).validate();
        assert!(matches!(long, Err(ConfigError::Text { field: "system_id", .. })), "{long:?}");
        assert_eq!(validate_password(&SecretText::new("12345678".to_owned())), Ok(()));
        let long = validate_password(&SecretText::new("123456789".to_owned()));
        assert!(matches!(long, Err(ConfigError::Text { field: "password", .. })), "{long:?}");
    }

    #[test]
    fn what_is_stored_is_read_back_and_holds_no_password() {
        let mut settings = SmppSettings::new("localhost:2775", "me");
        settings.window = Window::Auto;
        settings.rate_parts_per_s = Some(12.5);
        let stored = serde_json::to_string(&settings).unwrap();
        assert!(!stored.contains("password"));
        assert_eq!(serde_json::from_str::<SmppSettings>(&stored).unwrap(), settings);
    }
}
