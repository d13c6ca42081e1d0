//! The status of a payment and its totals: pure functions of the merged facts. Nothing is stored
//! that could disagree with them.

use serde::{Deserialize, Serialize};

use super::money::{Amounts, Currency, CurrencyConflict, Money};
use super::payment::{
    AttemptOutcome, DisputeRank, FailureClass, IntentFacts, PaymentFacts, RefundRank,
};

pub use entity::enums::PaymentStatus;

/// What is missing or contradicts itself: the processor is asked for the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Gap {
    /// It carries two ids of ours.
    TwoReferences,
    /// Amounts in two currencies where there should be one.
    TwoCurrencies,
    /// Paid, but not known how much.
    AmountUnknown,
    /// More was refunded than the refunds that are known.
    RefundsUnknown,
    /// A line of the processor's books is known only by its id: so are its fees.
    FeesUnknown,
}

/// What was collected and what left again, all in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Of all that follow.
    pub currency: Currency,
    /// Reserved or collected.
    pub authorized_micros: i64,
    /// Collected.
    pub captured_micros: i64,
    /// Given back.
    pub refunded_micros: i64,
    /// Withdrawn for disputes and not reinstated.
    pub disputed_micros: i64,
}

/// A sum in one currency.
#[derive(Default)]
struct Sum {
    currency: Option<Currency>,
    micros: i64,
}

impl Sum {
    fn add(&mut self, amounts: &Amounts) -> Result<(), CurrencyConflict> {
        let Some(Money { currency, amount_micros }) = amounts.single()? else { return Ok(()) };
        if *self.currency.get_or_insert(currency) != currency {
            return Err(CurrencyConflict);
        }
        self.micros = self.micros.saturating_add(amount_micros);
        Ok(())
    }
}

impl PaymentFacts {
    /// How the payment stands.
    pub fn status(&self) -> PaymentStatus {
        if self.references.len() > 1 {
            return PaymentStatus::Conflicting;
        }
        match self.totals() {
            Err(CurrencyConflict) => PaymentStatus::Conflicting,
            Ok(totals) if self.is_collected(totals) => self.collected_status(totals),
            Ok(totals) => self.open_status(totals),
        }
    }

    /// Whether money was collected, also if it left again.
    pub fn has_been_collected(&self) -> bool {
        self.totals().is_ok_and(|totals| self.is_collected(totals))
    }

    /// What was given back; 0 if that is not known.
    pub fn refunded_micros(&self) -> i64 {
        self.totals().ok().flatten().map_or(0, |totals| totals.refunded_micros)
    }

    fn is_collected(&self, totals: Option<Totals>) -> bool {
        totals.is_some_and(|it| it.captured_micros > 0) || self.sessions.values().any(|it| it.paid)
    }

    fn collected_status(&self, totals: Option<Totals>) -> PaymentStatus {
        let Some(totals) = totals else { return PaymentStatus::Paid };
        if totals.disputed_micros > 0 {
            let is_lost = self.disputes.values().any(|it| it.rank == DisputeRank::Lost);
            return if is_lost { PaymentStatus::ChargedBack } else { PaymentStatus::Disputed };
        }
        match totals.refunded_micros {
            0 => PaymentStatus::Paid,
            refunded if refunded < totals.captured_micros => PaymentStatus::PartlyRefunded,
            _ => PaymentStatus::Refunded,
        }
    }

    fn open_status(&self, totals: Option<Totals>) -> PaymentStatus {
        let intents = || self.intents.values();
        let live = || intents().filter(|intent| !intent.canceled);
        let has_ended = |intent: &IntentFacts, outcome| {
            intent.attempts.values().any(|attempt| attempt.outcome == outcome)
        };
        let authorized = totals.is_some_and(|it| it.authorized_micros > 0);
        let is_called_off = match self.intents.is_empty() {
            true => self.refused && self.sessions.is_empty(),
            false => live().next().is_none(),
        };
        if is_called_off {
            PaymentStatus::Canceled
        } else if live().any(|it| has_ended(it, AttemptOutcome::Pending)) {
            PaymentStatus::Processing
        } else if authorized {
            PaymentStatus::Authorized
        } else if self.sessions.values().any(|it| it.failed)
            || live().any(|it| has_ended(it, AttemptOutcome::Failed))
        {
            PaymentStatus::AttemptFailed
        } else if self.sessions.values().any(|it| it.completed) {
            PaymentStatus::Processing
        } else if !self.sessions.is_empty() && self.sessions.values().all(|it| it.expired) {
            PaymentStatus::Expired
        } else if live().any(|it| it.action_required) {
            PaymentStatus::ActionRequired
        } else {
            PaymentStatus::Open
        }
    }

    /// What was collected and what left again; `None` if no amount is known.
    ///
    /// # Errors
    ///
    /// Two currencies.
    pub fn totals(&self) -> Result<Option<Totals>, CurrencyConflict> {
        let mut authorized = Sum::default();
        let mut captured = Sum::default();
        for intent in self.intents.values() {
            intent.requested.single()?;
            captured.add(&intent.captured)?;
            // What was called off is no longer reserved.
            authorized.add(if intent.canceled { &intent.captured } else { &intent.authorized })?;
        }
        for session in self.sessions.values().filter(|it| it.paid && !it.has_intent) {
            captured.add(&session.total)?;
            authorized.add(&session.total)?;
        }
        let mut refunded = Sum { currency: captured.currency, micros: 0 };
        for refund in self.refunds.values().filter(|it| it.rank == RefundRank::Succeeded) {
            refunded.add(&refund.amount)?;
        }
        let mut withdrawn = Sum { currency: captured.currency, micros: 0 };
        let mut reinstated = Sum { currency: captured.currency, micros: 0 };
        for dispute in self.disputes.values() {
            withdrawn.add(&dispute.withdrawn)?;
            reinstated.add(&dispute.reinstated)?;
        }
        let sums = [&authorized, &captured, &refunded, &withdrawn, &reinstated];
        let mut currencies = sums.iter().filter_map(|sum| sum.currency);
        let Some(currency) = currencies.next() else { return Ok(None) };
        if currencies.any(|other| other != currency) {
            return Err(CurrencyConflict);
        }
        Ok(Some(Totals {
            currency,
            authorized_micros: authorized.micros.max(captured.micros),
            captured_micros: captured.micros,
            refunded_micros: refunded.micros,
            disputed_micros: withdrawn.micros.saturating_sub(reinstated.micros).max(0),
        }))
    }

    /// Why the last attempt that is known failed, if nothing was collected. Of several failed
    /// attempts, the one with the greatest class: their order is not known.
    pub fn failure(&self) -> Option<FailureClass> {
        let attempts = self.intents.values().flat_map(|intent| intent.attempts.values());
        attempts.filter_map(|attempt| attempt.failure).max()
    }

    /// What has to be asked for.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        if self.references.len() > 1 {
            gaps.push(Gap::TwoReferences);
        }
        match self.totals() {
            Err(CurrencyConflict) => gaps.push(Gap::TwoCurrencies),
            Ok(totals) => {
                let captured = totals.map_or(0, |it| it.captured_micros);
                if captured == 0 && self.is_collected(totals) {
                    gaps.push(Gap::AmountUnknown);
                }
                if self.refunds_are_missing() {
                    gaps.push(Gap::RefundsUnknown);
                }
            }
        }
        if self.balance_transactions.values().any(Option::is_none) {
            gaps.push(Gap::FeesUnknown);
        }
        gaps
    }

    /// Refunds that failed count as known: the total that was seen may be of before.
    fn refunds_are_missing(&self) -> bool {
        let micros = |amounts: &Amounts| {
            amounts.single().ok().flatten().map_or(0, |money| money.amount_micros)
        };
        let known = self.refunds.values().map(|refund| micros(&refund.amount));
        let total = self.intents.values().map(|intent| micros(&intent.refunded));
        total.fold(0, i64::saturating_add) > known.fold(0, i64::saturating_add)
    }
}

#[cfg(test)]
mod tests;
