//! What messages cost, by day, country and class: the charts, and the lines of statements.
//!
//! The figures are those that were added up when the ledger took them, so that a chart, a statement
//! and the books have one total. Messages that packages paid for are counted, and cost no money.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use entity::enums::MessageClass;
use sea_orm::{ConnectionTrait, DbErr, QueryResult, Statement};

use super::entries::{Whose, journal};
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::types::money::{Currency, Micros};

/// Days of one question: a year, and what one compares it with.
pub const DAYS_MAX: i64 = 400;
/// Groups of one answer: a year by day and class for eight countries.
pub const GROUPS_MAX: usize = 10_000;

/// What usage is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The day in UTC on which it was charged.
    Day,
    /// The recipient's country.
    Country,
    /// The message's class.
    Class,
}

impl Dimension {
    const fn column(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Country => "country",
            Self::Class => "class",
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct UsageQuestion {
    /// The first day, UTC.
    pub from: NaiveDate,
    /// The last day, which counts.
    pub to: NaiveDate,
    /// By what; nothing: one sum.
    pub group_by: BTreeSet<Dimension>,
    /// In what was charged; none: the account's own.
    pub currency: Option<Currency>,
}

/// Which group; what was not asked to be told apart is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsageKey {
    /// The day.
    pub day: Option<NaiveDate>,
    /// Two letters (ISO 3166-1), empty where the plan names none.
    pub country: Option<String>,
    /// The class.
    pub class: Option<MessageClass>,
}

/// How much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageSum {
    /// Messages that carriers took at least a part of.
    pub messages: i64,
    /// Parts that they took.
    pub parts: i64,
    /// What was charged in money; what packages paid for costs none.
    pub amount: Micros,
}

impl UsageSum {
    fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self {
            messages: self.messages.checked_add(other.messages)?,
            parts: self.parts.checked_add(other.parts)?,
            amount: self.amount.checked_add(other.amount)?,
        })
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// In what was charged.
    pub currency: Currency,
    /// Of all groups.
    pub total: UsageSum,
    /// In the order of their keys. Told apart by day, each group has all days.
    pub groups: BTreeMap<UsageKey, UsageSum>,
}

/// What an account's messages cost in some days.
///
/// # Errors
/// [`Failed`]: not allowed, a range that is none or too long, more than [`GROUPS_MAX`] groups, or
/// the store's own.
pub async fn usage(ctx: &Ctx, whose: Whose, question: &UsageQuestion) -> Result<Usage, Failed> {
    let journal = journal(ctx, whose, question.currency).await?;
    let days = days(question)?;
    let refused = |why: String| Failed::BadRequest(why);
    let values = [
        journal.account_id.0.into(),
        journal.unit.as_str().into(),
        journal.purse.code().into(),
        day_number(question.from).into(),
        day_number(question.to).into(),
        (GROUPS_MAX as i64 + 1).into(),
    ];
    let sql = statement(&question.group_by);
    let statement = Statement::from_sql_and_values(ctx.db.store().backend(), sql, values);
    let rows = ctx.db.reader().query_all_raw(statement).await?;
    let mut groups = BTreeMap::new();
    for row in &rows {
        let (key, sum) = read(row, &question.group_by)?;
        groups.insert(key, sum);
    }
    if question.group_by.contains(&Dimension::Day) {
        fill(&mut groups, &days, question.group_by.len() == 1);
    } else if groups.is_empty() && question.group_by.is_empty() {
        groups.insert(UsageKey::default(), UsageSum::default());
    }
    if groups.len() > GROUPS_MAX {
        return Err(refused(format!("more than {GROUPS_MAX} groups: ask for fewer days")));
    }
    let total = groups.values().try_fold(UsageSum::default(), |sum, group| sum.checked_add(*group));
    let total = total.ok_or_else(|| Failed::internal("usage beyond 64 bits"))?;
    let currency =
        journal.unit.currency().ok_or_else(|| Failed::internal("money has a currency"))?;
    Ok(Usage { currency, total, groups })
}

/// All days that are asked for.
fn days(question: &UsageQuestion) -> Result<Vec<NaiveDate>, Failed> {
    let length = question.to.signed_duration_since(question.from).num_days() + 1;
    if !(1..=DAYS_MAX).contains(&length) {
        let why = format!("from and to name 1 to {DAYS_MAX} days, the last after the first");
        return Err(Failed::BadRequest(why));
    }
    let day = |n: i64| question.from.checked_add_days(Days::new(n.unsigned_abs()));
    Ok((0..length).filter_map(day).collect())
}

/// Groups by no more than was asked for; a row too many tells that there are too many.
fn statement(group_by: &BTreeSet<Dimension>) -> String {
    let columns: Vec<_> = group_by.iter().map(|dimension| dimension.column()).collect();
    let (selected, grouped) = if columns.is_empty() {
        (String::new(), "HAVING count(*) > 0".to_owned())
    } else {
        let columns = columns.join(", ");
        (format!("{columns}, "), format!("GROUP BY {columns} ORDER BY {columns}"))
    };
    format!(
        "SELECT {selected}CAST(SUM(messages) AS BIGINT) AS messages, \
         CAST(SUM(parts) AS BIGINT) AS parts, \
         CAST(SUM(CASE WHEN purse = $3 THEN amount_micros ELSE 0 END) AS BIGINT) \
         AS amount_micros FROM usage_day \
         WHERE account_id = $1 AND currency IN ($2, 'XXX') AND day BETWEEN $4 AND $5 \
         {grouped} LIMIT $6"
    )
}

fn read(row: &QueryResult, group_by: &BTreeSet<Dimension>) -> Result<(UsageKey, UsageSum), DbErr> {
    let mut key = UsageKey::default();
    for dimension in group_by {
        match dimension {
            Dimension::Day => key.day = date_of(row.try_get("", "day")?),
            Dimension::Country => key.country = Some(row.try_get("", "country")?),
            Dimension::Class => key.class = Some(row.try_get("", "class")?),
        }
    }
    let sum = UsageSum {
        messages: row.try_get("", "messages")?,
        parts: row.try_get("", "parts")?,
        amount: row.try_get("", "amount_micros")?,
    };
    Ok((key, sum))
}

/// Gives each series all its days; one that is told apart by nothing else is there even if empty.
fn fill(groups: &mut BTreeMap<UsageKey, UsageSum>, days: &[NaiveDate], is_single: bool) {
    let mut series: BTreeSet<UsageKey> =
        groups.keys().map(|key| UsageKey { day: None, ..key.clone() }).collect();
    if is_single {
        series.insert(UsageKey::default());
    }
    // More would be refused: what is too much is seen from one more.
    for series in series.into_iter().take(GROUPS_MAX / days.len().max(1) + 1) {
        for day in days {
            groups.entry(UsageKey { day: Some(*day), ..series.clone() }).or_default();
        }
    }
}

/// Days since 1970-01-01.
fn day_number(date: NaiveDate) -> i32 {
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    i32::try_from(days).unwrap_or(i32::MAX)
}

fn date_of(day: i32) -> Option<NaiveDate> {
    let epoch = NaiveDate::default();
    let distance = Days::new(u64::from(day.unsigned_abs()));
    if day < 0 { epoch.checked_sub_days(distance) } else { epoch.checked_add_days(distance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn days_are_counted_from_1970() {
        for (text, number) in [("1970-01-01", 0), ("1969-12-31", -1), ("2026-01-05", 20_458)] {
            assert_eq!(day_number(date(text)), number);
            assert_eq!(date_of(number), Some(date(text)));
        }
    }

    #[test]
    fn a_range_has_its_last_day_and_a_longest_length() {
        let question = |from: &str, to: &str| UsageQuestion {
            from: date(from),
            to: date(to),
            group_by: BTreeSet::new(),
            currency: None,
        };
        let length = |from, to| days(&question(from, to)).map(|days| days.len()).ok();
        assert_eq!(length("2026-01-05", "2026-01-05"), Some(1));
        assert_eq!(length("2025-01-01", "2026-02-04"), Some(400));
        assert_eq!(length("2025-01-01", "2026-02-05"), None);
        assert_eq!(length("2026-01-05", "2026-01-04"), None);
    }

    #[test]
    fn each_series_gets_all_its_days() {
        let days = [date("2026-01-05"), date("2026-01-06")];
        let mut none = BTreeMap::new();
        fill(&mut none, &days, true);
        assert_eq!(none.len(), 2);
        let key = |country: &str| UsageKey {
            day: Some(days[1]),
            country: Some(country.to_owned()),
            class: None,
        };
        let mut two = BTreeMap::from([
            (key("DE"), UsageSum { messages: 1, ..UsageSum::default() }),
            (key("FR"), UsageSum::default()),
        ]);
        fill(&mut two, &days, false);
        assert_eq!(two.len(), 4);
        assert_eq!(two[&key("DE")].messages, 1);
    }
}
