//! What webhooks prove: a closed set of validated ids, amounts, currencies, choices and times.
//! No free text and no digits of a card; brand and last four are not kept either.
//!
//! Facts about one payment merge ([`merge`]): commutative, associative and idempotent, so they may
//! come in any order, twice, or from a sweep of the processor's API. Nothing here decides what a
//! fact does to the books.

mod balance;
mod ids;
mod merge;
mod money;
mod payment;
mod status;

use serde::{Deserialize, Serialize};

pub use balance::{
    BalanceTransactionFacts, BalanceTransactionKind, MethodState, PayoutFacts, PayoutRank,
    SavedMethodFacts,
};
pub use ids::{EventId, ObjectId, PAYMENT_METADATA_KEY, PaymentReference};
pub use money::{AMOUNT_UNITS_MAX, Amounts, Currency, CurrencyConflict, Money};
pub use payment::{
    AttemptFacts, AttemptOutcome, DisputeFacts, DisputeRank, FailureClass, IntentFacts,
    PaymentFacts, RefundFacts, RefundRank, SavedMethod, SessionFacts, merge,
};
pub use status::{Gap, PaymentStatus, Totals};

pub(super) use ids::{IdForm, mac_as_id};
pub(super) use money::{Scale, scale_of};

/// One thing that a webhook says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Fact {
    /// About a payment: an intent, its attempts, refunds, disputes, fees.
    Payment(Box<PaymentFacts>),
    /// About money sent to our bank account.
    Payout(PayoutFacts),
    /// A line of the processor's own books.
    BalanceTransaction(BalanceTransactionFacts),
    /// About a means of payment kept at the processor for later.
    SavedMethod(SavedMethodFacts),
}
