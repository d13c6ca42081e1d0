//! Calls over HTTP: a batch is sent again under its own key until the server has answered it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;

use super::{Batch, http_client, unix_us};

/// Between two tries of a call that was not answered.
const RETRY_DELAY: Duration = Duration::from_millis(50);
/// A server that does not come back within this time is broken.
const RETRY_TIME_MAX: Duration = Duration::from_secs(120);

/// Calls to one server under one key.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    /// Without a path.
    pub url: Arc<str>,
    /// The API key.
    pub key: Arc<str>,
    retries: Arc<AtomicU64>,
}

/// What a batch became.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The number of the first message.
    pub first: u32,
    /// The messages' ids in order, as their UUIDs.
    pub ids: Vec<u128>,
    /// When the first try was made, by the machine's clock.
    pub called_us: u64,
    /// When the answer was there.
    pub answered_us: u64,
}

impl Api {
    /// Nothing is called yet.
    pub fn new(url: &str, key: &str) -> Self {
        let url = url.trim_end_matches('/');
        Self { client: http_client(), url: url.into(), key: key.into(), retries: Arc::default() }
    }

    /// How often a call was made again, since no answer had come.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Sends a batch, again and again until it is answered.
    ///
    /// # Panics
    /// If the server refuses any of it.
    pub async fn send(&self, batch: &Batch) -> Accepted {
        let called_us = unix_us();
        let answer = self.until_answered(batch.body.clone()).await;
        let answered_us = unix_us();
        let text = std::str::from_utf8(&answer).expect("JSON is UTF-8");
        let ids = message_ids(text);
        assert_eq!(ids.len(), batch.count as usize, "not all were accepted: {}", start_of(text));
        Accepted { first: batch.first, ids, called_us, answered_us }
    }

    async fn until_answered(&self, body: Bytes) -> Bytes {
        let deadline = Instant::now() + RETRY_TIME_MAX;
        loop {
            match self.post(body.clone()).await {
                Ok(answer) => return answer,
                Err(error) => {
                    assert!(Instant::now() < deadline, "no answer in {RETRY_TIME_MAX:?}: {error}");
                    self.retries.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(RETRY_DELAY).await;
                }
            }
        }
    }

    /// The body of an answer; an error if there was none or if it may be tried again.
    async fn post(&self, body: Bytes) -> Result<Bytes, String> {
        let request = self.client.post(format!("{}/graphql", self.url)).body(body);
        let request = request
            .bearer_auth(&self.key)
            .header("content-type", "application/json")
            .header("accept", "application/graphql-response+json");
        let answer = request.send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&body);
        if status.is_server_error() || is_worth_another_try(&text) {
            return Err(format!("{status}: {}", start_of(&text)));
        }
        assert!(status.is_success(), "{status}: {}", start_of(&text));
        Ok(body)
    }

    /// The `data` of a query.
    ///
    /// # Panics
    /// If it has errors.
    pub async fn query(&self, query: &str, variables: Value) -> Value {
        let body = serde_json::json!({ "query": query, "variables": variables }).to_string();
        let answer = self.until_answered(body.into()).await;
        let mut answer: Value = serde_json::from_slice(&answer).expect("answers are JSON");
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].take()
    }
}

/// The server is there, its store is not (restarting), or another try holds the key.
fn is_worth_another_try(text: &str) -> bool {
    let start = start_of(text);
    ["UNAVAILABLE", "INTERNAL", "IDEMPOTENCY_IN_PROGRESS"].iter().any(|code| start.contains(code))
}

fn start_of(text: &str) -> &str {
    let end = (0..=text.len().min(600)).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// All message ids in a text, in order, without reading the rest of it.
pub fn message_ids(text: &str) -> Vec<u128> {
    text.match_indices("\"msg_").filter_map(|(at, _)| message_id(&text[at + 1..])).collect()
}

/// The id that `text` begins with.
pub fn message_id(text: &str) -> Option<u128> {
    let id: entity::ids::MessageId = text.get(..30)?.parse().ok()?;
    Some(id.0.as_u128())
}
