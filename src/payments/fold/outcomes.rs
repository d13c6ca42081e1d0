//! What a payment's facts do beside the books: they pay its invoice, keep its means of payment, and
//! end the waiting of automatic top-up. In the transaction that posts them, and before, as these rows
//! are locked before the wallet's.

use entity::enums::PaymentStatus;
use entity::ids::{PaymentMethodId, ProcessorId};
use entity::time::UnixMillis;
use entity::{payment, payment_method};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

use crate::billing::invoices;
use crate::db::Tx;
use crate::error::Failed;
use crate::events::NewEvent;
use crate::payments::automatic::{self, Outcome};
use crate::payments::books::{Posted, kept};
use crate::payments::facts::{MethodState, PaymentFacts, SavedMethod, SavedMethodFacts};
use crate::payments::methods;

/// Where and when.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) tx: &'a Tx,
    pub(super) now: UnixMillis,
}

/// What the ledger has of a payment pays its invoice, as far as something is due of it; the rest is
/// the account's credit.
pub(super) async fn pay_invoice(
    place: Place<'_>,
    row: &payment::Model,
    posted: &Posted,
) -> Result<Vec<NewEvent>, Failed> {
    let Some(invoice_id) = row.invoice_id else { return Ok(Vec::new()) };
    let (account_id, amount) = (row.account_id, kept(posted));
    let paid = invoices::allocate(place.tx, place.now, account_id, invoice_id, row.id, amount);
    Ok(paid.await?.map(|allocation| allocation.events).unwrap_or_default())
}

/// Keeps the means of payment that the payer agreed to have kept, and tells automatic top-up how its
/// payment ended.
pub(super) async fn follow(
    place: Place<'_>,
    row: &payment::Model,
    facts: &PaymentFacts,
) -> Result<Option<NewEvent>, Failed> {
    let is_collected = facts.has_been_collected();
    if let Some(saved) = facts.saved_methods.first().filter(|_| row.saves_method && is_collected) {
        keep_method(place, row, saved).await?;
    }
    if row.payment_method_id.is_none() {
        return Ok(None);
    }
    let outcome = match row.status {
        _ if is_collected => Outcome::Collected,
        PaymentStatus::AttemptFailed
        | PaymentStatus::ActionRequired
        | PaymentStatus::Canceled
        | PaymentStatus::Expired => Outcome::Failed,
        _ => return Ok(None),
    };
    automatic::settle(place.tx, place.now, row, outcome).await
}

/// One that was kept before stays as it is, also if it was removed since. Its id is its payment's: a
/// page keeps one.
async fn keep_method(
    place: Place<'_>,
    row: &payment::Model,
    saved: &SavedMethod,
) -> Result<(), Failed> {
    let method = payment_method::Model {
        account_id: row.account_id,
        id: PaymentMethodId(row.id.0),
        endpoint_id: row.endpoint_id,
        customer_id: saved.customer.as_str().to_owned(),
        method_id: saved.method.as_str().to_owned(),
        added_at_ms: place.now,
        removed_at_ms: None,
        detached_at_ms: None,
    };
    payment_method::Entity::insert(method.into_active_model())
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(&**place.tx)
        .await?;
    Ok(())
}

/// A means of payment that is kept at the processor no more is not charged any more.
pub(super) async fn detach(
    place: Place<'_>,
    endpoint_id: ProcessorId,
    facts: &SavedMethodFacts,
) -> Result<Option<NewEvent>, Failed> {
    if facts.state != MethodState::Detached {
        return Ok(None);
    }
    let found = payment_method::Entity::find()
        .filter(payment_method::Column::EndpointId.eq(endpoint_id))
        .filter(payment_method::Column::MethodId.eq(facts.method.as_str()))
        .one(&**place.tx)
        .await?;
    let Some(row) = found else { return Ok(None) };
    let row = payment_method::Model { detached_at_ms: Some(place.now), ..row };
    methods::remove_in(place.tx, place.now, row).await
}
