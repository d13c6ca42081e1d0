//! The messages of `graphql-transport-ws` and its close codes, as types.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::http::answer::{Answer, AnswerError};

/// Wait for the client's half of a close: a socket closed with unread data is reset, and the client
/// never sees the code.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Length of an operation's id, in bytes. Clients use UUIDs and counters.
const ID_BYTES_MAX: usize = 128;

/// Why the server closes a socket. The official client gives up on 4400, 4401, 4406, 4409, 4429 and
/// 4500, and on 1002 and 1011; it tries again after the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum CloseReason {
    /// 4400, with what is wrong.
    BadRequest(&'static str),
    /// 4401: an operation before the acknowledgment.
    Unauthorized,
    /// 4403: the credential was refused. Tried again by clients, with a fresh token perhaps.
    Forbidden,
    /// 4403: the credential has expired since.
    CredentialExpired,
    /// 4403: the credential has been revoked since.
    CredentialRevoked,
    /// 4406.
    SubprotocolNotAcceptable,
    /// 4408.
    InitialisationTimeout,
    /// 4409.
    SubscriberAlreadyExists,
    /// 4429.
    TooManyInitialisationRequests,
    /// 4429: the address has tried too many credentials. Clients do not come again by themselves.
    TooManyRequests,
    /// 4500.
    InternalServerError,
    /// 1013: the credential could not be checked now.
    TryAgainLater,
    /// 1001: the server stops.
    GoingAway,
}

impl CloseReason {
    pub(super) const fn code(self) -> u16 {
        match self {
            Self::BadRequest(_) => 4400,
            Self::Unauthorized => 4401,
            Self::Forbidden | Self::CredentialExpired | Self::CredentialRevoked => 4403,
            Self::SubprotocolNotAcceptable => 4406,
            Self::InitialisationTimeout => 4408,
            Self::SubscriberAlreadyExists => 4409,
            Self::TooManyInitialisationRequests | Self::TooManyRequests => 4429,
            Self::InternalServerError => 4500,
            Self::TryAgainLater => 1013,
            Self::GoingAway => 1001,
        }
    }

    /// At most 123 bytes (RFC 6455, section 5.5.1), so never anything of the client's.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::BadRequest(text) => text,
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::CredentialExpired => "Credential expired",
            Self::CredentialRevoked => "Credential revoked",
            Self::SubprotocolNotAcceptable => "Subprotocol not acceptable",
            Self::InitialisationTimeout => "Connection initialisation timeout",
            Self::SubscriberAlreadyExists => "Subscriber for this id already exists",
            Self::TooManyInitialisationRequests => "Too many initialisation requests",
            Self::TooManyRequests => "Too many requests",
            Self::InternalServerError => "Internal server error",
            Self::TryAgainLater => "Try again later",
            Self::GoingAway => "Server is stopping",
        }
    }
}

/// Closes the socket and waits a little for the client to do so too.
pub(super) async fn close(socket: &mut WebSocket, reason: CloseReason) {
    let frame = CloseFrame { code: reason.code(), reason: reason.text().into() };
    let farewell = async {
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    // Nothing to do if it fails: the socket is dropped either way.
    let _ = tokio::time::timeout(CLOSE_WAIT, farewell).await;
}

/// A message from a client.
#[derive(Debug)]
pub(super) enum ClientMessage {
    ConnectionInit { token: Option<String> },
    Ping { payload: Option<Box<RawValue>> },
    Pong,
    Subscribe { id: String, payload: Box<RawValue> },
    Complete { id: String },
}

#[derive(Deserialize)]
struct Envelope {
    r#type: String,
    id: Option<String>,
    payload: Option<Box<RawValue>>,
}

/// The usual names of a token among the connection's parameters.
#[derive(Deserialize)]
struct InitPayload {
    #[serde(alias = "Authorization")]
    authorization: Option<String>,
    token: Option<String>,
}

impl ClientMessage {
    /// Reads a text message.
    ///
    /// # Errors
    /// 4400 with what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, CloseReason> {
        const SHAPE: CloseReason = CloseReason::BadRequest("Message does not fit the protocol");
        const ID: CloseReason =
            CloseReason::BadRequest("Message has no id, or one that is too long");
        let Envelope { r#type, id, payload } = serde_json::from_str(text).map_err(|_| SHAPE)?;
        let id = id.filter(|id| (1..=ID_BYTES_MAX).contains(&id.len())).ok_or(ID);
        match r#type.as_str() {
            "connection_init" => Ok(Self::ConnectionInit { token: init_token(payload)? }),
            "ping" => Ok(Self::Ping { payload: object(payload)? }),
            "pong" => object(payload).map(|_| Self::Pong),
            "subscribe" => Ok(Self::Subscribe { id: id?, payload: payload.ok_or(SHAPE)? }),
            "complete" => Ok(Self::Complete { id: id? }),
            _ => Err(CloseReason::BadRequest("Message is of an unknown type")),
        }
    }
}

/// A payload that has to be an object where there is one.
fn object(payload: Option<Box<RawValue>>) -> Result<Option<Box<RawValue>>, CloseReason> {
    match payload {
        Some(payload) if payload.get().starts_with('{') => Ok(Some(payload)),
        None => Ok(None),
        Some(_) => Err(CloseReason::BadRequest("Payload is not an object")),
    }
}

/// The token, without its scheme.
fn init_token(payload: Option<Box<RawValue>>) -> Result<Option<String>, CloseReason> {
    let Some(payload) = object(payload)? else { return Ok(None) };
    let InitPayload { authorization, token } = serde_json::from_str(payload.get())
        .map_err(|_| CloseReason::BadRequest("Token is not a string"))?;
    match authorization {
        Some(value) => {
            let bearer = crate::http::auth::bearer(&value).ok_or(CloseReason::Forbidden)?;
            Ok(Some(bearer.to_owned()))
        }
        None => Ok(token),
    }
}

/// A message to a client.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ServerMessage<'a> {
    ConnectionAck,
    Ping,
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        payload: Option<Box<RawValue>>,
    },
    Next {
        id: &'a str,
        payload: &'a Answer,
    },
    Error {
        id: &'a str,
        payload: &'a [AnswerError],
    },
    Complete {
        id: &'a str,
    },
}

impl ServerMessage<'_> {
    pub(super) fn text(&self) -> Message {
        let json = serde_json::to_string(self).expect("messages hold only what JSON can say");
        Message::Text(json.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_fit_a_close_frame() {
        for reason in [
            CloseReason::BadRequest("Message has no id, or one that is too long"),
            CloseReason::SubscriberAlreadyExists,
            CloseReason::TooManyInitialisationRequests,
            CloseReason::InitialisationTimeout,
        ] {
            assert!(reason.text().len() <= 123);
        }
    }

    #[test]
    fn reads_messages_and_refuses_the_rest() {
        let long = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(129));
        for (text, good) in [
            (r#"{"type":"connection_init"}"#, true),
            (r#"{"type":"connection_init","payload":null}"#, true),
            (r#"{"type":"connection_init","payload":{}}"#, true),
            (r#"{"type":"connection_init","payload":{"token":"t"},"more":1}"#, true),
            (r#"{"type":"connection_init","payload":[]}"#, false),
            (r#"{"type":"connection_init","payload":{"token":1}}"#, false),
            (r#"{"type":"ping"}"#, true),
            (r#"{"type":"ping","payload":{"a":1}}"#, true),
            (r#"{"type":"pong","payload":1}"#, false),
            (r#"{"type":"subscribe","id":"1","payload":{"query":"{a}"}}"#, true),
            (r#"{"type":"subscribe","payload":{"query":"{a}"}}"#, false),
            (r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#, false),
            (r#"{"type":"subscribe","id":"1"}"#, false),
            (r#"{"type":"complete","id":"1"}"#, true),
            (r#"{"type":"complete"}"#, false),
            (r#"{"type":"start","id":"1"}"#, false),
            (r#"{"id":"1"}"#, false),
            ("[]", false),
            ("", false),
            (long.as_str(), false),
        ] {
            assert_eq!(ClientMessage::parse(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn takes_the_token_under_its_usual_names() {
        for (payload, token) in [
            (r#"{"authorization":"Bearer t"}"#, Some("t")),
            (r#"{"Authorization":"bearer t"}"#, Some("t")),
            (r#"{"token":"t"}"#, Some("t")),
            (r#"{"other":"t"}"#, None),
        ] {
            let payload = RawValue::from_string(payload.to_owned()).expect("JSON");
            assert_eq!(init_token(Some(payload)).expect("good").as_deref(), token);
        }
    }
}
