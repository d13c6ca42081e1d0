//! The dates that carriers write into receipts.
//!
//! Their clocks and zones are their own and rarely named: what is read is taken as UTC unless the
//! text names a zone. Shown to people, never compared. Pure; used by `receipt` alone.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use entity::time::UnixMillis;

/// Seconds in the quarter hours that SMPP absolute times count zones in (SMPP 3.4, 7.1.1.1).
const QUARTER_HOUR_S: i64 = 900;

/// Years 2014 to 2033: other numbers of ten digits are no Unix seconds (ten zeros mean "none").
const UNIX_SECONDS: std::ops::Range<i64> = 1_400_000_000..2_000_000_000;

/// Reads `YYMMDDhhmm`, with or without seconds, century, separators or a zone; SMPP absolute
/// times; and Unix seconds. None for anything else.
pub(super) fn parse(value: &str) -> Option<UnixMillis> {
    let value = value.trim();
    if let Ok(date) = DateTime::parse_from_rfc3339(value) {
        return Some(UnixMillis(date.timestamp_millis()));
    }
    if let Some(date) = smpp_absolute(value) {
        return Some(date);
    }
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let separated = value.chars().all(|c| c.is_ascii_digit() || " -/.:T_".contains(c));
    if !separated {
        return None;
    }
    let date = match digits.len() {
        10 => of_digits(&digits, 2).or_else(|| unix_seconds(&digits)),
        12 => of_digits(&digits, 2).or_else(|| of_digits(&digits, 4)),
        14 => of_digits(&digits, 4),
        _ => None,
    }?;
    Some(UnixMillis(date.and_utc().timestamp_millis()))
}

/// A year of two or four digits, then month, day, hour, minute and perhaps second.
fn of_digits(digits: &str, year_digits: usize) -> Option<NaiveDateTime> {
    let (year, rest) = digits.split_at_checked(year_digits)?;
    let year: i32 = year.parse().ok()?;
    let year = if year_digits == 2 { 2_000 + year } else { year };
    if !(2_000..2_100).contains(&year) {
        return None;
    }
    let pair = |index: usize| rest.get(index * 2..index * 2 + 2)?.parse::<u32>().ok();
    let second = if rest.len() > 8 { pair(4)? } else { 0 };
    NaiveDate::from_ymd_opt(year, pair(0)?, pair(1)?)?.and_hms_opt(pair(2)?, pair(3)?, second)
}

fn unix_seconds(digits: &str) -> Option<NaiveDateTime> {
    let seconds = digits.parse().ok().filter(|seconds| UNIX_SECONDS.contains(seconds))?;
    DateTime::from_timestamp(seconds, 0).map(|date| date.naive_utc())
}

/// `YYMMDDhhmmsstnnp`.
fn smpp_absolute(value: &str) -> Option<UnixMillis> {
    let (digits, sign) = value.split_at_checked(15)?;
    let sign = match sign {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    if !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let local = of_digits(&digits[..12], 2)?.and_utc().timestamp_millis();
    let quarters: i64 = digits[13..].parse().ok()?;
    Some(UnixMillis(local - sign * quarters * QUARTER_HOUR_S * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_vendors_write_them() {
        // 2023-01-02 12:34:00 UTC and 12:34:56 UTC.
        let (minute, second) = (1_672_662_840_000, 1_672_662_896_000);
        for (text, expected) in [
            ("2301021234", Some(minute)),
            ("230102123456", Some(second)),
            ("202301021234", Some(minute)),
            ("20230102123456", Some(second)),
            ("2023-01-02 12:34:56", Some(second)),
            ("23-01-02 12:34", Some(minute)),
            ("23/01/02 12:34:56", Some(second)),
            ("2023-01-02T12:34:56", Some(second)),
            ("2023-01-02T14:34:56+02:00", Some(second)),
            ("2023-01-02T12:34:56Z", Some(second)),
            ("230102143456008+", Some(second)),
            ("230102103456008-", Some(second)),
            ("1672662896", Some(second)),
            ("0000000000", None),
            ("", None),
            ("2313021234", None),
            ("230102", None),
            ("yesterday", None),
        ] {
            assert_eq!(parse(text), expected.map(UnixMillis), "{text}");
        }
    }
}
