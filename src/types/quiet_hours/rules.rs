//! The rules: which hours of which days a country leaves to marketing, since when, and says who.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use serde::Deserialize;

use super::easter::easter;

/// Minutes of a day by its clock.
pub(super) const DAY_MINUTES: u16 = 24 * 60;
/// Rules of one file.
const RULES_MAX: usize = 10_000;

/// Minutes of a day in which it is legal, by weekday from Monday; in order.
type Week = [Vec<Range<u16>>; 7];

/// All rules, and the default for countries that have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuietHours {
    by_country: HashMap<String, Vec<Rule>>,
    default: Option<Week>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    week: Week,
    holidays: Vec<Holiday>,
    valid_from: Date,
    /// The last day.
    valid_until: Date,
}

/// A day on which there are no hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holiday {
    /// This one.
    Once(Date),
    /// Month and day of each year.
    Yearly(i8, i8),
    /// So many days from Easter Sunday of the western churches.
    Easter(i16),
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    country: String,
    source: String,
    valid_from: String,
    valid_until: Option<String>,
    hours: Vec<String>,
    #[serde(default)]
    holidays: Vec<String>,
}

impl QuietHours {
    /// The rules that come with the program.
    ///
    /// # Panics
    /// If the compiled-in file is not well-formed; the tests read it.
    pub fn built_in() -> Self {
        Self::parse(include_str!("rules.toml")).expect("rules.toml is well-formed")
    }

    /// Reads a file of rules.
    ///
    /// # Errors
    /// All that is wrong with it, a line each.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let file: File = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        if file.rule.len() > RULES_MAX {
            return Err(vec![format!("a file has at most {RULES_MAX} rules")]);
        }
        let mut faults = Vec::new();
        let mut by_country: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
        for (index, written) in file.rule.iter().enumerate() {
            let named = format!("rule {} ({})", index + 1, written.country);
            match read(written) {
                Ok(rule) => by_country.entry(written.country.clone()).or_default().push(rule),
                Err(fault) => faults.push(format!("{named}: {fault}")),
            }
        }
        for (country, rules) in &mut by_country {
            rules.sort_by_key(|rule| rule.valid_from);
            let overlaps = |pair: &[Rule]| pair[0].valid_until >= pair[1].valid_from;
            if rules.windows(2).any(overlaps) {
                faults.push(format!("two rules of {country} are valid on the same day"));
            }
        }
        if faults.is_empty() {
            Ok(Self { by_country: by_country.into_iter().collect(), default: None })
        } else {
            Err(faults)
        }
    }

    /// The same with hours for countries without a rule; without any hours these have no limits.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn with_default(self, hours: &[String]) -> Result<Self, String> {
        let default = if hours.is_empty() { None } else { Some(week(hours)?) };
        Ok(Self { default, ..self })
    }

    /// Whether a country has any hours to keep.
    pub fn apply_to(&self, country: &str) -> bool {
        self.default.is_some() || self.by_country.contains_key(country)
    }

    /// Whether there is anything to keep anywhere.
    pub fn are_off(&self) -> bool {
        self.default.is_none() && self.by_country.is_empty()
    }

    /// The minutes of a day that are legal, in order.
    pub(super) fn on(&self, country: &str, date: Date) -> Vec<Range<u16>> {
        let rules = self.by_country.get(country).map(Vec::as_slice).unwrap_or_default();
        let rule = rules.iter().find(|rule| (rule.valid_from..=rule.valid_until).contains(&date));
        let week = match (rule, &self.default) {
            (Some(rule), _) if rule.holidays.iter().any(|it| it.is(date)) => return Vec::new(),
            (Some(rule), _) => &rule.week,
            (None, Some(default)) => default,
            (None, None) => return std::iter::once(0..DAY_MINUTES).collect(),
        };
        let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default();
        week[day].clone()
    }
}

impl Holiday {
    fn is(self, date: Date) -> bool {
        match self {
            Self::Once(day) => day == date,
            Self::Yearly(month, day) => (month, day) == (date.month(), date.day()),
            Self::Easter(days) => {
                let easter = easter(date.year());
                easter.and_then(|it| it.checked_add(days.days()).ok()) == Some(date)
            }
        }
    }
}

impl FromStr for Holiday {
    type Err = String;

    /// `2026-05-01`, `05-01` of every year, or `easter+39`.
    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || {
            format!("{text:?} is no holiday: write 2026-05-01, 05-01 for every year, or easter+39")
        };
        if let Some(days) = text.strip_prefix("easter") {
            let days: i16 = if days.is_empty() { 0 } else { days.parse().map_err(|_| fault())? };
            return if days.abs() <= 100 { Ok(Self::Easter(days)) } else { Err(fault()) };
        }
        if text.len() == 5 {
            // A leap year, so that 02-29 is a day.
            let date: Date = format!("2000-{text}").parse().map_err(|_| fault())?;
            return Ok(Self::Yearly(date.month(), date.day()));
        }
        text.parse().map(Self::Once).map_err(|_| fault())
    }
}

fn read(written: &Written) -> Result<Rule, String> {
    let is_country =
        written.country.len() == 2 && written.country.bytes().all(|it| it.is_ascii_uppercase());
    if !is_country {
        return Err("a country is two upper-case letters (ISO 3166-1)".to_owned());
    }
    if written.source.trim().is_empty() {
        return Err("a rule names its source".to_owned());
    }
    let day = |text: &str| {
        text.parse::<Date>().map_err(|_| format!("{text:?} is no day: write 2026-12-31"))
    };
    let valid_from = day(&written.valid_from)?;
    let valid_until = written.valid_until.as_deref().map_or(Ok(Date::MAX), day)?;
    if valid_until < valid_from {
        return Err("valid_until is before valid_from".to_owned());
    }
    if written.hours.is_empty() {
        return Err("a rule names its hours".to_owned());
    }
    let holidays = written.holidays.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    Ok(Rule { week: week(&written.hours)?, holidays, valid_from, valid_until })
}

/// Lines such as `mon-fri 08:00-21:00`; hours that end before they begin end on the next day.
fn week(lines: &[String]) -> Result<Week, String> {
    let mut week = Week::default();
    for line in lines {
        let fault = || {
            format!(
                "{line:?} are no hours: write daily 08:00-21:00, mon-fri 08:00-12:00 or sun 20:00-02:00"
            )
        };
        let (days, hours) = line.trim().split_once(' ').ok_or_else(fault)?;
        let (from, until) = hours.trim().split_once('-').ok_or_else(fault)?;
        let from = minutes(from).filter(|from| *from < DAY_MINUTES).ok_or_else(fault)?;
        let until = minutes(until).ok_or_else(fault)?;
        for day in weekdays(days).ok_or_else(fault)? {
            if from < until {
                week[day].push(from..until);
                continue;
            }
            week[day].push(from..DAY_MINUTES);
            if until > 0 {
                week[(day + 1) % 7].push(0..until);
            }
        }
    }
    for day in &mut week {
        day.sort_by_key(|range| range.start);
        if day.windows(2).any(|pair| pair[0].end > pair[1].start) {
            return Err("two hours of one day overlap".to_owned());
        }
    }
    Ok(week)
}

/// `08:00`, up to `24:00`.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|it| it.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= DAY_MINUTES).then_some(minutes)
}

/// `daily`, `mon` or `mon-fri`, as places from Monday.
fn weekdays(text: &str) -> Option<Vec<usize>> {
    if text == "daily" {
        return Some((0..7).collect());
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (weekday(first)?, weekday(last)?);
    let count = (last + 7 - first) % 7;
    Some((0..=count).map(|offset| (first + offset) % 7).collect())
}

fn weekday(text: &str) -> Option<usize> {
    let day = match text {
        "mon" => Weekday::Monday,
        "tue" => Weekday::Tuesday,
        "wed" => Weekday::Wednesday,
        "thu" => Weekday::Thursday,
        "fri" => Weekday::Friday,
        "sat" => Weekday::Saturday,
        "sun" => Weekday::Sunday,
        _ => return None,
    };
    usize::try_from(day.to_monday_zero_offset()).ok()
}
