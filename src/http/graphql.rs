//! `POST /graphql` and `GET /graphql` (GraphQL over HTTP). Operations themselves run in
//! `operation`; event streams and WebSockets have their own files.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_graphql::Executor;
use async_graphql::parser::types::OperationType;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Query, Request, State};
use axum::response::Response;
use futures::FutureExt;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;

use super::Edge;
use super::answer::{Answer, Outcome};
use super::auth::{self, Caller, Credential};
use super::budget::Payers;
use super::fault::{ErrorCode, Fault};
use super::limiter::Meter;
use super::negotiate::{self, Acceptable, Media};
use super::operation::{self, Operation, Parameters, UrlParameters};
use super::origin;
use super::peer::Peer;
use super::request_id::RequestId;
use super::{event_stream, websocket};

/// How much of a body that is too large is read and thrown away, in bytes. A client that is still
/// sending would otherwise see a broken connection instead of the 413.
const DISCARDED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// `POST /graphql`.
pub(super) async fn post<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    request_id: RequestId,
    peer: Peer,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let exchange = Exchange::new(&edge, &parts.headers, request_id, peer);
    let parameters = match read_body(&edge, &parts.headers, body).await {
        Ok(body) if negotiate::is_json(&parts.headers) => Parameters::from_json(&body),
        Ok(_) => Err(Fault::new(
            ErrorCode::BadRequest,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body's type has to be application/json, in UTF-8",
        )),
        Err(fault) => Err(fault),
    };
    exchange.answer(parameters, Method::Post).await
}

/// `GET /graphql`: a query, an event stream, or the opening of a WebSocket.
pub(super) async fn get<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    request_id: RequestId,
    peer: Peer,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    if websocket::is_upgrade(&parts.headers) {
        return websocket::open(edge, parts, request_id, peer).await;
    }
    let exchange = Exchange::new(&edge, &parts.headers, request_id, peer);
    let parameters = match Query::<UrlParameters>::try_from_uri(&parts.uri) {
        Ok(Query(parameters)) => Parameters::from_url(parameters),
        Err(_) => Err(Fault::bad_request("the query string does not fit")),
    };
    exchange.answer(parameters, Method::Get).await
}

/// Any other method.
pub(super) async fn wrong_method(request_id: RequestId) -> Response {
    let fault = Fault::new(
        ErrorCode::BadRequest,
        StatusCode::METHOD_NOT_ALLOWED,
        "GraphQL takes POST, and GET for queries",
    );
    let mut response = respond(&Answer::refused(fault, request_id), Media::Json);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    response
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Method {
    Get,
    Post,
}

/// One request on its way to its answer.
struct Exchange<'a, E> {
    edge: &'a Arc<Edge<E>>,
    headers: &'a HeaderMap,
    request_id: RequestId,
    peer: Peer,
}

impl<'a, E: Executor> Exchange<'a, E> {
    fn new(
        edge: &'a Arc<Edge<E>>,
        headers: &'a HeaderMap,
        request_id: RequestId,
        peer: Peer,
    ) -> Self {
        Self { edge, headers, request_id, peer }
    }

    /// The order: form of the request, origin, credential, then the document. A stranger learns
    /// nothing about the schema, and a fault of form is told without looking the credential up.
    async fn answer(self, parameters: Result<Parameters, Fault>, method: Method) -> Response {
        let acceptable = negotiate::accept(self.headers);
        // Refusals before the stream starts are in JSON, whatever is accepted.
        let media = acceptable.single.unwrap_or(Media::Json);
        let refuse = |fault| respond(&Answer::refused(fault, self.request_id), media);
        if acceptable.single.is_none() && !acceptable.event_stream {
            return refuse(not_acceptable("application/graphql-response+json, application/json"));
        }
        let parameters = match parameters {
            Ok(parameters) => parameters,
            Err(fault) => return refuse(fault),
        };
        if let Err(fault) = origin::check(self.headers, &self.edge.settings) {
            return refuse(fault);
        }
        let caller = match self.caller().await {
            Ok(caller) => caller,
            Err(fault) => {
                let meter = Meter::new(&self.edge.limiter, Payers::of(None, self.peer));
                let mut response = refuse(refused_credential(fault, &meter));
                meter.tell(response.headers_mut());
                return response;
            }
        };
        let payers = Payers::of(caller.tenant, self.peer);
        let meter = Meter::new(&self.edge.limiter, payers);
        let mut response = self.run(parameters, method, acceptable, caller, &meter).await;
        meter.tell(response.headers_mut());
        response
    }

    /// Runs what `caller` asks for.
    async fn run(
        self,
        parameters: Parameters,
        method: Method,
        acceptable: Acceptable,
        caller: Caller,
        meter: &Arc<Meter>,
    ) -> Response {
        let media = acceptable.single.unwrap_or(Media::Json);
        let refuse = |fault| respond(&Answer::refused(fault, self.request_id), media);
        let mut operation = match Operation::new(parameters, &self.edge.settings, meter) {
            Ok(operation) => operation,
            // GraphQL over SSE: what is wrong inside the document is told on the stream.
            Err(fault) if acceptable.single.is_none() && is_of_document(fault.code) => {
                return event_stream::refuse(Answer::refused(fault, self.request_id));
            }
            Err(fault) => return refuse(fault),
        };
        match (operation.kind(), method, acceptable.single) {
            (OperationType::Mutation, Method::Get, _) => mutation_over_get(self.request_id, media),
            (OperationType::Subscription, _, _) if acceptable.event_stream => {
                let id = self.headers.get("last-event-id").and_then(|id| id.to_str().ok());
                operation.follow(id, &self.edge.settings.resumable_subscriptions);
                event_stream::open(self.edge, operation, caller, self.request_id)
                    .unwrap_or_else(|answer| respond(&answer, media))
            }
            (OperationType::Subscription, _, _) => refuse(not_acceptable("text/event-stream")),
            (OperationType::Query | OperationType::Mutation, _, Some(media)) => {
                let answer =
                    operation::execute(self.edge, operation, &caller, self.request_id).await;
                respond(&answer, media)
            }
            (OperationType::Query | OperationType::Mutation, _, None) => {
                event_stream::open(self.edge, operation, caller, self.request_id)
                    .unwrap_or_else(|answer| respond(&answer, media))
            }
        }
    }

    async fn caller(&self) -> Result<Caller, Fault> {
        let credential = auth::credential(self.headers).map_err(|failure| failure.fault())?;
        authenticate(self.edge, credential, self.peer, self.request_id).await
    }
}

/// Asks who is calling.
pub(super) async fn authenticate<E>(
    edge: &Edge<E>,
    credential: Credential<'_>,
    peer: Peer,
    request_id: RequestId,
) -> Result<Caller, Fault> {
    let check = edge.authenticator.authenticate(credential, peer.0, request_id);
    match AssertUnwindSafe(check).catch_unwind().await {
        Ok(answer) => answer.map_err(|failure| failure.fault()),
        Err(_panic) => {
            tracing::error!(request.id = %request_id, "the authenticator panicked");
            Err(Fault::internal())
        }
    }
}

/// A refused credential is a guess, which its address pays for.
pub(super) fn refused_credential(fault: Fault, meter: &Meter) -> Fault {
    if fault.code == ErrorCode::Unauthenticated { meter.refused(fault) } else { fault }
}

fn is_of_document(code: ErrorCode) -> bool {
    match code {
        ErrorCode::GraphqlParseFailed
        | ErrorCode::GraphqlValidationFailed
        | ErrorCode::QueryTooComplex
        | ErrorCode::PayloadTooLarge => true,
        ErrorCode::BadRequest
        | ErrorCode::InvalidId
        | ErrorCode::Unauthenticated
        | ErrorCode::Forbidden
        | ErrorCode::RateLimited
        | ErrorCode::EventCursorExpired
        | ErrorCode::Unavailable
        | ErrorCode::Internal => false,
    }
}

fn not_acceptable(types: &str) -> Fault {
    let message = format!("the answer can only be {types}: see Accept");
    Fault::new(ErrorCode::BadRequest, StatusCode::NOT_ACCEPTABLE, message)
}

fn mutation_over_get(request_id: RequestId, media: Media) -> Response {
    let fault = Fault::new(
        ErrorCode::BadRequest,
        StatusCode::METHOD_NOT_ALLOWED,
        "a mutation takes POST: GET must not change anything",
    );
    let mut response = respond(&Answer::refused(fault, request_id), media);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}

/// An answer as an HTTP response.
pub(super) fn respond(answer: &Answer, media: Media) -> Response {
    let mut response = Response::new(Body::from(answer.json()));
    *response.status_mut() = status(answer.outcome(), media);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
    if let Outcome::Refused(StatusCode::UNAUTHORIZED, _) = answer.outcome() {
        let challenge = HeaderValue::from_static("Bearer realm=\"heliograph\"");
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(wait_ms) = answer.retry_after_ms() {
        // Whole seconds (RFC 9110, section 10.2.3), rounded up.
        headers.insert(RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1_000)));
    }
    response
}

/// The legacy media type shows 200 for a well-formed request whatever its document holds (GraphQL
/// over HTTP, section 6.4.1), as older clients take other statuses for broken connections.
fn status(outcome: Outcome, media: Media) -> StatusCode {
    match (outcome, media) {
        (Outcome::Executed, _) => StatusCode::OK,
        (Outcome::Refused(status, _), Media::GraphqlResponse) => status,
        (Outcome::Refused(status, code), Media::Json) => match code {
            ErrorCode::GraphqlParseFailed
            | ErrorCode::GraphqlValidationFailed
            | ErrorCode::InvalidId
            | ErrorCode::QueryTooComplex => StatusCode::OK,
            ErrorCode::BadRequest
            | ErrorCode::Unauthenticated
            | ErrorCode::Forbidden
            | ErrorCode::RateLimited
            | ErrorCode::PayloadTooLarge
            | ErrorCode::EventCursorExpired
            | ErrorCode::Unavailable
            | ErrorCode::Internal => status,
        },
    }
}

/// Reads the body, at most to its limit and within an operation's time.
async fn read_body<E>(edge: &Edge<E>, headers: &HeaderMap, body: Body) -> Result<Bytes, Fault> {
    let limits = &edge.settings.limits;
    let announced = body.size_hint().lower();
    let bytes_max = limits.body_bytes_max;
    let waits_for_continue = headers.contains_key(http::header::EXPECT);
    if announced > bytes_max as u64 && waits_for_continue {
        return Err(Fault::too_large("body", bytes_max));
    }
    let read = tokio::time::timeout(limits.operation_time_max, collect(body, bytes_max));
    read.await.unwrap_or_else(|_elapsed| {
        let message = "the body took too long to arrive";
        Err(Fault::new(ErrorCode::BadRequest, StatusCode::REQUEST_TIMEOUT, message))
    })
}

async fn collect(mut body: Body, bytes_max: usize) -> Result<Bytes, Fault> {
    let mut kept = Vec::with_capacity((body.size_hint().lower() as usize).min(bytes_max));
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Fault::bad_request("the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > DISCARDED_BYTES_MAX {
            break;
        }
        if length <= bytes_max {
            kept.extend_from_slice(&data);
        }
    }
    if length > bytes_max {
        return Err(Fault::too_large("body", bytes_max));
    }
    Ok(Bytes::from(kept))
}
