//! The scalars of the contract, each described in the schema. Phone numbers and senders come in as
//! `String` and are parsed by the domain; only their normalized form goes out.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime as ChronoDateTime, SecondsFormat};
use entity::time::UnixMillis;

use crate::types::money::{Currency, InvalidAmount, Micros, UnknownCurrency};

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateTime(pub UnixMillis);

/// A point in time: RFC 3339 in UTC with milliseconds, `2026-11-22T09:30:00.000Z`. As input any
/// RFC 3339 offset is read; what is finer than a millisecond is dropped.
#[Scalar(name = "DateTime")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let time = ChronoDateTime::parse_from_rfc3339(text).map_err(|_| {
            refused("a DateTime is written as in RFC 3339, for example 2026-11-22T09:30:00.000Z")
        })?;
        Ok(Self(UnixMillis(time.timestamp_millis())))
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(_))
    }

    fn to_value(&self) -> Value {
        // Stored times come from clocks and from parsed input, both within chrono's years.
        let time = ChronoDateTime::from_timestamp_millis(self.0.0).unwrap_or_default();
        Value::String(time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl From<UnixMillis> for DateTime {
    fn from(time: UnixMillis) -> Self {
        Self(time)
    }
}

/// A phone number in its normalized form; only given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneNumber(pub String);

/// A phone number in E.164 with the plus sign and without blanks, `+447400123456`.
#[Scalar(name = "PhoneNumber")]
impl ScalarType for PhoneNumber {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(_))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// An opaque position in a list or a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// A position in a list or in a stream of events. Opaque: keep it, send it back, and never build
/// or read one. It belongs to the list that it came from; another list refuses it.
#[Scalar(name = "Cursor")]
impl ScalarType for Cursor {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value {
            Value::String(text) => Ok(Self(text)),
            other => Err(InputValueError::expected_type(other)),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(_))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

/// The number of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SequenceNumber(pub i64);

/// A whole number from 0 to 2^53 − 1, as a JSON number: `Int` ends at 2^31 − 1, which a busy
/// account's event log passes.
#[Scalar(name = "SequenceNumber")]
impl ScalarType for SequenceNumber {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::Number(number) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        match number.as_i64() {
            Some(number @ 0..=SEQUENCE_NUMBER_MAX) => Ok(Self(number)),
            _ => Err(refused("a SequenceNumber is a whole number from 0 to 2^53 - 1")),
        }
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::Number(_))
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// An exact decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(pub Micros);

/// An exact decimal number in base 10 as a string, with at most 6 decimals and up to a billion:
/// `"12.50"`, `"-0.0075"`. Never a JSON number, which readers round.
#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        text.parse().map(Self).map_err(|fault: InvalidAmount| refused(&fault.to_string()))
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(_))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// The code of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencyCode(pub Currency);

/// The code of a currency: three capital letters of ISO 4217, `"USD"`.
#[Scalar(name = "CurrencyCode")]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        text.parse().map(Self).map_err(|fault: UnknownCurrency| refused(&fault.to_string()))
    }

    fn is_valid(value: &Value) -> bool {
        matches!(value, Value::String(_))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// The last whole number that every JSON reader keeps exactly (ECMA-262, Number.MAX_SAFE_INTEGER).
const SEQUENCE_NUMBER_MAX: i64 = (1 << 53) - 1;

fn refused<T: async_graphql::InputType>(message: &str) -> InputValueError<T> {
    InputValueError::custom(message).with_extension("code", "BAD_REQUEST")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_utc_with_milliseconds_and_read_with_any_offset() {
        for (read, shown) in [
            ("2026-11-22T09:30:00Z", "2026-11-22T09:30:00.000Z"),
            ("2026-11-22T10:30:00.123456+01:00", "2026-11-22T09:30:00.123Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ] {
            let time = DateTime::parse(Value::from(read)).expect(read);
            assert_eq!(time.to_value(), Value::from(shown));
        }
        for text in ["", "2026-11-22", "2026-11-22T09:30:00", "yesterday"] {
            assert!(DateTime::parse(Value::from(text)).is_err(), "{text}");
        }
        assert!(DateTime::parse(Value::from(1)).is_err());
    }
}
