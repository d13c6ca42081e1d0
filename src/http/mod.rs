//! The HTTP edge: GraphQL over POST and GET, event streams and WebSockets, health, metrics, the
//! public keys, invoices as PDF and GraphiQL. Knows no schema and no domain: the executor, the authenticator and the
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
//! - [`Metering`] in the schema charges operations and makes answers carry `extensions.cost`; any
//!   extension takes every field through the library's slower path, so measure before adding it.
//! - A scalar that refuses an id says so by
//!   `InputValueError::custom(…).with_extension("code", "INVALID_ID")`.
//! - The schema is built with `limit_complexity` of [`GraphqlLimits::complexity_max`].

mod answer;
mod auth;
mod budget;
mod document;
mod event_stream;
mod explorer;
mod fault;
mod files;
mod graphql;
mod layers;
mod limiter;
mod negotiate;
mod open;
mod operation;
mod origin;
mod payment_hooks;
mod peer;
mod preference_page;
mod probes;
mod request_id;
mod resume;
mod serve;
mod settings;
mod short_links;
mod site;
mod streams;
mod transfers;
mod websocket;
mod write_time;

use std::sync::Arc;

use async_graphql::Executor;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post, put};

/// A GraphQL request, for [`RequestContext::attach`].
pub use async_graphql::Request as GraphqlRequest;
pub use auth::{
    Authenticate, AuthenticationFailure, Caller, Credential, RequestContext, Standing, Tenant,
};
/// The routes of an edge, to serve.
pub use axum::Router;
pub use fault::ErrorCode;
pub use files::{File, FileRefusal};
pub use limiter::{Limiter, Metering};
pub use payment_hooks::{Webhook, WebhookAnswer, Webhooks};
pub use peer::Peer;
pub use preference_page::{
    NotNow, PreferenceChoice, PreferenceForm, PreferencePage, PreferencePages,
};
pub use probes::{KeySetSource, NotReady, Probes, Readiness, TextSource};
pub use request_id::RequestId;
pub use serve::{Shutdown, serve};
pub use settings::*;
pub use short_links::{Followed, LinkPath, ShortLink, ShortLinks};
pub use transfers::{BrokenOff, Download, Receiving, TransferRefusal, Transfers};

use crate::sys::{Clock, IdGenerator};

/// Everything the edge is made of.
pub struct Edge<E> {
    /// Runs GraphQL operations: the schema.
    pub executor: E,
    /// Tells who is calling.
    pub authenticator: Arc<dyn Authenticate>,
    /// What is served beside GraphQL, on any node.
    pub probes: Probes,
    /// The JSON Web Key Set for `/.well-known/jwks.json` (RFC 7517).
    pub jwks: KeySetSource,
    /// Takes the webhooks of payment processors; without it their paths do not exist.
    pub webhooks: Option<Arc<dyn Webhooks>>,
    /// Files by signed links; without it their paths do not exist.
    pub transfers: Option<Arc<dyn Transfers>>,
    /// Preference pages; without it their paths do not exist.
    pub preferences: Option<Arc<dyn PreferencePages>>,
    /// Where short links lead; without it their path does not exist.
    pub short_links: Option<Arc<dyn ShortLinks>>,
    /// Limits, environment, origins, field lists.
    pub settings: EdgeSettings,
    /// What callers may still spend and open.
    pub limiter: Limiter,
    /// For the expiry of credentials.
    pub clock: Clock,
    /// For request ids.
    pub ids: IdGenerator,
}

impl<E> Edge<E> {
    /// Ends open streams, and lets the server wait for them.
    const fn shutdown(&self) -> &Shutdown {
        &self.probes.shutdown
    }
}

/// The routes of the edge.
pub fn router<E: Executor>(edge: Edge<E>) -> Router {
    let edge = Arc::new(edge);
    let graphql = get(graphql::get::<E>).post(graphql::post::<E>).fallback(graphql::wrong_method);
    let mut router = Router::new()
        .route("/graphql", graphql)
        .route("/.well-known/jwks.json", get(probes::jwks::<E>))
        .route("/invoices/{id}/pdf", get(files::invoice_pdf::<E>))
        .route(
            "/accounts/{id}/withholding-certificates/{year}/pdf",
            get(files::certificate_pdf::<E>),
        )
        .merge(probes::routes(edge.probes.clone()));
    if edge.webhooks.is_some() {
        let hook = || post(payment_hooks::post::<E>);
        router = router
            .route("/hooks/{processor}/{endpoint}", hook())
            .route("/hooks/{processor}/{endpoint}/{token}", hook());
    }
    if edge.transfers.is_some() {
        let upload = put(transfers::upload::<E>).post(transfers::upload::<E>);
        router = router
            .route("/uploads/{link}", upload)
            .route("/downloads/{link}", get(transfers::download::<E>));
    }
    if edge.preferences.is_some() {
        let form_max = DefaultBodyLimit::max(preference_page::FORM_BYTES_MAX);
        let page = get(preference_page::show::<E>).post(preference_page::change::<E>);
        router = router.route("/p/{link}", page.layer(form_max));
    }
    if edge.short_links.is_some() {
        router = router
            .route("/l/{token}", get(short_links::follow::<E>))
            .route("/link-domains/ask", get(short_links::ask::<E>));
    }
    if edge.settings.environment == Environment::Development {
        router = router.merge(explorer::routes());
    }
    let router = router
        .fallback(short_links::follow_at_root::<E>)
        .method_not_allowed_fallback(layers::wrong_method)
        .layer(origin::cors(&edge.settings));
    layered(router, edge.ids.clone()).with_state(edge)
}

/// The routes of a node that serves no GraphQL: only how it is.
pub fn probe_router(probes: Probes, ids: IdGenerator) -> Router {
    let router = probes::routes(probes)
        .fallback(layers::not_found)
        .method_not_allowed_fallback(layers::wrong_method);
    layered(router, ids)
}

/// What every answer goes through, whatever the node is for.
fn layered<S: Clone + Send + Sync + 'static>(router: Router<S>, ids: IdGenerator) -> Router<S> {
    router
        .layer(from_fn(layers::catch_panics))
        .layer(from_fn(layers::secure))
        .layer(from_fn_with_state(ids, layers::identify))
}
