//! Currencies of ISO 4217, by the list of active codes, with their minor units.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A currency: three capital letters of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// A text that is not the code of an active currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the code of a currency (ISO 4217, three capital letters)")]
pub struct UnknownCurrency;

/// Without a minor unit.
const ZERO_DECIMALS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
/// With three decimals.
const THREE_DECIMALS: &str = "BHD IQD JOD KWD LYD OMR TND";
/// With two.
const TWO_DECIMALS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD \
    BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP \
    GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP \
    LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD \
    PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC \
    SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";

impl Currency {
    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("three ASCII letters")
    }

    /// How many decimals the minor unit has: 0, 2 or 3.
    pub const fn decimals(self) -> u32 {
        if contains(ZERO_DECIMALS, self.0) {
            0
        } else if contains(THREE_DECIMALS, self.0) {
            3
        } else {
            2
        }
    }

    /// Micro-units in a minor unit.
    pub const fn minor_unit_micros(self) -> i64 {
        10i64.pow(6 - self.decimals())
    }
}

/// Whether a list of codes, one blank between two, has this one.
const fn contains(list: &str, code: [u8; 3]) -> bool {
    let list = list.as_bytes();
    let mut at = 0;
    while at + 3 <= list.len() {
        if list[at] == code[0] && list[at + 1] == code[1] && list[at + 2] == code[2] {
            return true;
        }
        at += 4;
    }
    false
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, UnknownCurrency> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| UnknownCurrency)?;
        let known = [TWO_DECIMALS, ZERO_DECIMALS, THREE_DECIMALS];
        let letters = code.iter().all(u8::is_ascii_uppercase);
        let found = letters && known.iter().any(|list| contains(list, code));
        if found { Ok(Self(code)) } else { Err(UnknownCurrency) }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_with_their_minor_units() {
        for (code, decimals) in
            [("USD", 2), ("EUR", 2), ("JPY", 0), ("UGX", 0), ("ISK", 0), ("KWD", 3), ("ZWG", 2)]
        {
            assert_eq!(code.parse::<Currency>().expect(code).decimals(), decimals, "{code}");
        }
        for text in ["", "usd", "US", "USDX", "AAA", "SD ", "D E", "XXX", "ÄÖ"] {
            assert_eq!(text.parse::<Currency>(), Err(UnknownCurrency), "{text}");
        }
    }

    #[test]
    fn no_code_stands_in_two_lists() {
        let all = [TWO_DECIMALS, ZERO_DECIMALS, THREE_DECIMALS].join(" ");
        let mut codes: Vec<_> = all.split(' ').filter(|code| !code.is_empty()).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert!(codes.iter().all(|code| code.len() == 3 && all.contains(code)));
    }
}
