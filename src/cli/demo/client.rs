//! The customer's program: it calls the API over HTTP with a key or as a person, like any other.

use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
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

/// A client with a key or an access token.
#[derive(Clone)]
pub(super) struct Client {
    calls: reqwest::Client,
    streams: reqwest::Client,
    endpoint: String,
}

#[derive(Deserialize)]
struct Answer {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    results: Vec<ItemResult>,
    user_errors: Vec<Value>,
}

#[derive(Deserialize)]
struct ItemResult {
    message: Option<MessageId>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct MessageId {
    id: String,
}

impl ClientError {
    /// The API's own words.
    pub(super) fn refused(faults: &[Value]) -> Self {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        Self::Refused(faults.join(", "))
    }
}

impl Client {
    /// A client for the server at `url`, with a key or an access token.
    ///
    /// # Errors
    /// If that cannot stand in a header.
    pub(super) fn new(url: &str, credential: &str) -> Result<Self, ClientError> {
        let bearer = HeaderValue::from_str(&format!("Bearer {credential}"))
            .map_err(|error| ClientError::Refused(error.to_string()))?;
        Self::with_headers(url, HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
    }

    /// A client that is nobody yet.
    ///
    /// # Errors
    /// If there can be none.
    pub(super) fn stranger(url: &str) -> Result<Self, ClientError> {
        Self::with_headers(url, HeaderMap::new())
    }

    fn with_headers(url: &str, mut headers: HeaderMap) -> Result<Self, ClientError> {
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

    /// The `data` of an operation.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(super) async fn call(&self, query: &str, variables: Value) -> Result<Value, ClientError> {
        let body = json!({ "query": query, "variables": variables });
        let request = self.calls.post(&self.endpoint);
        let request = request.header(ACCEPT, "application/graphql-response+json");
        let answer: Answer = request.body(body.to_string()).send().await?.json().await?;
        answer.data.ok_or_else(|| ClientError::refused(&answer.errors))
    }

    /// A file of the server's.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(super) async fn download(&self, url: &str) -> Result<Vec<u8>, ClientError> {
        let answer = self.calls.get(url).send().await?.error_for_status()?;
        Ok(answer.bytes().await?.to_vec())
    }

    /// Puts a file where a signed link leads, with no credential.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(super) async fn upload(&self, url: &str, file: String) -> Result<(), ClientError> {
        let stranger = Self::stranger(url)?;
        let request = stranger.calls.put(url).header(CONTENT_TYPE, "text/csv").body(file);
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// What a page elsewhere says, opened as a browser does: with no credential.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(super) async fn open_page(&self, url: &str) -> Result<String, ClientError> {
        let browser = Self::stranger(url)?;
        let answer = browser.calls.get(url).send().await?.error_for_status()?;
        Ok(answer.text().await?)
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
        let mut data = self.call(SEND, json!({ "input": input })).await?;
        let at = Instant::now();
        for result in results(data["sendMessages"].take())? {
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

fn results(payload: Value) -> Result<Vec<ItemResult>, ClientError> {
    let payload: Payload =
        serde_json::from_value(payload).map_err(|error| ClientError::Refused(error.to_string()))?;
    if payload.user_errors.is_empty() {
        Ok(payload.results)
    } else {
        Err(ClientError::refused(&payload.user_errors))
    }
}
