//! The HTTP edge: GraphQL over POST and GET, event streams and WebSockets, health, metrics, the
//! public keys and GraphiQL. Knows no schema and no domain: the executor, the authenticator and the
//! probes are passed in by the composition root. The only module that uses axum, and beside
//! `graphql` the only one that uses async-graphql.
//!
//! A request's way: [`router`]'s layers (id, security headers, CORS, panics) → `graphql` (form,
//! origin, credential) → `document` (limits) → `operation` (execution) → `answer` (error codes).
//!
//! Conventions between the edge and a schema:
//! - Resolvers find what [`RequestContext::attach`] put into the request's data.
//! - An error for the client has an [`ErrorCode`] in `extensions.code`, perhaps `retryAfterMs`.
//!   An error without one is a fault of ours: logged, and shown as `INTERNAL`.
//! - Subscriptions named in [`EdgeSettings::resumable_subscriptions`] have payloads with a field
//!   `cursor` and an argument `after`; event streams select the one and set the other by themselves.
//! - `async_graphql::extensions::Analyzer` in the schema makes answers carry `extensions.cost`; any
//!   extension takes every field through the library's slower path, so measure before adding it.
//! - A scalar that refuses an id says so by
//!   `InputValueError::custom(…).with_extension("code", "INVALID_ID")`.
//! - The schema is built with `limit_complexity` of [`GraphqlLimits::complexity_max`].

mod answer;
mod auth;
mod document;
mod event_stream;
mod explorer;
mod fault;
mod graphql;
mod layers;
mod negotiate;
mod operation;
mod origin;
mod payment_hooks;
mod peer;
mod probes;
mod request_id;
mod resume;
mod serve;
mod settings;
mod streams;
mod websocket;

use std::sync::Arc;

use async_graphql::Executor;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

/// A GraphQL request, for [`RequestContext::attach`].
pub use async_graphql::Request as GraphqlRequest;
pub use auth::{Authenticate, AuthenticationFailure, Caller, Credential, RequestContext, Standing};
pub use fault::ErrorCode;
pub use payment_hooks::{Webhook, WebhookAnswer, Webhooks};
pub use peer::Peer;
pub use probes::{KeySetSource, NotReady, Readiness, TextSource};
pub use request_id::RequestId;
pub use serve::{DRAIN_TIME_MAX, Shutdown, serve};
pub use settings::*;

use crate::sys::{Clock, IdGenerator};

/// Everything the edge is made of.
pub struct Edge<E> {
    /// Runs GraphQL operations: the schema.
    pub executor: E,
    /// Tells who is calling.
    pub authenticator: Arc<dyn Authenticate>,
    /// Tells whether the server can work, for `/readyz`.
    pub readiness: Arc<dyn Readiness>,
    /// The Prometheus exposition for `/metrics`; without one the path does not exist.
    pub metrics: Option<TextSource>,
    /// The JSON Web Key Set for `/.well-known/jwks.json` (RFC 7517).
    pub jwks: KeySetSource,
    /// Takes the webhooks of payment processors; without it their paths do not exist.
    pub webhooks: Option<Arc<dyn Webhooks>>,
    /// Limits, environment, origins, field lists.
    pub settings: EdgeSettings,
    /// For the expiry of credentials.
    pub clock: Clock,
    /// For request ids.
    pub ids: IdGenerator,
    /// Ends open streams, and lets the server wait for them.
    pub shutdown: Shutdown,
}

/// The routes of the edge.
pub fn router<E: Executor>(edge: Edge<E>) -> Router {
    let edge = Arc::new(edge);
    let graphql = get(graphql::get::<E>).post(graphql::post::<E>).fallback(graphql::wrong_method);
    let mut router = Router::new()
        .route("/graphql", graphql)
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz::<E>))
        .route("/.well-known/jwks.json", get(probes::jwks::<E>));
    if edge.webhooks.is_some() {
        let hook = || post(payment_hooks::post::<E>);
        router = router
            .route("/hooks/{processor}/{endpoint}", hook())
            .route("/hooks/{processor}/{endpoint}/{token}", hook());
    }
    if edge.metrics.is_some() {
        router = router.route("/metrics", get(probes::metrics::<E>));
    }
    if edge.settings.environment == Environment::Development {
        router = router.merge(explorer::routes());
    }
    router
        .fallback(layers::not_found)
        .method_not_allowed_fallback(layers::wrong_method)
        .layer(origin::cors(&edge.settings))
        .layer(from_fn(layers::catch_panics))
        .layer(from_fn(layers::secure))
        .layer(from_fn_with_state(edge.ids.clone(), layers::identify))
        .with_state(edge)
}
