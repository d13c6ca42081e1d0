//! A bare `graphql-transport-ws` client for tests: sends what it is told, right or wrong.

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::http_support::{TOKEN, Toy, soon};

/// An open socket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// A handshake with these headers; the subprotocol too if it is among them.
    pub async fn open(toy: &Toy, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut request =
            format!("ws://{}/graphql", toy.address).into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a value"));
        }
        match soon(connect_async(request)).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                Err(response.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// A handshake as clients make it.
    pub async fn connect(toy: &Toy) -> Self {
        let protocol = [("sec-websocket-protocol", "graphql-transport-ws")];
        Self::open(toy, &protocol).await.expect("a socket")
    }

    /// Connected, initialized with the toy's token, acknowledged.
    pub async fn ready(toy: &Toy) -> Self {
        let mut socket = Self::connect(toy).await;
        socket.init(json!({ "authorization": format!("Bearer {TOKEN}") })).await;
        assert_eq!(socket.message().await, json!({"type": "connection_ack"}));
        socket
    }

    pub async fn init(&mut self, payload: Value) {
        self.send(json!({"type": "connection_init", "payload": payload})).await;
    }

    pub async fn subscribe(&mut self, id: &str, document: &str) {
        let payload = json!({ "query": document });
        self.send(json!({"type": "subscribe", "id": id, "payload": payload})).await;
    }

    pub async fn complete(&mut self, id: &str) {
        self.send(json!({"type": "complete", "id": id})).await;
    }

    pub async fn send(&mut self, message: Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        soon(self.0.send(message)).await.expect("sent");
    }

    /// The next message.
    pub async fn message(&mut self) -> Value {
        match self.next().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("{other:?} is not a message"),
        }
    }

    /// The next frame, or `None` if the connection ended without one.
    pub async fn next(&mut self) -> Option<Message> {
        soon(self.0.next()).await.and_then(Result::ok)
    }

    /// The code and reason with which the server closes; messages before it are skipped.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.next().await {
                Some(Message::Close(Some(frame))) => {
                    return (frame.code.into(), frame.reason.as_str().to_owned());
                }
                Some(Message::Text(_)) => {}
                other => panic!("{other:?} instead of a close"),
            }
        }
    }
}
