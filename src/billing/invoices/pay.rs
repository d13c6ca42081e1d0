//! Paying an invoice with what the account has already: its credit is allocated, and nothing is
//! posted, as the invoice stands in the account's balance since it was finalized.

use entity::enums::{AllocationKind, InvoiceStatus};
use entity::ids::{AccountId, InvoiceId, PaymentId};
use entity::{invoice, invoice_allocation};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Statement};
use uuid::Builder;

use super::credit::all_due;
use super::credit_note::is_request_key;
use super::events::ring;
use super::payment::{Source, allocate_locked};
use super::{postings, store};
use crate::authz::Action;
use crate::billing::model::Journal;
use crate::ctx::Ctx;
use crate::db::{Store, Tx};
use crate::error::{Error, Failed};
use crate::events;
use crate::keys::Purpose;
use crate::types::money::Micros;

/// Why an invoice was not paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayRejection {
    /// There is no such invoice.
    #[error("there is no such invoice")]
    InvoiceNotFound,
    /// Nothing is due of it.
    #[error("nothing is due of this invoice")]
    NotPayable,
    /// The account's credit is less than what is due.
    #[error("the account has less than what is due of this invoice")]
    InsufficientBalance,
    /// The key is empty or too long.
    #[error("an idempotency key has 1 to 100 characters")]
    InvalidIdempotencyKey,
    /// The key was used for another invoice.
    #[error("this idempotency key was used for another invoice")]
    IdempotencyKeyReused,
}

/// Pays all that is due of an invoice of the caller's account with the account's credit: what it
/// paid in and neither messages nor other invoices took. Idempotent by its key.
///
/// # Errors
/// [`PayRejection`], or a failure.
pub async fn pay(
    ctx: &Ctx,
    id: InvoiceId,
    idempotency_key: &str,
) -> Result<invoice::Model, Error<PayRejection>> {
    let account_id = ctx.actor.require_in_account(Action::Pay)?;
    if !is_request_key(idempotency_key) {
        return Err(Error::Rejected(PayRejection::InvalidIdempotencyKey));
    }
    let payment_id = payment_of(ctx, account_id, idempotency_key);
    let pay = |tx: Tx| async move { write(ctx, &tx, account_id, id, payment_id).await };
    let (row, is_new) = ctx.db.write(pay).await?;
    if is_new {
        ring(ctx, account_id);
    }
    Ok(row)
}

/// The same key is the same payment.
fn payment_of(ctx: &Ctx, account_id: AccountId, idempotency_key: &str) -> PaymentId {
    let input = format!("{account_id}/pay invoice/{idempotency_key}");
    let hash = ctx.master_key.hash(Purpose::Idempotency, input.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    PaymentId(Builder::from_custom_bytes(bytes).into_uuid())
}

async fn write(
    ctx: &Ctx,
    tx: &Tx,
    account_id: AccountId,
    id: InvoiceId,
    payment_id: PaymentId,
) -> Result<(invoice::Model, bool), Error<PayRejection>> {
    let rejected = |rejection| Err(Error::Rejected(rejection));
    let now = ctx.clock.now();
    let found = store::lock(tx, id).await?;
    let found = found.filter(|row| row.account_id == account_id);
    let Some(row) = found.filter(|row| row.status != InvoiceStatus::Draft) else {
        return rejected(PayRejection::InvoiceNotFound);
    };
    let journal = postings::journal_of(&row)?;
    // The wallet's lock comes first: what is read after it stays so.
    let own = own_locked(tx, journal).await?;
    if let Some(same) = allocation_of(tx, account_id, payment_id).await? {
        return match same.invoice_id == id {
            true => Ok((row, false)),
            false => rejected(PayRejection::IdempotencyKeyReused),
        };
    }
    let due = store::due(&row);
    if due <= Micros::ZERO {
        return rejected(PayRejection::NotPayable);
    }
    let credit = own.checked_add(all_due(tx, &row).await?);
    if credit.ok_or_else(|| Failed::internal("a credit beyond 64 bits"))? < due {
        return rejected(PayRejection::InsufficientBalance);
    }
    let source =
        Source { kind: AllocationKind::Credit, id: payment_id, reference: None, occurred_at: None };
    let allocation = allocate_locked(tx, now, row, source, due).await?;
    events::append(tx, allocation.events).await?;
    Ok((allocation.invoice, true))
}

async fn allocation_of(
    tx: &Tx,
    account_id: AccountId,
    payment_id: PaymentId,
) -> Result<Option<invoice_allocation::Model>, DbErr> {
    invoice_allocation::Entity::find()
        .filter(invoice_allocation::Column::AccountId.eq(account_id))
        .filter(invoice_allocation::Column::PaymentId.eq(payment_id))
        .one(&**tx)
        .await
}

/// What the account has that is promised to no message, without its credit limit, under the wallet's
/// lock.
async fn own_locked(tx: &Tx, journal: Journal) -> Result<Micros, DbErr> {
    let lock = match tx.store() {
        Store::Sqlite => "",
        Store::Postgres => "FOR UPDATE",
    };
    let sql = format!(
        "SELECT balance_micros - held_micros AS own FROM wallet \
         WHERE account_id = $1 AND currency = $2 AND purse = $3 {lock}"
    );
    let values =
        [journal.account_id.0.into(), journal.unit.as_str().into(), journal.purse.code().into()];
    let statement = Statement::from_sql_and_values(tx.store().backend(), sql, values);
    let row = tx.query_one_raw(statement).await?;
    row.map_or(Ok(Micros::ZERO), |row| row.try_get("", "own"))
}
