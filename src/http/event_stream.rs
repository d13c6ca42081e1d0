//! GraphQL over SSE in its "distinct connections mode" (graphql-sse, PROTOCOL.md): one operation a
//! response, events `next` and `complete`. Not the single connection mode.
//!
//! A stream that ends without `complete` (credential expired or revoked, server stopping) is taken
//! by the official client as a broken connection, so it connects again; `Last-Event-ID` then
//! resumes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::Executor;
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use tokio::time::{Instant, Sleep};

use super::Edge;
use super::answer::Answer;
use super::auth::{self, Caller, Ending};
use super::operation::{self, Emission, Operation};
use super::request_id::RequestId;
use super::streams::OpenStream;

/// A comment: nothing to the client, but a sign of life to everything in between.
const COMMENT: &[u8] = b":\n\n";

/// The empty `data` makes a browser's `EventSource` deliver the event.
const COMPLETE: &[u8] = b"event: complete\ndata: \n\n";

/// Answers with a stream of `operation`'s results.
pub(super) fn open<E: Executor>(
    edge: &Arc<Edge<E>>,
    operation: Operation,
    caller: Caller,
    request_id: RequestId,
) -> Response {
    let emissions = operation::run(edge, operation, &caller, request_id);
    let state = Box::new(Streaming {
        emissions: Some(emissions),
        ending: Box::pin(auth::ending(caller, edge.clock.clone(), edge.shutdown.token())),
        keep_alive: edge.settings.limits.event_stream_keep_alive,
        idle: Box::pin(tokio::time::sleep(edge.settings.limits.event_stream_keep_alive)),
        _open: OpenStream::count("sse"),
    });
    // The first comment sends the headers on their way before the first event.
    let first = stream::iter([Bytes::from_static(COMMENT)]);
    response(first.chain(stream::unfold(state, next)))
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

struct Streaming {
    /// `None` once all is said.
    emissions: Option<BoxStream<'static, Emission>>,
    ending: Pin<Box<dyn Future<Output = Ending> + Send>>,
    keep_alive: Duration,
    idle: Pin<Box<Sleep>>,
    _open: OpenStream,
}

/// The next piece of the body, and the state after it.
async fn next(mut state: Box<Streaming>) -> Option<(Bytes, Box<Streaming>)> {
    let piece = state.piece().await?;
    Some((piece, state))
}

impl Streaming {
    async fn piece(&mut self) -> Option<Bytes> {
        let emissions = self.emissions.as_mut()?;
        let piece = tokio::select! {
            biased;
            _ = self.ending.as_mut() => {
                self.emissions = None;
                return None;
            }
            emission = emissions.next() => match emission {
                Some(emission) => event(&emission),
                None => {
                    self.emissions = None;
                    Bytes::from_static(COMPLETE)
                }
            },
            () = self.idle.as_mut() => Bytes::from_static(COMMENT),
        };
        self.idle.as_mut().reset(Instant::now() + self.keep_alive);
        Some(piece)
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
