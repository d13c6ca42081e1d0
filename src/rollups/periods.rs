//! From a range of time to the intervals of a chart, by the clock and the calendar of a time zone,
//! and from those to the stretches that are stored: pure.

use entity::time::UnixMillis;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use super::model::{DAY_S, Resolution};
use crate::config::Metrics as Settings;

/// Points of one series: a day by minute, sixty days by hour.
pub const POINTS_MAX: usize = 1_500;
/// The longest range, in days: ten years.
pub const RANGE_DAYS_MAX: i64 = 3_660;

/// How long a point of a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// A minute.
    Minute,
    /// From full hour to full hour.
    Hour,
    /// From midnight to midnight: 23 to 25 hours.
    Day,
    /// From Monday to Monday.
    Week,
    /// From the first to the first.
    Month,
}

/// Why a range cannot be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodRejection {
    /// Not a zone of the IANA time zone database.
    #[error("timeZone is not a name of the IANA time zone database, such as Europe/Berlin")]
    UnknownTimeZone,
    /// It ends before it begins, or where it does.
    #[error("from must be before to")]
    Empty,
    /// Longer than [`RANGE_DAYS_MAX`], or outside the calendar.
    #[error("a range is at most {RANGE_DAYS_MAX} days long, in the years 1970 to 9998")]
    TooLong,
    /// More than [`POINTS_MAX`].
    #[error("the range has more than {POINTS_MAX} points: ask for a longer interval or less time")]
    TooManyPoints,
    /// The intervals' ends lie between those of what is still kept.
    #[error("what is that old is kept by whole days of UTC: ask for days, weeks or months in UTC")]
    NotKept,
}

/// A zone by its name.
///
/// # Errors
/// [`PeriodRejection::UnknownTimeZone`].
pub(super) fn time_zone(name: &str) -> Result<TimeZone, PeriodRejection> {
    TimeZone::get(name).map_err(|_| PeriodRejection::UnknownTimeZone)
}

/// From when on each resolution is kept, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    minutes_from_s: i64,
    quarters_from_s: i64,
}

impl Kept {
    pub(super) fn at(settings: &Settings, now: UnixMillis) -> Self {
        let from = |resolution: Resolution| resolution.kept_from(settings, now).unwrap_or(i64::MIN);
        Self {
            minutes_from_s: from(Resolution::Minute),
            quarters_from_s: from(Resolution::Quarter),
        }
    }

    const fn has(&self, resolution: Resolution, time_s: i64) -> bool {
        match resolution {
            Resolution::Minute => time_s >= self.minutes_from_s,
            Resolution::Quarter | Resolution::Hour => time_s >= self.quarters_from_s,
            Resolution::Day => true,
        }
    }

    /// The finest that is kept of a time.
    fn finest(&self, time_s: i64) -> Resolution {
        let kept = Resolution::ALL.iter().find(|resolution| self.has(**resolution, time_s));
        kept.copied().unwrap_or(Resolution::Day)
    }
}

/// A range of time, in seconds, with its intervals' ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Edges(Vec<i64>);

impl Edges {
    /// A range that is one interval.
    pub(super) fn whole(from_s: i64, to_s: i64) -> Self {
        Self(vec![from_s, to_s])
    }

    /// The start.
    pub(super) fn start_s(&self) -> i64 {
        self.0[0]
    }

    /// The end, which does not belong to it.
    pub(super) fn end_s(&self) -> i64 {
        self.0[self.0.len() - 1]
    }

    /// The intervals.
    pub(super) fn intervals(&self) -> impl Iterator<Item = (i64, i64)> {
        self.0.windows(2).map(|pair| (pair[0], pair[1]))
    }

    /// How many intervals.
    pub(super) fn len(&self) -> usize {
        self.0.len() - 1
    }
}

/// The range from `from` to `to`, taken to the next ends of what is kept: of a minute, or for older
/// times of a quarter of an hour or a day of UTC.
///
/// # Errors
/// [`PeriodRejection`].
pub(super) fn range(
    from: UnixMillis,
    to: UnixMillis,
    kept: &Kept,
) -> Result<(i64, i64), PeriodRejection> {
    if from >= to {
        return Err(PeriodRejection::Empty);
    }
    // The year 9998, so that a whole interval more stays within what calendars can say.
    const LAST_MS: i64 = 253_370_764_800_000;
    let is_in_calendar = from.0 >= 0 && to.0 <= LAST_MS;
    if !is_in_calendar || to.since(from) > RANGE_DAYS_MAX * DAY_S * 1_000 {
        return Err(PeriodRejection::TooLong);
    }
    let from_s = from.0.div_euclid(1_000);
    let from_s = kept.finest(from_s).start_of(from_s);
    let last_s = (to.0 - 1).div_euclid(1_000);
    let resolution = kept.finest(last_s);
    Ok((from_s, resolution.start_of(last_s) + resolution.seconds()))
}

/// The interval for a range that nobody chose: at most some hundred points.
pub(super) const fn automatic(from_s: i64, to_s: i64) -> Interval {
    match to_s - from_s {
        ..=10_800 => Interval::Minute,
        10_801..=777_600 => Interval::Hour,
        777_601..=8_640_000 => Interval::Day,
        8_640_001..=63_244_800 => Interval::Week,
        _ => Interval::Month,
    }
}

/// Cuts a range where intervals end by the clocks of `zone`. The first and the last may be shorter.
///
/// # Errors
/// [`PeriodRejection`].
pub(super) fn edges(
    from_s: i64,
    to_s: i64,
    interval: Interval,
    zone: &TimeZone,
) -> Result<Edges, PeriodRejection> {
    let mut edges = vec![from_s];
    let mut start_s = from_s;
    while start_s < to_s {
        let end_s = next_end(start_s, interval, zone)?.min(to_s);
        edges.push(end_s);
        if edges.len() > POINTS_MAX + 1 {
            return Err(PeriodRejection::TooManyPoints);
        }
        start_s = end_s;
    }
    Ok(Edges(edges))
}

/// Where the interval that a time lies in ends.
fn next_end(time_s: i64, interval: Interval, zone: &TimeZone) -> Result<i64, PeriodRejection> {
    let local = local(time_s, zone)?;
    let date = local.date();
    match interval {
        // Clocks differ by whole minutes.
        Interval::Minute => Ok(Resolution::Minute.start_of(time_s) + 60),
        Interval::Hour => {
            let past_s = i64::from(local.minute()) * 60 + i64::from(local.second());
            Ok(time_s - past_s + 3_600)
        }
        Interval::Day => midnight(date.checked_add(1.day()), zone),
        Interval::Week => {
            let days = 7 - i64::from(date.weekday().to_monday_zero_offset());
            midnight(date.checked_add(days.days()), zone)
        }
        Interval::Month => midnight(date.first_of_month().checked_add(1.month()), zone),
    }
}

fn local(time_s: i64, zone: &TimeZone) -> Result<Zoned, PeriodRejection> {
    let time = Timestamp::from_second(time_s).map_err(|_| PeriodRejection::TooLong)?;
    Ok(time.to_zoned(zone.clone()))
}

/// The first moment of a day: where clocks skip midnight, what comes after it.
fn midnight(date: Result<Date, jiff::Error>, zone: &TimeZone) -> Result<i64, PeriodRejection> {
    let start = date.and_then(|date| date.to_zoned(zone.clone()));
    Ok(start.map_err(|_| PeriodRejection::TooLong)?.timestamp().as_second())
}

/// The range before this one, just as long: so many whole intervals by the calendar where it begins
/// and ends with them, else so many seconds, begun where what is kept of that time begins.
///
/// # Errors
/// [`PeriodRejection::TooLong`] before 1970.
pub(super) fn previous(
    edges: &Edges,
    interval: Interval,
    zone: &TimeZone,
    kept: &Kept,
) -> Result<(i64, i64), PeriodRejection> {
    let (from_s, to_s) = (edges.start_s(), edges.end_s());
    let begins =
        |time_s: i64| Ok::<_, PeriodRejection>(next_end(time_s - 1, interval, zone)? == time_s);
    let count = edges.len() as i64;
    let days = match interval {
        Interval::Minute | Interval::Hour => None,
        Interval::Day => Some(count.days()),
        Interval::Week => Some((7 * count).days()),
        Interval::Month => Some(count.months()),
    };
    let start_s = match days {
        Some(span) if begins(from_s)? && begins(to_s)? => {
            midnight(local(from_s, zone)?.date().checked_sub(span), zone)?
        }
        _ => {
            let start_s = from_s - (to_s - from_s);
            kept.finest(start_s).start_of(start_s)
        }
    };
    if start_s < 0 {
        return Err(PeriodRejection::TooLong);
    }
    Ok((start_s, from_s))
}

/// Whole stored stretches of one resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Which interval they belong to, from 0.
    pub(super) interval: usize,
    pub(super) resolution: Resolution,
    pub(super) from_s: i64,
    pub(super) to_s: i64,
}

/// The fewest stored stretches that make up each interval exactly.
///
/// # Errors
/// [`PeriodRejection::NotKept`].
pub(super) fn segments(edges: &Edges, kept: &Kept) -> Result<Vec<Segment>, PeriodRejection> {
    let mut segments: Vec<Segment> = Vec::new();
    for (interval, (start_s, end_s)) in edges.intervals().enumerate() {
        let mut at_s = start_s;
        while at_s < end_s {
            let resolution = Resolution::ALL
                .iter()
                .rev()
                .copied()
                .find(|resolution| {
                    let fits = at_s + resolution.seconds() <= end_s;
                    resolution.start_of(at_s) == at_s && fits && kept.has(*resolution, at_s)
                })
                .ok_or(PeriodRejection::NotKept)?;
            let to_s = at_s + resolution.seconds();
            match segments.last_mut() {
                Some(last) if last.interval == interval && last.resolution == resolution => {
                    last.to_s = to_s;
                }
                _ => segments.push(Segment { interval, resolution, from_s: at_s, to_s }),
            }
            at_s = to_s;
        }
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_KEPT: Kept = Kept { minutes_from_s: 0, quarters_from_s: 0 };

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    fn cut(from: &str, to: &str, interval: Interval, zone: &str) -> Vec<i64> {
        let zone = time_zone(zone).unwrap();
        edges(at(from), at(to), interval, &zone).unwrap().0
    }

    fn lengths(edges: &[i64]) -> Vec<i64> {
        edges.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    #[test]
    fn days_are_as_long_as_clocks_make_them() {
        let (from, to) = ("2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z");
        let spring = cut(from, to, Interval::Day, "Europe/Berlin");
        assert_eq!(lengths(&spring), [86_400, 82_800, 86_400]);
        let (from, to) = ("2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z");
        let autumn = cut(from, to, Interval::Day, "Europe/Berlin");
        assert_eq!(lengths(&autumn), [86_400, 90_000, 86_400]);
        let hours = cut(from, to, Interval::Hour, "Europe/Berlin");
        assert!(lengths(&hours).iter().all(|length| *length == 3_600));
        assert_eq!(hours.len(), 24 + 25 + 24 + 1);
        // Beirut's clocks skip midnight: 2026-03-29 begins at one.
        let skipped =
            cut("2026-03-27T22:00:00Z", "2026-03-29T21:00:00Z", Interval::Day, "Asia/Beirut");
        assert_eq!(lengths(&skipped), [86_400, 82_800]);
        // Lord Howe Island moves its clocks by half an hour.
        let half = cut(
            "2026-04-03T13:00:00Z",
            "2026-04-05T13:30:00Z",
            Interval::Day,
            "Australia/Lord_Howe",
        );
        assert_eq!(lengths(&half), [86_400, 88_200]);
    }

    #[test]
    fn zones_of_half_and_quarter_hours_are_made_up_exactly() {
        for (zone, from, to) in [
            ("Asia/Kolkata", "2026-01-04T18:30:00Z", "2026-01-07T18:30:00Z"),
            ("Asia/Kathmandu", "2026-01-04T18:15:00Z", "2026-01-07T18:15:00Z"),
            ("Australia/Lord_Howe", "2026-04-03T13:00:00Z", "2026-04-06T13:30:00Z"),
            ("America/St_Johns", "2026-10-30T02:30:00Z", "2026-11-03T03:30:00Z"),
            ("UTC", "2026-01-04T00:00:00Z", "2026-01-07T00:00:00Z"),
        ] {
            for interval in [Interval::Hour, Interval::Day, Interval::Week, Interval::Month] {
                let zone = time_zone(zone).unwrap();
                let edges = edges(at(from), at(to), interval, &zone).unwrap();
                // Without minutes: what is older than a week.
                let kept = Kept { minutes_from_s: i64::MAX, quarters_from_s: 0 };
                let segments = segments(&edges, &kept).unwrap();
                let mut next = edges.start_s();
                for segment in &segments {
                    assert_eq!(segment.from_s, next, "{segment:?}");
                    assert_eq!(segment.from_s % segment.resolution.seconds(), 0);
                    next = segment.to_s;
                }
                assert_eq!(next, edges.end_s());
                for (interval, (start, end)) in edges.intervals().enumerate() {
                    let own = segments.iter().filter(|segment| segment.interval == interval);
                    let total: i64 = own.map(|segment| segment.to_s - segment.from_s).sum();
                    assert_eq!(total, end - start);
                }
            }
        }
    }

    #[test]
    fn a_month_is_read_by_days_with_finer_ends() {
        let zone = time_zone("Asia/Kolkata").unwrap();
        let (from, to) = (at("2025-12-31T18:30:00Z"), at("2026-01-31T18:30:00Z"));
        let edges = edges(from, to, Interval::Month, &zone).unwrap();
        assert_eq!(edges.len(), 1);
        let segments = segments(&edges, &ALL_KEPT).unwrap();
        let shown: Vec<_> = segments
            .iter()
            .map(|it| (it.resolution, (it.to_s - it.from_s) / it.resolution.seconds()))
            .collect();
        use Resolution::{Day, Hour, Quarter};
        assert_eq!(shown, [(Quarter, 2), (Hour, 5), (Day, 30), (Hour, 18), (Quarter, 2)]);
    }

    #[test]
    fn a_range_is_taken_to_what_is_kept() {
        let kept = Kept {
            minutes_from_s: at("2026-01-10T00:00:00Z"),
            quarters_from_s: at("2026-01-05T00:00:00Z"),
        };
        let range = |from: &str, to: &str| {
            let ms = |text: &str| UnixMillis(text.parse::<Timestamp>().unwrap().as_millisecond());
            range(ms(from), ms(to), &kept)
        };
        let taken = |from: &str, to: &str| Ok((at(from), at(to)));
        let (a, b) = ("2026-01-11T10:07:30.5Z", "2026-01-11T10:08:00.001Z");
        assert_eq!(range(a, b), taken("2026-01-11T10:07:00Z", "2026-01-11T10:09:00Z"));
        let (a, b) = ("2026-01-06T10:07:30Z", "2026-01-06T10:08:00Z");
        assert_eq!(range(a, b), taken("2026-01-06T10:00:00Z", "2026-01-06T10:15:00Z"));
        let (a, b) = ("2026-01-01T10:07:30Z", "2026-01-11T10:08:00Z");
        assert_eq!(range(a, b), taken("2026-01-01T00:00:00Z", "2026-01-11T10:08:00Z"));
        assert_eq!(range(a, a), Err(PeriodRejection::Empty));
        assert_eq!(range("1969-12-31T23:59:59Z", b), Err(PeriodRejection::TooLong));
        assert_eq!(range("2015-12-31T23:59:59Z", b), Err(PeriodRejection::TooLong));
    }

    #[test]
    fn what_lies_between_the_ends_of_what_is_kept_is_refused() {
        let kept = Kept { minutes_from_s: i64::MAX, quarters_from_s: at("2026-01-05T00:00:00Z") };
        let zone = time_zone("Asia/Kolkata").unwrap();
        let (from, to) = (at("2026-01-01T00:00:00Z"), at("2026-01-04T00:00:00Z"));
        let local = edges(from, to, Interval::Day, &zone).unwrap();
        assert_eq!(segments(&local, &kept), Err(PeriodRejection::NotKept));
        let utc = edges(from, to, Interval::Day, &TimeZone::UTC).unwrap();
        assert_eq!(segments(&utc, &kept).map(|segments| segments.len()), Ok(3));
    }

    #[test]
    fn points_have_a_limit() {
        let zone = TimeZone::UTC;
        let minutes = |count: i64| edges(0, count * 60, Interval::Minute, &zone).map(|it| it.len());
        assert_eq!(minutes(POINTS_MAX as i64), Ok(POINTS_MAX));
        assert_eq!(minutes(POINTS_MAX as i64 + 1), Err(PeriodRejection::TooManyPoints));
        assert_eq!(time_zone("Europe/Atlantis").err(), Some(PeriodRejection::UnknownTimeZone));
    }

    #[test]
    fn the_range_before_is_as_long_by_the_calendar() {
        let zone = time_zone("Europe/Berlin").unwrap();
        let before = |from: &str, to: &str, interval| {
            let edges = edges(at(from), at(to), interval, &zone).unwrap();
            let (from_s, to_s) = previous(&edges, interval, &zone, &ALL_KEPT).unwrap();
            let text = |time_s| Timestamp::from_second(time_s).unwrap().to_string();
            (text(from_s), text(to_s))
        };
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        let (from, to) = ("2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z");
        let day = before(from, to, Interval::Day);
        assert_eq!(day, pair("2026-03-28T23:00:00Z", from), "a day of 23 hours");
        let (from, to) = ("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z");
        let month = before(from, to, Interval::Month);
        assert_eq!(month, pair("2026-01-31T23:00:00Z", from));
        let (from, to) = ("2026-03-02T10:30:00Z", "2026-03-02T12:30:00Z");
        let hours = before(from, to, Interval::Hour);
        assert_eq!(hours, pair("2026-03-02T08:30:00Z", from));
    }

    #[test]
    fn the_range_before_a_range_up_to_now_begins_where_something_is_kept() {
        let zone = time_zone("Asia/Kolkata").unwrap();
        // Minutes are kept of the end alone, which is no quarter of an hour.
        let kept = Kept { minutes_from_s: at("2026-03-01T00:00:00Z"), quarters_from_s: 0 };
        let (from, to) = (at("2026-02-04T10:15:00Z"), at("2026-03-06T10:22:00Z"));
        let edges = edges(from, to, Interval::Day, &zone).unwrap();
        let (start_s, end_s) = previous(&edges, Interval::Day, &zone, &kept).unwrap();
        assert_eq!((start_s, end_s), (at("2026-01-05T10:00:00Z"), from));
        let before = super::edges(start_s, end_s, Interval::Day, &zone).unwrap();
        assert!(segments(&before, &kept).is_ok());
    }
}
