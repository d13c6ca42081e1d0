//! Payment processors and what they told, for the operator.

use std::collections::HashMap;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::ids::ProcessorId;
use entity::{enums, processor_endpoint, webhook_event};

use super::ProcessorKind;
use crate::ctx::Ctx;
use crate::error::Failed;
use crate::graphql::errors::{Answer, user_error};
use crate::graphql::ids::show_id;
use crate::graphql::loaders::{Key, load};
use crate::graphql::scalars::DateTime;
use crate::payments::{self, ProcessorRejection};

/// A payment processor's endpoint.
#[derive(Clone, Debug)]
pub struct PaymentProcessor(pub processor_endpoint::Model);

/// An account at a payment processor, and where it posts to. Its secrets are not given out. Read by
/// the operator's owners and admins.
#[Object]
impl PaymentProcessor {
    /// Its id, `proc_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Whose it is.
    async fn kind(&self) -> ProcessorKind {
        self.0.kind.into()
    }

    /// The path that it posts webhooks to, below this server's public address; at most 100
    /// characters. It cannot be guessed: give it to the processor alone.
    async fn webhook_path(&self) -> String {
        payments::path(&self.0)
    }

    /// Whether it can be called: payments can be started and refunded.
    async fn has_api_key(&self) -> bool {
        self.0.sealed_api_key.is_some()
    }

    /// Whether a webhook secret that was replaced is still taken.
    async fn has_other_secret(&self) -> bool {
        self.0.sealed_other_secret.is_some()
    }

    /// Where its API is; null: where the processor says. At most 500 characters.
    async fn base_url(&self) -> Option<&str> {
        self.0.base_url.as_deref()
    }

    /// Whether its webhooks are taken.
    async fn is_enabled(&self) -> bool {
        self.0.enabled
    }

    /// Until when its own list of events was read.
    async fn swept_until_at(&self) -> DateTime {
        self.0.swept_until_ms.into()
    }

    /// Grows by one with every change: drop what is older than what you have.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// When it was connected.
    async fn created_at(&self) -> DateTime {
        self.0.created_at_ms.into()
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        self.0.updated_at_ms.into()
    }
}

/// A processor's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessorRow(pub ProcessorId);

impl Key for ProcessorRow {
    type Value = processor_endpoint::Model;

    async fn read(ctx: Ctx, keys: Vec<Self>) -> Answer<HashMap<Self, Self::Value>> {
        let found = match payments::processors(&ctx).await {
            // Who reads the inbox need not be one who connects processors.
            Err(Failed::Forbidden(_)) => Vec::new(),
            found => found?,
        };
        let rows = found.into_iter().map(|row| (Self(row.id), row));
        Ok(rows.filter(|(key, _)| keys.contains(key)).collect())
    }
}

/// Where an event of a processor's stands.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "enums::WebhookState", name = "WebhookEventState")]
pub enum WebhookState {
    /// Kept, and about to be worked through.
    Received,
    /// Worked through.
    Folded,
    /// Put aside: `reason` says why. At `HINT_ONLY` the processor is asked; at all others a person
    /// has to look.
    Parked,
    /// It failed too often; it can be tried again.
    Dead,
    /// It says nothing that matters here.
    Ignored,
}

/// An event of a processor's.
#[derive(Clone, Debug)]
pub struct WebhookEvent(pub webhook_event::Model);

/// Something that a payment processor told, by a webhook or by its API. Of its content only ids,
/// amounts, choices and times are kept. Read by the operator's owners, admins and billing.
#[Object]
impl WebhookEvent {
    /// Its id, `whev_…`.
    pub async fn id(&self) -> ID {
        show_id(self.0.id)
    }

    /// Which processor told it; null for who may not read processors.
    async fn processor(&self, context: &Context<'_>) -> Answer<Option<PaymentProcessor>> {
        Ok(load(context, ProcessorRow(self.0.endpoint_id)).await?.map(PaymentProcessor))
    }

    /// The processor's own id of it; at most 320 characters.
    async fn reference(&self) -> &str {
        &self.0.event_id
    }

    /// What happened, in the processor's words; `unknown` for what is not handled, `api` for what
    /// its API told. At most 100 characters.
    async fn event_type(&self) -> &str {
        &self.0.event_type
    }

    /// Where it stands.
    async fn state(&self) -> WebhookState {
        self.0.state.into()
    }

    /// Why it is parked or dead, a word in capitals of at most 100 characters; null if it is not.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// How often working through it failed.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// When the processor made it; null if it does not say so.
    async fn occurred_at(&self) -> Option<DateTime> {
        self.0.occurred_at_ms.map(Into::into)
    }

    /// When it came in.
    async fn received_at(&self) -> DateTime {
        self.0.received_at_ms.into()
    }
}

/// What `addProcessor` takes.
#[derive(InputObject)]
pub struct AddProcessorInput {
    /// Whose.
    pub kind: ProcessorKind,
    /// What its webhooks are signed with, 1 to 500 visible characters. It is not given out again.
    pub webhook_secret: String,
    /// What its API is called with, 1 to 500 visible characters; without it payments cannot be
    /// started or refunded. M-Pesa's is `consumer key:consumer secret:short code:passkey`. It is not
    /// given out again.
    pub api_key: Option<String>,
    /// Where its API is, at most 500 characters; absent or null: where the processor says.
    pub base_url: Option<String>,
}

/// What `addProcessor` answers.
#[derive(SimpleObject)]
pub struct AddProcessorPayload {
    /// The processor; null if it was not connected.
    pub processor: Option<PaymentProcessor>,
    /// Why not; empty if it was.
    pub user_errors: Vec<AddProcessorError>,
}

user_error! {
    /// Why a processor was not connected.
    AddProcessorError,
    /// Why a processor was not connected, for a program to read.
    AddProcessorErrorCode {
        /// The webhook secret or the API key is empty, too long, or has blanks in it.
        InvalidSecret,
        /// The address is not http:// or https://, or too long.
        InvalidBaseUrl,
        /// There are as many processors as there may be: 100.
        TooManyProcessors,
    }
}

pub(super) fn add_error(rejection: ProcessorRejection) -> AddProcessorError {
    use AddProcessorErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        ProcessorRejection::InvalidBaseUrl => (Code::InvalidBaseUrl, &["baseUrl"]),
        ProcessorRejection::TooMany => (Code::TooManyProcessors, &[]),
        ProcessorRejection::InvalidSecret | ProcessorRejection::NotFound => {
            (Code::InvalidSecret, &["webhookSecret"])
        }
    };
    AddProcessorError::new(code, path, rejection)
}

/// What `rotateProcessorSecret` takes.
#[derive(InputObject)]
pub struct RotateProcessorSecretInput {
    /// The processor, `proc_…`.
    pub processor_id: ID,
    /// The new webhook secret, 1 to 500 visible characters. The one before it stays good until the
    /// next rotation.
    pub webhook_secret: String,
}

/// What `rotateProcessorSecret` answers.
#[derive(SimpleObject)]
pub struct RotateProcessorSecretPayload {
    /// The processor as it is now; null if nothing was changed.
    pub processor: Option<PaymentProcessor>,
    /// Why not; empty if it was.
    pub user_errors: Vec<RotateProcessorSecretError>,
}

user_error! {
    /// Why a processor's secret was not replaced.
    RotateProcessorSecretError,
    /// Why a processor's secret was not replaced, for a program to read.
    RotateProcessorSecretErrorCode {
        /// There is no such processor.
        ProcessorNotFound,
        /// The secret is empty, too long, or has blanks in it.
        InvalidSecret,
    }
}

pub(super) fn rotate_error(rejection: ProcessorRejection) -> RotateProcessorSecretError {
    use RotateProcessorSecretErrorCode as Code;
    let (code, path): (_, &[&str]) = match rejection {
        ProcessorRejection::NotFound => (Code::ProcessorNotFound, &["processorId"]),
        ProcessorRejection::InvalidSecret
        | ProcessorRejection::InvalidBaseUrl
        | ProcessorRejection::TooMany => (Code::InvalidSecret, &["webhookSecret"]),
    };
    RotateProcessorSecretError::new(code, path, rejection)
}
