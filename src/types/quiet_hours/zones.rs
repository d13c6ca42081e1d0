//! In which time zones a phone may be: from the digits of its number, by the data of libphonenumber
//! (`zones.txt`), or the one that is known of its owner.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use entity::time::UnixMillis;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Time zones, of which at least one is the phone's. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Zones(Arc<Set>);

#[derive(Debug)]
struct Set {
    /// The names, which tell one set from another.
    key: String,
    zones: Vec<TimeZone>,
}

/// Calling codes of countries whose mobile numbers tell an area: North America, Mexico, Argentina,
/// Brazil, Indonesia, China. Source: libphonenumber, GEO_MOBILE_COUNTRIES, and FIXED_LINE_OR_MOBILE.
const WITH_AREA_CODES: [&str; 6] = ["1", "52", "54", "55", "62", "86"];

struct Prefixes {
    by_digits: HashMap<&'static str, Zones>,
    digits_max: usize,
    /// What is nowhere (satellites, test numbers) goes by UTC.
    nowhere: Zones,
}

static PREFIXES: LazyLock<Prefixes> = LazyLock::new(|| {
    let mut sets: HashMap<&'static str, Zones> = HashMap::new();
    let mut by_digits = HashMap::new();
    let lines = include_str!("zones.txt").lines().filter(|line| !line.starts_with('#'));
    for (digits, names) in lines.filter_map(|line| line.split_once('|')) {
        let set = sets.entry(names).or_insert_with(|| Zones::of_names(names));
        by_digits.insert(digits, set.clone());
    }
    let digits_max = by_digits.keys().map(|digits| digits.len()).max().unwrap_or_default();
    Prefixes { by_digits, digits_max, nowhere: Zones::of_names("UTC") }
});

impl Zones {
    /// Those that a number may be in, by its digits without the plus sign: of a mobile phone all of
    /// its country, but where mobile numbers have area codes.
    pub fn of_number(digits: &str) -> Self {
        let known = &*PREFIXES;
        let most = digits.len().min(known.digits_max);
        let look_up = |len: usize| known.by_digits.get(digits.get(..len)?);
        let has_area = WITH_AREA_CODES.iter().any(|code| digits.starts_with(code));
        let found = match has_area {
            true => (1..=most).rev().find_map(look_up),
            // Calling codes begin no other ones, so the shortest is the country's.
            false => (1..=most).find_map(look_up),
        };
        found.unwrap_or(&known.nowhere).clone()
    }

    /// The one of this IANA name; none if there is none.
    pub fn named(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name).ok()?;
        Some(Self(Arc::new(Set { key: name.to_owned(), zones: vec![zone] })))
    }

    /// Names between ampersands.
    fn of_names(names: &str) -> Self {
        let zones = names.split('&').filter_map(|name| TimeZone::get(name).ok()).collect();
        Self(Arc::new(Set { key: names.to_owned(), zones }))
    }

    /// Tells one set from another.
    pub(super) fn key(&self) -> &str {
        &self.0.key
    }

    pub(super) fn all(&self) -> &[TimeZone] {
        &self.0.zones
    }

    /// When it is this date and time in the last of the zones that reaches it: where clocks skip it,
    /// as much later as they skip; where it comes twice, the first time.
    pub fn last_at(&self, local: DateTime) -> Option<UnixMillis> {
        let at = |zone: &TimeZone| zone.to_timestamp(local).ok().map(|it| it.as_millisecond());
        self.0.zones.iter().filter_map(at).max().map(UnixMillis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_of_the_data_is_known() {
        let lines = include_str!("zones.txt").lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for (digits, names) in lines.filter_map(|line| line.split_once('|')) {
            for name in names.split('&') {
                assert!(TimeZone::get(name).is_ok(), "{name}");
            }
            assert!(!Zones::of_number(digits).all().is_empty(), "{digits}");
            count += 1;
        }
        assert!(count > 3_000, "{count} lines");
    }

    #[test]
    fn numbers_are_placed_by_their_longest_known_beginning() {
        for (digits, zones) in [
            ("12125550123", "America/New_York"),
            ("18085550123", "Pacific/Honolulu"),
            ("4915123456789", "Europe/Berlin"),
            ("9779812345678", "Asia/Katmandu"),
            ("9990000000001", "UTC"),
        ] {
            assert_eq!(Zones::of_number(digits).key(), zones, "{digits}");
        }
        for (digits, least) in [("79161234567", 10), ("61412345678", 5), ("19995550123", 20)] {
            let found = Zones::of_number(digits).all().len();
            assert!(found >= least, "{digits} may be anywhere, not in {found} zones");
        }
        assert!(Zones::named("Asia/Kathmandu").is_some() && Zones::named("Mars/Base").is_none());
    }
}
