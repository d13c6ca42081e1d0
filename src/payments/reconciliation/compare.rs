//! Our books against a processor's, line by line: a pure function of both. Amounts are what the
//! processor holds more (or less) for us; both sides name a movement by the object that moved it.

use std::collections::{BTreeMap, BTreeSet};

use entity::enums::DifferenceKind;
use entity::time::UnixMillis;

/// A movement in one of the two books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Movement {
    /// `capture:pi_…`, `refund:re_…`, `fee:txn_…`, as in our books.
    pub(super) subject: String,
    pub(super) amount_micros: i64,
    pub(super) at: UnixMillis,
    /// Whether it takes back an earlier one: then two of one subject are no duplicate.
    pub(super) is_reversal: bool,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) kind: DifferenceKind,
    pub(super) subject: String,
    pub(super) here_micros: Option<i64>,
    pub(super) there_micros: Option<i64>,
}

/// What came of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) matched: i32,
    /// By subject.
    pub(super) differences: Vec<Difference>,
}

/// What is compared. Both sides hold a day more on either end, since neither books at the very
/// moment of the other.
pub(super) struct Sides<'a> {
    pub(super) here: &'a [Movement],
    pub(super) there: &'a [Movement],
    /// What our books have at any time, of subjects that only the processor has in these days.
    pub(super) ever_here: &'a BTreeMap<String, i64>,
    /// What the processor is known to have at any time, of subjects that only we have in these days.
    pub(super) ever_there: &'a BTreeMap<String, i64>,
    /// The day itself: from, and until before.
    pub(super) day: (UnixMillis, UnixMillis),
}

#[derive(Default)]
struct Subject {
    here: Option<i64>,
    there: Option<i64>,
    originals_there: u32,
    is_of_day: bool,
}

/// Compares what one of both sides booked on the day.
pub(super) fn compare(sides: &Sides<'_>) -> Comparison {
    let mut subjects: BTreeMap<&str, Subject> = BTreeMap::new();
    let is_of_day = |at: UnixMillis| at >= sides.day.0 && at < sides.day.1;
    for movement in sides.here {
        let subject = subjects.entry(&movement.subject).or_default();
        *subject.here.get_or_insert(0) += movement.amount_micros;
        subject.is_of_day |= is_of_day(movement.at);
    }
    for movement in sides.there {
        let subject = subjects.entry(&movement.subject).or_default();
        *subject.there.get_or_insert(0) += movement.amount_micros;
        subject.originals_there += u32::from(!movement.is_reversal);
        subject.is_of_day |= is_of_day(movement.at);
    }
    let mut comparison = Comparison::default();
    for (name, subject) in subjects.into_iter().filter(|(_, it)| it.is_of_day) {
        match judge(name, &subject, sides) {
            None => comparison.matched += 1,
            Some(kind) => comparison.differences.push(Difference {
                kind,
                subject: name.to_owned(),
                here_micros: subject.here.or(sides.ever_here.get(name).copied()),
                there_micros: subject.there.or(sides.ever_there.get(name).copied()),
            }),
        }
    }
    comparison
}

fn judge(name: &str, subject: &Subject, sides: &Sides<'_>) -> Option<DifferenceKind> {
    let (here, there) = (subject.here.filter(|it| *it != 0), subject.there.filter(|it| *it != 0));
    // Also what moved in several lines, as captures of one intent.
    if here == there {
        return None;
    }
    if subject.originals_there > 1 {
        return Some(DifferenceKind::Duplicate);
    }
    match (here, there) {
        (None, None) => None,
        (Some(_), Some(_)) if name.starts_with("fee:") => Some(DifferenceKind::Fee),
        (Some(_), Some(_)) => Some(DifferenceKind::Amount),
        (None, Some(there)) => Some(match sides.ever_here.get(name) {
            Some(here) if *here == there => DifferenceKind::Stale,
            _ => DifferenceKind::MissingHere,
        }),
        (Some(here), None) => Some(match sides.ever_there.get(name) {
            Some(there) if *there == here => DifferenceKind::Stale,
            _ => DifferenceKind::MissingThere,
        }),
    }
}

/// The subjects that one side alone has in these days.
pub(super) fn lonely(
    here: &[Movement],
    there: &[Movement],
) -> (BTreeSet<String>, BTreeSet<String>) {
    let names = |side: &[Movement]| -> BTreeSet<String> {
        side.iter().map(|movement| movement.subject.clone()).collect()
    };
    let (here, there) = (names(here), names(there));
    (here.difference(&there).cloned().collect(), there.difference(&here).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(subject: &str, amount_micros: i64, hour: i64) -> Movement {
        let at = UnixMillis(hour * 3_600_000);
        Movement { subject: subject.to_owned(), amount_micros, at, is_reversal: false }
    }

    fn compared(here: &[Movement], there: &[Movement]) -> (i32, Vec<(DifferenceKind, String)>) {
        let ever_here = BTreeMap::from([("capture:late".to_owned(), 7)]);
        let ever_there = BTreeMap::from([("refund:late".to_owned(), -7)]);
        let day = (UnixMillis(0), UnixMillis(24 * 3_600_000));
        let sides = Sides { here, there, ever_here: &ever_here, ever_there: &ever_there, day };
        let Comparison { matched, differences } = compare(&sides);
        (matched, differences.into_iter().map(|it| (it.kind, it.subject)).collect())
    }

    #[test]
    fn each_kind_of_difference_is_told() {
        use DifferenceKind::*;
        let here = [
            at("capture:a", 10, 1),
            at("fee:a", -1, 1),
            at("capture:b", 10, 2),
            at("fee:b", -1, 2),
            at("refund:late", -7, 3),
            at("refund:none", -3, 3),
            at("capture:midnight", 5, 25),
            at("capture:parts", 10, 6),
        ];
        let there = [
            at("capture:a", 10, 0),
            at("fee:a", -1, 0),
            at("capture:b", 11, 2),
            at("fee:b", -2, 2),
            at("capture:late", 7, 4),
            at("capture:none", 9, 4),
            at("capture:twice", 9, 5),
            at("capture:twice", 9, 5),
            at("capture:midnight", 5, 23),
            at("capture:tomorrow", 5, 26),
            at("capture:parts", 4, 6),
            at("capture:parts", 6, 7),
        ];
        let (matched, differences) = compared(&here, &there);
        assert_eq!(matched, 4, "a, its fee, what was booked after midnight, what came in parts");
        let expected = [
            (Amount, "capture:b"),
            (Stale, "capture:late"),
            (MissingHere, "capture:none"),
            (Duplicate, "capture:twice"),
            (Fee, "fee:b"),
            (Stale, "refund:late"),
            (MissingThere, "refund:none"),
        ];
        let told: Vec<_> = differences.iter().map(|(kind, name)| (*kind, name.as_str())).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_was_taken_back_on_both_sides_is_even() {
        let back = |movement: Movement| Movement { is_reversal: true, ..movement };
        let there = [at("refund:a", -5, 1), back(at("refund:a", 5, 2))];
        assert_eq!(compared(&[], &there), (1, Vec::new()));
        let here = [at("refund:a", -5, 1), at("refund:a", 5, 2)];
        assert_eq!(compared(&here, &there), (1, Vec::new()));
        assert_eq!(compared(&[], &[]), (0, Vec::new()));
    }
}
