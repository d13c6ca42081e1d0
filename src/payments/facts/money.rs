//! Amounts as processors write them, made micro-units by one table. Not prices and not the
//! ledger's books.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::merge::{Join, keep_greater};
use crate::payments::processor::{Processor, Unreadable};
pub use crate::types::money::Currency;

/// The largest amount read of a webhook, in the processor's units. Eleven digits: one fewer than
/// the shortest card number, so none passes for an amount; and more than processors charge at
/// once (Stripe: eight digits, in rupiah twelve).
pub const AMOUNT_UNITS_MAX: i64 = 99_999_999_999;

/// Sent in whole units by Stripe. UGX and ISK, which have no subunit either, are not here: they
/// are sent × 100 (docs.stripe.com/currencies#special-cases).
const ZERO_DECIMAL_AT_STRIPE: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
    "XOF", "XPF",
];
/// Sent in thousandths by Stripe.
const THREE_DECIMAL_AT_STRIPE: &[&str] = &["BHD", "JOD", "KWD", "OMR", "TND"];
/// What Paystack settles; all × 100, also XOF, which has no subunit (from memory).
const AT_PAYSTACK: &[&str] = &["NGN", "GHS", "ZAR", "KES", "USD", "XOF"];
/// What Xendit settles, in whole units (from memory).
const AT_XENDIT: &[&str] = &["IDR", "PHP", "VND", "THB", "MYR", "SGD", "USD", "HKD"];

/// An amount of one currency; negative where money leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Money {
    /// Which.
    pub currency: Currency,
    /// In millionths of the currency's main unit.
    pub amount_micros: i64,
}

/// In which units a processor writes amounts of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::payments) struct Scale {
    currency: Currency,
    /// How many decimals the written whole number holds.
    digits: u32,
}

/// The one table of units, by processor.
///
/// # Errors
///
/// A currency that this processor does not settle.
pub(in crate::payments) fn scale_of(
    processor: Processor,
    currency: &str,
) -> Result<Scale, Unreadable> {
    let currency = currency.to_ascii_uppercase().parse::<Currency>();
    let currency = currency.map_err(|_| Unreadable::BadCurrency)?;
    let is_among = |list: &[&str]| list.contains(&currency.as_str());
    let digits = match processor {
        Processor::Stripe if is_among(ZERO_DECIMAL_AT_STRIPE) => Some(0),
        Processor::Stripe if is_among(THREE_DECIMAL_AT_STRIPE) => Some(3),
        Processor::Stripe => Some(2),
        Processor::Paystack => is_among(AT_PAYSTACK).then_some(2),
        Processor::PayMongo => is_among(&["PHP", "USD"]).then_some(2),
        Processor::Xendit => is_among(AT_XENDIT).then_some(0),
        Processor::MPesa => is_among(&["KES"]).then_some(0),
    };
    Ok(Scale { currency, digits: digits.ok_or(Unreadable::BadCurrency)? })
}

/// Decimals of a micro-unit.
const MICRO_DIGITS: u32 = 6;

impl Scale {
    /// An amount that cannot be negative.
    ///
    /// # Errors
    ///
    /// Negative, or above [`AMOUNT_UNITS_MAX`].
    pub(in crate::payments) fn amount(self, units: i64) -> Result<Money, Unreadable> {
        if units < 0 { Err(Unreadable::BadAmount) } else { self.signed_amount(units) }
    }

    /// An amount of either sign.
    ///
    /// # Errors
    ///
    /// Beyond ± [`AMOUNT_UNITS_MAX`].
    pub(in crate::payments) fn signed_amount(self, units: i64) -> Result<Money, Unreadable> {
        if !(-AMOUNT_UNITS_MAX..=AMOUNT_UNITS_MAX).contains(&units) {
            return Err(Unreadable::BadAmount);
        }
        let amount_micros = units * 10_i64.pow(MICRO_DIGITS - self.digits);
        Ok(Money { currency: self.currency, amount_micros })
    }

    /// An amount as the processor writes it; `None` if it is finer than the processor's unit.
    pub(in crate::payments) fn units_of(self, amount_micros: i64) -> Option<i64> {
        let unit = 10_i64.pow(MICRO_DIGITS - self.digits);
        (amount_micros % unit == 0).then_some(amount_micros / unit)
    }

    /// An amount written in main units with a decimal point, such as `1500` or `1500.25`.
    ///
    /// # Errors
    ///
    /// Anything else: a sign, an exponent, more than six decimals, above [`AMOUNT_UNITS_MAX`].
    pub(in crate::payments) fn decimal_amount(self, text: &str) -> Result<Money, Unreadable> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let decimals = u32::try_from(fraction.len()).map_err(|_| Unreadable::BadAmount)?;
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || decimals > MICRO_DIGITS
        {
            return Err(Unreadable::BadAmount);
        }
        let units = whole.parse().map_err(|_| Unreadable::BadAmount)?;
        let whole = Self { digits: 0, ..self }.amount(units)?;
        let fraction: i64 = if fraction.is_empty() {
            0
        } else {
            fraction.parse().map_err(|_| Unreadable::BadAmount)?
        };
        let micros = fraction * 10_i64.pow(MICRO_DIGITS - decimals);
        Ok(Money { amount_micros: whole.amount_micros + micros, ..whole })
    }
}

/// The highest amount seen, by currency. One currency is the rule; a second is a conflict that
/// is kept, so that the order of arrival does not decide it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amounts(BTreeMap<Currency, i64>);

/// Amounts in two currencies, where there should be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("amounts in two currencies")]
pub struct CurrencyConflict;

impl From<Money> for Amounts {
    fn from(money: Money) -> Self {
        Self(BTreeMap::from([(money.currency, money.amount_micros)]))
    }
}

impl Join for Amounts {
    fn join(&mut self, other: Self) {
        for (currency, micros) in other.0 {
            keep_greater(self.0.entry(currency).or_insert(micros), micros);
        }
    }
}

impl Amounts {
    /// The amount, if one was seen.
    ///
    /// # Errors
    ///
    /// Two currencies were seen.
    pub fn single(&self) -> Result<Option<Money>, CurrencyConflict> {
        let mut entries = self.0.iter();
        let first = entries.next();
        if entries.next().is_some() {
            return Err(CurrencyConflict);
        }
        let money = |(currency, micros): (&Currency, &i64)| Money {
            currency: *currency,
            amount_micros: *micros,
        };
        Ok(first.map(money))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_by_processor_and_currency() {
        use Processor::*;
        for (processor, currency, micros_of_one) in [
            (Stripe, "usd", 10_000),
            (Stripe, "JPY", 1_000_000),
            (Stripe, "kwd", 1_000),
            (Stripe, "UGX", 10_000),
            (Stripe, "isk", 10_000),
            (Paystack, "NGN", 10_000),
            (Paystack, "XOF", 10_000),
            (PayMongo, "PHP", 10_000),
            (Xendit, "IDR", 1_000_000),
            (MPesa, "KES", 1_000_000),
        ] {
            let money = scale_of(processor, currency).and_then(|scale| scale.amount(1));
            assert_eq!(money.map(|it| it.amount_micros), Ok(micros_of_one), "{currency}");
        }
        for (processor, currency) in
            [(Stripe, "XXX"), (Stripe, "us"), (Stripe, ""), (Paystack, "EUR"), (MPesa, "USD")]
        {
            assert_eq!(scale_of(processor, currency), Err(Unreadable::BadCurrency), "{currency}");
        }
    }

    #[test]
    fn amounts_have_limits() {
        let scale = scale_of(Processor::Stripe, "usd").expect("a currency");
        assert!(scale.amount(AMOUNT_UNITS_MAX).is_ok());
        for units in [-1, AMOUNT_UNITS_MAX + 1, i64::MAX, i64::MIN] {
            assert_eq!(scale.amount(units), Err(Unreadable::BadAmount), "{units}");
        }
        assert_eq!(scale.signed_amount(-150).map(|it| it.amount_micros), Ok(-1_500_000));
        assert_eq!(scale.signed_amount(i64::MIN), Err(Unreadable::BadAmount));
    }

    #[test]
    fn decimal_amounts_are_exact() {
        let scale = scale_of(Processor::Xendit, "PHP").expect("a currency");
        for (text, micros) in [
            ("1500", 1_500_000_000),
            ("0.1", 100_000),
            ("10.000001", 10_000_001),
            ("7.", 7_000_000),
        ] {
            let money = scale.decimal_amount(text);
            assert_eq!(money.map(|it| it.amount_micros), Ok(micros), "{text}");
        }
        for text in
            ["", ".5", "-1", "+1", "1e3", "0.0000001", "1,5", "100000000000", "1.2.3", "NaN"]
        {
            assert_eq!(scale.decimal_amount(text), Err(Unreadable::BadAmount), "{text}");
        }
    }
}
