//! Pure types of contacts: values, tags, names, topics.

use entity::enums::AttributeKind;
use serde::{Deserialize, Serialize};

use super::{KEY_CHARS_MAX, NAME_CHARS_MAX, TAG_CHARS_MAX, TEXT_CHARS_MAX, TIME_ZONE_KEY};
use crate::types::money::Micros;
use crate::types::quiet_hours::Zones;

/// Characters of a topic.
const TOPIC_CHARS_MAX: usize = 50;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeValue {
    /// 1 to 500 characters, none of them a control character.
    Text(String),
    /// An exact decimal.
    Number(Micros),
    /// Yes or no.
    Boolean(bool),
    /// A day, in days since 1970-01-01.
    Date(i32),
}

impl AttributeValue {
    /// What it is a value of.
    pub const fn kind(&self) -> AttributeKind {
        match self {
            Self::Text(_) => AttributeKind::Text,
            Self::Number(_) => AttributeKind::Number,
            Self::Boolean(_) => AttributeKind::Boolean,
            Self::Date(_) => AttributeKind::Date,
        }
    }

    /// Whether it can be kept.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Text(text) => is_plain(text, TEXT_CHARS_MAX),
            Self::Number(_) | Self::Boolean(_) | Self::Date(_) => true,
        }
    }

    /// Whether values of this kind have an order that a condition may ask for.
    pub const fn is_ordered(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Date(_))
    }

    /// As stored: `text_value` and `number_value`.
    pub(super) fn columns(&self) -> (Option<String>, Option<i64>) {
        match self {
            Self::Text(text) => (Some(text.clone()), None),
            Self::Number(number) => (None, Some(number.0)),
            Self::Boolean(truth) => (None, Some((*truth).into())),
            Self::Date(day) => (None, Some((*day).into())),
        }
    }

    /// From what [`columns`](Self::columns) gave; none for what it never gives.
    pub(super) fn from_columns(
        kind: AttributeKind,
        text: Option<String>,
        number: Option<i64>,
    ) -> Option<Self> {
        match kind {
            AttributeKind::Text => text.map(Self::Text),
            AttributeKind::Number => number.map(|number| Self::Number(Micros(number))),
            AttributeKind::Boolean => number.map(|number| Self::Boolean(number != 0)),
            AttributeKind::Date => number.and_then(|day| i32::try_from(day).ok()).map(Self::Date),
        }
    }
}

/// Whether an attribute of this key may have this value: its type is the caller's to check.
pub(super) fn fits_key(key: &str, value: &AttributeValue) -> bool {
    match value {
        AttributeValue::Text(name) if key == TIME_ZONE_KEY => Zones::named(name).is_some(),
        value => value.is_valid(),
    }
}

/// What a message is about, as its recipients may object to: 1 to 50 lower-case letters, digits,
/// hyphens and underscores of ASCII.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Topic(String);

impl Topic {
    /// The topic in `text`, which is trimmed and put in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let fits = (1..=TOPIC_CHARS_MAX).contains(&text.len());
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        (fits && plain).then_some(Self(text))
    }

    /// As stored and shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key as it is kept: a lower-case letter, then lower-case letters, digits and underscores.
pub(super) fn valid_key(key: &str) -> bool {
    let mut bytes = key.bytes();
    key.len() <= KEY_CHARS_MAX
        && bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The name of a list or segment as it is kept.
pub(super) fn valid_name(name: &str) -> Option<String> {
    let name = name.trim();
    is_plain(name, NAME_CHARS_MAX).then(|| name.to_owned())
}

/// A tag as it is kept.
pub(super) fn valid_tag(tag: &str) -> Option<String> {
    let tag = tag.trim();
    is_plain(tag, TAG_CHARS_MAX).then(|| tag.to_owned())
}

/// Whether a text has 1 to `chars_max` characters, none of them a control character: PostgreSQL
/// cannot store NUL, and no other belongs into a line.
pub(super) fn is_plain(text: &str, chars_max: usize) -> bool {
    (1..=chars_max).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_their_columns() {
        for value in [
            AttributeValue::Text("Ada".to_owned()),
            AttributeValue::Number(Micros(-1_500_000)),
            AttributeValue::Boolean(true),
            AttributeValue::Boolean(false),
            AttributeValue::Date(20_000),
        ] {
            let (text, number) = value.columns();
            let back = AttributeValue::from_columns(value.kind(), text, number);
            assert_eq!(back, Some(value));
        }
        let day = AttributeValue::from_columns(AttributeKind::Date, None, Some(i64::MAX));
        assert_eq!(day, None);
    }

    #[test]
    fn names_keys_tags_and_topics_have_limits() {
        for (key, valid) in [("a", true), ("a_1", true), ("", false), ("1a", false), ("A", false)] {
            assert_eq!(valid_key(key), valid, "{key}");
        }
        assert!(valid_key(&"a".repeat(50)) && !valid_key(&"a".repeat(51)));
        assert_eq!(valid_tag(" vip "), Some("vip".to_owned()));
        assert_eq!(valid_tag("a\u{0}"), None);
        assert_eq!(valid_name(&"ä".repeat(101)), None);
        assert!(valid_name(&"ä".repeat(100)).is_some());
        assert_eq!(Topic::parse(" News-1 ").map(|topic| topic.0), Some("news-1".to_owned()));
        for text in ["", "a b", "é", &"x".repeat(51)] {
            assert_eq!(Topic::parse(text), None, "{text}");
        }
        assert!(!AttributeValue::Text("x".repeat(501)).is_valid());
        assert!(AttributeValue::Text("x".repeat(500)).is_valid());
    }
}
