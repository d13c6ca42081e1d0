//! What the ledger is made of: journals, books, legs, transfers. Pure.

use std::collections::BTreeMap;

use entity::enums::{BookKind, Purse, TransferCode};
use entity::ids::{AccountId, TransferId};
use entity::time::UnixMillis;
use uuid::Uuid;

use crate::types::money::{Currency, Micros};

/// Characters of a transfer's key.
pub const KEY_CHARS_MAX: usize = 200;
/// Characters of a book's detail.
pub const DETAIL_CHARS_MAX: usize = 64;

/// What is counted in a journal: a currency, or parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Money, or credit of a package in that currency.
    Currency(Currency),
    /// Parts of messages; stored as ISO 4217's `XXX`, "no currency".
    Parts,
}

impl Unit {
    /// As it is stored.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Currency(currency) => currency.as_str(),
            Self::Parts => "XXX",
        }
    }

    /// From how it is stored.
    pub fn from_stored(text: &str) -> Option<Self> {
        match text {
            "XXX" => Some(Self::Parts),
            text => text.parse().ok().map(Self::Currency),
        }
    }

    /// What is counted in an account's purse, by what the account is charged in.
    pub fn of_purse(purse: Purse, currency: &str) -> Option<Self> {
        match purse {
            Purse::Parts => Some(Self::Parts),
            Purse::Money | Purse::Credit => currency.parse().ok().map(Self::Currency),
        }
    }

    /// The currency, if it is one.
    pub const fn currency(self) -> Option<Currency> {
        match self {
            Self::Currency(currency) => Some(currency),
            Self::Parts => None,
        }
    }
}

/// A journal: its transfers are numbered without gaps and chained, and its wallet is its lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Journal {
    /// Whose.
    pub account_id: AccountId,
    /// In what.
    pub unit: Unit,
    /// Of which purse.
    pub purse: Purse,
}

impl Journal {
    /// The journal of an account's money.
    pub const fn of_money(account_id: AccountId, currency: Currency) -> Self {
        Self { account_id, unit: Unit::Currency(currency), purse: Purse::Money }
    }
}

/// A book of a journal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Book {
    /// Which.
    pub kind: BookKind,
    /// What tells books of one kind apart: a processor's endpoint, a tax. At most 64 characters.
    pub detail: String,
}

impl From<BookKind> for Book {
    fn from(kind: BookKind) -> Self {
        Self { kind, detail: String::new() }
    }
}

/// One side of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Where.
    pub book: Book,
    /// Credit is positive, debit negative; never zero.
    pub amount: Micros,
}

/// A transfer to be posted: at least two legs, which sum to zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTransfer {
    /// Where.
    pub journal: Journal,
    /// What for.
    pub code: TransferCode,
    /// 1 to 200 characters, unique in the account: posted once. None: its number is its key, for
    /// what another row of the same transaction keeps from happening twice.
    pub key: Option<String>,
    /// The payment, invoice or voucher that it is about.
    pub subject_id: Option<Uuid>,
    /// When it was so.
    pub occurred_at: UnixMillis,
    /// What it moves.
    pub legs: Vec<Leg>,
}

impl NewTransfer {
    /// A transfer of two legs: `amount` out of `from` and into `to`.
    pub fn between(
        journal: Journal,
        code: TransferCode,
        from: impl Into<Book>,
        to: impl Into<Book>,
        amount: Micros,
    ) -> Self {
        let legs = vec![
            Leg { book: from.into(), amount: amount.negated() },
            Leg { book: to.into(), amount },
        ];
        let occurred_at = UnixMillis::default();
        Self { journal, code, key: None, subject_id: None, occurred_at, legs }
    }

    /// The same at this time.
    pub fn at(mut self, occurred_at: UnixMillis) -> Self {
        self.occurred_at = occurred_at;
        self
    }

    /// The same under a key.
    pub fn keyed(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The same, about something.
    pub fn about(mut self, subject_id: Uuid) -> Self {
        self.subject_id = Some(subject_id);
        self
    }

    /// What is wrong with it.
    pub(super) fn fault(&self) -> Option<Unpostable> {
        if self.legs.len() < 2 {
            return Some(Unpostable::TooFewLegs);
        }
        if self.legs.iter().any(|leg| leg.amount == Micros::ZERO) {
            return Some(Unpostable::EmptyLeg);
        }
        let key_fits = |key: &String| (1..=KEY_CHARS_MAX).contains(&key.chars().count());
        let details_fit =
            self.legs.iter().all(|leg| leg.book.detail.chars().count() <= DETAIL_CHARS_MAX);
        if !self.key.as_ref().is_none_or(key_fits) || !details_fit {
            return Some(Unpostable::TooLong);
        }
        match Micros::checked_sum(self.legs.iter().map(|leg| leg.amount)) {
            Some(Micros::ZERO) => None,
            _ => Some(Unpostable::Unbalanced),
        }
    }
}

/// Why a transfer cannot be posted. All but `KeyReused` are faults of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unpostable {
    /// Fewer than two.
    #[error("a transfer has two legs at least")]
    TooFewLegs,
    /// A leg of zero.
    #[error("a leg moves something")]
    EmptyLeg,
    /// The legs do not sum to zero.
    #[error("a transfer's legs sum to zero")]
    Unbalanced,
    /// A key or a book's detail is too long, or the key is empty.
    #[error("a key or a detail of a transfer is too long")]
    TooLong,
    /// A balance would leave 64 bits.
    #[error("a balance would leave its range")]
    Overflow,
    /// Something else was posted under the key.
    #[error("another transfer was posted under this key")]
    KeyReused,
}

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Its id.
    pub id: TransferId,
    /// Its number in the journal.
    pub seq: i64,
    /// Whether it had been posted before, and nothing was done now.
    pub replayed: bool,
}

/// An account's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// In what.
    pub unit: Unit,
    /// What the ledger says that the account has; negative: owes.
    pub posted: Micros,
    /// Promised to messages that no carrier took yet.
    pub held: Micros,
    /// How far `posted` less `held` may go below zero.
    pub credit_limit: Micros,
}

impl Balance {
    /// Nothing, and no credit.
    pub const fn empty(unit: Unit) -> Self {
        Self { unit, posted: Micros::ZERO, held: Micros::ZERO, credit_limit: Micros::ZERO }
    }

    /// What can still be held: the balance, less what is held, and the credit limit.
    pub const fn available(self) -> Micros {
        // Each is bounded far below 64 bits; saturating keeps a damaged row from ending the process.
        Micros(self.posted.0.saturating_sub(self.held.0).saturating_add(self.credit_limit.0))
    }
}

/// The balances of a journal's books, summed from its legs in their order.
pub fn fold<'a>(legs: impl IntoIterator<Item = &'a Leg>) -> Option<BTreeMap<Book, Micros>> {
    let mut balances: BTreeMap<Book, Micros> = BTreeMap::new();
    for leg in legs {
        let balance = balances.entry(leg.book.clone()).or_default();
        *balance = balance.checked_add(leg.amount)?;
    }
    Some(balances)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Journal {
        Journal::of_money(AccountId(Uuid::nil()), "USD".parse().expect("a currency"))
    }

    #[test]
    fn only_balanced_transfers_of_two_legs_and_more_can_be_posted() {
        let good = NewTransfer::between(
            journal(),
            TransferCode::Messages,
            BookKind::Customer,
            BookKind::MessageRevenue,
            Micros(5),
        );
        assert_eq!(good.fault(), None);
        assert_eq!(good.clone().keyed("").fault(), Some(Unpostable::TooLong));
        assert_eq!(good.clone().keyed("k".repeat(201)).fault(), Some(Unpostable::TooLong));
        let with = |change: &dyn Fn(&mut Vec<Leg>)| {
            let mut transfer = good.clone();
            change(&mut transfer.legs);
            transfer.fault()
        };
        assert_eq!(with(&|legs| legs[0].amount = Micros(-4)), Some(Unpostable::Unbalanced));
        assert_eq!(with(&|legs| legs[0].amount = Micros(0)), Some(Unpostable::EmptyLeg));
        assert_eq!(with(&|legs| legs.truncate(1)), Some(Unpostable::TooFewLegs));
        assert_eq!(
            with(&|legs| {
                legs[0].amount = Micros(i64::MIN);
                legs[1].amount = Micros(i64::MIN);
            }),
            Some(Unpostable::Unbalanced)
        );
    }

    #[test]
    fn available_is_what_is_posted_less_held_and_the_credit() {
        let unit = journal().unit;
        for (posted, held, credit_limit, available) in
            [(0, 0, 0, 0), (100, 30, 0, 70), (-50, 0, 80, 30), (-90, 0, 80, -10)]
        {
            let balance = Balance {
                unit,
                posted: Micros(posted),
                held: Micros(held),
                credit_limit: Micros(credit_limit),
            };
            assert_eq!(balance.available(), Micros(available));
        }
    }
}
