//! Starting a payment on a processor's page: into the balance, or of an invoice.
//!
//! The payment's row is committed before the processor is called, and its id is the processor's
//! idempotency key: a crash between them leaves a row that the sweep asks for.

use entity::enums::{InvoiceKind, InvoiceStatus, PaymentPurpose, PaymentStatus, ProcessorKind};
use entity::ids::{AccountId, InvoiceId, ProcessorId};
use entity::payment::{ActiveModel, Column, Entity, Model};
use entity::{invoice, processor_endpoint};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, Set};

use super::commands::IDEMPOTENCY_KEY_CHARS_MAX;
use super::endpoints::{api_key, callable};
use super::facts::Money;
use super::inbox::{Told, record};
use super::stripe::api::{Api, ApiError, NewPage, is_chargeable};
use super::sweeps::first_poll_at;
use crate::authz::{Action, Actor};
use crate::billing::{self, invoices};
use crate::ctx::Ctx;
use crate::error::{Error, Failed, violated_constraint};
use crate::keys::Purpose;
use crate::types::money::{Currency, Micros};

/// The most that one top-up may be, in millionths of the currency's main unit: below a billion, as
/// every amount, and what Stripe charges at once in most currencies (eight digits in minor units).
pub const TOP_UP_MICROS_MAX: i64 = 999_999_990_000;
/// What the payer of a top-up reads on the processor's page.
const TOP_UP_TITLE: &str = "Account balance";

/// A top-up to be started.
#[derive(Clone, Debug)]
pub struct NewTopUp {
    /// 1 to 100 characters, unique in the account.
    pub idempotency_key: String,
    /// How much.
    pub amount: Micros,
    /// Of what: the account's currency.
    pub currency: Currency,
    /// Through whom.
    pub processor: ProcessorKind,
    /// Whether the means of payment is kept for later.
    pub saves_method: bool,
}

/// Why a top-up was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopUpRejection {
    /// Empty or too long.
    #[error("an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters")]
    InvalidKey,
    /// It was used for another payment.
    #[error("the idempotency key was used with another input")]
    KeyReused,
    /// Not above zero, too large, or finer than the processor's unit.
    #[error("an amount is above zero, at most 999,999.99 and in whole minor units")]
    InvalidAmount,
    /// The account is charged in another currency.
    #[error("the account is charged in another currency")]
    OtherCurrency,
    /// No such processor is connected, or none that payments can be started with.
    #[error("this processor is not connected")]
    NoProcessor,
    /// The processor said no.
    #[error("the processor refused the payment")]
    Refused,
}

/// A payment of an invoice to be started.
#[derive(Clone, Debug)]
pub struct NewInvoicePayment {
    /// 1 to 100 characters, unique in the account.
    pub idempotency_key: String,
    /// Which invoice.
    pub invoice_id: InvoiceId,
    /// How much of it; `None`: all that is due.
    pub amount: Option<Micros>,
    /// Through whom.
    pub processor: ProcessorKind,
    /// Whether the means of payment is kept for later.
    pub saves_method: bool,
}

/// Why a payment of an invoice was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvoicePaymentRejection {
    /// Empty or too long.
    #[error("an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters")]
    InvalidKey,
    /// It was used for another payment.
    #[error("the idempotency key was used with another input")]
    KeyReused,
    /// There is no such invoice.
    #[error("there is no such invoice")]
    InvoiceNotFound,
    /// Nothing is due of it.
    #[error("nothing is due of this invoice")]
    NotPayable,
    /// Not above zero, more than is due, or finer than the processor's unit.
    #[error("an amount is above zero, at most what is due, and in whole minor units")]
    InvalidAmount,
    /// No such processor is connected, or none that payments can be started with.
    #[error("this processor is not connected")]
    NoProcessor,
    /// The processor said no.
    #[error("the processor refused the payment")]
    Refused,
}

/// Why no payment can be started, whatever it is for.
pub(super) enum Unstarted {
    InvalidKey,
    KeyReused,
    NoProcessor,
    Refused,
}

impl From<Unstarted> for TopUpRejection {
    fn from(why: Unstarted) -> Self {
        match why {
            Unstarted::InvalidKey => Self::InvalidKey,
            Unstarted::KeyReused => Self::KeyReused,
            Unstarted::NoProcessor => Self::NoProcessor,
            Unstarted::Refused => Self::Refused,
        }
    }
}

impl From<Unstarted> for InvoicePaymentRejection {
    fn from(why: Unstarted) -> Self {
        match why {
            Unstarted::InvalidKey => Self::InvalidKey,
            Unstarted::KeyReused => Self::KeyReused,
            Unstarted::NoProcessor => Self::NoProcessor,
            Unstarted::Refused => Self::Refused,
        }
    }
}

fn rejected<R: From<Unstarted>>(error: Error<Unstarted>) -> Error<R> {
    match error {
        Error::Rejected(why) => Error::Rejected(why.into()),
        Error::Failed(failed) => Error::Failed(failed),
    }
}

/// Starts a top-up: keeps the payment, then has the processor make a page for the payer. The same
/// key gives the same payment.
///
/// # Errors
/// [`TopUpRejection`]; [`Failed::Unavailable`] if the processor cannot be reached: the payment is
/// kept, and the same key goes on with it.
pub async fn start_top_up(ctx: &Ctx, new: NewTopUp) -> Result<Model, Error<TopUpRejection>> {
    let account_id = ctx.actor.require_in_account(Action::Pay)?;
    let started = Started {
        key: checked_key(new.idempotency_key).map_err(rejected)?,
        input: format!(
            "{}/{}/{}{}",
            new.amount.0,
            new.currency,
            new.processor.code(),
            if new.saves_method { "/kept" } else { "" }
        ),
    };
    let amount = Money { currency: new.currency, amount_micros: new.amount.0 };
    if !is_payable(amount) {
        return Err(Error::Rejected(TopUpRejection::InvalidAmount));
    }
    if billing::terms(ctx, account_id).await?.currency != new.currency {
        return Err(Error::Rejected(TopUpRejection::OtherCurrency));
    }
    let endpoint_id = endpoint_of(ctx, new.processor).await.map_err(rejected)?;
    let row = Model {
        saves_method: new.saves_method,
        ..blank(ctx, account_id, endpoint_id, PaymentPurpose::TopUp, amount)
    };
    begin(ctx, started.of(ctx, row)).await.map_err(rejected)
}

/// Starts a payment of an invoice of the caller's account, as a top-up is started. What is collected
/// pays the invoice as far as something is due of it then; the rest is the account's credit. The
/// same key gives the same payment.
///
/// # Errors
/// [`InvoicePaymentRejection`]; [`Failed::Unavailable`] as for a top-up.
pub async fn start_invoice_payment(
    ctx: &Ctx,
    new: NewInvoicePayment,
) -> Result<Model, Error<InvoicePaymentRejection>> {
    use InvoicePaymentRejection as Rejection;
    let account_id = ctx.actor.require_in_account(Action::Pay)?;
    let started = Started {
        key: checked_key(new.idempotency_key).map_err(rejected)?,
        input: format!(
            "{}/{}/{}{}",
            new.invoice_id,
            new.amount.map_or_else(|| "due".to_owned(), |amount| amount.0.to_string()),
            new.processor.code(),
            if new.saves_method { "/kept" } else { "" }
        ),
    };
    // What was started is gone on with, whatever became of the invoice.
    if let Some(row) = started.find(ctx, account_id).await.map_err(rejected)? {
        return open_page(ctx, row).await.map_err(rejected);
    }
    let found = own_invoice(ctx, account_id, new.invoice_id).await?;
    let invoice = found.ok_or(Error::Rejected(Rejection::InvoiceNotFound))?;
    let due = invoices::due(&invoice);
    if invoice.kind != InvoiceKind::Invoice || due <= Micros::ZERO {
        return Err(Error::Rejected(Rejection::NotPayable));
    }
    let currency = invoice.currency.parse().map_err(Failed::internal)?;
    let amount = Money { currency, amount_micros: new.amount.unwrap_or(due).0 };
    if amount.amount_micros > due.0 || !is_payable(amount) {
        return Err(Error::Rejected(Rejection::InvalidAmount));
    }
    let endpoint_id = endpoint_of(ctx, new.processor).await.map_err(rejected)?;
    let row = Model {
        saves_method: new.saves_method,
        invoice_id: Some(invoice.id),
        ..blank(ctx, account_id, endpoint_id, PaymentPurpose::Invoice, amount)
    };
    begin(ctx, started.of(ctx, row)).await.map_err(rejected)
}

async fn own_invoice(
    ctx: &Ctx,
    account_id: AccountId,
    id: InvoiceId,
) -> Result<Option<invoice::Model>, DbErr> {
    invoice::Entity::find_by_id((account_id, id))
        .filter(invoice::Column::Status.ne(InvoiceStatus::Draft))
        .one(ctx.db.reader())
        .await
}

fn is_payable(amount: Money) -> bool {
    let in_range = (1..=TOP_UP_MICROS_MAX).contains(&amount.amount_micros);
    in_range
        && invoices::is_payable(Micros(amount.amount_micros), amount.currency)
        && is_chargeable(amount)
}

fn checked_key(key: String) -> Result<String, Error<Unstarted>> {
    if (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&key.chars().count()) {
        Ok(key)
    } else {
        Err(Error::Rejected(Unstarted::InvalidKey))
    }
}

/// The endpoint that a payment is started at.
async fn endpoint_of(ctx: &Ctx, processor: ProcessorKind) -> Result<ProcessorId, Error<Unstarted>> {
    // Only Stripe's pages are made here so far.
    let everywhere = ctx.acting_as(Actor::System);
    let endpoint = match processor {
        ProcessorKind::Stripe => {
            callable(&everywhere, ProcessorKind::Stripe).await?.into_iter().next()
        }
        ProcessorKind::Paystack
        | ProcessorKind::PayMongo
        | ProcessorKind::Xendit
        | ProcessorKind::MPesa => None,
    };
    endpoint.map(|it| it.id).ok_or(Error::Rejected(Unstarted::NoProcessor))
}

/// A payment that is not kept yet.
pub(super) fn blank(
    ctx: &Ctx,
    account_id: AccountId,
    endpoint_id: ProcessorId,
    purpose: PaymentPurpose,
    amount: Money,
) -> Model {
    let now = ctx.clock.now();
    Model {
        account_id,
        id: ctx.ids.next(),
        purpose,
        endpoint_id,
        amount_micros: amount.amount_micros,
        currency: amount.currency.as_str().to_owned(),
        status: PaymentStatus::Open,
        redirect_url: None,
        facts: "{}".to_owned(),
        posted: "{}".to_owned(),
        idempotency_key: None,
        input_mac: None,
        polls: 0,
        next_poll_at_ms: Some(first_poll_at(now)),
        stale: false,
        version: 1,
        created_at_ms: now,
        updated_at_ms: now,
        invoice_id: None,
        saves_method: false,
        payment_method_id: None,
    }
}

/// The client's key, and what it asks for under it.
struct Started {
    key: String,
    input: String,
}

impl Started {
    fn mac(&self, ctx: &Ctx) -> Vec<u8> {
        ctx.master_key.hash(Purpose::Idempotency, self.input.as_bytes()).to_vec()
    }

    /// A new payment under the key.
    fn of(self, ctx: &Ctx, row: Model) -> Model {
        let input_mac = Some(self.mac(ctx));
        Model { input_mac, idempotency_key: Some(self.key), ..row }
    }

    /// The payment that was started under the key before.
    async fn find(
        &self,
        ctx: &Ctx,
        account_id: AccountId,
    ) -> Result<Option<Model>, Error<Unstarted>> {
        find(ctx, account_id, &self.key, Some(&self.mac(ctx))).await
    }
}

async fn find(
    ctx: &Ctx,
    account_id: AccountId,
    key: &str,
    input_mac: Option<&[u8]>,
) -> Result<Option<Model>, Error<Unstarted>> {
    let found = Entity::find()
        .filter(Column::AccountId.eq(account_id))
        .filter(Column::IdempotencyKey.eq(key))
        .one(ctx.db.reader())
        .await?;
    if found.as_ref().is_some_and(|found| found.input_mac.as_deref() != input_mac) {
        return Err(Error::Rejected(Unstarted::KeyReused));
    }
    Ok(found)
}

/// Keeps a new payment, or finds the one under its key, and opens its page.
async fn begin(ctx: &Ctx, row: Model) -> Result<Model, Error<Unstarted>> {
    let inserted = &row;
    let kept = ctx
        .db
        .write(|tx| async move {
            let row = ActiveModel::from(inserted.clone());
            Entity::insert(row).exec_without_returning(&*tx).await.map(drop)
        })
        .await;
    let row = match kept {
        Ok(()) => row,
        Err(error) if is_key_taken(&error) => {
            let key = row.idempotency_key.as_deref().unwrap_or_default();
            let found = find(ctx, row.account_id, key, row.input_mac.as_deref()).await?;
            found.ok_or(Error::Rejected(Unstarted::KeyReused))?
        }
        Err(error) => return Err(error.into()),
    };
    open_page(ctx, row).await
}

fn is_key_taken(error: &DbErr) -> bool {
    violated_constraint(error).is_some_and(|name| {
        name.contains("payment_idempotency_unique") || name.contains("payment.idempotency_key")
    })
}

/// Has the page of a kept payment made, if it needs one.
async fn open_page(ctx: &Ctx, row: Model) -> Result<Model, Error<Unstarted>> {
    if row.redirect_url.is_some() || row.status != PaymentStatus::Open {
        return Ok(row);
    }
    // Processors and what they tell are the installation's, not the account's.
    let ctx = &ctx.acting_as(Actor::System);
    let endpoint = processor_endpoint::Entity::find_by_id(row.endpoint_id);
    let endpoint = endpoint.one(ctx.db.reader()).await?;
    let endpoint = endpoint.ok_or(Error::Rejected(Unstarted::NoProcessor))?;
    let key = api_key(ctx, &endpoint)?.ok_or(Error::Rejected(Unstarted::NoProcessor))?;
    let api = Api::new(&key, endpoint.base_url.as_deref()).map_err(Failed::internal)?;
    match make_page(ctx, &api, &row).await {
        Ok(url) => Ok(Model { redirect_url: Some(url), ..row }),
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

/// Has the processor make the payment's page and keeps its address. The processor gives the same
/// page for the same payment.
pub(super) async fn make_page(ctx: &Ctx, api: &Api, row: &Model) -> Result<String, ApiError> {
    let currency = row.currency.parse().map_err(|_| ApiError::Misconfigured)?;
    let title = title_of(ctx, row).await.map_err(|error| {
        tracing::warn!(payment.id = %row.id, %error, "cannot read what a payment is for");
        ApiError::Unreachable
    })?;
    let new = NewPage {
        payment_id: row.id,
        amount: Money { currency, amount_micros: row.amount_micros },
        title: &title,
        return_url: &ctx.settings.payments.return_url(&ctx.settings),
        saves_method: row.saves_method,
    };
    let page = api.make_page(new).await?;
    let url = &page.url;
    let stored = ctx
        .db
        .write(|tx| async move {
            let change = ActiveModel { redirect_url: Set(Some(url.clone())), ..Default::default() };
            Entity::update_many()
                .set(change)
                .filter(Column::AccountId.eq(row.account_id))
                .filter(Column::Id.eq(row.id))
                .exec(&*tx)
                .await
                .map(drop)
        })
        .await;
    let recorded = match stored {
        Ok(()) => record(ctx, row.endpoint_id, vec![Told::Facts(vec![page.facts])]).await,
        Err(error) => Err(Failed::from(error)),
    };
    if let Err(error) = recorded {
        // The payer can go on; what the store missed the sweep finds.
        tracing::error!(payment.id = %row.id, %error, "cannot keep a payment's page");
    }
    Ok(page.url)
}
