//! E.164 phone numbers, and how people write them.
//!
//! Parsing follows Google's libphonenumber (calling code, international and trunk prefixes, then
//! the numbering plan) on the metadata of the `phonenumber` crate, but with its own matching: that
//! crate keeps 100 compiled expressions for the whole world behind one lock, does not anchor them
//! at the end of the number, and forgets leading zeros when it asks for the type.
//!
//! Nothing here knows who may be texted: [`PhoneNumber::ensure_mobile`] answers only whether a
//! number can be a phone. Called by `messages`, `types::sender`, and the edges.

mod input;
mod plan;
mod ranges;
mod region;
#[cfg(test)]
mod tests;

use std::fmt;

use thiserror::Error;

pub use ranges::NumberKind;
pub use region::Region;

use input::Written;
use plan::{PLANS, Plan};

/// The most digits of an E.164 number, calling code included. Source: ITU-T E.164, 6.2.1.
pub const DIGITS_MAX: usize = 15;
/// The fewest digits that [`PhoneNumber::restore`] takes; the shortest plans (Saint Helena, Niue)
/// have seven, and this only guards against rubbish in the store.
pub const DIGITS_MIN: usize = 5;
/// The longest input that is looked at, in bytes: four times the digits, for separators and wide
/// digits, before anything is scanned.
pub const INPUT_BYTES_MAX: usize = 64;
/// The calling code of Heliograph's own test recipients. ITU-T E.164 keeps 999 in reserve and
/// gives it to nobody, so such a number can never reach a phone.
pub const TEST_CALLING_CODE: u16 = 999;
/// How many digits follow the calling code of a test recipient.
pub const TEST_DIGITS: std::ops::RangeInclusive<usize> = 10..=12;

/// A number in E.164: a plus sign and at most 15 digits. Small, `Copy`, no heap.
///
/// `Debug` shows the masked form; whoever needs the digits asks for them by name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber {
    /// ASCII, the plus sign first, padded with zero bytes.
    text: [u8; DIGITS_MAX + 1],
    len: u8,
}

/// Why a text is not a number that can be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum PhoneNumberError {
    /// Nothing but blanks.
    #[error("the number is empty")]
    Empty,
    /// Letters, or signs that no number has, or longer than [`INPUT_BYTES_MAX`].
    #[error("not a phone number")]
    Unparsable,
    /// National form, and no default region says which nation.
    #[error("a number without country code needs a default region")]
    MissingRegion,
    /// No country has this calling code (or it is the reserved 999).
    #[error("no country has this calling code")]
    UnassignedCountryCode,
    /// No number of that country has so many digits.
    #[error("numbers of this country do not have this length")]
    ImpossibleLength,
    /// The length is right, but the plan has no such range.
    #[error("this number is not in use in its country's numbering plan")]
    Invalid,
    /// A fixed line, which takes no text.
    #[error("a fixed-line number")]
    FixedLine,
    /// Premium rate, toll-free or shared cost.
    #[error("a premium, toll-free or shared-cost number")]
    Premium,
    /// A universal access or voice mail number.
    #[error("a service number")]
    Service,
    /// [`PhoneNumber::parse_test`] was given another number.
    #[error("not a test number")]
    NotATestNumber,
}

impl PhoneNumberError {
    /// A stable name for the API.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::Unparsable => "UNPARSABLE",
            Self::MissingRegion => "MISSING_REGION",
            Self::UnassignedCountryCode => "UNASSIGNED_COUNTRY_CODE",
            Self::ImpossibleLength => "IMPOSSIBLE_LENGTH",
            Self::Invalid => "INVALID",
            Self::FixedLine => "FIXED_LINE",
            Self::Premium => "PREMIUM",
            Self::Service => "SERVICE",
            Self::NotATestNumber => "NOT_A_TEST_NUMBER",
        }
    }
}

/// Loads the numbering plans (about 80 ms and 6 MiB), so that the first message does not wait.
/// Idempotent. The matcher of each country is
/// built at its first number.
pub fn warm_up() {
    let _ = PhoneNumber::parse("+447400123456", None);
    let _ = PhoneNumber::parse("+12015550123", None);
}

impl PhoneNumber {
    /// Reads a number as people write it: `+44 7400 123456`, `(07400) 123-456` with a default
    /// region, `00447400123456` with one that dials abroad so, digits of any script.
    ///
    /// # Errors
    /// [`PhoneNumberError`], never its last four; a number under +999 is `UnassignedCountryCode`.
    pub fn parse(input: &str, default_region: Option<Region>) -> Result<Self, PhoneNumberError> {
        let written = Written::read(input)?;
        if written.international {
            return international(written.digits());
        }
        let region = default_region.ok_or(PhoneNumberError::MissingRegion)?;
        let plan = PLANS.of_region(region).ok_or(PhoneNumberError::MissingRegion)?;
        if let Some(rest) = plan.without_international_prefix(written.digits()) {
            return international(rest);
        }
        let national = plan.without_own_calling_code(written.digits());
        in_plan(plan, national)
    }

    /// Reads one of Heliograph's test recipients: +999 and 10 to 12 digits. For test keys and
    /// simulated carriers only; a live key goes through [`PhoneNumber::parse`], which refuses it.
    ///
    /// # Errors
    /// `Empty` or `Unparsable` as in [`PhoneNumber::parse`], else `NotATestNumber`.
    pub fn parse_test(input: &str) -> Result<Self, PhoneNumberError> {
        let written = Written::read(input)?;
        let national = written.digits().strip_prefix("999");
        match national {
            Some(rest) if written.international && TEST_DIGITS.contains(&rest.len()) => {
                Ok(Self::from_parts(TEST_CALLING_CODE, rest))
            }
            Some(_) | None => Err(PhoneNumberError::NotATestNumber),
        }
    }

    /// Takes back a number that was parsed once and stored. Looks at its shape alone, since a
    /// plan may change after a number was accepted.
    ///
    /// # Errors
    /// `Unparsable` unless it is a plus sign and 5 to 15 digits.
    pub fn restore(e164: &str) -> Result<Self, PhoneNumberError> {
        let digits = e164.strip_prefix('+').ok_or(PhoneNumberError::Unparsable)?;
        let shaped = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if shaped { Ok(Self::from_digits(digits)) } else { Err(PhoneNumberError::Unparsable) }
    }

    /// The number with its plus sign.
    pub fn e164(&self) -> &str {
        std::str::from_utf8(&self.text[..usize::from(self.len)]).expect("numbers are ASCII")
    }

    /// The digits without the plus sign, as SMPP wants them.
    pub fn digits(&self) -> &str {
        &self.e164()[1..]
    }

    /// For logs and traces: only the last two digits are shown.
    pub fn masked(&self) -> String {
        let digits = self.digits();
        let (hidden, shown) = digits.split_at(digits.len() - 2);
        format!("+{}{shown}", "•".repeat(hidden.len()))
    }

    /// Whether it is one of Heliograph's own test recipients.
    pub fn is_test(&self) -> bool {
        self.digits().starts_with("999")
    }

    /// The country calling code (1, 44, 880), or `None` if no plan knows it, as with a restored
    /// number of a code that was withdrawn.
    pub fn calling_code(&self) -> Option<u16> {
        if self.is_test() {
            return Some(TEST_CALLING_CODE);
        }
        split_calling_code(self.digits()).map(|(code, _)| code)
    }

    /// The country or territory, where its plan tells (`+1 242…` is BS). None for test numbers
    /// and for codes of no country, such as +800.
    pub fn region(&self) -> Option<Region> {
        let (code, national) = split_calling_code(self.digits())?;
        PLANS.classify(code, national)?.0.region()
    }

    /// What kind of line the numbering plan says it is.
    pub fn kind(&self) -> NumberKind {
        if self.is_test() {
            return NumberKind::Test;
        }
        split_calling_code(self.digits())
            .and_then(|(code, national)| PLANS.classify(code, national))
            .map_or(NumberKind::Unknown, |(_, kind)| kind)
    }

    /// Refuses what cannot be a phone that takes text. What the plan cannot tell apart from a
    /// mobile (North America) passes, as do VoIP, personal and pager numbers, which often do take
    /// text; kinds in `allow` pass as well.
    ///
    /// # Errors
    /// `FixedLine`, `Premium` (also toll-free and shared cost), `Service` (universal access,
    /// voice mail), `Invalid` for an unknown kind.
    pub fn ensure_mobile(&self, allow: &[NumberKind]) -> Result<(), PhoneNumberError> {
        let kind = self.kind();
        if allow.contains(&kind) {
            return Ok(());
        }
        match kind {
            NumberKind::Mobile
            | NumberKind::FixedLineOrMobile
            | NumberKind::Voip
            | NumberKind::Personal
            | NumberKind::Pager
            | NumberKind::Test => Ok(()),
            NumberKind::FixedLine => Err(PhoneNumberError::FixedLine),
            NumberKind::PremiumRate | NumberKind::TollFree | NumberKind::SharedCost => {
                Err(PhoneNumberError::Premium)
            }
            NumberKind::UniversalAccess | NumberKind::Voicemail => Err(PhoneNumberError::Service),
            NumberKind::Unknown => Err(PhoneNumberError::Invalid),
        }
    }

    fn from_parts(calling_code: u16, national: &str) -> Self {
        let mut buffer = [0u8; DIGITS_MAX];
        let mut len = 0;
        for divisor in [100, 10, 1] {
            if calling_code >= divisor {
                buffer[len] = b'0' + u8::try_from(calling_code / divisor % 10).expect("a digit");
                len += 1;
            }
        }
        buffer[len..len + national.len()].copy_from_slice(national.as_bytes());
        len += national.len();
        Self::from_digits(std::str::from_utf8(&buffer[..len]).expect("numbers are ASCII"))
    }

    fn from_digits(digits: &str) -> Self {
        let mut text = [0u8; DIGITS_MAX + 1];
        text[0] = b'+';
        text[1..=digits.len()].copy_from_slice(digits.as_bytes());
        Self { text, len: u8::try_from(digits.len() + 1).expect("at most 16") }
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({})", self.masked())
    }
}

/// Digits after the plus sign, calling code first.
fn international(digits: &str) -> Result<PhoneNumber, PhoneNumberError> {
    let (code, national) =
        split_calling_code(digits).ok_or(PhoneNumberError::UnassignedCountryCode)?;
    let plan = PLANS.main(code).ok_or(PhoneNumberError::UnassignedCountryCode)?;
    in_plan(plan, national)
}

/// Digits after the calling code, perhaps with the trunk prefix that people leave in.
fn in_plan(plan: &Plan, national: &str) -> Result<PhoneNumber, PhoneNumberError> {
    let code = plan.calling_code();
    let national = plan.without_trunk_prefix(national);
    let total = national.len() + plan.calling_code_digits();
    if total > DIGITS_MAX || !PLANS.has_length(code, national.len()) {
        return Err(PhoneNumberError::ImpossibleLength);
    }
    match PLANS.classify(code, &national) {
        Some(_) => Ok(PhoneNumber::from_parts(code, &national)),
        None => Err(PhoneNumberError::Invalid),
    }
}

/// Calling codes are prefix-free, one to three digits, and never start with zero.
fn split_calling_code(digits: &str) -> Option<(u16, &str)> {
    if digits.starts_with('0') {
        return None;
    }
    let mut code = 0u16;
    for (index, byte) in digits.bytes().take(3).enumerate() {
        code = code * 10 + u16::from(byte - b'0');
        if PLANS.main(code).is_some() {
            return Some((code, &digits[index + 1..]));
        }
    }
    None
}
