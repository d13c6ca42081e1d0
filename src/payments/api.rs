//! What any processor can be asked: to start a payment, and what it knows of an object. Its answers
//! are facts, and enter by the inbox as webhooks do. Called by the commands, sweeps and hints, never
//! inside a transaction.

pub(super) mod http;

use async_trait::async_trait;
use entity::enums::{PaymentFlow, ProcessorKind};
use entity::ids::PaymentId;
use entity::{payment, processor_endpoint};

use super::endpoints::{api_key, path, secret};
use super::facts::{Fact, Money, ObjectId, PaymentReference};
use super::processor::Unreadable;
use super::{mpesa, paymongo, paystack, stripe, xendit};
use crate::ctx::Platform;
use crate::error::{Error, Failed};
use crate::types::phone::PhoneNumber;
use crate::types::secret::SecretText;

/// Why a call came to nothing. The processor's own words are not in it: they may quote what was
/// sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    /// The key or the address cannot be used.
    #[error("the processor's key or address cannot be used")]
    Misconfigured,
    /// It said no, and will again.
    #[error("the processor refused with status {0}")]
    Refused(u16),
    /// It did not answer, or not now.
    #[error("the processor cannot be reached now")]
    Unreachable,
    /// It answered something that cannot be read.
    #[error("the processor's answer cannot be read: {0}")]
    Unreadable(#[from] Unreadable),
    /// It has more of it than is read.
    #[error("the processor has more than is read at once")]
    TooMuch,
}

/// Why a processor could not be asked.
pub(super) enum Unasked {
    Store(Failed),
    Api(ApiError),
}

impl From<Failed> for Unasked {
    fn from(failed: Failed) -> Self {
        Self::Store(failed)
    }
}

impl From<ApiError> for Unasked {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<Error<ApiError>> for Unasked {
    fn from(error: Error<ApiError>) -> Self {
        match error {
            Error::Rejected(error) => Self::Api(error),
            Error::Failed(failed) => Self::Store(failed),
        }
    }
}

/// A payment to be started.
pub(super) struct NewStart<'a> {
    pub(super) payment_id: PaymentId,
    pub(super) amount: Money,
    pub(super) flow: PaymentFlow,
    /// What the payer reads.
    pub(super) title: &'a str,
    pub(super) return_url: &'a str,
    /// Whether the processor keeps the means of payment, to be charged without the payer.
    pub(super) saves_method: bool,
    /// Whose phone is asked, where one is.
    pub(super) phone: Option<&'a PhoneNumber>,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Started {
    /// Where the payer goes.
    pub(super) redirect_url: Option<String>,
    /// What the processor's form on the client's own page pays with. Never kept.
    pub(super) client_secret: Option<SecretText>,
    pub(super) facts: Option<Fact>,
}

/// What we know of a payment that a processor is asked about.
#[derive(Default)]
pub(super) struct About {
    /// Our id of it, if it is ours.
    pub(super) reference: Option<PaymentReference>,
    /// What is to be paid.
    pub(super) requested: Option<Money>,
}

impl About {
    /// About a payment of ours.
    pub(super) fn payment(row: &payment::Model) -> Self {
        let currency = row.currency.parse().ok().filter(|_| row.amount_micros > 0);
        Self {
            reference: PaymentReference::parse(&row.id.to_string()),
            requested: currency
                .map(|currency| Money { currency, amount_micros: row.amount_micros }),
        }
    }
}

/// The API of a processor, with one key.
#[async_trait]
pub(super) trait ProcessorApi: Send + Sync {
    /// Starts a payment, where the processor is asked to. The same payment gets the same answer as
    /// far as the processor can: its id is the key.
    async fn start(&self, new: &NewStart<'_>) -> Result<Started, ApiError>;

    /// Whether the processor can be asked for such an object.
    fn can_look_up(&self, id: &ObjectId) -> bool;

    /// What the processor knows of an object; nothing if it does not know it.
    async fn look_up(&self, id: &ObjectId, about: &About) -> Result<Vec<Fact>, ApiError>;

    /// What the processor knows under our own id, where it can be asked by that.
    async fn find(&self, about: &About) -> Result<Vec<Fact>, ApiError>;
}

/// The API of an endpoint's processor; `None` without a key.
///
/// # Errors
/// A key that cannot be opened or used.
pub(super) fn connect(
    platform: &Platform,
    row: &processor_endpoint::Model,
) -> Result<Option<Box<dyn ProcessorApi>>, Unasked> {
    let Some(key) = api_key(platform, row)? else { return Ok(None) };
    let base_url = row.base_url.as_deref();
    Ok(Some(match row.kind {
        ProcessorKind::Stripe => Box::new(stripe::api::Api::new(&key, base_url)?),
        ProcessorKind::Paystack => Box::new(paystack::api::Api::new(key, base_url)?),
        ProcessorKind::PayMongo => Box::new(paymongo::api::Api::new(key, base_url)?),
        ProcessorKind::Xendit => Box::new(xendit::api::Api::new(key, base_url)?),
        ProcessorKind::MPesa => Box::new(mpesa::api::Api::new(mpesa::api::Parts {
            key: &key,
            base_url,
            clock: platform.clock.clone(),
            callback_url: format!("{}{}", platform.settings.public_url(), path(row)),
            callback_secret: secret(platform, row)?,
        })?),
    }))
}
