//! What the HTTP edge asks of the rest: who is calling, whether the node can work, its limits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use entity::ids::AccountId;
use futures::future::BoxFuture;
use http::HeaderValue;

use super::StartError;
use crate::authz::{Action, Actor};
use crate::billing::{Whose, invoices};
use crate::config::{Environment, Settings};
use crate::ctx::{Ctx, Platform};
use crate::error::Failed;
use crate::graphql;
use crate::http::{
    Authenticate, AuthenticationFailure, Caller, ConnectionSettings, Credential, EdgeSettings,
    File, FileRefusal, GraphqlLimits, GraphqlRequest, KeySetSource, NotReady, Rate, RateLimits,
    Readiness, RequestContext, RequestId, Standing, Tenant, Webhook, WebhookAnswer, Webhooks,
};
use crate::identity::{Authenticated, ClientAddress, IdentityService};
use crate::payments::raw_body::{RAW_BODY_BYTES_MAX, RawBody};
use crate::payments::{Inbox, Post, Reception};

/// Mutations that take a secret: one a request, so that limits count guesses. A test holds the list
/// to the schema.
pub const SENSITIVE_MUTATIONS: &[&str] = &[
    "acceptOwnerLink",
    "addCarrier",
    "addProcessor",
    "logIn",
    "redeemVoucher",
    "refreshSession",
    "rotateProcessorSecret",
    "signUp",
    "updateCarrier",
];

/// Subscriptions that go on from a cursor. The same test holds it to the schema.
pub const RESUMABLE_SUBSCRIPTIONS: &[&str] =
    &["billingEvents", "campaignProgress", "messageEvents"];

/// The edge's settings, from ours.
///
/// # Errors
/// [`StartError::Origin`].
pub(super) fn settings(settings: &Settings) -> Result<EdgeSettings, StartError> {
    let environment = match settings.server.environment {
        Environment::Development => crate::http::Environment::Development,
        Environment::Production => crate::http::Environment::Production,
    };
    let origins = settings.server.cors_origins.iter();
    let allowed_origins = origins
        .map(|origin| HeaderValue::from_str(origin).map_err(|_| StartError::Origin(origin.clone())))
        .collect::<Result<_, _>>()?;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Ok(EdgeSettings {
        limits: limits(settings),
        rates: rates(settings),
        allowed_origins,
        sensitive_mutations: names(SENSITIVE_MUTATIONS),
        resumable_subscriptions: names(RESUMABLE_SUBSCRIPTIONS),
        ..EdgeSettings::new(environment)
    })
}

/// How connections are served, with `drain_time_max` for a stop.
pub(super) fn connections(settings: &Settings, drain_time_max: Duration) -> ConnectionSettings {
    let server = &settings.server;
    ConnectionSettings {
        write_time_max: Duration::from_secs(server.write_timeout_s),
        connections_per_address_max: server.connections_per_address_max,
        trusted_proxies: server.trusted_proxies(),
        drain_time_max,
    }
}

fn rates(settings: &Settings) -> RateLimits {
    let it = &settings.rate_limits;
    let rate = |points_per_s, points_burst| Rate { points_per_s, points_burst };
    RateLimits {
        credential: rate(it.credential_points_per_s, it.credential_points_burst),
        account: rate(it.account_points_per_s, it.account_points_burst),
        address: rate(it.address_points_per_s, it.address_points_burst),
    }
}

fn limits(settings: &Settings) -> GraphqlLimits {
    let graphql = &settings.graphql;
    GraphqlLimits {
        body_bytes_max: graphql.body_bytes_max,
        document_bytes_max: graphql.document_bytes_max,
        document_tokens_max: graphql.document_tokens_max,
        depth_max: graphql.depth_max,
        aliases_max: graphql.aliases_max,
        directives_max: graphql.directives_max,
        root_fields_max: graphql.root_fields_max,
        complexity_max: graphql.complexity_max,
        operation_time_max: Duration::from_millis(graphql.operation_timeout_ms),
        socket_subscriptions_max: graphql.socket_subscriptions_max,
        socket_message_bytes_max: graphql.socket_message_bytes_max,
        streams_per_account_max: graphql.streams_per_account_max,
        ..GraphqlLimits::default()
    }
}

/// Asks identity who is calling.
pub(super) struct Authenticator {
    pub(super) platform: Arc<Platform>,
    pub(super) identity: IdentityService,
}

#[async_trait]
impl Authenticate for Authenticator {
    async fn authenticate(
        &self,
        credential: Credential<'_>,
        peer: Option<IpAddr>,
        request_id: RequestId,
    ) -> Result<Caller, AuthenticationFailure> {
        let credential = match credential {
            Credential::Bearer(text) => Some(text),
            Credential::None => None,
        };
        let authenticated = self
            .identity
            .authenticate(credential)
            .await
            .map_err(|failed| refusal(&failed, request_id))?;
        let standing = match &authenticated.actor {
            Actor::Anonymous => Standing::Anonymous,
            Actor::Person(_) | Actor::Key(_) | Actor::CommandLine | Actor::System => {
                Standing::Known
            }
        };
        Ok(Caller {
            expires_at: authenticated.expires_at,
            revoked: authenticated.revoked.clone(),
            standing,
            tenant: tenant(&authenticated.actor),
            context: Arc::new(CallerContext {
                platform: Arc::clone(&self.platform),
                authenticated,
                peer,
            }),
        })
    }
}

/// Who pays for what `actor` asks for.
fn tenant(actor: &Actor) -> Option<Tenant> {
    match actor {
        Actor::Person(person) => {
            Some(Tenant { credential: person.session_id.0, account: person.account_id })
        }
        Actor::Key(key) => Some(Tenant { credential: key.api_key_id.0, account: key.account_id }),
        Actor::Anonymous | Actor::CommandLine | Actor::System => None,
    }
}

fn refusal(failed: &Failed, request_id: RequestId) -> AuthenticationFailure {
    match failed {
        Failed::RateLimited { retry_after_ms } => {
            AuthenticationFailure::RateLimited { retry_after_ms: *retry_after_ms }
        }
        Failed::Unauthenticated
        | Failed::Forbidden(_)
        | Failed::BadRequest(_)
        | Failed::InvalidId(_) => AuthenticationFailure::Refused,
        Failed::Unavailable(source) | Failed::Internal(source) => {
            let error: &(dyn std::error::Error + 'static) = source.as_ref();
            tracing::error!(request.id = %request_id, error, "cannot check a credential");
            AuthenticationFailure::Unavailable
        }
    }
}

/// A caller, kept as long as its requests and streams run: identity watches the credential so long.
struct CallerContext {
    platform: Arc<Platform>,
    authenticated: Authenticated,
    peer: Option<IpAddr>,
}

impl RequestContext for CallerContext {
    fn attach(&self, request: GraphqlRequest, request_id: RequestId) -> GraphqlRequest {
        let request = graphql::attach(request, self.ctx(request_id));
        match self.peer {
            Some(address) => request.data(ClientAddress(address)),
            None => request,
        }
    }

    fn invoice_pdf<'a>(
        &'a self,
        id: &'a str,
        request_id: RequestId,
    ) -> BoxFuture<'a, Result<File, FileRefusal>> {
        Box::pin(async move {
            // What is no id is the id of nothing.
            let id = id.parse().map_err(|_| FileRefusal::NotFound)?;
            let found = invoices::pdf(&self.ctx(request_id), id).await;
            let pdf = found.map_err(|failed| file_refusal(&failed, request_id))?;
            let pdf = pdf.ok_or(FileRefusal::NotFound)?;
            Ok(File { name: pdf.file_name, bytes: pdf.bytes })
        })
    }

    fn certificate_pdf<'a>(
        &'a self,
        account_id: &'a str,
        year: &'a str,
        request_id: RequestId,
    ) -> BoxFuture<'a, Result<File, FileRefusal>> {
        Box::pin(async move {
            let account_id: AccountId = account_id.parse().map_err(|_| FileRefusal::NotFound)?;
            let year = year.parse().map_err(|_| FileRefusal::NotFound)?;
            let ctx = self.ctx(request_id);
            let is_own = ctx.actor.account_id() == Some(account_id);
            let may_read_all = ctx.actor.require(Action::ReadAllBilling).is_ok();
            let whose = match (is_own, may_read_all) {
                (true, _) => Whose::Own,
                (false, true) => Whose::Of(account_id),
                // Who may read its own learns of no other's; who may not, that it may not.
                (false, false) => {
                    let allowed = ctx.actor.require_in_account(Action::ReadBilling);
                    allowed.map_err(|failed| file_refusal(&failed, request_id))?;
                    return Err(FileRefusal::NotFound);
                }
            };
            let found = invoices::certificate_pdf(&ctx, whose, year).await;
            let pdf = found.map_err(|failed| file_refusal(&failed, request_id))?;
            let pdf = pdf.ok_or(FileRefusal::NotFound)?;
            Ok(File { name: pdf.file_name, bytes: pdf.bytes })
        })
    }
}

impl CallerContext {
    fn ctx(&self, request_id: RequestId) -> Ctx {
        let actor = self.authenticated.actor.clone();
        Ctx::new(Arc::clone(&self.platform), actor, Arc::from(request_id.to_string()))
    }
}

fn file_refusal(failed: &Failed, request_id: RequestId) -> FileRefusal {
    match failed {
        Failed::Unauthenticated => FileRefusal::Unauthenticated,
        Failed::Forbidden(_) => FileRefusal::Forbidden,
        Failed::BadRequest(_) | Failed::InvalidId(_) => FileRefusal::NotFound,
        Failed::RateLimited { .. } => FileRefusal::Unavailable,
        Failed::Unavailable(source) => {
            let error: &(dyn std::error::Error + 'static) = source.as_ref();
            tracing::warn!(request.id = %request_id, error, "cannot read an invoice now");
            FileRefusal::Unavailable
        }
        Failed::Internal(source) => {
            let error: &(dyn std::error::Error + 'static) = source.as_ref();
            tracing::error!(request.id = %request_id, error, "cannot make an invoice's PDF");
            FileRefusal::Internal
        }
    }
}

/// Ready as long as the store answers: migrations ran before the node began to listen.
pub(super) struct StoreAnswers(pub(super) Arc<Platform>);

#[async_trait]
impl Readiness for StoreAnswers {
    async fn check(&self) -> Result<(), NotReady> {
        let answer = self.0.db.reader().ping().await;
        answer.map_err(|error| {
            tracing::warn!(%error, "the store does not answer");
            NotReady("the store does not answer")
        })
    }
}

/// The public keys, read when they are asked for; `None` if they cannot be read now.
pub(super) fn jwks(identity: IdentityService) -> KeySetSource {
    Arc::new(move || {
        let identity = identity.clone();
        Box::pin(async move {
            let keys = identity.jwks().await;
            keys.inspect_err(|error| tracing::error!(%error, "cannot read the signing keys"))
                .map(|keys| keys.to_string())
                .ok()
        })
    })
}

/// Gives webhooks to the inbox.
pub(super) struct PaymentWebhooks(pub(super) Inbox);

#[async_trait]
impl Webhooks for PaymentWebhooks {
    fn bytes_max(&self) -> usize {
        RAW_BODY_BYTES_MAX
    }

    async fn receive(&self, webhook: Webhook) -> WebhookAnswer {
        // The edge has counted the bytes already.
        let Ok(body) = RawBody::new(webhook.body) else { return WebhookAnswer::Unavailable };
        let post = Post {
            processor: &webhook.processor,
            endpoint: &webhook.endpoint,
            token: webhook.token.as_deref(),
            headers: &webhook.headers,
            body,
        };
        match self.0.receive(post).await {
            Reception::Taken => WebhookAnswer::Taken,
            Reception::Refused => WebhookAnswer::Refused,
            Reception::UnknownEndpoint => WebhookAnswer::NotFound,
            Reception::Unavailable => WebhookAnswer::Unavailable,
        }
    }
}
