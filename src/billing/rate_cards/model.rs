//! Rates as they come from outside. Pure.

use std::fmt;
use std::str::FromStr;

use entity::enums::MessageClass;
use entity::rate::Model;
use entity::time::UnixMillis;

use crate::billing::prices::{ALL_CLASSES, PREFIX_DIGITS_MAX};
use crate::types::price::PartPrice;

/// What numbers begin with: up to 15 digits of E.164, none for all numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(String);

impl Prefix {
    /// Without the plus sign, as it is stored.
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl FromStr for Prefix {
    type Err = RateFault;

    /// Reads `+44`, `44` and `+44 77`; `+` is all numbers, and nothing at all is not a prefix.
    fn from_str(text: &str) -> Result<Self, RateFault> {
        let text = text.trim();
        let digits = text.strip_prefix('+').unwrap_or(text);
        let digits: String = digits.split_whitespace().collect();
        let is_prefix = !text.is_empty()
            && digits.len() <= PREFIX_DIGITS_MAX
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_prefix { Ok(Self(digits)) } else { Err(RateFault::InvalidPrefix) }
    }
}

/// What a rate of a card is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RateKey {
    /// Which numbers.
    pub prefix: Prefix,
    /// Which class; none for all.
    pub class: Option<MessageClass>,
    /// From when on.
    pub effective_from: UnixMillis,
}

impl RateKey {
    /// The class as it is stored.
    pub(super) fn class_code(&self) -> i16 {
        self.class.map_or(ALL_CLASSES, MessageClass::code)
    }

    /// Of a stored rate.
    pub fn of(row: &Model) -> Self {
        Self {
            prefix: Prefix(row.prefix.clone()),
            class: MessageClass::from_code(row.class),
            effective_from: row.effective_from_ms,
        }
    }

    /// The place in a list of rates, as a cursor keeps it.
    pub fn to_position(&self) -> String {
        format!("{}/{}/{}", self.prefix.0, self.class_code(), self.effective_from.0)
    }

    /// Reads what [`to_position`](Self::to_position) wrote; none for anything else.
    pub(super) fn from_position(text: &str) -> Option<Self> {
        let mut fields = text.split('/');
        let (prefix, class, from) = (fields.next()?, fields.next()?, fields.next()?);
        let class: i16 = class.parse().ok()?;
        let key = Self {
            prefix: format!("+{prefix}").parse().ok()?,
            class: MessageClass::from_code(class),
            effective_from: UnixMillis(from.parse().ok()?),
        };
        (fields.next().is_none() && key.class_code() == class).then_some(key)
    }
}

/// A rate to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRate {
    /// Where and from when.
    pub key: RateKey,
    /// Of a part.
    pub price: PartPrice,
}

/// What is wrong with a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateFault {
    /// Not a prefix.
    #[error(
        "a prefix is up to {PREFIX_DIGITS_MAX} digits, the first of them not 0; + is all numbers"
    )]
    InvalidPrefix,
    /// It stands before.
    #[error("this prefix has a rate for the same class and time before")]
    Repeated,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_up_to_fifteen_digits() {
        for (text, digits) in [
            ("+44", Some("44")),
            ("44", Some("44")),
            (" +44 77 ", Some("4477")),
            ("+", Some("")),
            ("123456789012345", Some("123456789012345")),
            ("1234567890123456", None),
            ("", None),
            (" ", None),
            ("044", None),
            ("++44", None),
            ("4a", None),
            ("٤٤", None),
        ] {
            let read = text.parse::<Prefix>();
            assert_eq!(read.as_ref().ok().map(Prefix::digits), digits, "{text}");
        }
    }

    #[test]
    fn a_place_in_a_list_is_read_back() {
        for (prefix, class, from) in
            [("+", None, 0), ("+44", Some(MessageClass::Otp), -1), ("+1", None, i64::MAX)]
        {
            let prefix = prefix.parse().unwrap();
            let key = RateKey { prefix, class, effective_from: UnixMillis(from) };
            assert_eq!(RateKey::from_position(&key.to_position()), Some(key));
        }
        for text in ["", "44", "44/0", "44/9/0", "44/0/x", "44/0/0/0", "x/0/0"] {
            assert_eq!(RateKey::from_position(text), None, "{text}");
        }
    }
}
