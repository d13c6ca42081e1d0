//! What the HTTP edge asks of the rest: who is calling, whether the node can work, its limits.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderValue;

use super::StartError;
use crate::authz::Actor;
use crate::config::{Environment, Settings};
use crate::ctx::{Ctx, Platform};
use crate::error::Failed;
use crate::graphql;
use crate::http::{
    Authenticate, AuthenticationFailure, Caller, Credential, EdgeSettings, GraphqlLimits,
    GraphqlRequest, KeySetSource, NotReady, Readiness, RequestContext, RequestId, Standing,
    Webhook, WebhookAnswer, Webhooks,
};
use crate::identity::{Authenticated, ClientAddress, IdentityService};
use crate::payments::raw_body::{RAW_BODY_BYTES_MAX, RawBody};
use crate::payments::{Inbox, Post, Reception};

/// Mutations by which somebody may guess a secret: one a request, so that limits count guesses.
const SENSITIVE_MUTATIONS: &[&str] = &["logIn", "signUp", "refreshSession", "acceptOwnerLink"];

/// Subscriptions that go on from a cursor.
const RESUMABLE_SUBSCRIPTIONS: &[&str] = &["messageEvents"];

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
        allowed_origins,
        sensitive_mutations: names(SENSITIVE_MUTATIONS),
        resumable_subscriptions: names(RESUMABLE_SUBSCRIPTIONS),
        ..EdgeSettings::new(environment)
    })
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
        operation_time_max: std::time::Duration::from_millis(graphql.operation_timeout_ms),
        socket_subscriptions_max: graphql.socket_subscriptions_max,
        socket_message_bytes_max: graphql.socket_message_bytes_max,
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
            context: Arc::new(CallerContext {
                platform: Arc::clone(&self.platform),
                authenticated,
                peer,
            }),
        })
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
        let ctx = Ctx::new(
            Arc::clone(&self.platform),
            self.authenticated.actor.clone(),
            Arc::from(request_id.to_string()),
        );
        let request = graphql::attach(request, ctx);
        match self.peer {
            Some(address) => request.data(ClientAddress(address)),
            None => request,
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
