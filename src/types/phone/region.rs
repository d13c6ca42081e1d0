//! Two-letter regions: the country that a number in national form is meant for.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::plan::PLANS;

/// An ISO 3166-1 alpha-2 code (or one of the few that the ITU plans add, such as XK) that has a
/// numbering plan. Upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region([u8; 2]);

/// The text is not a region with a numbering plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a two-letter country code with a numbering plan")]
pub struct UnknownRegion;

impl Region {
    /// Two upper-case letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("regions are ASCII")
    }

    /// Two letters without a look at the plans; `None` for `001`, which is no country.
    pub(super) fn shaped(text: &str) -> Option<Self> {
        match text.as_bytes() {
            [first, second] if first.is_ascii_alphabetic() && second.is_ascii_alphabetic() => {
                Some(Self([first.to_ascii_uppercase(), second.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }
}

impl FromStr for Region {
    type Err = UnknownRegion;

    /// Case does not matter.
    fn from_str(text: &str) -> Result<Self, UnknownRegion> {
        let region = Self::shaped(text).ok_or(UnknownRegion)?;
        if PLANS.of_region(region).is_some() { Ok(region) } else { Err(UnknownRegion) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({})", self.as_str())
    }
}
