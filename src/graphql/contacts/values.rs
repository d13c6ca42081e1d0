//! Attributes and their values.

use async_graphql::{Enum, ID, Object, OneofObject, SimpleObject};
use chrono::{Days, NaiveDate};
use entity::contact_attribute::Model;
use entity::enums;

use crate::contacts;
use crate::graphql::ids::show_id;
use crate::graphql::scalars::{Date, DateTime, Decimal};

/// What the values of an attribute are.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::AttributeKind")]
pub enum AttributeKind {
    /// Text of 1 to 500 characters.
    Text,
    /// An exact decimal with at most 6 decimals.
    Number,
    /// Yes or no.
    Boolean,
    /// A day.
    Date,
}

/// An attribute.
#[derive(Clone, Debug)]
pub struct ContactAttribute(pub Model);

/// Something that the account keeps of its contacts, and of which type it is. Read by the account's
/// owners, admins, developers and support, and by keys with the scope `contacts:manage`.
#[Object]
impl ContactAttribute {
    /// The attribute's id, `attr_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Its name in contacts and conditions; it never changes.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// What its values are; it never changes.
    async fn kind(&self) -> AttributeKind {
        self.0.kind.into()
    }

    /// When it was defined.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }
}

/// The value of an attribute: at most one of `text`, `number`, `boolean` and `date` is set, that of
/// the attribute's type.
#[derive(SimpleObject, Clone, Debug)]
pub struct AttributeValue {
    /// The attribute's key.
    key: String,
    /// The value of a `TEXT`.
    text: Option<String>,
    /// The value of a `NUMBER`.
    number: Option<Decimal>,
    /// The value of a `BOOLEAN`.
    boolean: Option<bool>,
    /// The value of a `DATE`.
    date: Option<Date>,
}

impl AttributeValue {
    /// No value of the attribute with this key.
    pub fn unset(key: String) -> Self {
        Self { key, text: None, number: None, boolean: None, date: None }
    }

    /// The value of the attribute with this key.
    pub fn new(key: String, value: contacts::AttributeValue) -> Self {
        use contacts::AttributeValue as Value;
        let none = Self::unset(key);
        match value {
            Value::Text(text) => Self { text: Some(text), ..none },
            Value::Number(number) => Self { number: Some(Decimal(number)), ..none },
            Value::Boolean(truth) => Self { boolean: Some(truth), ..none },
            Value::Date(day) => Self { date: Some(Date(date_of(day))), ..none },
        }
    }
}

/// The value of an attribute, of its type.
#[derive(OneofObject, Clone, Debug)]
pub enum AttributeValueInput {
    /// The value of a `TEXT`: 1 to 500 characters, none of them a control character.
    Text(String),
    /// The value of a `NUMBER`.
    Number(Decimal),
    /// The value of a `BOOLEAN`.
    Boolean(bool),
    /// The value of a `DATE`.
    Date(Date),
}

impl From<AttributeValueInput> for contacts::AttributeValue {
    fn from(input: AttributeValueInput) -> Self {
        match input {
            AttributeValueInput::Text(text) => Self::Text(text),
            AttributeValueInput::Number(number) => Self::Number(number.0),
            AttributeValueInput::Boolean(truth) => Self::Boolean(truth),
            AttributeValueInput::Date(date) => Self::Date(day_of(date.0)),
        }
    }
}

const EPOCH: NaiveDate = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a day");

/// The day so many days after 1970-01-01.
fn date_of(day: i32) -> NaiveDate {
    let days = Days::new(day.unsigned_abs().into());
    let date = if day < 0 { EPOCH.checked_sub_days(days) } else { EPOCH.checked_add_days(days) };
    date.unwrap_or(EPOCH)
}

/// Days from 1970-01-01.
fn day_of(date: NaiveDate) -> i32 {
    i32::try_from(date.signed_duration_since(EPOCH).num_days()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_both_ways() {
        for (date, day) in [("1970-01-01", 0), ("1969-12-31", -1), ("2026-11-22", 20_779)] {
            let date: NaiveDate = date.parse().unwrap();
            assert_eq!((day_of(date), date_of(day)), (day, date));
        }
    }
}
