//! Conditions on contacts, as they are written and as they are shown.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject};

use super::consent::{ScopeInput, SuppressionScope};
use super::{AttributeValue, AttributeValueInput, ContactList, ListRow};
use crate::contacts::{self, Condition};
use crate::error::Failed;
use crate::graphql::campaigns::Campaign;
use crate::graphql::errors::Answer;
use crate::graphql::ids::parse_id;
use crate::graphql::loaders::load;
use crate::graphql::scalars::DateTime;

/// A condition on a contact: just one of its fields. A tree has at most 50 conditions, 8 deep.
#[derive(OneofObject, Clone, Debug)]
pub enum ContactConditionInput {
    /// All of these hold.
    All(Vec<ContactConditionInput>),
    /// At least one of these holds.
    Any(Vec<ContactConditionInput>),
    /// This does not hold.
    Not(Box<ContactConditionInput>),
    /// The value of an attribute passes a test; one that is not set passes none.
    Attribute(AttributeConditionInput),
    /// The contact has this tag.
    Tag(String),
    /// The contact is on this list, `list_…`.
    ListId(ID),
    /// The number is of this country, two capital letters (ISO 3166-1).
    Country(String),
    /// The number is suppressed in just this scope.
    Suppressed(ScopeInput),
    /// The person consented in just this scope and did not withdraw it since.
    Consented(ScopeInput),
    /// A message to the contact that was accepted at or after this time was delivered.
    DeliveredFrom(DateTime),
    /// The contact sent a message at or after this time.
    RepliedFrom(DateTime),
    /// The person followed a short link in a message to the contact at or after this time. Clicks
    /// are known for as long as `CampaignEngagement.clicks` says.
    ClickedFrom(DateTime),
    /// The message of this campaign to the contact, `camp_…`, was delivered.
    DeliveredInCampaignId(ID),
    /// The person followed a short link in the message of this campaign to the contact.
    ClickedInCampaignId(ID),
    /// The contact was made at or after this time.
    CreatedFrom(DateTime),
}

/// A test of an attribute's value.
#[derive(InputObject, Clone, Debug)]
pub struct AttributeConditionInput {
    /// The attribute's key.
    pub key: String,
    /// The test.
    pub test: AttributeTest,
    /// What the value is compared with; not with `IS_SET`.
    pub value: Option<AttributeValueInput>,
}

/// How a value is tested.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeTest {
    /// There is a value.
    IsSet,
    /// It equals.
    Equals,
    /// The text begins so.
    StartsWith,
    /// The number or day is this one or beyond.
    AtLeast,
    /// The number or day is before this one.
    LessThan,
}

impl ContactConditionInput {
    /// As the domain has it.
    ///
    /// # Errors
    /// `INVALID_ID`, and `BAD_REQUEST` for a test without its value, a sender or a topic that is none.
    pub fn parse(self) -> Answer<Condition> {
        Ok(match self {
            Self::All(conditions) => Condition::All(parse_all(conditions)?),
            Self::Any(conditions) => Condition::Any(parse_all(conditions)?),
            Self::Not(condition) => Condition::Not(Box::new(condition.parse()?)),
            Self::Attribute(it) => Condition::Attribute { test: it.parse_test()?, key: it.key },
            Self::Tag(tag) => Condition::Tag(tag.trim().to_owned()),
            Self::ListId(id) => Condition::List(parse_id(&id)?),
            Self::Country(country) => Condition::Country(country),
            Self::Suppressed(scope) => Condition::Suppressed(scope.require()?),
            Self::Consented(scope) => Condition::Consented(scope.require()?),
            Self::DeliveredFrom(time) => Condition::DeliveredFrom(time.0),
            Self::RepliedFrom(time) => Condition::RepliedFrom(time.0),
            Self::ClickedFrom(time) => Condition::ClickedFrom(time.0),
            Self::DeliveredInCampaignId(id) => Condition::DeliveredIn(parse_id(&id)?),
            Self::ClickedInCampaignId(id) => Condition::ClickedIn(parse_id(&id)?),
            Self::CreatedFrom(time) => Condition::CreatedFrom(time.0),
        })
    }
}

fn parse_all(conditions: Vec<ContactConditionInput>) -> Answer<Vec<Condition>> {
    conditions.into_iter().map(ContactConditionInput::parse).collect()
}

impl AttributeConditionInput {
    fn parse_test(&self) -> Answer<contacts::AttributeTest> {
        use contacts::{AttributeTest as Test, AttributeValue as Value};
        let value = self.value.clone().map(Value::from);
        Ok(match (self.test, value) {
            (AttributeTest::IsSet, None) => Test::IsSet,
            (AttributeTest::Equals, Some(value)) => Test::Is(value),
            (AttributeTest::StartsWith, Some(Value::Text(text))) => Test::StartsWith(text),
            (AttributeTest::AtLeast, Some(value)) => Test::AtLeast(value),
            (AttributeTest::LessThan, Some(value)) => Test::LessThan(value),
            _ => {
                let text = "IS_SET takes no value, STARTS_WITH a text, the other tests a value";
                return Err(Failed::BadRequest(text.to_owned()).into());
            }
        })
    }
}

/// A condition of a segment.
#[derive(Clone, Debug)]
pub struct SegmentCondition(pub Condition);

/// A condition on contacts, as it was written: just one of its fields is set, but for those of a test
/// and of a scope, which belong together. Read with its segment.
#[Object]
impl SegmentCondition {
    /// All of these hold, at most 50.
    async fn all(&self) -> Option<Vec<SegmentCondition>> {
        match &self.0 {
            Condition::All(conditions) => Some(conditions.iter().cloned().map(Self).collect()),
            _ => None,
        }
    }

    /// At least one of these holds, at most 50.
    async fn any(&self) -> Option<Vec<SegmentCondition>> {
        match &self.0 {
            Condition::Any(conditions) => Some(conditions.iter().cloned().map(Self).collect()),
            _ => None,
        }
    }

    /// This does not hold.
    async fn not(&self) -> Option<SegmentCondition> {
        match &self.0 {
            Condition::Not(condition) => Some(Self(Condition::clone(condition))),
            _ => None,
        }
    }

    /// The value of an attribute passes this test.
    async fn attribute_test(&self) -> Option<AttributeTest> {
        use contacts::AttributeTest as Test;
        let Condition::Attribute { test, .. } = &self.0 else { return None };
        Some(match test {
            Test::IsSet => AttributeTest::IsSet,
            Test::Is(_) => AttributeTest::Equals,
            Test::StartsWith(_) => AttributeTest::StartsWith,
            Test::AtLeast(_) => AttributeTest::AtLeast,
            Test::LessThan(_) => AttributeTest::LessThan,
        })
    }

    /// The attribute of the test, and the value that it is compared with; without one for `IS_SET`.
    async fn attribute_value(&self) -> Option<AttributeValue> {
        use contacts::AttributeTest as Test;
        let Condition::Attribute { key, test } = &self.0 else { return None };
        Some(match test {
            Test::IsSet => AttributeValue::unset(key.clone()),
            Test::Is(value) | Test::AtLeast(value) | Test::LessThan(value) => {
                AttributeValue::new(key.clone(), value.clone())
            }
            Test::StartsWith(text) => {
                AttributeValue::new(key.clone(), contacts::AttributeValue::Text(text.clone()))
            }
        })
    }

    /// The contact has this tag.
    async fn tag(&self) -> Option<&str> {
        match &self.0 {
            Condition::Tag(tag) => Some(tag),
            _ => None,
        }
    }

    /// The contact is on this list; null too if the list was deleted, and then nobody is.
    async fn list(&self, context: &Context<'_>) -> Answer<Option<ContactList>> {
        match &self.0 {
            Condition::List(id) => Ok(load(context, ListRow(*id)).await?.map(ContactList)),
            _ => Ok(None),
        }
    }

    /// The number is of this country.
    async fn country(&self) -> Option<&str> {
        match &self.0 {
            Condition::Country(country) => Some(country),
            _ => None,
        }
    }

    /// The number is suppressed in this scope; `scopeValue` says which sender or topic.
    async fn suppressed(&self) -> Option<SuppressionScope> {
        match &self.0 {
            Condition::Suppressed(scope) => Some(scope.columns().0.into()),
            _ => None,
        }
    }

    /// The person consented in this scope; `scopeValue` says which sender or topic.
    async fn consented(&self) -> Option<SuppressionScope> {
        match &self.0 {
            Condition::Consented(scope) => Some(scope.columns().0.into()),
            _ => None,
        }
    }

    /// Which sender or topic `suppressed` or `consented` is about; null for the whole account.
    async fn scope_value(&self) -> Option<&str> {
        match &self.0 {
            Condition::Suppressed(scope) | Condition::Consented(scope) => {
                Some(scope.columns().1).filter(|value| !value.is_empty())
            }
            _ => None,
        }
    }

    /// A message to the contact that was accepted at or after this time was delivered.
    async fn delivered_from(&self) -> Option<DateTime> {
        match &self.0 {
            Condition::DeliveredFrom(time) => Some((*time).into()),
            _ => None,
        }
    }

    /// The contact sent a message at or after this time.
    async fn replied_from(&self) -> Option<DateTime> {
        match &self.0 {
            Condition::RepliedFrom(time) => Some((*time).into()),
            _ => None,
        }
    }

    /// The person followed a short link in a message to the contact at or after this time.
    async fn clicked_from(&self) -> Option<DateTime> {
        match &self.0 {
            Condition::ClickedFrom(time) => Some((*time).into()),
            _ => None,
        }
    }

    /// The message of this campaign to the contact was delivered.
    async fn delivered_in_campaign(&self, context: &Context<'_>) -> Answer<Option<Campaign>> {
        match &self.0 {
            Condition::DeliveredIn(id) => Campaign::load(context, *id).await,
            _ => Ok(None),
        }
    }

    /// The person followed a short link in the message of this campaign to the contact.
    async fn clicked_in_campaign(&self, context: &Context<'_>) -> Answer<Option<Campaign>> {
        match &self.0 {
            Condition::ClickedIn(id) => Campaign::load(context, *id).await,
            _ => Ok(None),
        }
    }

    /// The contact was made at or after this time.
    async fn created_from(&self) -> Option<DateTime> {
        match &self.0 {
            Condition::CreatedFrom(time) => Some((*time).into()),
            _ => None,
        }
    }
}
