//! Which ranges of a region's plan a number is in: one dense automaton a region over the digits,
//! one table look-up a digit. The patterns are the `phonenumber` crate's; `plan` calls this.

use phonenumber::Metadata;
use phonenumber::metadata::Descriptor;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::{primitives::StateID, start, syntax};
use regex_automata::{Anchored, MatchKind};

/// What kind of line a number is, as far as its plan tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberKind {
    /// A mobile phone.
    Mobile,
    /// The plan does not keep fixed and mobile apart (North America).
    FixedLineOrMobile,
    /// A fixed line.
    FixedLine,
    /// The caller pays nothing.
    TollFree,
    /// The caller pays extra.
    PremiumRate,
    /// The cost is shared between caller and called.
    SharedCost,
    /// Voice over IP.
    Voip,
    /// Follows a person from line to line.
    Personal,
    /// A pager.
    Pager,
    /// A company's universal access number.
    UniversalAccess,
    /// Access to voice mail.
    Voicemail,
    /// One of Heliograph's own test recipients.
    Test,
    /// In no range of the plan; only a restored number can be.
    Unknown,
}

/// A range of a plan; the discriminant is its bit in a [`Ranges`].
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum Range {
    General,
    PremiumRate,
    TollFree,
    SharedCost,
    Voip,
    Personal,
    Pager,
    UniversalAccess,
    Voicemail,
    FixedLine,
    Mobile,
    /// Not a range of numbers but of their first digits: tells regions of one code apart.
    LeadingDigits,
}

/// Which ranges a number is in.
#[derive(Clone, Copy, Default)]
pub(super) struct Ranges(u16);

impl Ranges {
    fn insert(&mut self, range: Range) {
        self.0 |= 1 << range as u8;
    }

    pub(super) fn has(self, range: Range) -> bool {
        self.0 & (1 << range as u8) != 0
    }

    /// The order is libphonenumber's: what costs extra first.
    pub(super) fn kind(self) -> Option<NumberKind> {
        if !self.has(Range::General) {
            return None;
        }
        let special = [
            (Range::PremiumRate, NumberKind::PremiumRate),
            (Range::TollFree, NumberKind::TollFree),
            (Range::SharedCost, NumberKind::SharedCost),
            (Range::Voip, NumberKind::Voip),
            (Range::Personal, NumberKind::Personal),
            (Range::Pager, NumberKind::Pager),
            (Range::UniversalAccess, NumberKind::UniversalAccess),
            (Range::Voicemail, NumberKind::Voicemail),
        ];
        if let Some(&(_, kind)) = special.iter().find(|(range, _)| self.has(*range)) {
            return Some(kind);
        }
        match (self.has(Range::FixedLine), self.has(Range::Mobile)) {
            (true, true) => Some(NumberKind::FixedLineOrMobile),
            (true, false) => Some(NumberKind::FixedLine),
            (false, true) => Some(NumberKind::Mobile),
            (false, false) => None,
        }
    }
}

/// Lengths as bits: bit n is set if national numbers of n digits exist.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lengths(pub(super) u32);

impl Lengths {
    pub(super) fn of(descriptor: &Descriptor) -> Self {
        Self(descriptor.possible_length().iter().fold(0, |bits, &length| bits | 1u32 << length))
    }

    pub(super) fn has(self, length: usize) -> bool {
        length < 32 && self.0 & (1 << length) != 0
    }
}

pub(super) fn descriptors(metadata: &'static Metadata) -> Vec<(Range, &'static Descriptor)> {
    let all = metadata.descriptors();
    let optional = [
        (Range::PremiumRate, all.premium_rate()),
        (Range::TollFree, all.toll_free()),
        (Range::SharedCost, all.shared_cost()),
        (Range::Voip, all.voip()),
        (Range::Personal, all.personal_number()),
        (Range::Pager, all.pager()),
        (Range::UniversalAccess, all.uan()),
        (Range::Voicemail, all.voicemail()),
        (Range::FixedLine, all.fixed_line()),
        (Range::Mobile, all.mobile()),
    ];
    let mut found = vec![(Range::General, all.general())];
    found.extend(optional.into_iter().filter_map(|(range, it)| Some((range, it?))));
    found
}

/// The automaton of one region.
pub(super) struct Matcher {
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
    /// By pattern id: the range, and its own lengths (none: any).
    patterns: Vec<(Range, Lengths)>,
}

impl Matcher {
    pub(super) fn new(metadata: &'static Metadata) -> Self {
        let mut sources = Vec::new();
        let mut patterns = Vec::new();
        for (range, descriptor) in descriptors(metadata) {
            sources.push(descriptor.national_number().as_str().to_owned());
            patterns.push((range, Lengths::of(descriptor)));
        }
        if let Some(leading) = metadata.leading_digits() {
            sources.push(format!("(?:{})[0-9]*", leading.as_str()));
            patterns.push((Range::LeadingDigits, Lengths::default()));
        }
        let dfa = dense::Builder::new()
            .configure(
                dense::Config::new().start_kind(StartKind::Anchored).match_kind(MatchKind::All),
            )
            .syntax(syntax::Config::new().unicode(false).utf8(false).ignore_whitespace(true))
            .build_many(&sources)
            .expect("the test `every_plan_compiles` built these patterns");
        let start = dfa
            .start_state(&start::Config::new().anchored(Anchored::Yes))
            .expect("an anchored automaton has an anchored start");
        Self { dfa, start, patterns }
    }

    pub(super) fn ranges(&self, national: &str) -> Ranges {
        let mut state = self.start;
        for &byte in national.as_bytes() {
            state = self.dfa.next_state(state, byte);
            if self.dfa.is_dead_state(state) {
                return Ranges::default();
            }
        }
        state = self.dfa.next_eoi_state(state);
        let mut ranges = Ranges::default();
        if !self.dfa.is_match_state(state) {
            return ranges;
        }
        for index in 0..self.dfa.match_len(state) {
            let (range, lengths) = self.patterns[self.dfa.match_pattern(state, index).as_usize()];
            if lengths == Lengths::default() || lengths.has(national.len()) {
                ranges.insert(range);
            }
        }
        ranges
    }
}
