//! The customer's program: it calls the API over HTTP with a key, like any other.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::numbers::recipient;
use super::setup::SENDER;

/// Messages in one call.
const BATCH: u32 = 100;
/// A call to our own machine takes milliseconds.
const CALL_TIME_MAX: Duration = Duration::from_secs(30);

const SEND: &str = "mutation Send($input: SendMessagesInput!) { sendMessages(input: $input) { \
    results { message { id } error { code message } } userErrors { code message } } }";

/// Why the API could not be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// No answer, or not an HTTP one.
    #[error("the API does not answer")]
    Http(#[from] reqwest::Error),
    /// An answer that refuses the call.
    #[error("the API refused: {0}")]
    Refused(String),
}

/// When a message was accepted: the answer to its call was there.
pub(super) struct Accepted {
    pub(super) message_id: String,
    pub(super) at: Instant,
}

/// What sending came to.
pub(super) struct Sent {
    pub(super) accepted: Vec<Accepted>,
    pub(super) began: Instant,
    pub(super) ended: Instant,
}

/// A client with a key.
#[derive(Clone)]
pub(super) struct Client {
    calls: reqwest::Client,
    streams: reqwest::Client,
    endpoint: String,
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "sendMessages")]
    send_messages: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    results: Vec<ItemResult>,
    user_errors: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct ItemResult {
    message: Option<MessageId>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct MessageId {
    id: String,
}

impl Client {
    /// A client for the server at `url`.
    ///
    /// # Errors
    /// If the key cannot stand in a header.
    pub(super) fn new(url: &str, key: &str) -> Result<Self, ClientError> {
        let mut headers = HeaderMap::new();
        let bearer = HeaderValue::from_str(&format!("Bearer {key}"))
            .map_err(|error| ClientError::Refused(error.to_string()))?;
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // The server is on this machine: a proxy of the environment is not asked.
        let builder = || {
            reqwest::Client::builder().default_headers(headers.clone()).no_proxy().tcp_nodelay(true)
        };
        Ok(Self {
            calls: builder().timeout(CALL_TIME_MAX).build()?,
            // A stream has no end, only a beginning.
            streams: builder().connect_timeout(CALL_TIME_MAX).build()?,
            endpoint: format!("{url}/graphql"),
        })
    }

    /// Sends `messages`, batch after batch.
    pub(super) async fn send_all(&self, round: u32, messages: u32) -> Result<Sent, ClientError> {
        let began = Instant::now();
        let mut accepted = Vec::with_capacity(messages as usize);
        for first in (0..messages).step_by(BATCH as usize) {
            let last = (first + BATCH).min(messages);
            self.send(round, first..last, &mut accepted).await?;
        }
        Ok(Sent { accepted, began, ended: Instant::now() })
    }

    async fn send(
        &self,
        round: u32,
        numbers: std::ops::Range<u32>,
        accepted: &mut Vec<Accepted>,
    ) -> Result<(), ClientError> {
        let key = format!("demo-{round}-{}", numbers.start);
        let messages: Vec<_> = numbers
            .map(|number| {
                json!({
                    "to": recipient(round, number),
                    "from": SENDER,
                    "text": format!("Hello from Heliograph! This is message {}.", number + 1),
                })
            })
            .collect();
        let input = json!({ "idempotencyKey": key, "messages": messages });
        let body = json!({ "query": SEND, "variables": { "input": input } });
        let request = self.calls.post(&self.endpoint);
        let request = request.header(ACCEPT, "application/graphql-response+json");
        let answer: Answer = request.body(body.to_string()).send().await?.json().await?;
        let at = Instant::now();
        for result in results(answer)? {
            match (result.message, result.error) {
                (Some(MessageId { id }), _) => accepted.push(Accepted { message_id: id, at }),
                (None, error) => {
                    let error = error.unwrap_or_default();
                    return Err(ClientError::Refused(error.to_string()));
                }
            }
        }
        Ok(())
    }

    /// Opens a stream of events for `document`.
    pub(super) async fn subscribe(&self, document: &str) -> Result<reqwest::Response, ClientError> {
        let body = json!({ "query": document }).to_string();
        let request = self.streams.post(&self.endpoint).header(ACCEPT, "text/event-stream");
        Ok(request.body(body).send().await?.error_for_status()?)
    }
}

fn results(answer: Answer) -> Result<Vec<ItemResult>, ClientError> {
    let refused = |faults: &[serde_json::Value]| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        ClientError::Refused(faults.join(", "))
    };
    match answer.data {
        Some(Data { send_messages }) if send_messages.user_errors.is_empty() => {
            Ok(send_messages.results)
        }
        Some(Data { send_messages }) => Err(refused(&send_messages.user_errors)),
        None => Err(refused(&answer.errors)),
    }
}
