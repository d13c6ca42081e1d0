//! GraphQL over WebSocket, `graphql-transport-ws` only (graphql-ws, PROTOCOL.md). Our own machine
//! over the executor: the library's closes with codes that clients take as fatal, replaces
//! duplicate subscriptions silently, and has no limits.
//!
//! One task a socket drives everything on it; nothing is queued beside the socket's own buffers. A
//! client that does not read stops its own streams, and only them; it is dropped after the ping
//! interval.

mod protocol;
mod session;

use std::sync::Arc;

use async_graphql::Executor;
use axum::extract::FromRequestParts;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Edge;
use super::answer::Answer;
use super::fault::{ErrorCode, Fault};
use super::graphql::respond;
use super::negotiate::Media;
use super::origin;
use super::peer::Peer;
use super::request_id::RequestId;
use protocol::CloseReason;
use session::Session;

const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Initial capacity of each of a socket's two buffers, in bytes. The default of 128 KiB would make
/// 5,000 idle dashboards cost over a gigabyte.
const BUFFER_BYTES: usize = 4 * 1024;

/// Whether a GET asks for a WebSocket.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Opens a WebSocket, or says why not.
pub(super) async fn open<E: Executor>(
    edge: Arc<Edge<E>>,
    mut parts: Parts,
    request_id: RequestId,
    peer: Peer,
) -> Response {
    if let Err(fault) = origin::check(&parts.headers, &edge.settings) {
        return respond(&Answer::refused(fault, request_id), Media::Json);
    }
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return refuse(rejection.into_response().status(), request_id),
    };
    let upgrade = upgrade
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        // The session refuses at the limit itself, with a close code; this is for what is far above.
        .max_message_size(edge.settings.limits.socket_message_bytes_max * 2)
        .max_frame_size(edge.settings.limits.socket_message_bytes_max * 2)
        .protocols([SUBPROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        return upgrade.on_upgrade(|mut socket| async move {
            protocol::close(&mut socket, CloseReason::SubprotocolNotAcceptable).await;
        });
    }
    let authorization = parts.headers.remove(AUTHORIZATION);
    let running = edge.shutdown().running();
    upgrade.on_upgrade(move |socket| async move {
        // Boxed, as the future that carries it lives twice for the time of the hand-over.
        Box::pin(Session::new(edge, authorization, peer).run(socket)).await;
        drop(running);
    })
}

fn refuse(status: StatusCode, request_id: RequestId) -> Response {
    let message = "this is not a WebSocket handshake";
    let fault = Fault::new(ErrorCode::BadRequest, status, message);
    let mut response = respond(&Answer::refused(fault, request_id), Media::Json);
    let known = HeaderValue::from_static(SUBPROTOCOL);
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, known);
    response
}
