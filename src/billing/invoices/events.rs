//! What the event log of an account tells of its invoices.

use entity::enums::EventKind;
use entity::ids::AccountId;
use entity::invoice;
use entity::time::UnixMillis;

use crate::authz::Action;
use crate::ctx::Ctx;
use crate::error::Error;
use crate::events::{Hub, NewEvent, Subscription, SubscriptionError, Topic};

/// Follows the account's event log after number `after`, or from now on, for what it tells of
/// invoices and for when its balance may have moved.
///
/// # Errors
/// [`SubscriptionError`] about the cursor as a rejection; not allowed, or the store's own, as a
/// failure.
pub async fn follow(
    ctx: &Ctx,
    hub: &Hub,
    after: Option<i64>,
) -> Result<Subscription, Error<SubscriptionError>> {
    let account_id = ctx.actor.require_in_account(Action::ReadBilling)?;
    match hub.subscribe(account_id, after).await {
        Ok(subscription) => Ok(subscription),
        Err(SubscriptionError::Store(error)) => Err(Error::Failed(error.into())),
        Err(rejection) => Err(Error::Rejected(rejection)),
    }
}

/// The event that a document took its present version.
pub(super) fn told(row: &invoice::Model, kind: EventKind, now: UnixMillis) -> NewEvent {
    NewEvent {
        account_id: row.account_id,
        kind,
        subject_id: row.id.0,
        status: row.status.code(),
        version: row.version,
        error_code: None,
        occurred_at: now,
    }
}

/// Wakes whoever follows an account's log. Call it after the commit.
pub(super) fn ring(ctx: &Ctx, account_id: AccountId) {
    ctx.doorbell.ring(Topic::Events(account_id));
}
