//! What one part costs: whole nano-units (a thousand-millionth of the major unit), since wholesale
//! prices have more decimals than amounts. The price of a message is rounded to micro-units once,
//! half to even, and is an amount from then on.

use std::fmt;
use std::str::FromStr;

use sea_orm::DeriveValueType;

use super::money::Micros;

const NANOS_PER_UNIT: i64 = 1_000_000_000;
const NANOS_PER_MICRO: i64 = 1_000;
/// Decimals that a price may have.
const DECIMALS_MAX: usize = 9;
/// The most that a part may cost, in major units: enough for a rupiah or a dong, and so little that
/// 255 parts stay far below 64 bits.
const UNITS_MAX: i64 = 1_000_000;

/// The price of a part in nano-units; never negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct PartPrice(i64);

/// A text that is not a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPrice {
    /// It is not digits with a point among them.
    #[error("a price is written in digits, with a point before its decimals")]
    Malformed,
    /// It is finer than a thousand-millionth.
    #[error("a price has at most {DECIMALS_MAX} decimals")]
    TooFine,
    /// It is beyond a million.
    #[error("a part costs at most a million")]
    TooLarge,
}

impl PartPrice {
    /// Free.
    pub const FREE: Self = Self(0);
    /// One: what a part costs where parts are counted.
    pub const ONE: Self = Self(NANOS_PER_UNIT);

    /// What so many parts cost.
    pub const fn of_parts(self, parts: i16) -> Micros {
        let nanos = self.0 * parts as i64;
        let (whole, rest) = (nanos / NANOS_PER_MICRO, nanos % NANOS_PER_MICRO);
        let up = rest * 2 > NANOS_PER_MICRO || (rest * 2 == NANOS_PER_MICRO && whole % 2 != 0);
        Micros(whole + up as i64)
    }

    /// In nano-units.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// From nano-units; none if it is negative or beyond a million.
    pub const fn from_nanos(nanos: i64) -> Option<Self> {
        if nanos >= 0 && nanos <= UNITS_MAX * NANOS_PER_UNIT { Some(Self(nanos)) } else { None }
    }
}

impl fmt::Display for PartPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:09}", self.0 % NANOS_PER_UNIT);
        let needed = decimals.trim_end_matches('0').len().max(2);
        write!(f, "{}.{}", self.0 / NANOS_PER_UNIT, &decimals[..needed])
    }
}

impl FromStr for PartPrice {
    type Err = InvalidPrice;

    fn from_str(text: &str) -> Result<Self, InvalidPrice> {
        let (units, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(units) || !all_digits(decimals) {
            return Err(InvalidPrice::Malformed);
        }
        let decimals = decimals.trim_end_matches('0');
        if decimals.len() > DECIMALS_MAX {
            return Err(InvalidPrice::TooFine);
        }
        let units: i64 = units.parse().map_err(|_| InvalidPrice::TooLarge)?;
        let nanos: i64 = format!("{decimals:0<DECIMALS_MAX$}").parse().unwrap_or_default();
        let price = units.checked_mul(NANOS_PER_UNIT).and_then(|whole| whole.checked_add(nanos));
        price.and_then(Self::from_nanos).ok_or(InvalidPrice::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_keeps_its_nine_decimals_and_is_rounded_once() {
        let price: PartPrice = "0.0000375".parse().expect("a price");
        assert_eq!(price.nanos(), 37_500);
        assert_eq!(price.to_string(), "0.0000375");
        // 37.5 and 112.5 micro-units: half goes to the even neighbor.
        for (parts, micros) in [(1, 38), (2, 75), (3, 112), (10, 375)] {
            assert_eq!(price.of_parts(parts), Micros(micros), "{parts} parts");
        }
        assert_eq!("0.0075".parse::<PartPrice>().map(|p| p.of_parts(3)), Ok(Micros(22_500)));
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for (text, fault) in [
            ("0.0000000001", InvalidPrice::TooFine),
            ("1000000.000000001", InvalidPrice::TooLarge),
            ("99999999999999999999", InvalidPrice::TooLarge),
            ("-1", InvalidPrice::Malformed),
            ("", InvalidPrice::Malformed),
            ("1.", InvalidPrice::Malformed),
            ("1,5", InvalidPrice::Malformed),
        ] {
            assert_eq!(text.parse::<PartPrice>(), Err(fault), "{text}");
        }
    }
}
