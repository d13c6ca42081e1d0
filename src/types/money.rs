//! Money: whole micro-units (a millionth of the major unit) of an ISO 4217 currency, with checked
//! arithmetic. An SMS costs less than a cent, so the minor unit is too coarse to count in; amounts
//! are rounded to it once, half to even, where an invoice line or a payment is made.
//!
//! Not here: what a processor calls an amount (`payments`), and what the contract shows
//! (`graphql::scalars`).

mod currency;

use std::fmt;
use std::str::FromStr;

use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};

pub use self::currency::{Currency, UnknownCurrency};

/// Micro-units in a major unit.
const MICROS_PER_UNIT: i64 = 1_000_000;
/// Decimals that an amount may have.
const DECIMALS_MAX: usize = 6;
/// The most that one amount may be, in micro-units: a billion major units. Sums of four thousand
/// million such amounts would be needed to leave 64 bits, and those are checked as well.
const AMOUNT_MICROS_MAX: i64 = 1_000_000_000 * MICROS_PER_UNIT;

/// An amount in micro-units; negative is owed, taken or debited, as the place says.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    DeriveValueType,
)]
pub struct Micros(pub i64);

/// A text that is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAmount {
    /// It is not digits with a point among them.
    #[error("an amount is written in digits, with a point before its decimals")]
    Malformed,
    /// It is finer than a millionth.
    #[error("an amount has at most {DECIMALS_MAX} decimals")]
    TooFine,
    /// It is beyond a billion.
    #[error("an amount is at most a billion")]
    TooLarge,
}

impl Micros {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum, unless it leaves 64 bits.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, unless it leaves 64 bits.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// So many times this, unless it leaves 64 bits.
    pub const fn checked_mul(self, times: i64) -> Option<Self> {
        match self.0.checked_mul(times) {
            Some(product) => Some(Self(product)),
            None => None,
        }
    }

    /// The sum of all, unless it leaves 64 bits on the way.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// The other side of it.
    pub const fn negated(self) -> Self {
        Self(-self.0)
    }

    /// Rounded to the currency's minor unit, half to even.
    pub const fn rounded(self, currency: Currency) -> Self {
        let unit = currency.minor_unit_micros();
        let (whole, rest) = (self.0.div_euclid(unit), self.0.rem_euclid(unit));
        let up = rest * 2 > unit || (rest * 2 == unit && whole % 2 != 0);
        Self((whole + up as i64) * unit)
    }
}

impl fmt::Display for Micros {
    /// Exact, with as many decimals as it needs and at least two: `0.0000375`, `12.50`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (units, micros) =
            (self.0.unsigned_abs() / 1_000_000, self.0.unsigned_abs() % 1_000_000);
        let decimals = format!("{micros:06}");
        let needed = decimals.trim_end_matches('0').len().max(2);
        write!(f, "{sign}{units}.{}", &decimals[..needed])
    }
}

impl FromStr for Micros {
    type Err = InvalidAmount;

    /// Reads `12`, `12.5`, `-0.000001`. No exponent, no blanks, no separators of thousands.
    fn from_str(text: &str) -> Result<Self, InvalidAmount> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text),
        };
        let (units, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(units) || !all_digits(decimals) {
            return Err(InvalidAmount::Malformed);
        }
        let decimals = decimals.trim_end_matches('0');
        if decimals.len() > DECIMALS_MAX {
            return Err(InvalidAmount::TooFine);
        }
        let units: i64 = units.parse().map_err(|_| InvalidAmount::TooLarge)?;
        let micros: i64 = format!("{decimals:0<DECIMALS_MAX$}").parse().unwrap_or_default();
        let amount = units.checked_mul(MICROS_PER_UNIT).and_then(|whole| whole.checked_add(micros));
        match amount {
            Some(amount) if amount <= AMOUNT_MICROS_MAX => Ok(Self(sign * amount)),
            _ => Err(InvalidAmount::TooLarge),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        for (text, read) in [
            ("0", Ok(0)),
            ("12", Ok(12_000_000)),
            ("12.5", Ok(12_500_000)),
            ("0.0000375", Err(InvalidAmount::TooFine)),
            ("0.000038", Ok(38)),
            ("-0.000001", Ok(-1)),
            ("1.10000000", Ok(1_100_000)),
            ("1000000000", Ok(AMOUNT_MICROS_MAX)),
            ("1000000000.000001", Err(InvalidAmount::TooLarge)),
            ("99999999999999999999", Err(InvalidAmount::TooLarge)),
            ("", Err(InvalidAmount::Malformed)),
            (".5", Err(InvalidAmount::Malformed)),
            ("5.", Err(InvalidAmount::Malformed)),
            ("1e3", Err(InvalidAmount::Malformed)),
            ("1,000", Err(InvalidAmount::Malformed)),
            ("+1", Err(InvalidAmount::Malformed)),
            (" 1", Err(InvalidAmount::Malformed)),
            ("--1", Err(InvalidAmount::Malformed)),
            ("٣", Err(InvalidAmount::Malformed)),
        ] {
            assert_eq!(text.parse::<Micros>(), read.map(Micros), "{text}");
        }
    }

    #[test]
    fn rounding_is_half_to_even_in_the_currency_s_minor_unit() {
        let currency = |code: &str| code.parse::<Currency>().expect(code);
        for (micros, code, rounded) in [
            (12_345_000, "USD", 12_340_000),
            (12_355_000, "USD", 12_360_000),
            (12_345_001, "USD", 12_350_000),
            (-12_345_000, "USD", -12_340_000),
            (500_000, "JPY", 0),
            (1_500_000, "JPY", 2_000_000),
            (1_234_500, "KWD", 1_234_000),
            (1_235_500, "KWD", 1_236_000),
        ] {
            assert_eq!(Micros(micros).rounded(currency(code)), Micros(rounded), "{micros} {code}");
        }
    }

    #[test]
    fn sums_beyond_64_bits_are_refused() {
        assert_eq!(Micros(i64::MAX).checked_add(Micros(1)), None);
        assert_eq!(Micros(i64::MIN).checked_sub(Micros(1)), None);
        assert_eq!(Micros(i64::MAX).checked_mul(2), None);
        assert_eq!(Micros::checked_sum([Micros(i64::MAX), Micros(1)]), None);
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(amount in -AMOUNT_MICROS_MAX..=AMOUNT_MICROS_MAX) {
            prop_assert_eq!(Micros(amount).to_string().parse(), Ok(Micros(amount)));
        }
    }
}
