//! Conditions on contacts: what segments save and lists are filtered by, as a tree that becomes one
//! SQL expression on both stores.

use std::collections::{HashMap, HashSet};

use entity::contact_attribute::Model as Attribute;
use entity::enums::{AttributeKind, ClickKind, ConsentKind, MessageStatus, SuppressionScope};
use entity::ids::{AccountId, CampaignId, ListId};
use entity::time::UnixMillis;
use sea_orm::sea_query::Value;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::consent::ScopeRef;
use super::model::{AttributeValue, is_plain, valid_tag};
use crate::db::Store;

/// Conditions in one tree, itself included.
const CONDITIONS_MAX: usize = 50;
/// How deep a tree may be.
const DEPTH_MAX: usize = 8;

/// A condition on a contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// All of these hold; of none, it holds.
    All(Vec<Condition>),
    /// One of these holds; of none, it does not.
    Any(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
    /// A value passes a test; no value passes none.
    Attribute {
        /// The attribute's key, which never changes.
        key: String,
        /// Which test.
        test: AttributeTest,
    },
    /// It has the tag.
    Tag(String),
    /// It is on the list.
    List(ListId),
    /// Its number is of this country, two letters.
    Country(String),
    /// Its number is suppressed in just this scope.
    Suppressed(ScopeRef),
    /// Its person consented in just this scope, and did not withdraw.
    Consented(ScopeRef),
    /// A message to it that was accepted at or after this time was delivered.
    DeliveredFrom(UnixMillis),
    /// It wrote at or after this time.
    RepliedFrom(UnixMillis),
    /// Its person followed a link in a message to it at or after this time.
    ClickedFrom(UnixMillis),
    /// The campaign's message to it was delivered.
    DeliveredIn(CampaignId),
    /// Its person followed a link in the campaign's message to it.
    ClickedIn(CampaignId),
    /// It was made at or after this time.
    CreatedFrom(UnixMillis),
}

/// A test of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeTest {
    /// There is one.
    IsSet,
    /// It is this one.
    Is(AttributeValue),
    /// The text begins so.
    StartsWith(String),
    /// The number or day is this one or beyond.
    AtLeast(AttributeValue),
    /// The number or day is before this one.
    LessThan(AttributeValue),
}

/// Why a condition cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionFault {
    /// Too many, or too deep.
    #[error("at most {CONDITIONS_MAX} conditions, {DEPTH_MAX} deep")]
    TooLarge,
    /// The account has no such attribute.
    #[error("there is no attribute of this key")]
    UnknownAttribute,
    /// The account has no such list.
    #[error("there is no such list")]
    UnknownList,
    /// The account has no such campaign.
    #[error("there is no such campaign")]
    UnknownCampaign,
    /// The value does not fit its attribute, or its test.
    #[error("the value does not fit the attribute's type, or the test")]
    InvalidValue,
    /// Not a tag, a country, a sender or a topic.
    #[error("not a tag, a country, a sender or a topic")]
    InvalidText,
}

impl Condition {
    /// Checks the tree, but for what the store must be asked: [`lists`](Self::lists) and
    /// [`check_attributes`](Self::check_attributes).
    ///
    /// # Errors
    /// [`ConditionFault`].
    pub(super) fn check(&self) -> Result<(), ConditionFault> {
        let mut left = CONDITIONS_MAX;
        self.check_at(1, &mut left)
    }

    fn check_at(&self, depth: usize, left: &mut usize) -> Result<(), ConditionFault> {
        *left = left.checked_sub(1).ok_or(ConditionFault::TooLarge)?;
        if depth > DEPTH_MAX {
            return Err(ConditionFault::TooLarge);
        }
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().try_for_each(|it| it.check_at(depth + 1, left))
            }
            Self::Not(condition) => condition.check_at(depth + 1, left),
            Self::Attribute { test, .. } => test.check(),
            Self::Tag(tag) => {
                if valid_tag(tag).as_ref() == Some(tag) {
                    Ok(())
                } else {
                    Err(ConditionFault::InvalidText)
                }
            }
            Self::Country(country) => {
                let is_code =
                    country.len() == 2 && country.bytes().all(|it| it.is_ascii_uppercase());
                if is_code { Ok(()) } else { Err(ConditionFault::InvalidText) }
            }
            Self::List(_)
            | Self::Suppressed(_)
            | Self::Consented(_)
            | Self::DeliveredFrom(_)
            | Self::RepliedFrom(_)
            | Self::ClickedFrom(_)
            | Self::DeliveredIn(_)
            | Self::ClickedIn(_)
            | Self::CreatedFrom(_) => Ok(()),
        }
    }

    /// Checks that the attributes that it names are there and of the types that it takes them for.
    ///
    /// # Errors
    /// [`ConditionFault`].
    pub(super) fn check_attributes(
        &self,
        attributes: &HashMap<String, Attribute>,
    ) -> Result<(), ConditionFault> {
        self.tests().into_iter().try_for_each(|(key, test)| {
            let attribute = attributes.get(key).ok_or(ConditionFault::UnknownAttribute)?;
            match test.kind() {
                Some(kind) if kind != attribute.kind => Err(ConditionFault::InvalidValue),
                _ => Ok(()),
            }
        })
    }

    /// The tests of attributes in it, with their keys.
    pub(super) fn tests(&self) -> Vec<(&str, &AttributeTest)> {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().flat_map(Self::tests).collect()
            }
            Self::Not(condition) => condition.tests(),
            Self::Attribute { key, test } => vec![(key.as_str(), test)],
            _ => Vec::new(),
        }
    }

    /// The lists that it names.
    pub(super) fn lists(&self) -> HashSet<ListId> {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().flat_map(Self::lists).collect()
            }
            Self::Not(condition) => condition.lists(),
            Self::List(id) => HashSet::from([*id]),
            _ => HashSet::new(),
        }
    }

    /// The campaigns that it names.
    pub(super) fn campaigns(&self) -> HashSet<CampaignId> {
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().flat_map(Self::campaigns).collect()
            }
            Self::Not(condition) => condition.campaigns(),
            Self::DeliveredIn(id) | Self::ClickedIn(id) => HashSet::from([*id]),
            _ => HashSet::new(),
        }
    }
}

impl AttributeTest {
    /// The type of attribute that it can be asked of; none for all.
    const fn kind(&self) -> Option<AttributeKind> {
        match self {
            Self::IsSet => None,
            Self::StartsWith(_) => Some(AttributeKind::Text),
            Self::Is(value) | Self::AtLeast(value) | Self::LessThan(value) => Some(value.kind()),
        }
    }

    fn check(&self) -> Result<(), ConditionFault> {
        let fits = match self {
            Self::IsSet => true,
            Self::Is(value) => value.is_valid(),
            Self::StartsWith(text) => is_plain(text, super::TEXT_CHARS_MAX),
            Self::AtLeast(value) | Self::LessThan(value) => value.is_ordered(),
        };
        if fits { Ok(()) } else { Err(ConditionFault::InvalidValue) }
    }
}

/// The condition as an expression over a row of `contact`, with its values in order. Whoever selects
/// names the account there.
pub(super) fn sql(
    store: Store,
    account_id: AccountId,
    condition: &Condition,
) -> (String, Vec<Value>) {
    let mut values = Vec::new();
    let text = write(account_id, condition, &mut values);
    // SeaORM puts its own numbers in the place of these; it knows each store's sign alone.
    let text = match store {
        Store::Sqlite => text,
        Store::Postgres => text.replace('?', "$"),
    };
    (text, values)
}

fn write(account_id: AccountId, condition: &Condition, values: &mut Vec<Value>) -> String {
    match condition {
        Condition::All(conditions) if conditions.is_empty() => "(1 = 1)".to_owned(),
        Condition::Any(conditions) if conditions.is_empty() => "(1 = 0)".to_owned(),
        Condition::All(conditions) => joined(account_id, conditions, " AND ", values),
        Condition::Any(conditions) => joined(account_id, conditions, " OR ", values),
        Condition::Not(condition) => format!("(NOT {})", write(account_id, condition, values)),
        Condition::Attribute { key, test } => {
            // Not correlated, so that the attribute is looked up once a statement.
            values.push(account_id.0.into());
            values.push(key.clone().into());
            let test = write_test(test, values);
            format!(
                "EXISTS (SELECT 1 FROM contact_value v WHERE v.account_id = contact.account_id \
                 AND v.contact_id = contact.id AND v.attribute_id = (SELECT a.id \
                 FROM contact_attribute a WHERE a.account_id = ? AND a.key = ? \
                 AND a.deleted_at_ms IS NULL) AND {test})"
            )
        }
        Condition::Tag(tag) => {
            values.push(tag.clone().into());
            "EXISTS (SELECT 1 FROM contact_tag t WHERE t.account_id = contact.account_id \
             AND t.contact_id = contact.id AND t.tag = ?)"
                .to_owned()
        }
        Condition::List(id) => {
            values.push(id.0.into());
            // A list may be deleted after a segment named it: then nobody is on it.
            "EXISTS (SELECT 1 FROM list_member m JOIN contact_list l \
             ON l.account_id = m.account_id AND l.id = m.list_id AND l.deleted_at_ms IS NULL \
             WHERE m.account_id = contact.account_id AND m.contact_id = contact.id \
             AND m.list_id = ?)"
                .to_owned()
        }
        Condition::Country(country) => {
            values.push(country.clone().into());
            "(contact.country = ?)".to_owned()
        }
        Condition::Suppressed(scope) => {
            push_scope(scope, values);
            "EXISTS (SELECT 1 FROM suppression s WHERE s.account_id = contact.account_id \
             AND s.number_mac = contact.number_mac AND s.scope = ? AND s.scope_value = ?)"
                .to_owned()
        }
        Condition::Consented(scope) => {
            let granted = ConsentKind::Granted.code();
            let withdrawn = ConsentKind::Withdrawn.code();
            push_scope(scope, values);
            format!(
                "EXISTS (SELECT 1 FROM consent_event e WHERE e.account_id = contact.account_id \
                 AND e.number_mac = contact.number_mac AND e.kind = {granted} AND e.scope = ? \
                 AND e.scope_value = ? AND NOT EXISTS (SELECT 1 FROM consent_event w \
                 WHERE w.account_id = e.account_id AND w.number_mac = e.number_mac \
                 AND w.kind = {withdrawn} AND w.scope = e.scope \
                 AND w.scope_value = e.scope_value AND w.id > e.id))"
            )
        }
        Condition::DeliveredFrom(time) => {
            values.push(first_uuid_at(*time).into());
            format!(
                "EXISTS (SELECT 1 FROM message m WHERE m.account_id = contact.account_id \
                 AND m.recipient = contact.number AND m.id >= ? AND m.status + 0 = {})",
                MessageStatus::Delivered.code()
            )
        }
        Condition::RepliedFrom(time) => {
            // Carriers write the phone's number with a plus sign or without.
            values.push(first_uuid_at(*time).into());
            "EXISTS (SELECT 1 FROM inbound_message i WHERE i.account_id = contact.account_id \
             AND i.sender IN (contact.number, substr(contact.number, 2)) AND i.id >= ?)"
                .to_owned()
        }
        Condition::ClickedFrom(time) => {
            // Messages without links have no place.
            values.push(first_uuid_at(*time).into());
            format!(
                "EXISTS (SELECT 1 FROM message m JOIN link_click k ON k.account_id = m.account_id \
                 AND k.message_id = m.id WHERE m.account_id = contact.account_id \
                 AND m.recipient = contact.number AND m.place IS NOT NULL AND k.kind = {} \
                 AND k.id >= ?)",
                ClickKind::Person.code()
            )
        }
        Condition::DeliveredIn(id) => {
            values.push(id.0.into());
            format!(
                "EXISTS (SELECT 1 FROM message m WHERE m.account_id = contact.account_id \
                 AND m.campaign_id = ? AND m.contact_id = contact.id AND m.status + 0 = {})",
                MessageStatus::Delivered.code()
            )
        }
        Condition::ClickedIn(id) => {
            values.push(id.0.into());
            "EXISTS (SELECT 1 FROM message m JOIN link_click k ON k.account_id = m.account_id \
             AND k.message_id = m.id WHERE m.account_id = contact.account_id \
             AND m.campaign_id = ? AND m.contact_id = contact.id AND k.is_first)"
                .to_owned()
        }
        Condition::CreatedFrom(time) => {
            values.push(first_uuid_at(*time).into());
            "(contact.id >= ?)".to_owned()
        }
    }
}

fn joined(
    account_id: AccountId,
    conditions: &[Condition],
    word: &str,
    values: &mut Vec<Value>,
) -> String {
    let parts: Vec<_> =
        conditions.iter().map(|condition| write(account_id, condition, values)).collect();
    format!("({})", parts.join(word))
}

fn write_test(test: &AttributeTest, values: &mut Vec<Value>) -> String {
    match test {
        AttributeTest::IsSet => "1 = 1".to_owned(),
        AttributeTest::Is(value) => compare(value, "=", values),
        AttributeTest::StartsWith(text) => {
            values.push(i32::try_from(text.chars().count()).unwrap_or(i32::MAX).into());
            values.push(text.clone().into());
            "substr(v.text_value, 1, ?) = ?".to_owned()
        }
        AttributeTest::AtLeast(value) => compare(value, ">=", values),
        AttributeTest::LessThan(value) => compare(value, "<", values),
    }
}

fn compare(value: &AttributeValue, operator: &str, values: &mut Vec<Value>) -> String {
    match value.columns() {
        (Some(text), _) => {
            values.push(text.into());
            format!("v.text_value {operator} ?")
        }
        (None, number) => {
            values.push(number.unwrap_or_default().into());
            format!("v.number_value {operator} ?")
        }
    }
}

fn push_scope(scope: &ScopeRef, values: &mut Vec<Value>) {
    let (code, value): (SuppressionScope, &str) = scope.columns();
    values.push(code.code().into());
    values.push(value.into());
}

/// The least UUIDv7 of a millisecond: ids begin with the time.
fn first_uuid_at(time: UnixMillis) -> Uuid {
    let ms = u64::try_from(time.0).unwrap_or(0) & 0xffff_ffff_ffff;
    Uuid::from_u64_pair(ms << 16, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::money::Micros;

    #[test]
    fn every_placeholder_has_its_value() {
        let attribute = |test| Condition::Attribute { key: "k".to_owned(), test };
        let condition = Condition::All(vec![
            attribute(AttributeTest::StartsWith("ab".to_owned())),
            attribute(AttributeTest::IsSet),
            Condition::Not(Box::new(attribute(AttributeTest::AtLeast(AttributeValue::Number(
                Micros(1),
            ))))),
            Condition::Any(vec![
                Condition::Tag("what?".to_owned()),
                Condition::List(ListId(Uuid::from_u128(2))),
                Condition::Country("DE".to_owned()),
                Condition::Suppressed(ScopeRef::Account),
                Condition::Consented(ScopeRef::Sender("Acme".to_owned())),
            ]),
            Condition::DeliveredFrom(UnixMillis(1)),
            Condition::RepliedFrom(UnixMillis(1)),
            Condition::ClickedFrom(UnixMillis(1)),
            Condition::DeliveredIn(CampaignId(Uuid::from_u128(3))),
            Condition::ClickedIn(CampaignId(Uuid::from_u128(3))),
            Condition::CreatedFrom(UnixMillis(1)),
            Condition::Any(Vec::new()),
        ]);
        assert_eq!(condition.check(), Ok(()));
        for (store, sign) in [(Store::Sqlite, '?'), (Store::Postgres, '$')] {
            let (text, values) = sql(store, AccountId(Uuid::from_u128(1)), &condition);
            assert_eq!(text.matches(sign).count(), values.len(), "{text}");
        }
        let stored = serde_json::to_string(&condition).unwrap();
        assert_eq!(serde_json::from_str::<Condition>(&stored).unwrap(), condition);
    }

    #[test]
    fn trees_have_limits() {
        let deep = |depth: usize| {
            (1..depth).fold(Condition::All(Vec::new()), |inner, _| Condition::Not(Box::new(inner)))
        };
        assert_eq!(deep(DEPTH_MAX).check(), Ok(()));
        assert_eq!(deep(DEPTH_MAX + 1).check(), Err(ConditionFault::TooLarge));
        let wide = |count: usize| Condition::Any(vec![Condition::Tag("t".to_owned()); count]);
        assert_eq!(wide(CONDITIONS_MAX - 1).check(), Ok(()));
        assert_eq!(wide(CONDITIONS_MAX).check(), Err(ConditionFault::TooLarge));
        for country in ["de", "DEU", ""] {
            let condition = Condition::Country(country.to_owned());
            assert_eq!(condition.check(), Err(ConditionFault::InvalidText), "{country}");
        }
        let at_least = AttributeTest::AtLeast(AttributeValue::Text("a".to_owned()));
        assert_eq!(at_least.check(), Err(ConditionFault::InvalidValue));
    }
}
