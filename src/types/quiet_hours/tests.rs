//! Windows by tables, and the property that no time lies outside in any zone.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;

const HOUR_MS: i64 = 3_600_000;
const US_DAY: &str = "47 CFR";

fn at(text: &str) -> UnixMillis {
    let zoned: jiff::Zoned = text.parse().unwrap();
    UnixMillis(zoned.timestamp().as_millisecond())
}

fn rules(country: &str, hours: &[&str], holidays: &[&str]) -> QuietHours {
    let text = format!(
        "[[rule]]\ncountry = {country:?}\nsource = {US_DAY:?}\nvalid_from = \"2000-01-01\"\n\
         hours = {hours:?}\nholidays = {holidays:?}\n"
    );
    QuietHours::parse(&text).unwrap()
}

fn wanted(from: UnixMillis) -> Wanted {
    Wanted { now: from, from, validity_ms: 24 * HOUR_MS, behind_ms: 0 }
}

fn slot(hours: &QuietHours, country: &str, zones: &Zones, from: &str) -> Result<Slot, NoSlot> {
    Planner::new(hours).slot(country, zones, wanted(at(from)))
}

#[test]
fn a_message_waits_for_its_window_and_ends_with_it() {
    let night = rules("XX", &["sun 20:00-02:00"], &[]);
    let days =
        rules("XX", &["mon-fri 09:00-12:00", "mon-fri 14:00-18:00"], &["2026-04-03", "easter+1"]);
    // From, when it may leave, and when its window closes.
    for (hours, zone, from, due, closes) in [
        // Inside, before and after.
        (
            &days,
            "Europe/Berlin",
            "2026-01-05T10:00[Europe/Berlin]",
            "2026-01-05T10:00[Europe/Berlin]",
            "2026-01-05T12:00[Europe/Berlin]",
        ),
        (
            &days,
            "Europe/Berlin",
            "2026-01-05T12:00[Europe/Berlin]",
            "2026-01-05T14:00[Europe/Berlin]",
            "2026-01-05T18:00[Europe/Berlin]",
        ),
        (
            &days,
            "Europe/Berlin",
            "2026-01-05T17:59:30[Europe/Berlin]",
            "2026-01-06T09:00[Europe/Berlin]",
            "2026-01-06T12:00[Europe/Berlin]",
        ),
        // A weekend, and Easter from Good Friday to Monday.
        (
            &days,
            "Europe/Berlin",
            "2026-01-09T19:00[Europe/Berlin]",
            "2026-01-12T09:00[Europe/Berlin]",
            "2026-01-12T12:00[Europe/Berlin]",
        ),
        (
            &days,
            "Europe/Berlin",
            "2026-04-02T18:00[Europe/Berlin]",
            "2026-04-07T09:00[Europe/Berlin]",
            "2026-04-07T12:00[Europe/Berlin]",
        ),
        // Zones beside the hour.
        (
            &days,
            "Asia/Kathmandu",
            "2026-01-05T03:14:00[UTC]",
            "2026-01-05T03:15:00[UTC]",
            "2026-01-05T06:15:00[UTC]",
        ),
        (
            &days,
            "Asia/Kolkata",
            "2026-01-05T03:14:00[UTC]",
            "2026-01-05T03:30:00[UTC]",
            "2026-01-05T06:30:00[UTC]",
        ),
        // Over midnight, into Monday.
        (
            &night,
            "Asia/Tokyo",
            "2026-01-05T01:30[Asia/Tokyo]",
            "2026-01-05T01:30[Asia/Tokyo]",
            "2026-01-05T02:00[Asia/Tokyo]",
        ),
        (
            &night,
            "Asia/Tokyo",
            "2026-01-05T02:00[Asia/Tokyo]",
            "2026-01-11T20:00[Asia/Tokyo]",
            "2026-01-12T02:00[Asia/Tokyo]",
        ),
    ] {
        let zones = Zones::named(zone).unwrap();
        let found = slot(hours, "XX", &zones, from).unwrap();
        assert_eq!((found.due_at, found.expires_at), (at(due), at(closes)), "{from} in {zone}");
        assert_eq!(found.valid_until, Some(at(due).plus_ms(24 * HOUR_MS)), "{from}");
    }
}

#[test]
fn clocks_that_change_open_no_window_early_and_close_none_late() {
    // On 2026-03-29 clocks in Berlin skip 02:00 to 03:00, on 2026-10-25 they show it twice.
    let zones = Zones::named("Europe/Berlin").unwrap();
    for (hours, from, opens, closes) in [
        (
            "daily 02:30-08:00",
            "2026-03-29T00:00:00[UTC]",
            "2026-03-29T01:00:00[UTC]",
            "2026-03-29T06:00:00[UTC]",
        ),
        (
            "daily 01:00-02:30",
            "2026-03-28T23:00:00[UTC]",
            "2026-03-29T00:00:00[UTC]",
            "2026-03-29T01:00:00[UTC]",
        ),
        (
            "daily 02:30-08:00",
            "2026-10-24T22:00:00[UTC]",
            "2026-10-25T01:30:00[UTC]",
            "2026-10-25T07:00:00[UTC]",
        ),
        (
            "daily 01:00-02:30",
            "2026-10-24T22:00:00[UTC]",
            "2026-10-24T23:00:00[UTC]",
            "2026-10-25T00:30:00[UTC]",
        ),
        // The day has 23 and 25 hours, the window through it is one.
        (
            "daily 00:00-24:00",
            "2026-03-29T00:00:00[UTC]",
            "2026-03-29T00:00:00[UTC]",
            "2026-03-30T00:00:00[UTC]",
        ),
        (
            "daily 00:00-24:00",
            "2026-10-25T00:00:00[UTC]",
            "2026-10-25T00:00:00[UTC]",
            "2026-10-26T00:00:00[UTC]",
        ),
    ] {
        let hours = rules("XX", &[hours], &[]);
        let found = slot(&hours, "XX", &zones, from).unwrap();
        assert_eq!((found.due_at, found.expires_at), (at(opens), at(closes)), "{hours:?} {from}");
    }
}

#[test]
fn where_several_zones_are_possible_all_must_agree() {
    let us = QuietHours::built_in();
    let both = Zones::of_number("1");
    assert!(both.all().len() > 20, "an area code that nobody knows");
    let found = slot(&us, "US", &Zones::of_number("12125550123"), "2026-01-05T12:00:00[UTC]");
    assert_eq!(found.unwrap().due_at, at("2026-01-05T08:00[America/New_York]"));
    let found = slot(&us, "US", &both, "2026-01-05T12:00:00[UTC]").unwrap();
    assert_eq!(found.due_at, at("2026-01-06T08:00[Pacific/Guam]"), "noon in Adak");
    assert_eq!(found.expires_at, at("2026-01-05T21:00[America/St_Johns]"));
    // Two hours a day, eleven zones: never at once.
    let short = rules("RU", &["daily 10:00-12:00"], &[]);
    let mobile = Zones::of_number("79161234567");
    assert_eq!(slot(&short, "RU", &mobile, "2026-01-05T12:00:00[UTC]"), Err(NoSlot));
    let known = Zones::named("Europe/Moscow").unwrap();
    assert!(slot(&short, "RU", &known, "2026-01-05T12:00:00[UTC]").is_ok());
}

#[test]
fn rules_hold_between_their_days_and_the_default_elsewhere() {
    let text = "
        [[rule]]
        country = \"XX\"
        source = \"one\"
        valid_from = \"2026-01-01\"
        valid_until = \"2026-01-31\"
        hours = [\"daily 10:00-11:00\"]
        [[rule]]
        country = \"XX\"
        source = \"two\"
        valid_from = \"2026-03-01\"
        hours = [\"daily 12:00-13:00\"]";
    let rules = QuietHours::parse(text).unwrap();
    let utc = Zones::named("UTC").unwrap();
    let with = rules.clone().with_default(&["daily 06:00-07:00".to_owned()]).unwrap();
    for (hours, country, from, due) in [
        (&rules, "XX", "2026-01-31T05:00:00[UTC]", "2026-01-31T10:00:00[UTC]"),
        (&rules, "XX", "2026-01-31T11:00:00[UTC]", "2026-02-01T00:00:00[UTC]"),
        (&rules, "XX", "2026-02-15T11:30:00[UTC]", "2026-02-15T11:30:00[UTC]"),
        (&rules, "XX", "2026-03-01T00:00:00[UTC]", "2026-03-01T12:00:00[UTC]"),
        (&rules, "YY", "2026-03-01T03:00:00[UTC]", "2026-03-01T03:00:00[UTC]"),
        (&with, "YY", "2026-03-01T03:00:00[UTC]", "2026-03-01T06:00:00[UTC]"),
        (&with, "XX", "2026-02-15T08:00:00[UTC]", "2026-02-16T06:00:00[UTC]"),
    ] {
        assert_eq!(slot(hours, country, &utc, from).unwrap().due_at, at(due), "{country} {from}");
    }
}

#[test]
fn those_that_wait_for_one_time_leave_one_after_the_other_and_go_on_the_next_day() {
    let hours = rules("XX", &["daily 10:00-11:00"], &[]);
    let utc = Zones::named("UTC").unwrap();
    let mut planner = Planner::new(&hours);
    let now = at("2026-01-05T09:00:00[UTC]");
    for (behind_ms, due) in [
        (0, "2026-01-05T10:00:00[UTC]"),
        (1_000, "2026-01-05T10:00:01[UTC]"),
        (59 * 60_000, "2026-01-05T10:59:00[UTC]"),
        (60 * 60_000, "2026-01-06T10:01:00[UTC]"),
    ] {
        let wanted = Wanted { behind_ms, ..wanted(now) };
        assert_eq!(planner.slot("XX", &utc, wanted).unwrap().due_at, at(due), "{behind_ms}");
    }
    let open = at("2026-01-05T10:30:00[UTC]");
    let wanted = Wanted { behind_ms: 5_000, ..wanted(open) };
    assert_eq!(planner.slot("XX", &utc, wanted).unwrap().due_at, open, "what need not wait");
}

#[test]
fn files_are_refused_with_all_that_is_wrong() {
    let rule = |country: &str, from: &str, hours: &str, holiday: &str| {
        format!(
            "[[rule]]\ncountry = {country:?}\nsource = \"law\"\nvalid_from = {from:?}\n\
             hours = [{hours:?}]\nholidays = [{holiday:?}]\n"
        )
    };
    for (country, from, hours, holiday) in [
        ("Germany", "2026-01-01", "daily 08:00-20:00", "01-01"),
        ("de", "2026-01-01", "daily 08:00-20:00", "01-01"),
        ("DE", "2026-13-01", "daily 08:00-20:00", "01-01"),
        ("DE", "2026-01-01", "daily 8:00-20:00", "01-01"),
        ("DE", "2026-01-01", "daily 08:00-24:01", "01-01"),
        ("DE", "2026-01-01", "weekdays 08:00-20:00", "01-01"),
        ("DE", "2026-01-01", "daily 24:00-08:00", "01-01"),
        ("DE", "2026-01-01", "daily", "01-01"),
        ("DE", "2026-01-01", "daily 08:00-20:00", "31-01"),
        ("DE", "2026-01-01", "daily 08:00-20:00", "easter+x"),
    ] {
        let text = rule(country, from, hours, holiday);
        assert_eq!(QuietHours::parse(&text).unwrap_err().len(), 1, "{text}");
    }
    let good = rule("DE", "2026-01-01", "daily 08:00-20:00", "02-29");
    assert!(QuietHours::parse(&good).is_ok());
    assert_eq!(QuietHours::parse(&format!("{good}{good}")).unwrap_err().len(), 1, "twice a day");
    let two = rule("de", "x", "y", "z") + &rule("DE", "2026-01-01", "y", "z");
    assert_eq!(QuietHours::parse(&two).unwrap_err().len(), 2, "all faults at once");
    assert!(QuietHours::parse("[[rules]]").is_err());
    assert!(QuietHours::parse("").unwrap().are_off());
    let overlap = ["mon 08:00-12:00".to_owned(), "daily 11:00-13:00".to_owned()];
    assert!(QuietHours::default().with_default(&overlap).is_err());
}

#[test]
fn easter_falls_where_the_tables_say() {
    for (year, month, day) in
        [(1961, 4, 2), (2000, 4, 23), (2024, 3, 31), (2025, 4, 20), (2026, 4, 5), (2038, 4, 25)]
    {
        assert_eq!(easter::easter(year), Some(Date::constant(year, month, day)));
    }
}

#[test]
fn a_local_time_comes_last_in_the_westernmost_zone() {
    let nine = DateTime::constant(2026, 1, 5, 9, 0, 0, 0);
    let found = Zones::of_number("79161234567").last_at(nine).unwrap();
    assert_eq!(found, at("2026-01-05T09:00[Europe/Kaliningrad]"));
    let berlin = Zones::named("Europe/Berlin").unwrap();
    let skipped = DateTime::constant(2026, 3, 29, 2, 30, 0, 0);
    assert_eq!(berlin.last_at(skipped), Some(at("2026-03-29T01:30:00[UTC]")));
}

fn shows(zone: &TimeZone, time: UnixMillis) -> (i8, u32) {
    let zoned = jiff::Timestamp::from_millisecond(time.0).unwrap().to_zoned(zone.clone());
    (zoned.weekday().to_monday_zero_offset(), zoned.hour() as u32 * 60 + zoned.minute() as u32)
}

proptest! {
    /// Whatever the hours, the number and the time: no clock where the phone may be shows a time
    /// outside, neither when a message leaves nor at the last moment that it may.
    #[test]
    fn no_time_is_outside_the_window_in_any_possible_zone(
        from_ms in 1_500_000_000_000_i64..2_100_000_000_000,
        opens in 0_u32..24 * 60,
        length in 60_u32..18 * 60,
        first in 0_u32..7,
        days in 0_u32..7,
        behind_ms in 0_i64..10 * HOUR_MS,
        number in prop::sample::select(vec![
            "12125550123", "1", "79161234567", "4915123456789", "9779812345678", "61412345678",
            "5511961234567", "441534712345", "6421123456", "528181234567", "989121234567",
        ]),
    ) {
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let closes = (opens + length) % (24 * 60);
        let show = |minutes: u32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let last = (first + days) % 7;
        let line = format!(
            "{}-{} {}-{}", names[first as usize], names[last as usize], show(opens), show(closes)
        );
        let hours = rules("XX", &[&line], &[]);
        let zones = Zones::of_number(number);
        let from = UnixMillis(from_ms);
        let wanted = Wanted { now: from, from, validity_ms: 48 * HOUR_MS, behind_ms };
        if let Ok(slot) = Planner::new(&hours).slot("XX", &zones, wanted) {
            prop_assert!(slot.due_at >= from && slot.expires_at > slot.due_at);
            let is_legal = |time: UnixMillis| zones.all().iter().all(|zone| {
                let (day, minute) = shows(zone, time);
                // The window that began today, or the one of yesterday over midnight.
                let began = |day: i8| (day as u32 + 7 - first) % 7 <= days;
                let ends = opens + length;
                (began(day) && (opens..ends).contains(&minute))
                    || (ends > 24 * 60 && began((day + 6) % 7) && minute + 24 * 60 < ends)
            });
            let mut time = slot.due_at;
            while time < slot.expires_at {
                prop_assert!(is_legal(time), "{line} {number} {time:?} of {slot:?}");
                time = time.plus_ms(7 * 60_000);
            }
            prop_assert!(is_legal(slot.expires_at.plus_ms(-1)), "{line} {number} the end of {slot:?}");
        }
    }
}
