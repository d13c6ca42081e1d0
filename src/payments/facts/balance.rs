//! Facts beside payments: the processor's own books, payouts to our bank, and kept means of
//! payment.

use std::collections::BTreeSet;

use entity::time::UnixMillis;
use serde::{Deserialize, Serialize};

use super::ids::{ObjectId, PaymentReference};
use super::money::{Currency, Money};

/// A line of the processor's books. It does not change, so of two that differ the greater stays,
/// and reconciliation shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BalanceTransactionFacts {
    /// The line's id.
    pub id: ObjectId,
    /// What moved.
    pub kind: BalanceTransactionKind,
    /// In the currency of settlement.
    pub currency: Currency,
    /// Before the fee; negative where money leaves.
    pub gross_micros: i64,
    /// What the processor keeps; negative where it gives back.
    pub fee_micros: i64,
    /// What the balance changed by: gross less fee.
    pub net_micros: i64,
}

impl BalanceTransactionFacts {
    /// The line of a payment, of which the processor keeps a fee; none if that is more than was paid.
    pub(in crate::payments) fn of_charge(id: ObjectId, gross: Money, fee: Money) -> Option<Self> {
        (fee.amount_micros <= gross.amount_micros).then(|| Self {
            id,
            kind: BalanceTransactionKind::Charge,
            currency: gross.currency,
            gross_micros: gross.amount_micros,
            fee_micros: fee.amount_micros,
            net_micros: gross.amount_micros - fee.amount_micros,
        })
    }
}

/// What a line of the processor's books stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BalanceTransactionKind {
    /// Nothing of the list.
    Other,
    /// A payment.
    Charge,
    /// A refund.
    Refund,
    /// A refund that came back.
    RefundFailure,
    /// Money withdrawn for a dispute.
    Dispute,
    /// Money of a dispute given back.
    DisputeReversal,
    /// Money sent to our bank.
    Payout,
    /// A payout that came back.
    PayoutReversal,
    /// A fee of its own.
    Fee,
}

/// Money sent to our bank account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayoutFacts {
    /// The payout's id.
    pub id: ObjectId,
    /// How it stands.
    pub rank: PayoutRank,
    /// How much.
    pub amount: Money,
    /// When the bank should have it.
    pub arrives_at: Option<UnixMillis>,
    /// Its line in the processor's books.
    pub balance_transaction: Option<ObjectId>,
}

/// How a payout stands. It can still fail after it was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PayoutRank {
    /// Not sent yet.
    Pending,
    /// With the banks.
    InTransit,
    /// Arrived.
    Paid,
    /// Called off.
    Canceled,
    /// Came back.
    Failed,
}

/// A means of payment kept at the processor. Its brand and digits are asked for when they are
/// shown, and never kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedMethodFacts {
    /// Our id, where the set-up carried one.
    pub references: BTreeSet<PaymentReference>,
    /// What it was set up by.
    pub setup: Option<ObjectId>,
    /// Whose it is.
    pub customer: Option<ObjectId>,
    /// The means of payment.
    pub method: ObjectId,
    /// Whether it may be charged.
    pub state: MethodState,
}

/// Whether a kept means of payment may be charged. One that was detached cannot come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MethodState {
    /// May be charged.
    Attached,
    /// May not be charged any more.
    Detached,
}
