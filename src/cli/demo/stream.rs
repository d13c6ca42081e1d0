//! A subscription over server-sent events, event by event.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::client::{Client, ClientError};

/// An open subscription.
pub(super) struct Stream {
    response: reqwest::Response,
    unread: String,
}

#[derive(Deserialize)]
struct Next<T> {
    data: Option<T>,
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

impl Stream {
    /// Subscribes; returns once the server follows the log for us.
    ///
    /// # Errors
    /// If it does not.
    pub(super) async fn open(client: &Client, document: &str) -> Result<Self, ClientError> {
        let mut response = client.subscribe(document).await?;
        // A comment comes first, before any event.
        let first = response.chunk().await?.unwrap_or_default();
        Ok(Self { response, unread: String::from_utf8_lossy(&first).into_owned() })
    }

    /// The `data` of the next events, at least one. Cancel-safe: what was read and not returned is
    /// kept.
    ///
    /// # Errors
    /// If the stream ends or tells an error.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Vec<T>, ClientError> {
        loop {
            let events = self.take_whole_events()?;
            if !events.is_empty() {
                return Ok(events);
            }
            let Some(chunk) = self.response.chunk().await? else {
                return Err(ClientError::Refused("the stream of events ended".to_owned()));
            };
            self.unread.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    fn take_whole_events<T: DeserializeOwned>(&mut self) -> Result<Vec<T>, ClientError> {
        let Some(end) = self.unread.rfind("\n\n") else { return Ok(Vec::new()) };
        let rest = self.unread.split_off(end + 2);
        let whole = std::mem::replace(&mut self.unread, rest);
        let data = whole.split("\n\n").filter_map(|event| {
            let data = event.lines().find_map(|line| line.strip_prefix("data:")).map(str::trim);
            data.filter(|data| !data.is_empty())
        });
        data.map(read).collect()
    }
}

/// The `data` of an event.
pub(super) fn read<T: DeserializeOwned>(event: &str) -> Result<T, ClientError> {
    let next: Next<T> =
        serde_json::from_str(event).map_err(|error| ClientError::Refused(error.to_string()))?;
    next.data.ok_or_else(|| ClientError::refused(&next.errors))
}
