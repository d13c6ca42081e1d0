//! What every response gets, whatever the route: an id, security headers, JSON for 404, 405 and 500.

use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};

use super::answer::Answer;
use super::fault::{ErrorCode, Fault};
use super::graphql::respond;
use super::negotiate::Media;
use super::request_id::RequestId;
use crate::sys::IdGenerator;

/// Gives the request its id and shows it as `x-request-id`.
pub(super) async fn identify(
    State(ids): State<IdGenerator>,
    mut request: Request,
    next: Next,
) -> Response {
    let id: RequestId = ids.next();
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    let value = HeaderValue::from_str(&id.to_string()).expect("an id is visible ASCII");
    response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    response
}

/// Sets the headers that keep a browser from doing more with an answer than reading it. A route
/// that has set one itself keeps it.
pub(super) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let policy = HeaderName::from_static("cross-origin-resource-policy");
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (CACHE_CONTROL, "no-store"),
        (policy, "same-origin"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Turns a panic in a handler into a 500; the panic hook has logged it.
pub(super) async fn catch_panics(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().copied();
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_panic) => {
            let id = id.expect("the outer layer has set it");
            tracing::error!(request.id = %id, "a handler panicked");
            respond(&Answer::refused(Fault::internal(), id), Media::Json)
        }
    }
}

/// 404 for every path without a route.
pub(super) async fn not_found(id: RequestId) -> Response {
    let fault = Fault::new(ErrorCode::BadRequest, StatusCode::NOT_FOUND, "there is nothing here");
    respond(&Answer::refused(fault, id), Media::Json)
}

/// 405 for a route that has no such method; axum adds `Allow`.
pub(super) async fn wrong_method(id: RequestId) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let fault = Fault::new(ErrorCode::BadRequest, status, "there is no such method here");
    respond(&Answer::refused(fault, id), Media::Json)
}
