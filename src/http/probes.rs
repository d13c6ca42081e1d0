//! The plain routes that operators and other services read: `/healthz`, `/readyz`, `/metrics`,
//! `/.well-known/jwks.json`. Without authentication; `/metrics` is meant for a private network.

use std::sync::Arc;

use async_graphql::Executor;
use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::future::BoxFuture;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::{Edge, Shutdown};

/// Makes a text at the time of asking.
pub type TextSource = Arc<dyn Fn() -> String + Send + Sync>;

/// Reads the key set when asked; `None` if it cannot be read now.
pub type KeySetSource = Arc<dyn Fn() -> BoxFuture<'static, Option<String>> + Send + Sync>;

/// How long others may keep the key set, in seconds: well below the life of a key.
const JWKS_CACHE: &str = "public, max-age=300";

/// Tells whether this node can do its work now.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// Whether the store answers and the migrations are in place.
    ///
    /// # Errors
    /// What is missing.
    async fn check(&self) -> Result<(), NotReady>;
}

/// Why a node cannot work now: one word for an operator, without internals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotReady(pub &'static str);

/// What a node tells of itself, whatever it is for. Cheap to clone.
#[derive(Clone)]
pub struct Probes {
    /// Tells whether the node can work, for `/readyz`.
    pub readiness: Arc<dyn Readiness>,
    /// The Prometheus exposition for `/metrics`; without one the path does not exist.
    pub metrics: Option<TextSource>,
    /// Tells that the node stops.
    pub shutdown: Shutdown,
}

/// The routes that ask `probes`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(probes: Probes) -> Router<S> {
    let mut router = Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz));
    if probes.metrics.is_some() {
        router = router.route("/metrics", get(metrics));
    }
    router.with_state(probes)
}

/// 200 as long as the process answers at all.
async fn healthz() -> Response {
    json(StatusCode::OK, r#"{"status":"ok"}"#.to_owned())
}

/// 200 if the node can work, 503 if not or if it stops: a load balancer sends nothing more then.
async fn readyz(State(probes): State<Probes>) -> Response {
    let ready = if probes.shutdown.token().is_cancelled() {
        Err(NotReady("stopping"))
    } else {
        probes.readiness.check().await
    };
    match ready {
        Ok(()) => json(StatusCode::OK, r#"{"status":"ready"}"#.to_owned()),
        Err(NotReady(reason)) => {
            let body = serde_json::json!({ "status": "not ready", "reason": reason });
            json(StatusCode::SERVICE_UNAVAILABLE, body.to_string())
        }
    }
}

/// The Prometheus text exposition, format 0.0.4.
async fn metrics(State(probes): State<Probes>) -> Response {
    let text = probes.metrics.as_ref().map(|render| render()).unwrap_or_default();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// The public keys that verify our tokens.
pub(super) async fn jwks<E: Executor>(State(edge): State<Arc<Edge<E>>>) -> Response {
    let Some(keys) = (edge.jwks)().await else {
        return json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"not ready"}"#.to_owned());
    };
    let headers = [(CONTENT_TYPE, "application/jwk-set+json"), (CACHE_CONTROL, JWKS_CACHE)];
    (headers, keys).into_response()
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}
