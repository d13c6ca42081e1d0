//! Has a processor start a payment that is kept already: a page, an intent, a prompt on a phone. Called
//! when it is started, and by the poll for what was kept and then heard no more of.

use entity::enums::{InvoiceStatus, PaymentFlow, PaymentStatus};
use entity::ids::{AccountId, InvoiceId};
use entity::payment::{ActiveModel, Column, Entity, Model};
use entity::{invoice, processor_endpoint};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Set};

use super::api::{ApiError, NewStart, ProcessorApi, Started, Unasked, connect};
use super::facts::Money;
use super::inbox::{Told, record};
use super::start::{StartedPayment, Unstarted};
use crate::authz::Actor;
use crate::ctx::Ctx;
use crate::error::{Error, Failed};
use crate::types::phone::PhoneNumber;

/// What the payer of a top-up reads on the processor's page.
const TOP_UP_TITLE: &str = "Account balance";

/// Has the processor start a kept payment, if it needs that.
pub(super) async fn go_on(
    ctx: &Ctx,
    row: Model,
    phone: Option<&PhoneNumber>,
) -> Result<StartedPayment, Error<Unstarted>> {
    let is_done = row.redirect_url.is_some() || row.status != PaymentStatus::Open;
    if is_done || (row.flow == PaymentFlow::PhonePrompt && phone.is_none()) {
        return Ok(StartedPayment { row, client_secret: None });
    }
    // Processors and what they tell are the installation's, not the account's.
    let ctx = &ctx.acting_as(Actor::System);
    let endpoint = processor_endpoint::Entity::find_by_id(row.endpoint_id);
    let endpoint = endpoint.one(ctx.db.reader()).await?;
    let endpoint = endpoint.ok_or(Error::Rejected(Unstarted::NoProcessor))?;
    let api = match connect(ctx, &endpoint) {
        Ok(api) => api.ok_or(Error::Rejected(Unstarted::NoProcessor))?,
        Err(Unasked::Store(failed)) => return Err(failed.into()),
        Err(Unasked::Api(error)) => return Err(Failed::internal(error).into()),
    };
    match start_at(ctx, &*api, &row, phone).await {
        Ok(started) => Ok(StartedPayment {
            row: Model { redirect_url: started.redirect_url, ..row },
            client_secret: started.client_secret,
        }),
        Err(ApiError::Refused(status)) => {
            tracing::warn!(payment.id = %row.id, status, "a processor refused a payment");
            Err(Error::Rejected(Unstarted::Refused))
        }
        Err(error) => Err(Failed::Unavailable(Box::new(error)).into()),
    }
}

/// What the payer reads on the page. It stays the same for a payment, as all that the processor's
/// idempotency key stands for.
async fn title_of(ctx: &Ctx, row: &Model) -> Result<String, DbErr> {
    let Some(invoice_id) = row.invoice_id else { return Ok(TOP_UP_TITLE.to_owned()) };
    let found = own_invoice(ctx, row.account_id, invoice_id).await?;
    let number = found.and_then(|invoice| invoice.number);
    Ok(number.map_or_else(|| "Invoice".to_owned(), |number| format!("Invoice {number}")))
}

/// Has the processor start the payment, and keeps where its payer goes. The processor gives the
/// same answer for the same payment.
pub(super) async fn start_at(
    ctx: &Ctx,
    api: &dyn ProcessorApi,
    row: &Model,
    phone: Option<&PhoneNumber>,
) -> Result<Started, ApiError> {
    let currency = row.currency.parse().map_err(|_| ApiError::Misconfigured)?;
    let title = title_of(ctx, row).await.map_err(|error| {
        tracing::warn!(payment.id = %row.id, %error, "cannot read what a payment is for");
        ApiError::Unreachable
    })?;
    let new = NewStart {
        payment_id: row.id,
        amount: Money { currency, amount_micros: row.amount_micros },
        flow: row.flow,
        title: &title,
        return_url: &ctx.settings.payments.return_url(&ctx.settings),
        saves_method: row.saves_method,
        phone,
    };
    let mut started = api.start(&new).await?;
    let mut kept = Ok(());
    if let Some(url) = &started.redirect_url {
        kept = keep_url(ctx, row, url).await;
    }
    if let (Ok(()), Some(fact)) = (&kept, started.facts.take()) {
        kept = record(ctx, row.endpoint_id, vec![Told::Facts(vec![fact])]).await;
    }
    if let Err(error) = kept {
        // The payer can go on; what the store missed the sweep finds.
        tracing::error!(payment.id = %row.id, %error, "cannot keep how a payment was started");
    }
    Ok(started)
}

async fn keep_url(ctx: &Ctx, row: &Model, url: &str) -> Result<(), Failed> {
    let stored = ctx
        .db
        .write(|tx| async move {
            let url = Set(Some(url.to_owned()));
            let change = ActiveModel { redirect_url: url, ..Default::default() };
            Entity::update_many()
                .set(change)
                .filter(Column::AccountId.eq(row.account_id))
                .filter(Column::Id.eq(row.id))
                .exec(&*tx)
                .await
                .map(drop)
        })
        .await;
    stored.map_err(|error: DbErr| error.into())
}

/// An invoice of an account that was given out.
pub(super) async fn own_invoice(
    ctx: &Ctx,
    account_id: AccountId,
    id: InvoiceId,
) -> Result<Option<invoice::Model>, DbErr> {
    invoice::Entity::find_by_id((account_id, id))
        .filter(invoice::Column::Status.ne(InvoiceStatus::Draft))
        .one(ctx.db.reader())
        .await
}
