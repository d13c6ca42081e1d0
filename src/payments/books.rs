//! What the ledger should have of a payment: a pure function of its facts. What is posted is the
//! difference to what it has, so the order of facts cannot matter.
//!
//! Every amount stands under what moved it (`capture:pi_…`, `refund:re_…`, `fee:txn_…`), never under
//! an event: processors tell the same refund by several events.

use std::collections::BTreeMap;

use entity::enums::{BookKind, TransferCode};
use entity::ids::{AccountId, ProcessorId};
use entity::time::UnixMillis;
use uuid::Uuid;

use super::facts::{
    Amounts, Currency, CurrencyConflict, Money, ObjectId, PaymentFacts, PayoutFacts, PayoutRank,
    RefundRank,
};
use super::inbox::letters;
use crate::billing::{Book, Journal, NewTransfer};
use crate::keys::{MasterKey, Purpose};
use crate::types::money::Micros;

/// Characters of an object's id that a transfer's key shows; a longer one is hashed.
const KEY_OBJECT_CHARS_MAX: usize = 100;

/// What the ledger has of a payment, by what moved it.
pub(super) type Posted = BTreeMap<String, Money>;

/// What the ledger should have, by what moved it.
pub(super) type Desired = BTreeMap<String, (TransferCode, Money)>;

/// What the ledger should have of a payment.
///
/// # Errors
/// Amounts in two currencies, or in another than the payment's.
pub(super) fn desired(
    facts: &PaymentFacts,
    currency: Option<Currency>,
) -> Result<Desired, CurrencyConflict> {
    let mut desired = Desired::new();
    let mut add = |what: &str, id: &ObjectId, code, amounts: &Amounts| {
        let Some(money) = amounts.single()? else { return Ok(()) };
        if currency.is_some_and(|own| own != money.currency) {
            return Err(CurrencyConflict);
        }
        desired.insert(format!("{what}:{}", id.as_str()), (code, money));
        Ok(())
    };
    for (id, intent) in &facts.intents {
        add("capture", id, TransferCode::Payment, &intent.captured)?;
    }
    for (id, session) in facts.sessions.iter().filter(|(_, it)| it.paid && !it.has_intent) {
        add("capture", id, TransferCode::Payment, &session.total)?;
    }
    for (id, refund) in facts.refunds.iter().filter(|(_, it)| it.rank == RefundRank::Succeeded) {
        add("refund", id, TransferCode::Refund, &refund.amount)?;
    }
    for (id, dispute) in &facts.disputes {
        add("withdrawn", id, TransferCode::DisputeWithdrawn, &dispute.withdrawn)?;
        add("reinstated", id, TransferCode::DisputeReinstated, &dispute.reinstated)?;
    }
    // The processor settles in its own currency, which need not be the payment's.
    for line in facts.balance_transactions.values().flatten() {
        let fee = Money { currency: line.currency, amount_micros: line.fee_micros };
        desired.insert(format!("fee:{}", line.id.as_str()), (TransferCode::ProcessorFee, fee));
    }
    Ok(desired)
}

/// What was collected and did not go back, in the payment's currency; fees are the operator's.
pub(super) fn kept(posted: &Posted) -> Micros {
    let signed = posted.iter().map(|(what, money)| match code_of(what) {
        TransferCode::Refund | TransferCode::DisputeWithdrawn => -money.amount_micros,
        TransferCode::ProcessorFee => 0,
        _ => money.amount_micros,
    });
    Micros(signed.fold(0, i64::saturating_add))
}

/// How much the ledger should have of a payout: what left the processor and did not come back. It
/// leaves the processor's balance when it is made, days before it arrives.
pub(super) fn desired_payout(facts: &PayoutFacts) -> i64 {
    match facts.rank {
        PayoutRank::Pending | PayoutRank::InTransit | PayoutRank::Paid => {
            facts.amount.amount_micros
        }
        PayoutRank::Canceled | PayoutRank::Failed => 0,
    }
}

/// Whose books, and between which of them.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) account_id: AccountId,
    pub(super) endpoint_id: ProcessorId,
    /// Customer, or suspense for what no payment is known of.
    pub(super) party: BookKind,
    pub(super) subject_id: Option<Uuid>,
    /// Which turn of the subject's this is: grows with every change of what is known of it. An
    /// amount may come back to what it was before, and is posted again then.
    pub(super) turn: i32,
    pub(super) now: UnixMillis,
    pub(super) master_key: &'a MasterKey,
}

impl Place<'_> {
    /// The transfers from what the ledger has to what it should have; `posted` is moved there.
    pub(super) fn transfers(self, posted: &mut Posted, desired: &Desired) -> Vec<NewTransfer> {
        let mut transfers = Vec::new();
        for (what, (code, money)) in desired {
            transfers.extend(self.transfer(posted, what, *code, *money));
        }
        let gone = posted.keys().filter(|what| !desired.contains_key(*what)).cloned();
        for what in gone.collect::<Vec<_>>() {
            let nothing = Money { amount_micros: 0, ..posted[&what] };
            transfers.extend(self.transfer(posted, &what, code_of(&what), nothing));
        }
        transfers
    }

    fn transfer(
        self,
        posted: &mut Posted,
        what: &str,
        code: TransferCode,
        money: Money,
    ) -> Option<NewTransfer> {
        let before = posted.get(what).map_or(0, |money| money.amount_micros);
        let amount = Micros(money.amount_micros.checked_sub(before)?);
        if amount == Micros::ZERO {
            return None;
        }
        if money.amount_micros == 0 {
            posted.remove(what);
        } else {
            posted.insert(what.to_owned(), money);
        }
        let (from, to) = self.sides(code);
        let journal = Journal::of_money(self.account_id, money.currency);
        // Another subject may have posted the same object before: unmatched money that was cleared.
        let subject = self.subject_id.map_or_else(
            || self.endpoint_id.to_string(),
            |subject_id| subject_id.simple().to_string(),
        );
        let key = format!("{subject}/{}/{}", self.shown(what), self.turn);
        let transfer = NewTransfer::between(journal, code, from, to, amount);
        let transfer = transfer.keyed(key).at(self.now);
        Some(match self.subject_id {
            Some(subject_id) => transfer.about(subject_id),
            None => transfer,
        })
    }

    fn sides(self, code: TransferCode) -> (Book, Book) {
        let clearing = Book { kind: BookKind::Clearing, detail: self.endpoint_id.to_string() };
        let party = Book::from(self.party);
        match code {
            TransferCode::ProcessorFee => (BookKind::ProcessorFees.into(), clearing),
            TransferCode::Payout => (BookKind::Bank.into(), clearing),
            TransferCode::Refund | TransferCode::DisputeWithdrawn => (party, clearing),
            _ => (clearing, party),
        }
    }

    /// Takes everything out of the suspense again: its payment was found.
    pub(super) fn cleared(self, found_for: Uuid, posted: &Posted) -> Vec<NewTransfer> {
        let cleared = posted.iter().map(|(what, money)| {
            let (from, to) = self.sides(code_of(what));
            let journal = Journal::of_money(self.account_id, money.currency);
            let amount = Micros(money.amount_micros).negated();
            NewTransfer::between(journal, TransferCode::SuspenseCleared, from, to, amount)
                .keyed(format!("{}/cleared/{}", found_for.simple(), self.shown(what)))
                .about(found_for)
                .at(self.now)
        });
        cleared.collect()
    }

    /// A payout's transfer, from `posted` to what the ledger should have.
    pub(super) fn payout(self, facts: &PayoutFacts, posted_micros: i64) -> Option<NewTransfer> {
        let what = format!("payout:{}", facts.id.as_str());
        let currency = facts.amount.currency;
        let mut posted = Posted::new();
        if posted_micros != 0 {
            posted.insert(what.clone(), Money { currency, amount_micros: posted_micros });
        }
        let money = Money { currency, amount_micros: desired_payout(facts) };
        self.transfer(&mut posted, &what, TransferCode::Payout, money)
    }

    fn shown(self, what: &str) -> String {
        if what.len() <= KEY_OBJECT_CHARS_MAX {
            return what.to_owned();
        }
        letters(&self.master_key.hash(Purpose::WebhookBody, what.as_bytes()))
    }
}

pub(super) fn code_of(what: &str) -> TransferCode {
    match what.split_once(':').map_or("", |(kind, _)| kind) {
        "refund" => TransferCode::Refund,
        "withdrawn" => TransferCode::DisputeWithdrawn,
        "reinstated" => TransferCode::DisputeReinstated,
        "fee" => TransferCode::ProcessorFee,
        "payout" => TransferCode::Payout,
        _ => TransferCode::Payment,
    }
}

#[cfg(test)]
mod tests {
    use rand::seq::SliceRandom;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::payments::facts::{
        BalanceTransactionFacts, BalanceTransactionKind, DisputeFacts, DisputeRank, IntentFacts,
        RefundFacts, merge,
    };

    fn usd(amount_micros: i64) -> Money {
        Money { currency: "USD".parse().expect("a currency"), amount_micros }
    }

    fn id(text: &str) -> ObjectId {
        ObjectId::try_from(text.to_owned()).expect("an id")
    }

    fn facts(change: impl FnOnce(&mut PaymentFacts)) -> PaymentFacts {
        let mut facts = PaymentFacts::default();
        change(&mut facts);
        facts
    }

    /// What the webhooks of one payment say, each by itself.
    fn told() -> Vec<PaymentFacts> {
        let intent = |captured, refunded| IntentFacts {
            captured: usd(captured).into(),
            refunded: usd(refunded).into(),
            ..Default::default()
        };
        let refund = |rank| RefundFacts { rank, amount: usd(5).into() };
        let dispute = |rank, withdrawn, reinstated| DisputeFacts {
            rank,
            amount: usd(9).into(),
            withdrawn: usd(withdrawn).into(),
            reinstated: usd(reinstated).into(),
        };
        let line = BalanceTransactionFacts {
            id: id("txn_1"),
            kind: BalanceTransactionKind::Charge,
            currency: usd(0).currency,
            gross_micros: 40,
            fee_micros: 2,
            net_micros: 38,
        };
        vec![
            facts(|it| drop(it.intents.insert(id("pi_1"), intent(0, 0)))),
            facts(|it| drop(it.intents.insert(id("pi_1"), intent(30, 0)))),
            facts(|it| drop(it.intents.insert(id("pi_1"), intent(40, 5)))),
            facts(|it| drop(it.refunds.insert(id("re_1"), refund(RefundRank::Pending)))),
            facts(|it| drop(it.refunds.insert(id("re_1"), refund(RefundRank::Succeeded)))),
            facts(|it| drop(it.refunds.insert(id("re_2"), refund(RefundRank::Succeeded)))),
            facts(|it| drop(it.refunds.insert(id("re_2"), refund(RefundRank::Failed)))),
            facts(|it| {
                it.disputes.insert(id("dp_1"), dispute(DisputeRank::NeedsResponse, 9, 0));
            }),
            facts(|it| drop(it.disputes.insert(id("dp_1"), dispute(DisputeRank::Won, 9, 9)))),
            facts(|it| drop(it.balance_transactions.insert(id("txn_1"), None))),
            facts(|it| drop(it.balance_transactions.insert(id("txn_1"), Some(line)))),
        ]
    }

    fn place(master_key: &MasterKey, turn: i32) -> Place<'_> {
        Place {
            account_id: AccountId(Uuid::nil()),
            endpoint_id: ProcessorId(Uuid::nil()),
            party: BookKind::Customer,
            subject_id: Some(Uuid::nil()),
            turn,
            now: UnixMillis(0),
            master_key,
        }
    }

    /// Posts after each fact, as the ledger does: a key once.
    fn books_of(master_key: &MasterKey, told: &[PaymentFacts]) -> BTreeMap<Book, i64> {
        let mut known = PaymentFacts::default();
        let mut posted = Posted::new();
        let mut keys = std::collections::BTreeSet::new();
        let mut books: BTreeMap<Book, i64> = BTreeMap::new();
        for (turn, facts) in (1..).zip(told) {
            known = merge(known, facts.clone());
            let wanted = desired(&known, None).expect("one currency");
            for transfer in place(master_key, turn).transfers(&mut posted, &wanted) {
                assert!(keys.insert(transfer.key.expect("a key")), "a key is used once");
                for leg in transfer.legs {
                    *books.entry(leg.book).or_default() += leg.amount.0;
                }
            }
        }
        books.retain(|_, micros| *micros != 0);
        books
    }

    #[test]
    fn an_amount_that_comes_back_has_a_key_of_its_own() {
        let directory = tempfile::tempdir().expect("a directory");
        let randomness = crate::sys::Randomness::seeded(1);
        let master_key = MasterKey::in_directory(directory.path(), &randomness).expect("a key");
        let line = |gross, fee| BalanceTransactionFacts {
            id: id("txn_1"),
            kind: BalanceTransactionKind::Charge,
            currency: usd(0).currency,
            gross_micros: gross,
            fee_micros: fee,
            net_micros: gross - fee,
        };
        let told = [line(1, 5), line(2, 0), line(3, 5), line(4, 9), line(5, 5)].map(|line| {
            facts(|it| drop(it.balance_transactions.insert(line.id.clone(), Some(line))))
        });
        let fees = books_of(&master_key, &told).get(&Book::from(BookKind::ProcessorFees)).copied();
        assert_eq!(fees, Some(-5));
    }

    #[test]
    fn ten_thousand_orders_with_repetitions_give_the_same_books() {
        let directory = tempfile::tempdir().expect("a directory");
        let randomness = crate::sys::Randomness::seeded(1);
        let master_key = MasterKey::in_directory(directory.path(), &randomness).expect("a key");
        let told = told();
        let expected = books_of(&master_key, &told);
        let customer = expected.get(&Book::from(BookKind::Customer));
        assert_eq!(customer, Some(&35), "40 collected, 5 given back, 9 taken and given back");
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        for round in 0..10_000 {
            let mut order: Vec<_> = told.iter().chain(&told).cloned().collect();
            order.shuffle(&mut rng);
            // Some are lost, and a sweep brings all of them at the end.
            order.truncate(rng.random_range(0..=order.len()));
            let mut missing = told.clone();
            missing.shuffle(&mut rng);
            order.extend(missing);
            assert_eq!(books_of(&master_key, &order), expected, "round {round}");
        }
    }
}
