//! What is wrong with a row, and how the file that tells of it is written.

use super::super::csv_text::{end_record, text_field};
use super::super::{TAG_CHARS_MAX, TAGS_MAX, TEXT_CHARS_MAX};
use super::records::{COLUMNS_MAX, RECORD_BYTES_MAX};

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowFaultCode {
    MissingNumber,
    InvalidNumber,
    InvalidValue,
    InvalidTag,
    TooManyTags,
    TooManyFields,
    TooLarge,
    InvalidEncoding,
}

impl RowFaultCode {
    /// As programs read it.
    const fn name(self) -> &'static str {
        match self {
            Self::MissingNumber => "MISSING_NUMBER",
            Self::InvalidNumber => "INVALID_NUMBER",
            Self::InvalidValue => "INVALID_VALUE",
            Self::InvalidTag => "INVALID_TAG",
            Self::TooManyTags => "TOO_MANY_TAGS",
            Self::TooManyFields => "TOO_MANY_FIELDS",
            Self::TooLarge => "ROW_TOO_LARGE",
            Self::InvalidEncoding => "INVALID_ENCODING",
        }
    }

    /// As people read it.
    fn message(self) -> String {
        match self {
            Self::MissingNumber => "the row has no number".to_owned(),
            Self::InvalidNumber => "not a phone number, or one without its country code".to_owned(),
            Self::InvalidValue => format!(
                "not a value of the attribute's type: a text of 1 to {TEXT_CHARS_MAX} characters \
                 without control characters, a number like -12.5, true or false, or a day like \
                 2026-11-22"
            ),
            Self::InvalidTag => format!(
                "a tag has 1 to {TAG_CHARS_MAX} characters, none of them a control character"
            ),
            Self::TooManyTags => format!("a contact has at most {TAGS_MAX} tags"),
            Self::TooManyFields => {
                "the row has more fields than the file has headers: quote what holds a delimiter"
                    .to_owned()
            }
            Self::TooLarge => format!(
                "the row has more than {RECORD_BYTES_MAX} bytes or {COLUMNS_MAX} fields: a quote \
                 may not be closed"
            ),
            Self::InvalidEncoding => "not text in the file's encoding".to_owned(),
        }
    }
}

/// A row that was not imported.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RowFault {
    /// Where it begins, from 1.
    pub(super) line: u64,
    /// The column to blame, if one is.
    pub(super) column: String,
    pub(super) code: RowFaultCode,
    /// What stands there.
    pub(super) value: String,
}

impl std::fmt::Debug for RowFault {
    /// Without the value, which is a person's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} in line {}", self.code, self.line)
    }
}

/// The first record of the file of faults.
pub(super) const HEADER: &str = "line,column,code,message,value\r\n";

/// The records of faults.
pub(super) fn write_faults(faults: &[RowFault]) -> String {
    let mut out = String::new();
    for fault in faults {
        out.push_str(&fault.line.to_string());
        out.push(',');
        let message = fault.code.message();
        for text in [fault.column.as_str(), fault.code.name(), &message, &fault.value] {
            text_field(text, &mut out);
            out.push(',');
        }
        end_record(&mut out);
    }
    out
}
