//! What invoices are made of: their states, months, numbers and arithmetic. Pure.

use chrono::{Datelike, NaiveDate};
use entity::enums::{InvoiceKind, InvoiceStatus};
use entity::ids::AccountId;
use entity::time::UnixMillis;

use crate::types::money::{Currency, Micros};

/// Milliseconds of a day.
pub(super) const DAY_MS: i64 = 24 * 3_600_000;
/// How long after a month's end its messages are taken as complete, in milliseconds: a transaction
/// that charges has read its clock by then, and clocks of nodes do not differ by an hour.
pub(super) const MONTH_CLOSES_MS: i64 = 3_600_000;
/// Millionths in a whole: rates and quantities are counted in them.
pub(super) const MILLIONTHS: i64 = 1_000_000;
/// Characters of an account's id that its numbers carry: enough to tell customers apart at a glance.
const NUMBER_ACCOUNT_CHARS: usize = 8;

/// Whether a document may go from one status to another.
pub const fn may_become(from: InvoiceStatus, to: InvoiceStatus) -> bool {
    use InvoiceStatus::{Draft, Open, Paid, Uncollectible, Void};
    match from {
        Draft => matches!(to, Open),
        Open => matches!(to, Paid | Void | Uncollectible),
        Uncollectible => matches!(to, Paid | Void),
        // A payment of it went back.
        Paid => matches!(to, Open),
        Void => false,
    }
}

/// A month of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(i32);

impl Month {
    /// The month of a time.
    pub fn of(time: UnixMillis) -> Self {
        let day = chrono::DateTime::from_timestamp_millis(time.0).unwrap_or_default();
        Self((day.year() - 1970) * 12 + day.month0() as i32)
    }

    /// The month of a day since 1970-01-01.
    pub fn of_day(day: i32) -> Self {
        Self::of(UnixMillis(i64::from(day) * DAY_MS))
    }

    /// A year and a month from 1; none if there is no such month in the years 1970 to 9999.
    pub fn new(year: i32, month: i32) -> Option<Self> {
        let fits = (1970..=9999).contains(&year) && (1..=12).contains(&month);
        fits.then(|| Self((year - 1970) * 12 + month - 1))
    }

    /// From how it is stored: months since 1970-01.
    pub const fn from_stored(months: i32) -> Self {
        Self(months)
    }

    /// As it is stored.
    pub const fn stored(self) -> i32 {
        self.0
    }

    /// The one after it.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The last month whose messages are complete at `now`.
    pub fn last_closed(now: UnixMillis) -> Self {
        Self(Self::of(now.plus_ms(-MONTH_CLOSES_MS)).0 - 1)
    }

    /// Its first day, in days since 1970-01-01.
    pub fn first_day(self) -> i32 {
        let (year, month) = (1970 + self.0.div_euclid(12), self.0.rem_euclid(12) as u32 + 1);
        let first = NaiveDate::from_ymd_opt(year, month, 1).unwrap_or_default();
        i32::try_from(first.signed_duration_since(NaiveDate::default()).num_days())
            .unwrap_or(i32::MAX)
    }

    /// When it begins.
    pub fn begins_at(self) -> UnixMillis {
        UnixMillis(i64::from(self.first_day()) * DAY_MS)
    }
}

/// The number of a document, as it is printed.
pub(super) fn number(kind: InvoiceKind, account_id: AccountId, counted: i64) -> String {
    let prefix = match kind {
        InvoiceKind::Invoice => "INV",
        InvoiceKind::Statement => "STM",
        InvoiceKind::CreditNote => "CRN",
    };
    let id = account_id.to_string().to_uppercase();
    // The end of an id is chance, its beginning is time.
    let account = &id[id.len().saturating_sub(NUMBER_ACCOUNT_CHARS)..];
    format!("{prefix}-{account}-{counted:06}")
}

/// A tax: `rate_millionths` of `base`, rounded once, half to even, to the currency's minor unit.
/// None beyond 64 bits.
pub fn tax(base: Micros, rate_millionths: i64, currency: Currency) -> Option<Micros> {
    share(base, rate_millionths, MILLIONTHS, currency)
}

/// `whole × part / of`, rounded half to even to the currency's minor unit. Rounded once: the
/// division and the rounding are one step, so that no half is made or lost in between.
pub fn share(whole: Micros, part: i64, of: i64, currency: Currency) -> Option<Micros> {
    let unit = i128::from(currency.minor_unit_micros());
    let divisor = i128::from(of) * unit;
    if divisor <= 0 {
        return None;
    }
    let product = i128::from(whole.0) * i128::from(part);
    let (units, rest) = (product.div_euclid(divisor), product.rem_euclid(divisor));
    let up = rest * 2 > divisor || (rest * 2 == divisor && units % 2 != 0);
    i64::try_from((units + i128::from(up)) * unit).ok().map(Micros)
}

/// Whether an amount is a whole number of the currency's minor unit.
pub fn is_payable(amount: Micros, currency: Currency) -> bool {
    amount.rounded(currency) == amount
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().expect(code)
    }

    #[test]
    fn the_states_are_those_of_the_table() {
        use InvoiceStatus::{Draft, Open, Paid, Uncollectible, Void};
        let allowed = [
            (Draft, Open),
            (Open, Paid),
            (Open, Void),
            (Open, Uncollectible),
            (Paid, Open),
            (Uncollectible, Paid),
            (Uncollectible, Void),
        ];
        for from in InvoiceStatus::ALL {
            for to in InvoiceStatus::ALL {
                assert_eq!(
                    may_become(*from, *to),
                    allowed.contains(&(*from, *to)),
                    "{from:?} {to:?}"
                );
            }
        }
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        let january = Month::new(2026, 1).expect("a month");
        assert_eq!(january.stored(), 672);
        assert_eq!(january.begins_at(), UnixMillis(1_767_225_600_000));
        assert_eq!(january.next().first_day() - january.first_day(), 31);
        let leap = Month::new(2028, 2).expect("a month");
        assert_eq!(leap.next().first_day() - leap.first_day(), 29);
        for month in [january, leap, Month::new(1999, 12).expect("a month")] {
            assert_eq!(Month::of(month.begins_at()), month);
            assert_eq!(Month::of(month.next().begins_at().plus_ms(-1)), month);
            assert_eq!(Month::of_day(month.first_day()), month);
            // A month is closed an hour after its end.
            let end = month.next().begins_at();
            assert_eq!(Month::last_closed(end.plus_ms(MONTH_CLOSES_MS)), month);
            assert_eq!(Month::last_closed(end.plus_ms(MONTH_CLOSES_MS - 1)).next(), month);
        }
        assert_eq!(Month::new(2026, 13), None);
        assert_eq!(Month::new(1969, 12), None);
    }

    #[test]
    fn taxes_are_rounded_once_half_to_even() {
        for (base, rate, code, amount) in [
            (100_000_000, 200_000, "USD", 20_000_000),
            // 12.5 % of 0.20 and of 0.60 are 2.5 and 7.5 cents: to the even neighbor.
            (200_000, 125_000, "USD", 20_000),
            (600_000, 125_000, "USD", 80_000),
            (1_000_000, 82_500, "JPY", 0),
            (18_000_000, 82_500, "JPY", 1_000_000),
            (1_000_000, 50_500, "KWD", 50_000),
            (1_000_000, 0, "USD", 0),
            (33_330_000, 190_000, "EUR", 6_330_000),
            (-200_000, 125_000, "USD", -20_000),
        ] {
            let found = tax(Micros(base), rate, currency(code));
            assert_eq!(found, Some(Micros(amount)), "{rate} of {base} {code}");
        }
        // All of it still fits, but not rounded up to a cent.
        assert_eq!(tax(Micros(i64::MAX), 1_000_000, currency("USD")), None);
        assert!(tax(Micros(i64::MAX / 2), 1_000_000, currency("USD")).is_some());
        assert_eq!(share(Micros(i64::MAX), 2, 1, currency("USD")), None);
        assert_eq!(share(Micros(1), 1, 0, currency("USD")), None);
    }

    #[test]
    fn numbers_tell_the_kind_the_customer_and_the_count() {
        let id: AccountId = "acct_01h455vb4pex5vsknk084sn02q".parse().expect("an id");
        assert_eq!(number(InvoiceKind::Invoice, id, 7), "INV-084SN02Q-000007");
        assert_eq!(number(InvoiceKind::Statement, id, 1_234_567), "STM-084SN02Q-1234567");
        assert_eq!(number(InvoiceKind::CreditNote, id, 1), "CRN-084SN02Q-000001");
    }

    #[test]
    fn an_amount_is_payable_in_whole_minor_units() {
        for (amount, code, payable) in [
            (10_000, "USD", true),
            (10_001, "USD", false),
            (1_000, "KWD", true),
            (1_000, "USD", false),
            (1_000_000, "JPY", true),
            (500_000, "JPY", false),
        ] {
            assert_eq!(is_payable(Micros(amount), currency(code)), payable, "{amount} {code}");
        }
    }
}
