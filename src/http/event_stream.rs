//! GraphQL over SSE in its "distinct connections mode" (graphql-sse, PROTOCOL.md): one operation a
//! response, events `next` and `complete`. Not the single connection mode.
//!
//! A stream that ends without `complete` (credential expired or revoked, server stopping) is taken
//! by the official client as a broken connection, so it connects again; `Last-Event-ID` then
//! resumes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_graphql::Executor;
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, Stream, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use tokio::time::{Instant, Sleep};

use super::Edge;
use super::answer::{Answer, Outcome};
use super::auth::{self, Caller, Ending};
use super::fault::ErrorCode;
use super::open::Open;
use super::operation::{self, Emission, Operation};
use super::request_id::RequestId;
use super::streams::OpenStream;

/// A comment: nothing to the client, but a sign of life to everything in between.
const COMMENT: &[u8] = b":\n\n";

/// The empty `data` makes a browser's `EventSource` deliver the event.
const COMPLETE: &[u8] = b"event: complete\ndata: \n\n";

/// Answers with a stream of `operation`'s results.
///
/// # Errors
/// An answer that the caller has too many streams, or not the points for this one: the status tells
/// it, so that a client waits before it comes again.
pub(super) fn open<E: Executor>(
    edge: &Arc<Edge<E>>,
    operation: Operation,
    caller: Caller,
    request_id: RequestId,
) -> Result<Response, Box<Answer>> {
    let held = match operation.open_stream() {
        Ok(held) => held,
        Err(fault) => return Err(Box::new(Answer::refused(fault, request_id))),
    };
    let mut emissions = operation::run(edge, operation, &caller, request_id);
    // The first look at the stream is as far as the charge, which waits for nothing. Nobody is woken
    // by it: the body looks again at once.
    let (first, emissions) = match emissions.next().now_or_never() {
        None => (None, Some(emissions)),
        Some(None) => (Some(Bytes::from_static(COMPLETE)), None),
        Some(Some(emission)) if is_rate_limited(&emission.answer) => {
            return Err(Box::new(emission.answer));
        }
        Some(Some(emission)) => (Some(event(&emission)), Some(emissions)),
    };
    Ok(response(Streaming {
        // The comment sends the headers on their way before the first event.
        comment: Some(Bytes::from_static(COMMENT)),
        first,
        emissions,
        ending: Box::pin(auth::ending(caller, edge.clock.clone(), edge.shutdown().token())),
        keep_alive: edge.settings.limits.event_stream_keep_alive,
        idle: Box::pin(tokio::time::sleep(edge.settings.limits.event_stream_keep_alive)),
        _held: held,
        _open: OpenStream::count("sse"),
    }))
}

fn is_rate_limited(answer: &Answer) -> bool {
    matches!(answer.outcome(), Outcome::Refused(_, ErrorCode::RateLimited))
}

/// Answers with a stream that tells why there is none.
pub(super) fn refuse(answer: Answer) -> Response {
    let next = event(&Emission { answer, cursor: None });
    response(stream::iter([next, Bytes::from_static(COMPLETE)]))
}

fn response(events: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let body = Body::from_stream(events.map(Ok::<_, std::convert::Infallible>));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let event_stream = HeaderValue::from_static("text/event-stream; charset=utf-8");
    headers.insert(CONTENT_TYPE, event_stream);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx buffers answers unless told.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    headers.insert(unbuffered, HeaderValue::from_static("no"));
    response
}

/// A running stream, piece by piece. Polled by hand: an idle one is to hold no more than this.
struct Streaming {
    comment: Option<Bytes>,
    /// What the stream said at the first look.
    first: Option<Bytes>,
    /// `None` once all is said.
    emissions: Option<BoxStream<'static, Emission>>,
    ending: Pin<Box<dyn Future<Output = Ending> + Send>>,
    keep_alive: Duration,
    idle: Pin<Box<Sleep>>,
    _held: Open,
    _open: OpenStream,
}

impl Stream for Streaming {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        if let Some(piece) = this.comment.take().or_else(|| this.first.take()) {
            return Poll::Ready(Some(piece));
        }
        let Some(emissions) = this.emissions.as_mut() else { return Poll::Ready(None) };
        if this.ending.as_mut().poll(context).is_ready() {
            this.emissions = None;
            return Poll::Ready(None);
        }
        let piece = match emissions.poll_next_unpin(context) {
            Poll::Ready(Some(emission)) => event(&emission),
            Poll::Ready(None) => {
                this.emissions = None;
                Bytes::from_static(COMPLETE)
            }
            Poll::Pending => {
                ready!(this.idle.as_mut().poll(context));
                Bytes::from_static(COMMENT)
            }
        };
        this.idle.as_mut().reset(Instant::now() + this.keep_alive);
        Poll::Ready(Some(piece))
    }
}

/// A `next` event. JSON has no line breaks outside strings, and inside them they are escaped.
fn event(emission: &Emission) -> Bytes {
    let mut text = Vec::with_capacity(256);
    text.extend_from_slice(b"event: next\n");
    if let Some(cursor) = emission.cursor.as_deref().filter(|cursor| is_event_id(cursor)) {
        text.extend_from_slice(b"id: ");
        text.extend_from_slice(cursor.as_bytes());
        text.push(b'\n');
    }
    text.extend_from_slice(b"data: ");
    text.extend_from_slice(&emission.answer.json());
    text.extend_from_slice(b"\n\n");
    Bytes::from(text)
}

fn is_event_id(cursor: &str) -> bool {
    !cursor.is_empty() && cursor.bytes().all(|byte| byte.is_ascii_graphic())
}
