//! From a country's hours, day by day, to the stretches of time in which it is legal everywhere a
//! phone may be.

use std::ops::RangeInclusive;

use entity::time::UnixMillis;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::rules::{DAY_MINUTES, QuietHours};
use super::zones::Zones;

/// A stretch of time in which marketing may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub opens_at: UnixMillis,
    /// The moment behind its last.
    pub closes_at: UnixMillis,
}

/// The windows that all zones have in common, in order, over days since 1970-01-01 as each zone
/// counts them.
pub(super) fn common(
    hours: &QuietHours,
    country: &str,
    zones: &Zones,
    days: RangeInclusive<i64>,
) -> Vec<Window> {
    let mut of_each = zones.all().iter().map(|zone| of_zone(hours, country, zone, days.clone()));
    let first = of_each.next().unwrap_or_default();
    of_each.fold(first, |common, other| overlap(&common, &other))
}

/// The windows of one zone, those that touch joined.
fn of_zone(
    hours: &QuietHours,
    country: &str,
    zone: &TimeZone,
    days: RangeInclusive<i64>,
) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    let epoch = Date::constant(1970, 1, 1);
    for day in days {
        let Ok(date) = epoch.checked_add(day.days()) else { continue };
        for range in hours.on(country, date) {
            let opens_at = moment(date, range.start, zone, Edge::Opening);
            let closes_at = moment(date, range.end, zone, Edge::Closing);
            let (Some(opens_at), Some(closes_at)) = (opens_at, closes_at) else { continue };
            match windows.last_mut() {
                Some(last) if last.closes_at >= opens_at => {
                    last.closes_at = last.closes_at.max(closes_at);
                }
                _ if opens_at < closes_at => windows.push(Window { opens_at, closes_at }),
                _ => {}
            }
        }
    }
    windows
}

/// Which end of a window.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Opening,
    Closing,
}

/// When a zone's clocks show so many minutes of a day. What they skip is the moment of skipping;
/// what they show twice opens the second time and closes the first, so that no clock ever shows a
/// time outside.
fn moment(date: Date, minutes: u16, zone: &TimeZone, edge: Edge) -> Option<UnixMillis> {
    let local = match minutes {
        DAY_MINUTES => date.tomorrow().ok()?.to_datetime(Time::midnight()),
        _ => {
            let (hour, minute) =
                (i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?);
            DateTime::from_parts(date, Time::new(hour, minute, 0, 0).ok()?)
        }
    };
    let found = zone.to_ambiguous_timestamp(local);
    let at: Timestamp = match found.offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok()?,
        AmbiguousOffset::Gap { after, .. } => {
            let before = after.to_timestamp(local).ok()?;
            zone.following(before).next()?.timestamp()
        }
        AmbiguousOffset::Fold { before, after } => match edge {
            Edge::Closing => before.to_timestamp(local).ok()?,
            Edge::Opening => after.to_timestamp(local).ok()?,
        },
    };
    Some(UnixMillis(at.as_millisecond()))
}

/// What two lists of windows have in common.
fn overlap(one: &[Window], other: &[Window]) -> Vec<Window> {
    let (mut i, mut j) = (0, 0);
    let mut common = Vec::new();
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        let opens_at = a.opens_at.max(b.opens_at);
        let closes_at = a.closes_at.min(b.closes_at);
        if opens_at < closes_at {
            common.push(Window { opens_at, closes_at });
        }
        if a.closes_at <= b.closes_at { i += 1 } else { j += 1 }
    }
    common
}
