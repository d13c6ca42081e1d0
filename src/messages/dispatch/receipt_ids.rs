//! Which form a carrier's receipts write ids in: pinned by the operator, or learned.
//!
//! As long as nothing is learned every form is tried, the most literal first. Twenty receipts in a
//! row that one form explains lock it: from then on that form alone is looked up, so that a number
//! which happens to be another message's id in another form finds nothing. What the locked form
//! does not find is put aside, like any receipt that came before its answer; after a minute, when
//! no answer can be on its way any more, it is looked up once in every form, and the first that
//! another form explains unlocks the carrier: learning starts anew.
//!
//! What was learned lives in memory, with the lease: learning again costs twenty receipts and
//! loses none, while a stored form would be one more thing that could be wrong.

use std::sync::{Mutex, PoisonError};

use crate::carriers::smpp::receipt_id::{ReceiptIdForm, candidate_ids};

/// Receipts in a row that agree on a form before it is locked.
const AGREEING: u8 = 20;

/// The forms of one carrier's receipts.
#[derive(Debug)]
pub(super) struct ReceiptIds {
    carrier: String,
    pinned: Option<ReceiptIdForm>,
    learned: Mutex<Learned>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Learned {
    locked: Option<ReceiptIdForm>,
    /// By form, in the order of [`ReceiptIdForm::ALL`]: receipts in a row that it explains.
    streaks: [u8; ReceiptIdForm::ALL.len()],
}

/// A receipt's id, and the stored one that it was found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MatchedId {
    pub(super) receipt: String,
    pub(super) stored: String,
}

impl ReceiptIds {
    pub(super) fn new(carrier: &str, pinned: Option<ReceiptIdForm>) -> Self {
        metrics::describe_counter!(
            "receipt_ids_matched_total",
            "receipts whose message was found by its id, by the form of the id"
        );
        metrics::describe_counter!(
            "receipt_id_form_changes_total",
            "how often the form of a carrier's receipt ids was locked or unlocked"
        );
        Self { carrier: carrier.to_owned(), pinned, learned: Mutex::default() }
    }

    /// The one form to look up, if it is known.
    pub(super) fn form(&self) -> Option<ReceiptIdForm> {
        self.pinned.or_else(|| self.learned().locked)
    }

    /// Whether the operator said which form it is.
    pub(super) fn is_pinned(&self) -> bool {
        self.pinned.is_some()
    }

    /// Learns from what was found, in the order in which it came.
    pub(super) fn learn(&self, matched: &[MatchedId]) {
        for MatchedId { receipt, stored } in matched {
            let explains = |form: ReceiptIdForm| form.ids(receipt).contains(stored);
            let Some(literal) = ReceiptIdForm::ALL.into_iter().find(|form| explains(*form)) else {
                continue;
            };
            let labels = [("carrier", self.carrier.clone()), ("form", literal.as_str().to_owned())];
            metrics::counter!("receipt_ids_matched_total", &labels).increment(1);
            if self.pinned.is_none() {
                self.count(explains);
            }
        }
    }

    fn count(&self, explains: impl Fn(ReceiptIdForm) -> bool) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(locked) = learned.locked {
            if !explains(locked) {
                *learned = Learned::default();
                self.tell("unlocked", locked);
            }
            return;
        }
        for (streak, form) in learned.streaks.iter_mut().zip(ReceiptIdForm::ALL) {
            *streak = if explains(form) { *streak + 1 } else { 0 };
        }
        let agreed = learned.streaks.iter().position(|streak| *streak >= AGREEING);
        if let Some(form) = agreed.map(|index| ReceiptIdForm::ALL[index]) {
            learned.locked = Some(form);
            self.tell("locked", form);
        }
    }

    fn tell(&self, change: &'static str, form: ReceiptIdForm) {
        tracing::info!(
            carrier.name = self.carrier,
            receipt.form = form.as_str(),
            "the form of a carrier's receipt ids is {change}"
        );
        let labels = [
            ("carrier", self.carrier.clone()),
            ("form", form.as_str().to_owned()),
            ("change", change.to_owned()),
        ];
        metrics::counter!("receipt_id_form_changes_total", &labels).increment(1);
    }

    fn learned(&self) -> Learned {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stored ids that a receipt's may stand for; every form's if none is known.
pub(super) fn stored_ids(form: Option<ReceiptIdForm>, receipt: &str) -> Vec<String> {
    match form {
        Some(form) => form.ids(receipt),
        None => candidate_ids(receipt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(receipt: &str, stored: &str, times: usize) -> Vec<MatchedId> {
        vec![MatchedId { receipt: receipt.to_owned(), stored: stored.to_owned() }; times]
    }

    #[test]
    fn twenty_in_a_row_lock_the_most_literal_form_that_explains_them_all() {
        for (pairs, form) in [
            (matched("12", "12", 20), Some(ReceiptIdForm::AsWritten)),
            (matched("12", "12", 19), None),
            (
                [matched("12", "12", 19), matched("ab", "AB", 1)].concat(),
                Some(ReceiptIdForm::AnyCase),
            ),
            (
                [matched("007", "7", 19), matched("8", "8", 1)].concat(),
                Some(ReceiptIdForm::ZeroPadded),
            ),
            ([matched("10", "A", 19), matched("12", "12", 19)].concat(), None),
            (matched("10", "A", 20), Some(ReceiptIdForm::Decimal)),
            (matched("A", "10", 20), Some(ReceiptIdForm::Hexadecimal)),
        ] {
            let ids = ReceiptIds::new("north", None);
            ids.learn(&pairs);
            assert_eq!(ids.form(), form, "{:?}", pairs.last());
        }
    }

    #[test]
    fn one_receipt_of_another_form_unlocks_and_learning_starts_anew() {
        let ids = ReceiptIds::new("north", None);
        ids.learn(&matched("10", "A", 20));
        ids.learn(&matched("11", "B", 5));
        assert_eq!(ids.form(), Some(ReceiptIdForm::Decimal));
        ids.learn(&matched("A", "A", 1));
        assert_eq!(ids.form(), None);
        ids.learn(&matched("A", "A", 19));
        assert_eq!(ids.form(), None, "the one that unlocked does not count");
        ids.learn(&matched("A", "A", 1));
        assert_eq!(ids.form(), Some(ReceiptIdForm::AsWritten));
    }

    #[test]
    fn a_pinned_form_stays() {
        let ids = ReceiptIds::new("north", Some(ReceiptIdForm::Hexadecimal));
        ids.learn(&matched("12", "12", 100));
        assert_eq!(ids.form(), Some(ReceiptIdForm::Hexadecimal));
        assert!(ids.is_pinned());
    }
}
