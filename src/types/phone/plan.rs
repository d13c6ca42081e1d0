//! National numbering plans: the `phonenumber` crate's metadata (Google's libphonenumber) by
//! calling code and region, and the prefixes that are dialled before a number. Not a parser of what
//! people write; `phone` calls it.
//!
//! What is compiled from the metadata (a region's automaton, its prefixes) is made at the region's
//! first number and kept: at most 5 ms each, about 70 ms for the whole world.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

use phonenumber::Metadata;
use phonenumber::metadata::DATABASE;
use regex::{Regex, RegexBuilder};

use super::Region;
use super::ranges::{Lengths, Matcher, NumberKind, Range, Ranges, descriptors};

/// Calling codes have at most three digits.
const CALLING_CODES: usize = 1000;

/// All plans. Loading takes about 80 ms, see [`super::warm_up`].
pub(super) static PLANS: LazyLock<Plans> = LazyLock::new(Plans::load);

pub(super) struct Plans {
    /// By calling code; the main region of a shared code first.
    by_code: Vec<Vec<Plan>>,
    by_region: HashMap<Region, (u16, usize)>,
}

impl Plans {
    fn load() -> Self {
        let mut by_code: Vec<Vec<Plan>> = Vec::with_capacity(CALLING_CODES);
        let mut by_region = HashMap::new();
        for code in 0..CALLING_CODES as u16 {
            let regions = DATABASE.by_code(&code).unwrap_or_default();
            let plans: Vec<Plan> = regions.into_iter().map(Plan::new).collect();
            for (index, plan) in plans.iter().enumerate() {
                if let Some(region) = plan.region {
                    by_region.insert(region, (code, index));
                }
            }
            by_code.push(plans);
        }
        Self { by_code, by_region }
    }

    fn of_code(&self, code: u16) -> &[Plan] {
        self.by_code.get(usize::from(code)).map_or(&[], Vec::as_slice)
    }

    /// The plan that stands for the whole code.
    pub(super) fn main(&self, code: u16) -> Option<&Plan> {
        self.of_code(code).first()
    }

    pub(super) fn of_region(&self, region: Region) -> Option<&Plan> {
        let &(code, index) = self.by_region.get(&region)?;
        self.of_code(code).get(index)
    }

    /// Whether any number of the code has this many digits.
    pub(super) fn has_length(&self, code: u16, length: usize) -> bool {
        self.of_code(code).iter().any(|plan| plan.lengths.has(length))
    }

    /// The region and kind of a national number, or `None` if it is in no range. Of regions that
    /// share a code the first wins whose leading digits match, or, if it has none, that has a
    /// range for the number (libphonenumber, `getRegionCodeForNumberFromRegionList`).
    pub(super) fn classify(&self, code: u16, national: &str) -> Option<(&Plan, NumberKind)> {
        let plans = self.of_code(code);
        if let [only] = plans {
            return only.ranges(national).kind().map(|kind| (only, kind));
        }
        for plan in plans {
            let ranges = plan.ranges(national);
            if ranges.has(Range::LeadingDigits) {
                return ranges.kind().map(|kind| (plan, kind));
            }
            if plan.metadata.leading_digits().is_some() {
                continue;
            }
            if let Some(kind) = ranges.kind() {
                return Some((plan, kind));
            }
        }
        None
    }
}

/// The plan of one region, or of a code that belongs to no country.
pub(super) struct Plan {
    metadata: &'static Metadata,
    region: Option<Region>,
    lengths: Lengths,
    matcher: OnceLock<Matcher>,
    trunk_prefix: OnceLock<Option<Regex>>,
    international_prefix: OnceLock<Option<Regex>>,
}

impl Plan {
    fn new(metadata: &'static Metadata) -> Self {
        let lengths = descriptors(metadata)
            .into_iter()
            .fold(Lengths::default(), |all, (_, one)| Lengths(all.0 | Lengths::of(one).0));
        Self {
            metadata,
            region: Region::shaped(metadata.id()),
            lengths,
            matcher: OnceLock::new(),
            trunk_prefix: OnceLock::new(),
            international_prefix: OnceLock::new(),
        }
    }

    pub(super) fn region(&self) -> Option<Region> {
        self.region
    }

    pub(super) fn calling_code(&self) -> u16 {
        self.metadata.country_code()
    }

    pub(super) fn calling_code_digits(&self) -> usize {
        match self.calling_code() {
            0..10 => 1,
            10..100 => 2,
            _ => 3,
        }
    }

    fn ranges(&self, national: &str) -> Ranges {
        self.matcher.get_or_init(|| Matcher::new(self.metadata)).ranges(national)
    }

    fn is_viable(&self, national: &str) -> bool {
        self.ranges(national).has(Range::General)
    }

    /// What follows the prefix that is dialled here for abroad (`00`, `011`), if it is there.
    pub(super) fn without_international_prefix<'a>(&self, digits: &'a str) -> Option<&'a str> {
        let pattern = self
            .international_prefix
            .get_or_init(|| self.metadata.international_prefix().map(|it| at_start(it.as_str())));
        let rest = &digits[pattern.as_ref()?.find(digits)?.end()..];
        // No calling code starts with zero: such digits are a national number after all.
        (!rest.is_empty() && !rest.starts_with('0')).then_some(rest)
    }

    /// Drops the region's own calling code where it was written without a plus sign and the digits
    /// make a number only without it.
    pub(super) fn without_own_calling_code<'a>(&self, digits: &'a str) -> &'a str {
        let code = self.calling_code().to_string();
        let Some(rest) = digits.strip_prefix(code.as_str()) else { return digits };
        let potential = self.without_trunk_prefix(rest);
        let too_long = digits.len() >= 32 || self.lengths.0 >> digits.len() == 0;
        let better = !self.is_viable(digits) && self.is_viable(&potential);
        if better || too_long { rest } else { digits }
    }

    /// Drops the prefix that is dialled at home (`0`, `06`, `8`), carrier codes too, and applies
    /// the plan's rewriting (Argentina's `15` becomes `9` in front). Leaves a number as it is that
    /// is one only with these digits. Source: libphonenumber,
    /// `maybeStripNationalPrefixAndCarrierCode` and its caller.
    pub(super) fn without_trunk_prefix<'a>(&self, digits: &'a str) -> Cow<'a, str> {
        match self.trunk_candidate(digits) {
            Some(candidate) if self.accepts_instead(digits, &candidate) => candidate,
            Some(_) | None => Cow::Borrowed(digits),
        }
    }

    fn trunk_candidate<'a>(&self, digits: &'a str) -> Option<Cow<'a, str>> {
        let pattern = self.trunk_prefix.get_or_init(|| {
            self.metadata
                .national_prefix_for_parsing()
                .map(|it| at_start(it.as_str()))
                .or_else(|| self.metadata.national_prefix().map(at_start))
        });
        let pattern = pattern.as_ref()?;
        let found = pattern.find(digits)?;
        if found.is_empty() {
            return None;
        }
        let groups = pattern.captures(digits)?;
        let last = groups.get(groups.len() - 1).filter(|_| groups.len() > 1);
        match (self.metadata.national_prefix_transform_rule(), last) {
            (Some(rule), Some(_)) => {
                let mut replaced = String::with_capacity(digits.len() + rule.len());
                groups.expand(&braced(rule), &mut replaced);
                replaced.push_str(&digits[found.end()..]);
                Some(Cow::Owned(replaced))
            }
            (Some(_) | None, _) => Some(Cow::Borrowed(&digits[found.end()..])),
        }
    }

    fn accepts_instead(&self, digits: &str, candidate: &str) -> bool {
        if self.is_viable(digits) && !self.is_viable(candidate) {
            return false;
        }
        // Too long stays too long either way; only then is another length worth taking.
        self.lengths.has(candidate.len()) || self.lengths.0 >> candidate.len().min(31) == 0
    }
}

/// A rule such as `20$1` means group 1; the `regex` crate would read `$1` in front of digits or
/// letters as a longer name.
fn braced(rule: &str) -> String {
    let mut out = String::with_capacity(rule.len() + 2);
    let mut chars = rule.chars();
    while let Some(char) = chars.next() {
        out.push(char);
        if char == '$'
            && let Some(group) = chars.next()
        {
            out.extend(['{', group, '}']);
        }
    }
    out
}

fn at_start(pattern: &str) -> Regex {
    RegexBuilder::new(&format!("^(?:{pattern})"))
        .ignore_whitespace(true)
        .unicode(false)
        .build()
        .expect("the test `every_plan_compiles` built this pattern")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds everything that is built lazily, so that the `expect`s in here and in `ranges` hold.
    #[test]
    fn every_plan_compiles() {
        let mut plans = 0;
        for plan in PLANS.by_code.iter().flatten() {
            let _ = plan.ranges("1");
            let _ = plan.without_trunk_prefix("1");
            let _ = plan.without_international_prefix("1");
            plans += 1;
        }
        assert!(plans > 240, "only {plans} plans: the metadata is not what it was");
    }
}
