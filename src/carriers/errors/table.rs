//! What one carrier's errors mean: its own table first, then the default one. The operator sets a
//! carrier's table; it maps numbers to the public codes that exist, and describes none of its own.
//!
//! Checked once, when it is set ([`validate`]). Made of stored settings by `carriers::registry`,
//! asked by `messages::dispatch`.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{ErrorDescription, TABLE, codes};
use crate::carriers::{CarrierError, CarrierErrorKind, ReceiptState};

/// Entries of one carrier's table: SMPP and the GSM network name some 150 errors together, and the
/// longest list that a carrier publishes has fewer than twice as many.
pub const ERROR_MAPPINGS_MAX: usize = 300;
/// The largest number of an error: what a GraphQL `Int` carries. SMPP's vendor range ends at 0x4FF.
pub const ERROR_VALUE_MAX: u32 = i32::MAX as u32;
/// Bytes of a file with such a table: 300 entries with a long name each.
pub const ERROR_FILE_BYTES_MAX: u64 = 64 * 1024;
/// ESME_RMSGQFUL and ESME_RTHROTTLED (SMPP 3.4, 5.1.3): the SMPP client slows down and sends the
/// part again, so they never end a submission.
const THROTTLING: [u32; 2] = [0x14, 0x58];
/// What the codes of refusals and those of receipts begin with.
const REFUSAL_PREFIX: &str = "CARRIER_";
const RECEIPT_PREFIX: &str = "RECEIPT_";

/// One number of a carrier's, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMapping {
    /// Which list the number is from.
    pub source: CarrierErrorKind,
    /// 1 to [`ERROR_VALUE_MAX`].
    pub value: u32,
    /// A public code: `CARRIER_…` for a command status, `RECEIPT_…` for the others.
    pub code: String,
}

/// Why a table cannot be used. Entries are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorTableFault {
    /// More than [`ERROR_MAPPINGS_MAX`].
    #[error("an error table has at most {ERROR_MAPPINGS_MAX} entries")]
    TooMany,
    /// Zero, which is no error, or too large.
    #[error("the value of entry {index} must be from 1 to {ERROR_VALUE_MAX}")]
    Value {
        /// Which entry.
        index: usize,
    },
    /// A status that the SMPP client answers by slowing down.
    #[error(
        "entry {index} names a throttling status (0x14 or 0x58), after which a part is always \
         sent again"
    )]
    Throttling {
        /// Which entry.
        index: usize,
    },
    /// No such code, or not one for this source.
    #[error(
        "the code of entry {index} must be one that exists: CARRIER_… for a command status, \
         RECEIPT_… for a receipt's error or a network error"
    )]
    Code {
        /// Which entry.
        index: usize,
    },
    /// The same number was mapped before.
    #[error("entry {index} maps a number that an earlier entry maps")]
    Repeated {
        /// Which entry.
        index: usize,
    },
}

/// Checks a carrier's table.
///
/// # Errors
/// The first fault.
pub fn validate(mappings: &[ErrorMapping]) -> Result<(), ErrorTableFault> {
    if mappings.len() > ERROR_MAPPINGS_MAX {
        return Err(ErrorTableFault::TooMany);
    }
    let mut seen = HashSet::new();
    for (index, mapping) in mappings.iter().enumerate() {
        if !(1..=ERROR_VALUE_MAX).contains(&mapping.value) {
            return Err(ErrorTableFault::Value { index });
        }
        let prefix = match mapping.source {
            CarrierErrorKind::CommandStatus if THROTTLING.contains(&mapping.value) => {
                return Err(ErrorTableFault::Throttling { index });
            }
            CarrierErrorKind::CommandStatus => REFUSAL_PREFIX,
            CarrierErrorKind::ReceiptError | CarrierErrorKind::NetworkError => RECEIPT_PREFIX,
        };
        if !mapping.code.starts_with(prefix) || TABLE.by_code(&mapping.code).is_none() {
            return Err(ErrorTableFault::Code { index });
        }
        if !seen.insert((mapping.source, mapping.value)) {
            return Err(ErrorTableFault::Repeated { index });
        }
    }
    Ok(())
}

/// A table as a file has it, in the form of `errors.toml`: `[[command_status]]`,
/// `[[receipt_error]]` and `[[network_error]]` with `value`, `code` and, for its readers, `name`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    command_status: Vec<Entry>,
    #[serde(default)]
    receipt_error: Vec<Entry>,
    #[serde(default)]
    network_error: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    value: u32,
    code: String,
    #[serde(default, rename = "name")]
    _name: Option<String>,
}

/// Reads a file's text: the command statuses, then the receipts' errors, then the network's.
///
/// # Errors
/// Where the text is not of this form. What it says is for [`validate`] to check.
pub fn read_file(text: &str) -> Result<Vec<ErrorMapping>, toml::de::Error> {
    let file: File = toml::from_str(text)?;
    let of = |source, entries: Vec<Entry>| {
        entries.into_iter().map(move |Entry { value, code, .. }| ErrorMapping {
            source,
            value,
            code,
        })
    };
    Ok(of(CarrierErrorKind::CommandStatus, file.command_status)
        .chain(of(CarrierErrorKind::ReceiptError, file.receipt_error))
        .chain(of(CarrierErrorKind::NetworkError, file.network_error))
        .collect())
}

/// What one carrier's errors mean.
#[derive(Clone, Debug, Default)]
pub struct ErrorTable {
    carrier: String,
    own: HashMap<(CarrierErrorKind, u32), &'static ErrorDescription>,
}

impl ErrorTable {
    /// The table of the carrier of this name. A code that does not exist (any more) is left out.
    pub fn new(carrier: &str, mappings: &[ErrorMapping]) -> Self {
        let own = mappings.iter().filter_map(|mapping| {
            Some(((mapping.source, mapping.value), TABLE.by_code(&mapping.code)?))
        });
        Self { carrier: carrier.to_owned(), own: own.collect() }
    }

    /// What a refusal or a receipt's error means. What no table maps gets the class UNKNOWN
    /// (`CARRIER_REFUSED` or `RECEIPT_UNDELIVERED`) and counts in `carrier_error_unmapped_total`.
    pub fn classify(&self, error: &CarrierError) -> &'static ErrorDescription {
        if let Some(description) = self.own.get(&(error.kind, error.code)) {
            return description;
        }
        if let Some(description) = TABLE.mapped(error) {
            return description;
        }
        let (kind, code) = match error.kind {
            CarrierErrorKind::CommandStatus => ("command_status", codes::CARRIER_REFUSED),
            CarrierErrorKind::ReceiptError => ("receipt_error", codes::RECEIPT_UNDELIVERED),
            CarrierErrorKind::NetworkError => ("network_error", codes::RECEIPT_UNDELIVERED),
        };
        let labels = [("carrier", self.carrier.clone()), ("kind", kind.to_owned())];
        metrics::counter!("carrier_error_unmapped_total", &labels).increment(1);
        tracing::debug!(
            carrier.name = self.carrier,
            carrier.error.kind = kind,
            carrier.error.code = error.code,
            "unmapped error"
        );
        TABLE.own(code)
    }

    /// What a receipt means that ends a message without delivery; `None` for states that are not
    /// failures (ENROUTE, DELIVRD, ACCEPTD). The error, where it is mapped, says more than the
    /// state; an expired, deleted or unknown message stays that whatever error its last try met.
    pub fn classify_receipt(
        &self,
        state: ReceiptState,
        error: Option<&CarrierError>,
    ) -> Option<&'static ErrorDescription> {
        let by_state = match state {
            ReceiptState::Enroute | ReceiptState::Delivered | ReceiptState::Accepted => {
                return None;
            }
            ReceiptState::Expired => return Some(TABLE.own(codes::RECEIPT_EXPIRED)),
            ReceiptState::Deleted => return Some(TABLE.own(codes::RECEIPT_DELETED)),
            ReceiptState::Unknown => return Some(TABLE.own(codes::RECEIPT_UNKNOWN)),
            ReceiptState::Undeliverable => codes::RECEIPT_UNDELIVERED,
            ReceiptState::Rejected => codes::RECEIPT_REJECTED,
        };
        let by_error = error
            .map(|error| self.classify(error))
            .filter(|description| description.code != codes::RECEIPT_UNDELIVERED);
        Some(by_error.unwrap_or_else(|| TABLE.own(by_state)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CarrierErrorKind::{CommandStatus, NetworkError, ReceiptError};

    fn mapping(source: CarrierErrorKind, value: u32, code: &str) -> ErrorMapping {
        ErrorMapping { source, value, code: code.to_owned() }
    }

    #[test]
    fn a_carriers_own_meaning_goes_first_and_the_default_follows() {
        let own = [
            mapping(CommandStatus, 0x4F9, "CARRIER_REFUSED_CONTENT"),
            mapping(CommandStatus, 0x08, "CARRIER_REFUSED_RECIPIENT"),
            mapping(ReceiptError, 1, "RECEIPT_CONTENT_REFUSED"),
        ];
        assert_eq!(validate(&own), Ok(()));
        let table = ErrorTable::new("north", &own);
        let code = |kind, code| table.classify(&CarrierError { kind, code }).code.as_str();
        assert_eq!(code(CommandStatus, 0x4F9), "CARRIER_REFUSED_CONTENT");
        assert_eq!(code(CommandStatus, 0x08), "CARRIER_REFUSED_RECIPIENT");
        assert_eq!(code(CommandStatus, 0x0B), "CARRIER_REFUSED_RECIPIENT", "by default");
        assert_eq!(code(ReceiptError, 1), "RECEIPT_CONTENT_REFUSED");
        assert_eq!(code(NetworkError, 1), "RECEIPT_UNKNOWN_SUBSCRIBER", "another list");
        let other = ErrorTable::default();
        let refused = CarrierError { kind: CommandStatus, code: 0x4F9 };
        assert_eq!(other.classify(&refused).code, "CARRIER_REFUSED");
    }

    #[test]
    fn what_cannot_be_mapped_is_refused_by_entry() {
        let good = || mapping(ReceiptError, 1, "RECEIPT_CALL_BARRED");
        let index = 1;
        for (bad, fault) in [
            (mapping(ReceiptError, 0, "RECEIPT_CALL_BARRED"), ErrorTableFault::Value { index }),
            (mapping(NetworkError, 1 << 31, "RECEIPT_DELETED"), ErrorTableFault::Value { index }),
            (mapping(ReceiptError, 2, "RECEIPT_NO_SUCH"), ErrorTableFault::Code { index }),
            (mapping(ReceiptError, 2, "CARRIER_REFUSED"), ErrorTableFault::Code { index }),
            (mapping(CommandStatus, 2, "CANCELED"), ErrorTableFault::Code { index }),
            (
                mapping(CommandStatus, 0x58, "CARRIER_REFUSED"),
                ErrorTableFault::Throttling { index },
            ),
            (
                mapping(CommandStatus, 0x14, "CARRIER_REFUSED"),
                ErrorTableFault::Throttling { index },
            ),
            (good(), ErrorTableFault::Repeated { index }),
        ] {
            assert_eq!(validate(&[good(), bad.clone()]), Err(fault), "{bad:?}");
        }
        let many = |count| (1..=count).map(|value| mapping(ReceiptError, value, "RECEIPT_DELETED"));
        assert_eq!(validate(&many(300).collect::<Vec<_>>()), Ok(()));
        assert_eq!(validate(&many(301).collect::<Vec<_>>()), Err(ErrorTableFault::TooMany));
    }

    #[test]
    fn a_file_is_read_in_the_form_of_the_default_table() {
        let text = "[[network_error]]\nvalue = 0x45\nname = \"odd\"\ncode = \"RECEIPT_DELETED\"\n\
                    [[command_status]]\nvalue = 1024\ncode = \"CARRIER_REFUSED\"\n";
        let read = read_file(text).expect("well-formed");
        assert_eq!(
            read,
            [
                mapping(CommandStatus, 1024, "CARRIER_REFUSED"),
                mapping(NetworkError, 0x45, "RECEIPT_DELETED"),
            ]
        );
        for bad in ["[[receipt_error]]\nvalue = 1\n", "[[receipts]]\n", "value = 1", "[["] {
            assert!(read_file(bad).is_err(), "{bad}");
        }
    }
}
