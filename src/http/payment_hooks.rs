//! `POST /hooks/{processor}/{endpoint}`: webhooks of payment processors. Whose they are, whether they
//! are genuine and what becomes of them is not known here.
//!
//! Only 401, 404, 413 and 503 are not 2xx: processors take anything else for a broken endpoint,
//! repeat it for days, and switch it off.

use std::sync::Arc;

use async_graphql::Executor;
use async_trait::async_trait;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use zeroize::Zeroize;

use super::Edge;
use super::answer::Answer;
use super::fault::{ErrorCode, Fault};
use super::graphql::respond;
use super::layers::not_found;
use super::negotiate::Media;
use super::request_id::RequestId;

/// A webhook as it came.
pub struct Webhook {
    /// The path's second part.
    pub processor: String,
    /// Its third.
    pub endpoint: String,
    /// Its fourth.
    pub token: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The bytes, at most as many as [`Webhooks::bytes_max`].
    pub body: Vec<u8>,
}

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookAnswer {
    /// It is kept.
    Taken,
    /// Not genuine.
    Refused,
    /// No such address.
    NotFound,
    /// It cannot be kept now.
    Unavailable,
}

/// Takes webhooks in.
#[async_trait]
pub trait Webhooks: Send + Sync + 'static {
    /// Bytes of the largest body.
    fn bytes_max(&self) -> usize;

    /// Keeps one; when it says that it did, it is committed.
    async fn receive(&self, webhook: Webhook) -> WebhookAnswer;
}

/// The path's parts behind `/hooks`.
#[derive(serde::Deserialize)]
pub(super) struct HookPath {
    processor: String,
    endpoint: String,
    token: Option<String>,
}

pub(super) async fn post<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    Path(path): Path<HookPath>,
    id: RequestId,
    request: axum::extract::Request,
) -> Response {
    let Some(webhooks) = &edge.webhooks else { return not_found(id).await };
    let bytes_max = webhooks.bytes_max();
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, bytes_max).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return refused(Fault::too_large("webhook", bytes_max), id);
        }
        Err(_) => return refused(Fault::bad_request("the body broke off"), id),
    };
    let webhook = Webhook {
        processor: path.processor,
        endpoint: path.endpoint,
        token: path.token,
        headers: parts.headers,
        body: owned(body),
    };
    match webhooks.receive(webhook).await {
        WebhookAnswer::Taken => StatusCode::OK.into_response(),
        WebhookAnswer::NotFound => not_found(id).await,
        WebhookAnswer::Refused => {
            let (code, status) = (ErrorCode::Unauthenticated, StatusCode::UNAUTHORIZED);
            refused(Fault::new(code, status, "the signature is missing or wrong"), id)
        }
        WebhookAnswer::Unavailable => {
            let (code, status) = (ErrorCode::Unavailable, StatusCode::SERVICE_UNAVAILABLE);
            refused(Fault::new(code, status, "not now: send it again"), id)
        }
    }
}

/// The bytes as a buffer of our own; the one that they came in is wiped, if nobody else has it.
fn owned(bytes: bytes::Bytes) -> Vec<u8> {
    match bytes.try_into_mut() {
        Ok(mut buffer) => {
            let own = buffer.to_vec();
            buffer.as_mut().zeroize();
            own
        }
        Err(shared) => shared.to_vec(),
    }
}

fn refused(fault: Fault, id: RequestId) -> Response {
    respond(&Answer::refused(fault, id), Media::Json)
}
