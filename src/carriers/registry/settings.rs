//! What the operator sets of an SMPP account, as it is stored (JSON).
//!
//! Without the name and the password, which have columns of their own. What is not among these
//! settings has the SMPP client's default.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::carriers::errors::{self, ErrorMapping, ErrorTable, ErrorTableFault};
use crate::carriers::smpp::receipt_id::ReceiptIdForm;
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
    /// What this carrier means by its errors, before the default table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error_table: Vec<ErrorMapping>,
    /// How its receipts write the ids that its answers gave; learned if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_id_form: Option<ReceiptIdForm>,
    /// Whether it is asked (`query_sm`) about messages whose receipt is overdue.
    #[serde(default)]
    pub query_sm: bool,
}

/// Why an account's settings cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingsFault {
    /// The client refuses them.
    #[error(transparent)]
    Smpp(#[from] ConfigError),
    /// The table of errors is not one.
    #[error(transparent)]
    ErrorTable(#[from] ErrorTableFault),
}

/// How a carrier writes what it reports: what `messages::dispatch` has to know of its settings.
#[derive(Debug, Default)]
pub struct Conventions {
    /// The carrier's name, as metrics show it.
    pub carrier: String,
    /// What its errors mean.
    pub errors: ErrorTable,
    /// How its receipts write ids; none: to be learned.
    pub receipt_id_form: Option<ReceiptIdForm>,
}

/// The part of the stored settings that [`Conventions`] are made of, of any kind of carrier.
#[derive(Deserialize)]
struct StoredConventions {
    #[serde(default)]
    error_table: Vec<ErrorMapping>,
    #[serde(default)]
    receipt_id_form: Option<ReceiptIdForm>,
}

/// The conventions of the carrier of this name and these stored settings.
///
/// # Errors
/// If the stored text is not of this form.
pub(super) fn conventions(name: &str, settings: &str) -> Result<Conventions, serde_json::Error> {
    let stored: StoredConventions = serde_json::from_str(settings)?;
    Ok(Conventions {
        carrier: name.to_owned(),
        errors: ErrorTable::new(name, &stored.error_table),
        receipt_id_form: stored.receipt_id_form,
    })
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
            error_table: Vec::new(),
            receipt_id_form: None,
            query_sm: false,
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
            query_sm: self.query_sm,
            ..SmppConfig::new(name, &self.address, &self.system_id, password)
        }
    }

    /// Checks what the protocol and reason limit.
    ///
    /// # Errors
    /// Names the first field that cannot be used.
    pub fn validate(&self) -> Result<(), SettingsFault> {
        self.config("", &SecretText::new(String::new())).validate()?;
        Ok(errors::validate(&self.error_table)?)
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
pub(super) fn validate_password(password: &SecretText) -> Result<(), SettingsFault> {
    Ok(SmppSettings::new("localhost:2775", "").config("", password).validate()?)
}

const fn one() -> u16 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carriers::{CarrierError, CarrierErrorKind};

    #[test]
    fn what_smpp_cannot_carry_is_refused_by_the_clients_own_rules() {
        assert_eq!(SmppSettings::new("localhost:2775", "me").validate(), Ok(()));
        assert_eq!(
            SmppSettings::new("localhost", "me").validate(),
            Err(ConfigError::Address.into())
        );
        let text = |result| match result {
            Err(SettingsFault::Smpp(ConfigError::Text { field, .. })) => Some(field),
            _ => None,
        };
        let long = SmppSettings::new("localhost:2775", &"a".repeat(16)).validate();
        assert_eq!(text(long), Some("system_id"));
        assert_eq!(validate_password(&SecretText::new("12345678".to_owned())), Ok(()));
        let long = validate_password(&SecretText::new("123456789".to_owned()));
        assert_eq!(text(long), Some("password"));
    }

    #[test]
    fn what_is_stored_is_read_back_and_holds_no_password() {
        let mut settings = SmppSettings::new("localhost:2775", "me");
        settings.window = Window::Auto;
        settings.rate_parts_per_s = Some(12.5);
        settings.error_table = vec![ErrorMapping {
            source: CarrierErrorKind::CommandStatus,
            value: 0x4F9,
            code: "CARRIER_REFUSED_CONTENT".to_owned(),
        }];
        let stored = serde_json::to_string(&settings).unwrap();
        assert!(!stored.contains("password"));
        assert_eq!(serde_json::from_str::<SmppSettings>(&stored).unwrap(), settings);
        let refused = CarrierError { kind: CarrierErrorKind::CommandStatus, code: 0x4F9 };
        let code =
            |stored| conventions("north", stored).unwrap().errors.classify(&refused).code.as_str();
        assert_eq!((code(&stored), code("{}")), ("CARRIER_REFUSED_CONTENT", "CARRIER_REFUSED"));
    }
}
