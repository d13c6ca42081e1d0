//! What messages cost, in the contract. Behaviour: `crate::billing`.

use async_graphql::{Enum, InputObject, SimpleObject};

use super::messages::enums::MessageClass;
use super::money::Money;
use super::scalars::{CurrencyCode, Date, SequenceNumber};
use crate::billing::{self, Dimension, UsageKey, UsageQuestion, UsageSum};

/// What usage is told apart by.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Dimension")]
pub enum UsageDimension {
    /// The day in UTC on which it was charged.
    Day,
    /// The recipient's country.
    Country,
    /// The message's class.
    Class,
}

/// Which usage is wanted.
#[derive(InputObject, Clone, Debug)]
pub struct UsageInput {
    /// The first day, in UTC.
    pub from: Date,
    /// The last day, which counts; 1 to 400 days in all.
    pub to: Date,
    /// By what the sums are told apart; empty, null or absent: one sum of all.
    pub group_by: Option<Vec<UsageDimension>>,
    /// In what was charged; null or absent: the account's currency.
    pub currency: Option<CurrencyCode>,
}

impl From<&UsageInput> for UsageQuestion {
    fn from(input: &UsageInput) -> Self {
        Self {
            from: input.from.0,
            to: input.to.0,
            group_by: input.group_by.iter().flatten().copied().map(Into::into).collect(),
            currency: input.currency.map(|currency| currency.0),
        }
    }
}

/// How many messages, and what they cost.
#[derive(SimpleObject, Clone, Copy, Debug)]
pub struct UsageTotal {
    /// Messages that carriers took at least a part of.
    messages: SequenceNumber,
    /// Parts that they took.
    parts: SequenceNumber,
    /// What was charged for them, as it stands in the ledger.
    amount: Money,
}

/// The usage of one day, country or class, or of what was asked for of these.
#[derive(SimpleObject, Clone, Debug)]
pub struct UsageGroup {
    /// The day in UTC; null unless told apart by day.
    day: Option<Date>,
    /// The country, two letters of ISO 3166-1, empty for numbers of none; null unless told apart by
    /// country.
    country: Option<String>,
    /// The class; null unless told apart by class.
    class: Option<MessageClass>,
    /// How much.
    total: UsageTotal,
}

/// What the messages of some days cost. A message counts on the day on which it was charged, when a
/// carrier had taken it.
#[derive(SimpleObject, Clone, Debug)]
pub struct Usage {
    /// Of all groups.
    total: UsageTotal,
    /// In the order of day, country and class, at most 10,000. Told apart by day, each country and
    /// class has all days, with zeros where there was nothing.
    groups: Vec<UsageGroup>,
}

impl From<billing::Usage> for Usage {
    fn from(usage: billing::Usage) -> Self {
        let total = |sum: UsageSum| UsageTotal {
            messages: SequenceNumber(sum.messages),
            parts: SequenceNumber(sum.parts),
            amount: Money::new(sum.amount, usage.currency),
        };
        let group = |(key, sum): (UsageKey, UsageSum)| UsageGroup {
            day: key.day.map(Date),
            country: key.country,
            class: key.class.map(Into::into),
            total: total(sum),
        };
        Self { total: total(usage.total), groups: usage.groups.into_iter().map(group).collect() }
    }
}
