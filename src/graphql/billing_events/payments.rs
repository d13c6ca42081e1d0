//! Events of `billingEvents` about payments and their processors' books.

use async_graphql::{Context, Enum, Object};
use entity::enums::{EventKind, PaymentStatus as StoredStatus};
use entity::event::Model;
use entity::ids::{PaymentId, ReconciliationReportId};

use crate::error::Failed;
use crate::graphql::call;
use crate::graphql::errors::Answer;
use crate::graphql::messages::events::cursor;
use crate::graphql::payments::{Payment, PaymentStatus, ReconciliationReport};
use crate::graphql::scalars::{Cursor, DateTime, SequenceNumber};
use crate::payments;

/// What happened to a payment.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentChange {
    /// Its money was collected.
    Succeeded,
    /// An attempt failed, or it was called off, or nobody paid in time. A later attempt may succeed.
    Failed,
    /// Some or all of it was given back.
    Refunded,
    /// It is disputed, or a dispute moved money.
    Disputed,
}

/// Something happened to a payment.
pub struct PaymentChanged(Model, PaymentChange);

impl PaymentChanged {
    /// The event of an entry of the log; none if it is not about payments.
    pub(super) fn of(row: &Model) -> Option<Self> {
        let change = match row.kind {
            EventKind::PaymentSucceeded => PaymentChange::Succeeded,
            EventKind::PaymentFailed => PaymentChange::Failed,
            EventKind::PaymentRefunded => PaymentChange::Refunded,
            EventKind::PaymentDisputed => PaymentChange::Disputed,
            // Of other domains.
            _ => return None,
        };
        Some(Self(row.clone(), change))
    }
}

/// Something happened to a payment of the account.
#[Object]
impl PaymentChanged {
    /// The event's place in the log: give it as `after` to go on from here.
    pub async fn cursor(&self) -> Cursor {
        cursor(&self.0)
    }

    /// The event's number in its account's log: 1, 2, 3 … without gaps, of which this stream shows
    /// some.
    async fn seq(&self) -> SequenceNumber {
        SequenceNumber(self.0.seq)
    }

    /// When it became known here.
    pub async fn occurred_at(&self) -> DateTime {
        self.0.occurred_at_ms.into()
    }

    /// What happened.
    async fn change(&self) -> PaymentChange {
        self.1
    }

    /// The payment's status since then.
    async fn status(&self) -> Answer<PaymentStatus> {
        let status = StoredStatus::from_code(self.0.status)
            .ok_or_else(|| Failed::internal(format!("event with status {}", self.0.status)))?;
        Ok(status.into())
    }

    /// Why it failed, in a word of ours, as `INSUFFICIENT_FUNDS`; null where it did not, or where
    /// the processor does not say. At most 64 characters.
    async fn failure_code(&self) -> Option<&str> {
        self.0.error_code.as_deref()
    }

    /// The payment's version since then.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// The payment as it is now.
    async fn payment(&self, context: &Context<'_>) -> Answer<Option<Payment>> {
        Ok(payments::payment(call(context)?, PaymentId(self.0.subject_id)).await?.map(Payment))
    }
}

/// A day's comparison with a processor's books found differences.
pub struct ReconciliationDiffered(Model);

impl ReconciliationDiffered {
    /// The event of an entry of the log; none if it is of another kind.
    pub(super) fn of(row: &Model) -> Option<Self> {
        (row.kind == EventKind::ReconciliationDiffers).then(|| Self(row.clone()))
    }
}

/// A day's comparison with a processor's books found differences, or others than before. Told in the
/// operator's own account.
#[Object]
impl ReconciliationDiffered {
    /// The event's place in the log: give it as `after` to go on from here.
    pub async fn cursor(&self) -> Cursor {
        cursor(&self.0)
    }

    /// The event's number in its account's log: 1, 2, 3 … without gaps, of which this stream shows
    /// some.
    async fn seq(&self) -> SequenceNumber {
        SequenceNumber(self.0.seq)
    }

    /// When the report was made.
    pub async fn occurred_at(&self) -> DateTime {
        self.0.occurred_at_ms.into()
    }

    /// The report's version since then.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// The report as it is now. For those who may read `reconciliationReports`.
    async fn report(&self, context: &Context<'_>) -> Answer<Option<ReconciliationReport>> {
        ReconciliationReport::load(context, ReconciliationReportId(self.0.subject_id)).await
    }
}
