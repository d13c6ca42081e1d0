//! Starting a payment: into the balance, or of an invoice.
//!
//! The payment's row is committed before the processor is called, and its id is the processor's
//! idempotency key: a crash between them leaves a row that the sweep asks for.

use entity::enums::{InvoiceKind, PaymentFlow, PaymentPurpose, PaymentStatus, ProcessorKind};
use entity::ids::{AccountId, InvoiceId, PaymentId, ProcessorId};
use entity::payment::{ActiveModel, Column, Entity, Model};
use entity::time::UnixMillis;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};

use super::commands::IDEMPOTENCY_KEY_CHARS_MAX;
use super::endpoints::callable;
use super::facts::Money;
use super::opening::{go_on, own_invoice};
use super::processor::Processor;
use super::sweeps::first_poll_at;
use crate::authz::{Action, Actor};
use crate::billing::{self, invoices};
use crate::ctx::Ctx;
use crate::error::{Error, Failed, violated_constraint};
use crate::keys::Purpose;
use crate::types::money::{Currency, Micros};
use crate::types::phone::PhoneNumber;
use crate::types::secret::SecretText;

/// The most that one top-up may be, in millionths of the currency's main unit: below a billion, as
/// every amount, and what Stripe charges at once in most currencies (eight digits in minor units).
pub const TOP_UP_MICROS_MAX: i64 = 999_999_990_000;

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
    /// How; `None`: as is usual with the processor.
    pub flow: Option<PaymentFlow>,
    /// Whose phone the processor asks, where it asks one. It is not kept.
    pub phone: Option<String>,
}

/// A payment that was started.
#[derive(Debug)]
pub struct StartedPayment {
    /// The payment.
    pub row: Model,
    /// What the processor's form on the client's own page pays with, where it is started so. It is
    /// not kept.
    pub client_secret: Option<SecretText>,
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
    /// The processor's payments are not started so, or means of payment not kept so.
    #[error("payments through this processor are not started so")]
    OtherFlow,
    /// A phone is to be asked, and its number is missing; or the other way around.
    #[error("the payer's phone number goes with a prompt on it, and with nothing else")]
    InvalidPhone,
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

/// How a processor's payments are started, the usual way first.
const fn flows(processor: ProcessorKind) -> &'static [PaymentFlow] {
    match processor {
        ProcessorKind::Stripe => &[PaymentFlow::HostedPage, PaymentFlow::Intent],
        ProcessorKind::Paystack | ProcessorKind::PayMongo | ProcessorKind::Xendit => {
            &[PaymentFlow::Reference]
        }
        ProcessorKind::MPesa => &[PaymentFlow::PhonePrompt],
    }
}

/// Starts a top-up: keeps the payment, then has the processor make a page or an intent for the
/// payer, or ask the payer's phone. The same key gives the same payment, and asks no phone twice.
///
/// # Errors
/// [`TopUpRejection`]; [`Failed::Unavailable`] if the processor cannot be reached: the payment is
/// kept, and the same key goes on with it.
pub async fn start_top_up(
    ctx: &Ctx,
    new: NewTopUp,
) -> Result<StartedPayment, Error<TopUpRejection>> {
    let account_id = ctx.actor.require_in_account(Action::Pay)?;
    let refused = |why| Err(Error::Rejected(why));
    let phone = new.phone.as_deref().map(|text| PhoneNumber::parse(text, None)).transpose();
    let phone = phone.map_err(|_| Error::Rejected(TopUpRejection::InvalidPhone))?;
    let usual = flows(new.processor)[0];
    let flow = new.flow.unwrap_or(usual);
    let requested = Requested {
        key: checked_key(new.idempotency_key).map_err(rejected)?,
        input: format!(
            "{}/{}/{}{}{}{}",
            new.amount.0,
            new.currency,
            new.processor.code(),
            if new.saves_method { "/kept" } else { "" },
            if flow == usual { String::new() } else { format!("/{}", flow.code()) },
            phone.as_ref().map_or("", PhoneNumber::e164)
        ),
    };
    let amount = Money { currency: new.currency, amount_micros: new.amount.0 };
    if !is_payable(amount, new.processor) {
        return refused(TopUpRejection::InvalidAmount);
    }
    if billing::terms(ctx, account_id).await?.currency != new.currency {
        return refused(TopUpRejection::OtherCurrency);
    }
    // A page alone asks the payer whether the means of payment may be kept.
    let is_possible = flows(new.processor).contains(&flow);
    if !is_possible || (new.saves_method && flow != PaymentFlow::HostedPage) {
        return refused(TopUpRejection::OtherFlow);
    }
    if phone.is_some() != (flow == PaymentFlow::PhonePrompt) {
        return refused(TopUpRejection::InvalidPhone);
    }
    let endpoint_id = endpoint_of(ctx, new.processor).await.map_err(rejected)?;
    let (id, purpose) = (ctx.ids.next(), PaymentPurpose::TopUp);
    let blank = Blank { id, account_id, endpoint_id, purpose, amount };
    let row = Model { saves_method: new.saves_method, flow, ..blank.row(ctx.clock.now()) };
    begin(ctx, requested.of(ctx, row), phone.as_ref()).await.map_err(rejected)
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
    let requested = Requested {
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
    if let Some(row) = requested.find(ctx, account_id).await.map_err(rejected)? {
        return go_on(ctx, row, None).await.map(|started| started.row).map_err(rejected);
    }
    let found = own_invoice(ctx, account_id, new.invoice_id).await?;
    let invoice = found.ok_or(Error::Rejected(Rejection::InvoiceNotFound))?;
    let due = invoices::due(&invoice);
    if invoice.kind != InvoiceKind::Invoice || due <= Micros::ZERO {
        return Err(Error::Rejected(Rejection::NotPayable));
    }
    let currency = invoice.currency.parse().map_err(Failed::internal)?;
    let amount = Money { currency, amount_micros: new.amount.unwrap_or(due).0 };
    // Invoices are paid on a page.
    if flows(new.processor)[0] != PaymentFlow::HostedPage {
        return Err(Error::Rejected(Rejection::NoProcessor));
    }
    if amount.amount_micros > due.0 || !is_payable(amount, new.processor) {
        return Err(Error::Rejected(Rejection::InvalidAmount));
    }
    let endpoint_id = endpoint_of(ctx, new.processor).await.map_err(rejected)?;
    let (id, purpose) = (ctx.ids.next(), PaymentPurpose::Invoice);
    let blank = Blank { id, account_id, endpoint_id, purpose, amount };
    let row = Model {
        saves_method: new.saves_method,
        invoice_id: Some(invoice.id),
        ..blank.row(ctx.clock.now())
    };
    let started = begin(ctx, requested.of(ctx, row), None).await.map_err(rejected)?;
    Ok(started.row)
}

pub(super) fn is_payable(amount: Money, processor: ProcessorKind) -> bool {
    let in_range = (1..=TOP_UP_MICROS_MAX).contains(&amount.amount_micros);
    in_range
        && invoices::is_payable(Micros(amount.amount_micros), amount.currency)
        && Processor::of(processor).is_chargeable(amount)
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
    let everywhere = ctx.acting_as(Actor::System);
    let endpoint = callable(&everywhere, processor).await?.into_iter().next();
    endpoint.map(|it| it.id).ok_or(Error::Rejected(Unstarted::NoProcessor))
}

/// What every new payment has of its own.
pub(super) struct Blank {
    /// Drawn before the transaction that keeps it, which may run again.
    pub(super) id: PaymentId,
    pub(super) account_id: AccountId,
    pub(super) endpoint_id: ProcessorId,
    pub(super) purpose: PaymentPurpose,
    pub(super) amount: Money,
}

impl Blank {
    /// A payment that is not kept yet.
    pub(super) fn row(self, now: UnixMillis) -> Model {
        Model {
            account_id: self.account_id,
            id: self.id,
            purpose: self.purpose,
            endpoint_id: self.endpoint_id,
            amount_micros: self.amount.amount_micros,
            currency: self.amount.currency.as_str().to_owned(),
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
            flow: PaymentFlow::HostedPage,
        }
    }
}

/// The client's key, and what it asks for under it.
struct Requested {
    key: String,
    input: String,
}

impl Requested {
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

/// Keeps a new payment, or finds the one under its key, and has its processor start it.
async fn begin(
    ctx: &Ctx,
    row: Model,
    phone: Option<&PhoneNumber>,
) -> Result<StartedPayment, Error<Unstarted>> {
    let inserted = &row;
    let kept = ctx
        .db
        .write(|tx| async move {
            let row = ActiveModel::from(inserted.clone());
            Entity::insert(row).exec_without_returning(&*tx).await.map(drop)
        })
        .await;
    match kept {
        Ok(()) => go_on(ctx, row, phone).await,
        Err(error) if is_key_taken(&error) => {
            let key = row.idempotency_key.as_deref().unwrap_or_default();
            let found = find(ctx, row.account_id, key, row.input_mac.as_deref()).await?;
            let found = found.ok_or(Error::Rejected(Unstarted::KeyReused))?;
            // A phone is asked once: the processor knows no key.
            go_on(ctx, found, None).await
        }
        Err(error) => Err(error.into()),
    }
}

fn is_key_taken(error: &DbErr) -> bool {
    violated_constraint(error).is_some_and(|name| {
        name.contains("payment_idempotency_unique") || name.contains("payment.idempotency_key")
    })
}
