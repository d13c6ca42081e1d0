//! What is known about one payment, and how two such things become one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::balance::BalanceTransactionFacts;
use super::ids::{ObjectId, PaymentReference};
use super::merge::{Join, keep_greater};
use super::money::Amounts;

/// All that webhooks and sweeps said about one payment. Empty at first; only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PaymentFacts {
    /// Our ids, from the processor's metadata. More than one is a conflict.
    pub references: BTreeSet<PaymentReference>,
    /// Every object of the processor's that belongs to it, to find it by.
    pub objects: BTreeSet<ObjectId>,
    /// The payer's id at the processor.
    pub customers: BTreeSet<ObjectId>,
    /// By the id of the intent; where there is none, of the charge.
    pub intents: BTreeMap<ObjectId, IntentFacts>,
    /// Hosted payment pages, by their id.
    pub sessions: BTreeMap<ObjectId, SessionFacts>,
    /// By the id of the refund.
    pub refunds: BTreeMap<ObjectId, RefundFacts>,
    /// By the id of the dispute.
    pub disputes: BTreeMap<ObjectId, DisputeFacts>,
    /// Lines of the processor's books, by their id; `None` where only the id is known. The fees
    /// stand there.
    pub balance_transactions: BTreeMap<ObjectId, Option<BalanceTransactionFacts>>,
    /// Means of payment that the processor kept with it, to be charged without the payer.
    pub saved_methods: BTreeSet<SavedMethod>,
    /// Whether the processor would not begin it at all: nothing is collected by it.
    pub refused: bool,
}

/// A means of payment that a processor kept with a payment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SavedMethod {
    /// Whose it is.
    pub customer: ObjectId,
    /// The means of payment.
    pub method: ObjectId,
}

/// One intent to collect money.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IntentFacts {
    /// What is to be collected.
    pub requested: Amounts,
    /// The most that was authorized.
    pub authorized: Amounts,
    /// The most that was captured.
    pub captured: Amounts,
    /// The most that was refunded, as a total. Which refunds, stands at the payment.
    pub refunded: Amounts,
    /// Whether the payer was asked to do something (3-D Secure, a code).
    pub action_required: bool,
    /// Whether it was called off for good.
    pub canceled: bool,
    /// By the id of the charge; where there is none, of the intent.
    pub attempts: BTreeMap<ObjectId, AttemptFacts>,
}

/// One try at collecting. Ordered: what comes later in a try's life is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptFacts {
    /// How it stands.
    pub outcome: AttemptOutcome,
    /// Why it failed.
    pub failure: Option<FailureClass>,
}

/// How an attempt stands, in order of rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AttemptOutcome {
    /// With the bank; may take days.
    Pending,
    /// Not this time. The payment may still succeed by another attempt.
    Failed,
    /// Authorized or captured.
    Succeeded,
}

/// Why an attempt failed, as far as it matters to what the payer can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureClass {
    /// No reason of the list.
    Other,
    /// The bank said no, without saying why.
    Declined,
    /// Not enough money, or above a limit.
    InsufficientFunds,
    /// The payer did not prove who they are.
    AuthenticationFailed,
    /// The means of payment is no longer good.
    Expired,
    /// A number, code or address was wrong.
    IncorrectDetails,
    /// The bank or the processor suspects fraud.
    SuspectedFraud,
    /// A fault at the bank or the processor; trying again may help.
    ProcessingError,
    /// The payer called it off.
    CanceledByPayer,
    /// The payer did nothing in time.
    TimedOut,
}

/// A hosted payment page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionFacts {
    /// What it asks for.
    pub total: Amounts,
    /// The intent behind it; without one its own total is what was paid.
    pub has_intent: bool,
    /// The payer went through it. That is no payment yet: delayed methods follow days later.
    pub completed: bool,
    /// It was paid.
    pub paid: bool,
    /// A delayed payment failed.
    pub failed: bool,
    /// Nobody went through it in time.
    pub expired: bool,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundFacts {
    /// How it stands.
    pub rank: RefundRank,
    /// How much.
    pub amount: Amounts,
}

/// How a refund stands. It can still fail after it succeeded: the bank sent the money back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundRank {
    /// On its way.
    Pending,
    /// The payer has to do something.
    ActionRequired,
    /// The money left.
    Succeeded,
    /// Called off; the money is back.
    Canceled,
    /// It did not arrive; the money is back.
    Failed,
}

/// A dispute (chargeback), or an early warning of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeFacts {
    /// How it stands.
    pub rank: DisputeRank,
    /// How much is disputed.
    pub amount: Amounts,
    /// How much was taken from us.
    pub withdrawn: Amounts,
    /// How much of that came back.
    pub reinstated: Amounts,
}

/// How a dispute stands. Warnings move no money; they may become disputes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DisputeRank {
    /// An inquiry that waits for us.
    WarningNeedsResponse,
    /// An inquiry that the bank looks at.
    WarningUnderReview,
    /// An inquiry that ended without a dispute.
    WarningClosed,
    /// Waits for our evidence.
    NeedsResponse,
    /// The bank decides.
    UnderReview,
    /// Ended without a decision: refunded, or prevented.
    Closed,
    /// The payer keeps the money.
    Lost,
    /// We keep the money. Above Lost, since a lost dispute can be reopened and won.
    Won,
}

impl DisputeRank {
    /// Whether it is an early warning, which moves no money.
    pub const fn is_warning(self) -> bool {
        match self {
            Self::WarningNeedsResponse | Self::WarningUnderReview | Self::WarningClosed => true,
            Self::NeedsResponse | Self::UnderReview | Self::Closed | Self::Lost | Self::Won => {
                false
            }
        }
    }
}

/// What is known when both are. Commutative, associative, idempotent; with
/// `PaymentFacts::default()` it changes nothing.
pub fn merge(mut a: PaymentFacts, b: PaymentFacts) -> PaymentFacts {
    a.join(b);
    a
}

impl Join for PaymentFacts {
    fn join(&mut self, other: Self) {
        self.references.join(other.references);
        self.objects.join(other.objects);
        self.customers.join(other.customers);
        self.intents.join(other.intents);
        self.sessions.join(other.sessions);
        self.refunds.join(other.refunds);
        self.disputes.join(other.disputes);
        self.balance_transactions.join(other.balance_transactions);
        self.saved_methods.join(other.saved_methods);
        self.refused.join(other.refused);
    }
}

impl Join for IntentFacts {
    fn join(&mut self, other: Self) {
        self.requested.join(other.requested);
        self.authorized.join(other.authorized);
        self.captured.join(other.captured);
        self.refunded.join(other.refunded);
        self.action_required.join(other.action_required);
        self.canceled.join(other.canceled);
        self.attempts.join(other.attempts);
    }
}

impl Join for AttemptFacts {
    fn join(&mut self, other: Self) {
        keep_greater(self, other);
    }
}

impl Join for SessionFacts {
    fn join(&mut self, other: Self) {
        self.total.join(other.total);
        self.has_intent.join(other.has_intent);
        self.completed.join(other.completed);
        self.paid.join(other.paid);
        self.failed.join(other.failed);
        self.expired.join(other.expired);
    }
}

impl Join for RefundFacts {
    fn join(&mut self, other: Self) {
        keep_greater(&mut self.rank, other.rank);
        self.amount.join(other.amount);
    }
}

impl Join for DisputeFacts {
    fn join(&mut self, other: Self) {
        keep_greater(&mut self.rank, other.rank);
        self.amount.join(other.amount);
        self.withdrawn.join(other.withdrawn);
        self.reinstated.join(other.reinstated);
    }
}

impl Join for Option<BalanceTransactionFacts> {
    fn join(&mut self, other: Self) {
        keep_greater(self, other);
    }
}

#[cfg(test)]
mod tests;
