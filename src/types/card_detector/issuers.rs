//! Which numbers the card schemes give out: ranges of the first six digits, with the lengths.
//! Sources: ISO/IEC 7812 as the schemes publish their ranges, gathered from the tables that
//! Wikipedia ("Payment card number") and the processors' test card pages keep; from memory where
//! a scheme publishes none.
//!
//! Left out on purpose: Visa's 13 digits (no longer issued, and as long as a German mobile number
//! in E.164) and UATP (15 digits from 1: every other timestamp).

use std::ops::RangeInclusive;

/// A card scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names of companies")]
pub enum Scheme {
    Visa,
    Mastercard,
    AmericanExpress,
    Discover,
    DinersClub,
    Jcb,
    UnionPay,
    Maestro,
    Mir,
    RuPay,
    Verve,
    Elo,
    Hipercard,
    Dankort,
    Troy,
    Uzcard,
    Humo,
    Napas,
}

/// The fewest digits of any number below.
pub(super) const DIGITS_MIN: usize = 12;
/// The most digits of any number below (ISO/IEC 7812-1).
pub(super) const DIGITS_MAX: usize = 19;

struct Issuer {
    /// The first six digits.
    prefixes: RangeInclusive<u32>,
    lengths: RangeInclusive<usize>,
    scheme: Scheme,
}

const fn issuer(first: u32, last: u32, shortest: usize, longest: usize, scheme: Scheme) -> Issuer {
    Issuer { prefixes: first..=last, lengths: shortest..=longest, scheme }
}

/// The first that fits names the scheme, so ranges within others come first.
const ISSUERS: &[Issuer] = &[
    issuer(506_699, 506_778, 16, 16, Scheme::Elo),
    issuer(509_000, 509_999, 16, 16, Scheme::Elo),
    issuer(627_780, 627_780, 16, 16, Scheme::Elo),
    issuer(636_297, 636_297, 16, 16, Scheme::Elo),
    issuer(636_368, 636_368, 16, 16, Scheme::Elo),
    issuer(506_066, 506_198, 16, 19, Scheme::Verve),
    issuer(507_865, 507_964, 16, 19, Scheme::Verve),
    issuer(650_002, 650_027, 16, 19, Scheme::Verve),
    issuer(606_282, 606_282, 16, 19, Scheme::Hipercard),
    issuer(384_100, 384_199, 16, 19, Scheme::Hipercard),
    issuer(501_900, 501_999, 16, 16, Scheme::Dankort),
    issuer(508_500, 508_999, 16, 16, Scheme::RuPay),
    issuer(606_985, 608_500, 16, 16, Scheme::RuPay),
    issuer(652_150, 653_149, 16, 16, Scheme::RuPay),
    issuer(817_200, 820_199, 16, 16, Scheme::RuPay),
    issuer(979_200, 979_289, 16, 16, Scheme::Troy),
    issuer(970_400, 970_499, 16, 19, Scheme::Napas),
    issuer(860_000, 860_099, 16, 16, Scheme::Uzcard),
    issuer(986_000, 986_099, 16, 16, Scheme::Humo),
    issuer(220_000, 220_499, 16, 19, Scheme::Mir),
    issuer(222_100, 272_099, 16, 16, Scheme::Mastercard),
    issuer(510_000, 559_999, 16, 16, Scheme::Mastercard),
    issuer(400_000, 499_999, 16, 16, Scheme::Visa),
    issuer(400_000, 499_999, 18, 19, Scheme::Visa),
    issuer(340_000, 349_999, 15, 15, Scheme::AmericanExpress),
    issuer(370_000, 379_999, 15, 15, Scheme::AmericanExpress),
    issuer(352_800, 358_999, 16, 19, Scheme::Jcb),
    issuer(300_000, 305_999, 14, 19, Scheme::DinersClub),
    issuer(309_500, 309_599, 14, 19, Scheme::DinersClub),
    issuer(360_000, 369_999, 14, 19, Scheme::DinersClub),
    issuer(380_000, 399_999, 14, 19, Scheme::DinersClub),
    issuer(601_100, 601_199, 16, 19, Scheme::Discover),
    issuer(644_000, 659_999, 16, 19, Scheme::Discover),
    issuer(620_000, 629_999, 16, 19, Scheme::UnionPay),
    issuer(810_000, 817_199, 16, 19, Scheme::UnionPay),
    issuer(500_000, 500_999, 16, 19, Scheme::Maestro),
    issuer(501_800, 501_899, 12, 19, Scheme::Maestro),
    issuer(502_000, 502_099, 12, 19, Scheme::Maestro),
    issuer(503_800, 503_899, 12, 19, Scheme::Maestro),
    issuer(560_000, 589_999, 16, 19, Scheme::Maestro),
    issuer(589_300, 589_399, 12, 19, Scheme::Maestro),
    issuer(630_400, 630_499, 12, 19, Scheme::Maestro),
    issuer(639_000, 639_099, 16, 19, Scheme::Maestro),
    issuer(670_000, 679_999, 12, 19, Scheme::Maestro),
];

/// Whose number this is; `None` if it is nobody's or fails Luhn's check. `digits` holds values
/// from 0 to 9.
pub(super) fn scheme_of(digits: &[u8]) -> Option<Scheme> {
    let prefix = digits.get(..6)?.iter().fold(0, |prefix, digit| prefix * 10 + u32::from(*digit));
    let issuer = ISSUERS
        .iter()
        .find(|it| it.prefixes.contains(&prefix) && it.lengths.contains(&digits.len()))?;
    passes_luhn(digits).then_some(issuer.scheme)
}

/// Luhn's check (ISO/IEC 7812-1, annex B).
fn passes_luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit < 5 { digit * 2 } else { digit * 2 - 9 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| u32::from(if at % 2 == 1 { doubled(*digit) } else { *digit }))
        .sum();
    sum.is_multiple_of(10)
}
