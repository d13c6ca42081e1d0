//! What carriers' errors mean: a class that decides what happens next, and the code, title, cause
//! and fix that the API shows. The default is `errors.toml`, compiled in; a carrier may have a
//! table of its own before it ([`ErrorTable`]).
//!
//! Not the decision itself (retry, fall back, give up: `messages`), and not the API's own
//! validation errors. Called by `messages` (results, receipts) and `graphql` (`Message.error`).

mod table;

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::{CarrierError, CarrierErrorKind};

pub use table::{
    ERROR_FILE_BYTES_MAX, ERROR_MAPPINGS_MAX, ErrorMapping, ErrorTable, ErrorTableFault, read_file,
    validate,
};

/// What an error is about, and so who or what can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorClass {
    /// The same way may work later.
    Temporary,
    /// Another carrier may work.
    Route,
    /// The recipient cannot be reached by any carrier.
    Recipient,
    /// No carrier will take this content.
    Content,
    /// The operator's account with the carrier.
    Account,
    /// Nobody can tell.
    Unknown,
}

impl ErrorClass {
    /// The stable name, as a metric's label and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Temporary => "TEMPORARY",
            Self::Route => "ROUTE",
            Self::Recipient => "RECIPIENT",
            Self::Content => "CONTENT",
            Self::Account => "ACCOUNT",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// One error as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorDescription {
    /// Stable, `SCREAMING_SNAKE_CASE`; what is stored with a message.
    pub code: String,
    /// What it is about.
    pub class: ErrorClass,
    /// Whether the same message would fail again in the same way.
    pub permanent: bool,
    /// A few words, no full stop.
    pub title: String,
    /// Why it happens.
    pub cause: String,
    /// What the sender of the message can do.
    pub fix: String,
}

/// Public codes that this program sets by itself; each has its description.
pub mod codes {
    /// The submission may or may not have arrived.
    pub const SUBMISSION_UNCERTAIN: &str = "SUBMISSION_UNCERTAIN";
    /// Some parts left, the others never will.
    pub const SUBMISSION_INCOMPLETE: &str = "SUBMISSION_INCOMPLETE";
    /// The validity ended first.
    pub const EXPIRED_BEFORE_SUBMISSION: &str = "EXPIRED_BEFORE_SUBMISSION";
    /// Accepted by the carrier, and no final receipt in time.
    pub const NO_FINAL_RECEIPT: &str = "NO_FINAL_RECEIPT";
    /// Canceled on request.
    pub const CANCELED: &str = "CANCELED";
    /// The recipient objected, or the account suppressed the number.
    pub const RECIPIENT_OPTED_OUT: &str = "RECIPIENT_OPTED_OUT";
    /// No carrier was connected.
    pub const NO_CARRIER_AVAILABLE: &str = "NO_CARRIER_AVAILABLE";
    /// Temporary refusals until the attempts or the validity ran out.
    pub const RETRIES_EXHAUSTED: &str = "RETRIES_EXHAUSTED";
    /// A refusal at submission that no table maps.
    pub const CARRIER_REFUSED: &str = "CARRIER_REFUSED";
    /// UNDELIV without an error that a table maps.
    pub const RECEIPT_UNDELIVERED: &str = "RECEIPT_UNDELIVERED";
    /// EXPIRED.
    pub const RECEIPT_EXPIRED: &str = "RECEIPT_EXPIRED";
    /// REJECTD.
    pub const RECEIPT_REJECTED: &str = "RECEIPT_REJECTED";
    /// DELETED.
    pub const RECEIPT_DELETED: &str = "RECEIPT_DELETED";
    /// UNKNOWN.
    pub const RECEIPT_UNKNOWN: &str = "RECEIPT_UNKNOWN";
}

/// The description of a public code, or `None` if there is no such code.
pub fn describe(code: &str) -> Option<&'static ErrorDescription> {
    TABLE.by_code(code)
}

/// Every description, for the documentation: ours first, then refusals, then receipts.
pub fn descriptions() -> &'static [ErrorDescription] {
    &TABLE.descriptions
}

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::parse(include_str!("errors.toml")));

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    description: Vec<ErrorDescription>,
    command_status: Vec<Mapping>,
    network_error: Vec<Mapping>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    value: u32,
    /// The standard's name, for whoever reads the file.
    name: String,
    code: String,
}

struct Table {
    descriptions: Vec<ErrorDescription>,
    /// To positions in `descriptions`.
    codes: HashMap<String, usize>,
    command_statuses: HashMap<u32, usize>,
    network_errors: HashMap<u32, usize>,
}

impl Table {
    /// # Panics
    /// If the compiled-in file is not well-formed; the tests read it.
    fn parse(text: &str) -> Self {
        let file: File = toml::from_str(text).expect("errors.toml is well-formed");
        let codes: HashMap<String, usize> = file
            .description
            .iter()
            .enumerate()
            .map(|(index, description)| (description.code.clone(), index))
            .collect();
        let positions = |mappings: Vec<Mapping>| {
            mappings
                .into_iter()
                .map(|mapping| {
                    let index = codes.get(&mapping.code);
                    (
                        mapping.value,
                        *index.unwrap_or_else(|| panic!("{} is undescribed", mapping.name)),
                    )
                })
                .collect()
        };
        let command_statuses = positions(file.command_status);
        let network_errors = positions(file.network_error);
        Self { descriptions: file.description, codes, command_statuses, network_errors }
    }

    fn by_code(&self, code: &str) -> Option<&ErrorDescription> {
        self.codes.get(code).map(|&index| &self.descriptions[index])
    }

    fn own(&self, code: &'static str) -> &ErrorDescription {
        self.by_code(code).expect("the test `own_codes_are_described` looked it up")
    }

    fn mapped(&self, error: &CarrierError) -> Option<&ErrorDescription> {
        let values = match error.kind {
            CarrierErrorKind::CommandStatus => &self.command_statuses,
            CarrierErrorKind::ReceiptError | CarrierErrorKind::NetworkError => &self.network_errors,
        };
        values.get(&error.code).map(|&index| &self.descriptions[index])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::carriers::ReceiptState;
    use crate::types::magic::{PlannedState, Script, SimulatedError, SubmitPlan};

    fn file() -> File {
        toml::from_str(include_str!("errors.toml")).expect("well-formed")
    }

    #[test]
    fn descriptions_are_complete_and_unique() {
        let mut codes = HashSet::new();
        for description in descriptions() {
            let code = &description.code;
            assert!(codes.insert(code.clone()), "{code} twice");
            assert!(code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{code}");
            assert!(!description.title.is_empty() && !description.title.ends_with('.'), "{code}");
            assert!(description.cause.ends_with('.'), "{code}");
            assert!(description.fix.ends_with('.'), "{code}");
            assert_eq!(describe(code), Some(description));
        }
        assert_eq!(describe("NO_SUCH_CODE"), None);
    }

    #[test]
    fn values_are_unique_and_described() {
        let file = file();
        for mappings in [&file.command_status, &file.network_error] {
            let values: HashSet<u32> = mappings.iter().map(|it| it.value).collect();
            let names: HashSet<&str> = mappings.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(values.len(), mappings.len(), "a value twice");
            assert_eq!(names.len(), mappings.len(), "a name twice");
            assert!(!values.contains(&0), "zero is no error");
            for mapping in mappings {
                assert!(describe(&mapping.code).is_some(), "{}", mapping.name);
            }
        }
    }

    #[test]
    fn every_description_is_used() {
        let file = file();
        let mapped: HashSet<&str> = file
            .command_status
            .iter()
            .chain(&file.network_error)
            .map(|it| it.code.as_str())
            .chain(OWN)
            .collect();
        for description in descriptions() {
            assert!(mapped.contains(description.code.as_str()), "{}", description.code);
        }
    }

    fn classify(error: &CarrierError) -> &'static ErrorDescription {
        ErrorTable::default().classify(error)
    }

    const OWN: [&str; 14] = [
        codes::SUBMISSION_UNCERTAIN,
        codes::EXPIRED_BEFORE_SUBMISSION,
        codes::NO_FINAL_RECEIPT,
        codes::SUBMISSION_INCOMPLETE,
        codes::CANCELED,
        codes::RECIPIENT_OPTED_OUT,
        codes::NO_CARRIER_AVAILABLE,
        codes::RETRIES_EXHAUSTED,
        codes::CARRIER_REFUSED,
        codes::RECEIPT_UNDELIVERED,
        codes::RECEIPT_EXPIRED,
        codes::RECEIPT_REJECTED,
        codes::RECEIPT_DELETED,
        codes::RECEIPT_UNKNOWN,
    ];

    #[test]
    fn own_codes_are_described() {
        for code in OWN {
            assert!(describe(code).is_some(), "{code}");
        }
    }

    #[test]
    fn classifies_by_kind_and_code() {
        use CarrierErrorKind::{CommandStatus, NetworkError, ReceiptError};
        for (kind, code, wanted, class) in [
            (CommandStatus, 0x08, "CARRIER_REFUSED_TEMPORARILY", ErrorClass::Temporary),
            (CommandStatus, 0x0B, "CARRIER_REFUSED_RECIPIENT", ErrorClass::Recipient),
            (CommandStatus, 0x58, "CARRIER_THROTTLED", ErrorClass::Temporary),
            (CommandStatus, 0x4F9, "CARRIER_REFUSED", ErrorClass::Unknown),
            (ReceiptError, 1, "RECEIPT_UNKNOWN_SUBSCRIBER", ErrorClass::Recipient),
            (NetworkError, 27, "RECEIPT_ABSENT_SUBSCRIBER", ErrorClass::Temporary),
            (NetworkError, 0xD3, "RECEIPT_MEMORY_EXCEEDED", ErrorClass::Temporary),
            (ReceiptError, 998, "RECEIPT_UNDELIVERED", ErrorClass::Unknown),
        ] {
            let found = classify(&CarrierError { kind, code });
            assert_eq!((found.code.as_str(), found.class), (wanted, class), "{kind:?} {code:#x}");
        }
    }

    #[test]
    fn receipts_are_told_by_error_then_state() {
        let absent = CarrierError { kind: CarrierErrorKind::ReceiptError, code: 6 };
        let odd = CarrierError { kind: CarrierErrorKind::ReceiptError, code: 998 };
        let table = ErrorTable::default();
        let code = |state, error| table.classify_receipt(state, error).map(|it| it.code.as_str());
        for (state, error, wanted) in [
            (ReceiptState::Delivered, Some(&absent), None),
            (ReceiptState::Enroute, None, None),
            (ReceiptState::Accepted, None, None),
            (ReceiptState::Undeliverable, Some(&absent), Some("RECEIPT_ABSENT_SUBSCRIBER")),
            (ReceiptState::Undeliverable, Some(&odd), Some("RECEIPT_UNDELIVERED")),
            (ReceiptState::Undeliverable, None, Some("RECEIPT_UNDELIVERED")),
            (ReceiptState::Rejected, Some(&odd), Some("RECEIPT_REJECTED")),
            (ReceiptState::Expired, Some(&absent), Some("RECEIPT_EXPIRED")),
            (ReceiptState::Deleted, None, Some("RECEIPT_DELETED")),
            (ReceiptState::Unknown, None, Some("RECEIPT_UNKNOWN")),
        ] {
            assert_eq!(code(state, error), wanted, "{state:?}");
        }
    }

    /// The magic recipients promise a class each; this is where the promise is kept.
    #[test]
    fn magic_recipients_have_the_class_they_name() {
        let classes = [
            ErrorClass::Temporary,
            ErrorClass::Route,
            ErrorClass::Recipient,
            ErrorClass::Content,
            ErrorClass::Account,
            ErrorClass::Unknown,
        ];
        for (index, class) in classes.into_iter().enumerate() {
            let script = |base: usize| {
                Script::for_recipient(&format!("999{}0000000", base + index)).expect("a script")
            };
            let SubmitPlan::Refuse(refusal) = script(401).submit else { panic!("{class:?}") };
            assert_eq!(refusal_class(refusal), class);
            let receipt = script(211).receipts[0];
            assert_eq!(receipt.state, PlannedState::Undeliverable);
            let code = u32::from(receipt.error.expect("an error"));
            let error = CarrierError { kind: CarrierErrorKind::ReceiptError, code };
            assert_eq!(classify(&error).class, class);
        }
        for error in [SimulatedError::Throttled, SimulatedError::QueueFull] {
            assert_eq!(refusal_class(error), ErrorClass::Temporary);
        }
    }

    fn refusal_class(error: SimulatedError) -> ErrorClass {
        let code = error.command_status();
        classify(&CarrierError { kind: CarrierErrorKind::CommandStatus, code }).class
    }
}
