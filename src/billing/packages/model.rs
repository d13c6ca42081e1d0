//! What packages hold, pay for, and how long; and which of them pays for a message. Pure.

use entity::enums::{MessageClass, PackageKind, PackageState, Purse, ValidityUnit};
use entity::ids::GrantedPackageId;
use entity::time::UnixMillis;
use entity::{granted_package, package};

use super::PREFIXES_MAX;
use crate::billing::model::{Journal, Unit};
use crate::billing::plans::month_after;
use crate::billing::rate_cards::Prefix;
use crate::types::money::{Currency, Micros};
use crate::types::price::PartPrice;

/// The most that a package holds and costs, in micro-units: what one mistake may cost.
const AMOUNT_MAX: Micros = Micros(100_000_000 * MICROS_PER_UNIT);
/// Micro-units of a part.
const MICROS_PER_UNIT: i64 = 1_000_000;
/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 3_600_000;
/// Days of a validity: ten years.
const DAYS_MAX: i32 = 3_660;
/// Months of a validity: ten years.
const MONTHS_MAX: i32 = 120;
/// The bits of all classes.
const ALL_CLASSES: i16 = 0b111;

/// What is wrong with a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPackage {
    /// Empty, too long, or with control characters.
    #[error("a package's name has 1 to {} characters", super::NAME_CHARS_MAX)]
    Name,
    /// Below zero, or more than a hundred million.
    #[error("a package costs nothing or more, at most a hundred million")]
    Price,
    /// Neither parts nor credit, both, nothing of it, or more than a hundred million.
    #[error(
        "a package holds parts or credit, more than nothing and at most a hundred million of it"
    )]
    Amount,
    /// Nothing, or more than ten years.
    #[error("a package is valid for 1 to {DAYS_MAX} days or 1 to {MONTHS_MAX} months")]
    Validity,
    /// One of them is no prefix, comes again, or there are too many.
    #[error(
        "a package pays for at most {PREFIXES_MAX} prefixes, each a plus sign and 1 to 15 digits, and each once"
    )]
    Prefixes,
}

/// What a package is to hold, as it is asked for: one of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// So many parts of messages.
    pub parts: Option<i32>,
    /// Credit in the package's currency.
    pub credit: Option<Micros>,
}

impl Holding {
    pub(super) fn amount(self) -> Result<Amount, InvalidPackage> {
        match (self.parts, self.credit) {
            (Some(parts), None) => Ok(Amount::Parts(parts)),
            (None, Some(credit)) => Ok(Amount::Credit(credit)),
            (None, None) | (Some(_), Some(_)) => Err(InvalidPackage::Amount),
        }
    }
}

/// What a package holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// So many parts of messages.
    Parts(i32),
    /// Credit in the package's currency.
    Credit(Micros),
}

impl Amount {
    /// What kind it is.
    pub(super) const fn kind(self) -> PackageKind {
        match self {
            Self::Parts(_) => PackageKind::Parts,
            Self::Credit(_) => PackageKind::Credit,
        }
    }

    /// As it is stored; none if a package cannot hold it.
    pub(super) fn stored(self) -> Option<Micros> {
        let amount = match self {
            Self::Parts(parts) => Micros(i64::from(parts) * MICROS_PER_UNIT),
            Self::Credit(amount) => amount,
        };
        (amount > Micros::ZERO && amount <= AMOUNT_MAX).then_some(amount)
    }
}

/// Whether a package may cost so much.
pub(super) fn is_price(price: Micros) -> bool {
    price >= Micros::ZERO && price <= AMOUNT_MAX
}

/// For how long a package is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Counted in what.
    pub unit: ValidityUnit,
    /// How many.
    pub count: i32,
}

impl Validity {
    /// Of an offer.
    pub const fn of(row: &package::Model) -> Self {
        Self { unit: row.validity_unit, count: row.validity_count }
    }

    pub(super) fn is_valid(self) -> bool {
        let most = match self.unit {
            ValidityUnit::Days => DAYS_MAX,
            ValidityUnit::Months => MONTHS_MAX,
        };
        (1..=most).contains(&self.count)
    }

    /// When what is granted at `from` expires.
    pub(super) fn end(self, from: UnixMillis) -> UnixMillis {
        match self.unit {
            ValidityUnit::Days => from.plus_ms(i64::from(self.count) * DAY_MS),
            ValidityUnit::Months => month_after(from, self.count),
        }
    }
}

/// Which messages a package is to pay for, as people write it; nothing stands for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeText {
    /// `+44`.
    pub prefixes: Vec<String>,
    /// Which classes.
    pub classes: Vec<MessageClass>,
}

/// Which messages a package pays for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    /// Digits, separated by blanks; empty: all numbers.
    prefixes: String,
    classes: i16,
}

impl Scope {
    /// By what people write.
    ///
    /// # Errors
    /// [`InvalidPackage::Prefixes`].
    pub(super) fn new(text: &ScopeText) -> Result<Self, InvalidPackage> {
        let ScopeText { prefixes, classes } = text;
        let mut digits = Vec::with_capacity(prefixes.len());
        for prefix in prefixes {
            let prefix: Prefix = prefix.parse().map_err(|_| InvalidPackage::Prefixes)?;
            if prefix.digits().is_empty() {
                return Err(InvalidPackage::Prefixes);
            }
            digits.push(prefix.digits().to_owned());
        }
        digits.sort_unstable();
        let count = digits.len();
        digits.dedup();
        if digits.len() < count || count > PREFIXES_MAX {
            return Err(InvalidPackage::Prefixes);
        }
        let bits = classes.iter().fold(0, |bits, class| bits | bit(*class));
        let classes = if bits == 0 { ALL_CLASSES } else { bits };
        Ok(Self { prefixes: digits.join(" "), classes })
    }

    pub(super) fn stored(&self) -> (String, i16) {
        (self.prefixes.clone(), self.classes)
    }

    fn takes(&self, digits: &str, class: MessageClass) -> bool {
        let is_any = self.prefixes.is_empty();
        self.classes & bit(class) != 0
            && (is_any || self.prefixes.split(' ').any(|prefix| digits.starts_with(prefix)))
    }
}

/// Prefixes as people write them; empty: all numbers.
pub fn prefixes_of(stored: &str) -> Vec<String> {
    stored.split_whitespace().map(|digits| format!("+{digits}")).collect()
}

/// The classes of stored bits.
pub fn classes_of(stored: i16) -> Vec<MessageClass> {
    MessageClass::ALL.iter().copied().filter(|class| stored & bit(*class) != 0).collect()
}

const fn bit(class: MessageClass) -> i16 {
    1 << class.code()
}

/// The purse that a package of this kind is kept in.
pub(super) const fn purse_of(kind: PackageKind) -> Purse {
    match kind {
        PackageKind::Parts => Purse::Parts,
        PackageKind::Credit => Purse::Credit,
    }
}

/// The journal of an account's packages of a kind.
pub(super) const fn journal_of(money: Journal, currency: Currency, kind: PackageKind) -> Journal {
    let unit = match kind {
        PackageKind::Parts => Unit::Parts,
        PackageKind::Credit => Unit::Currency(currency),
    };
    Journal { account_id: money.account_id, unit, purse: purse_of(kind) }
}

/// How a granted package that is not active any more ended.
pub(super) fn state_at_end(row: &granted_package::Model, now: UnixMillis) -> Option<PackageState> {
    match row.state {
        PackageState::Active if row.balance_micros == 0 => Some(PackageState::UsedUp),
        PackageState::Active if row.expires_at_ms <= now => Some(PackageState::Expired),
        PackageState::Active
        | PackageState::UsedUp
        | PackageState::Expired
        | PackageState::Revoked => None,
    }
}

/// A message that somebody has to pay for.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// The recipient: E.164 without the plus sign.
    pub digits: &'a str,
    /// Its class.
    pub class: MessageClass,
    /// On the air.
    pub parts: i16,
    /// Of a part, in money.
    pub unit_price: PartPrice,
    /// Of all parts, in money.
    pub price: Micros,
}

/// The package that pays for a message, and how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Which.
    pub granted_package_id: GrantedPackageId,
    /// Of which purse.
    pub purse: Purse,
    /// Of a part, in that purse.
    pub unit_price: PartPrice,
    /// Of all parts.
    pub price: Micros,
}

/// A package that can pay, while it is shared out.
#[derive(Clone, Debug)]
pub(super) struct Pocket {
    pub(super) id: GrantedPackageId,
    pub(super) kind: PackageKind,
    pub(super) available: Micros,
    /// What was promised of it.
    pub(super) promised: Micros,
    scope: Scope,
}

impl Pocket {
    pub(super) fn of(row: granted_package::Model) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            available: Micros(row.balance_micros - row.held_micros),
            promised: Micros::ZERO,
            scope: Scope { prefixes: row.prefixes, classes: row.classes },
        }
    }

    fn cover(&mut self, want: &Want<'_>) -> Option<Cover> {
        if want.price == Micros::ZERO || !self.scope.takes(want.digits, want.class) {
            return None;
        }
        let (unit_price, price) = match self.kind {
            PackageKind::Parts => (PartPrice::ONE, PartPrice::ONE.of_parts(want.parts)),
            PackageKind::Credit => (want.unit_price, want.price),
        };
        let rest = self.available.checked_sub(price).filter(|rest| *rest >= Micros::ZERO)?;
        let promised = self.promised.checked_add(price)?;
        (self.available, self.promised) = (rest, promised);
        let purse = purse_of(self.kind);
        Some(Cover { granted_package_id: self.id, purse, unit_price, price })
    }
}

/// Who pays for each message, in their order: the first of the pockets that has enough; none: money.
pub(super) fn share_out(pockets: &mut [Pocket], wants: &[Want<'_>]) -> Vec<Option<Cover>> {
    let cover = |want: &Want<'_>| pockets.iter_mut().find_map(|pocket| pocket.cover(want));
    wants.iter().map(cover).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn scope(prefixes: &[&str], classes: &[MessageClass]) -> Result<Scope, InvalidPackage> {
        let prefixes = prefixes.iter().map(ToString::to_string).collect();
        Scope::new(&ScopeText { prefixes, classes: classes.to_vec() })
    }

    fn pocket(id: u128, kind: PackageKind, available: i64, prefixes: &[&str]) -> Pocket {
        Pocket {
            id: GrantedPackageId(Uuid::from_u128(id)),
            kind,
            available: Micros(available),
            promised: Micros::ZERO,
            scope: scope(prefixes, &[MessageClass::Otp, MessageClass::Marketing]).unwrap(),
        }
    }

    fn want(digits: &str, class: MessageClass, parts: i16) -> Want<'_> {
        let unit_price: PartPrice = "0.01".parse().unwrap();
        Want { digits, class, parts, unit_price, price: unit_price.of_parts(parts) }
    }

    #[test]
    fn the_first_package_that_pays_for_all_of_a_message_is_taken() {
        use MessageClass::{Marketing, Otp, Transactional};
        let mut pockets = [
            pocket(1, PackageKind::Parts, 3_000_000, &["+49"]),
            pocket(2, PackageKind::Credit, 25_000, &[]),
        ];
        let free = Want { price: Micros::ZERO, ..want("4915", Otp, 1) };
        let wants = [
            free,
            want("4915", Otp, 2),
            want("4915", Marketing, 2),
            want("4915", Transactional, 1),
            want("4477", Otp, 1),
            want("4915", Otp, 1),
            want("4915", Otp, 1),
        ];
        let covers = share_out(&mut pockets, &wants);
        let taken: Vec<_> = covers
            .iter()
            .map(|cover| cover.map(|it| (it.granted_package_id.0.as_u128(), it.price.0)))
            .collect();
        // The last finds one package empty and of the other less than it costs.
        assert_eq!(
            taken,
            [None, Some((1, 2_000_000)), Some((2, 20_000)), None, None, Some((1, 1_000_000)), None]
        );
        assert_eq!(pockets[0].promised, Micros(3_000_000));
        assert_eq!((pockets[1].promised, pockets[1].available), (Micros(20_000), Micros(5_000)));
    }

    #[test]
    fn scopes_are_written_as_they_are_read() {
        let read = scope(&["+44", "+1 242"], &[]).unwrap();
        assert_eq!(read.stored(), ("1242 44".to_owned(), ALL_CLASSES));
        assert_eq!(prefixes_of("1242 44"), ["+1242", "+44"]);
        assert_eq!(prefixes_of(""), Vec::<String>::new());
        assert_eq!(classes_of(0b101), [MessageClass::Otp, MessageClass::Marketing]);
        for bad in [vec!["+44", "44"], vec!["+"], vec!["x"], vec!["+1"; PREFIXES_MAX + 1]] {
            assert_eq!(scope(&bad, &[]), Err(InvalidPackage::Prefixes));
        }
    }

    #[test]
    fn a_package_holds_parts_or_credit() {
        let of = |parts, credit| Holding { parts, credit }.amount();
        let credit = Some(Micros(5));
        assert_eq!(of(Some(2), None), Ok(Amount::Parts(2)));
        assert_eq!(of(None, credit), Ok(Amount::Credit(Micros(5))));
        assert_eq!(of(Some(2), credit), Err(InvalidPackage::Amount));
        assert_eq!(of(None, None), Err(InvalidPackage::Amount));
    }

    #[test]
    fn validity_and_amounts_have_limits() {
        let validity = |unit, count| Validity { unit, count };
        for (validity, is_valid) in [
            (validity(ValidityUnit::Days, 0), false),
            (validity(ValidityUnit::Days, DAYS_MAX), true),
            (validity(ValidityUnit::Days, DAYS_MAX + 1), false),
            (validity(ValidityUnit::Months, MONTHS_MAX), true),
            (validity(ValidityUnit::Months, MONTHS_MAX + 1), false),
        ] {
            assert_eq!(validity.is_valid(), is_valid, "{validity:?}");
        }
        assert_eq!(validity(ValidityUnit::Days, 2).end(UnixMillis(5)), UnixMillis(2 * DAY_MS + 5));
        for (amount, stored) in [
            (Amount::Parts(0), None),
            (Amount::Parts(-1), None),
            (Amount::Parts(100_000_000), Some(AMOUNT_MAX)),
            (Amount::Parts(100_000_001), None),
            (Amount::Credit(Micros(1)), Some(Micros(1))),
            (Amount::Credit(Micros(AMOUNT_MAX.0 + 1)), None),
        ] {
            assert_eq!(amount.stored(), stored, "{amount:?}");
        }
    }
}
