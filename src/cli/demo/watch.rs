//! The customer's dashboard: a subscription to `messageEvents` over server-sent events.

use serde::Deserialize;

use super::client::{Client, ClientError};

const WATCH: &str = "subscription Watch { messageEvents { seq ... on MessageStatusChanged { status \
    message { id } error { code title } } } }";

/// A message took a status.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) message_id: String,
    pub(super) status: String,
    /// What went wrong, in words.
    pub(super) fault: Option<String>,
}

impl Change {
    /// Whether the message stays so, unless a late receipt says more.
    pub(super) fn is_final(&self) -> bool {
        !matches!(
            self.status.as_str(),
            "SCHEDULED" | "HELD" | "QUEUED" | "SENDING" | "SENT" | "ENROUTE"
        )
    }
}

/// An open subscription.
pub(super) struct Watcher {
    stream: reqwest::Response,
    unread: String,
}

#[derive(Deserialize)]
struct Next {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "messageEvents")]
    event: Event,
}

#[derive(Deserialize)]
struct Event {
    status: Option<String>,
    message: Option<MessageId>,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct MessageId {
    id: String,
}

#[derive(Deserialize)]
struct Fault {
    title: String,
}

impl Watcher {
    /// Subscribes; returns once the server follows the log for us.
    ///
    /// # Errors
    /// If it does not.
    pub(super) async fn connect(client: &Client) -> Result<Self, ClientError> {
        let mut stream = client.subscribe(WATCH).await?;
        // A comment comes first, before any event.
        let first = stream.chunk().await?.unwrap_or_default();
        let unread = String::from_utf8_lossy(&first).into_owned();
        Ok(Self { stream, unread })
    }

    /// The next changes, at least one. Cancel-safe: what was read and not returned is kept.
    ///
    /// # Errors
    /// If the stream ends or tells an error.
    pub(super) async fn next(&mut self) -> Result<Vec<Change>, ClientError> {
        loop {
            let changes = self.take_whole_events()?;
            if !changes.is_empty() {
                return Ok(changes);
            }
            let Some(chunk) = self.stream.chunk().await? else {
                return Err(ClientError::Refused("the stream of events ended".to_owned()));
            };
            self.unread.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    fn take_whole_events(&mut self) -> Result<Vec<Change>, ClientError> {
        let Some(end) = self.unread.rfind("\n\n") else { return Ok(Vec::new()) };
        let rest = self.unread.split_off(end + 2);
        let whole = std::mem::replace(&mut self.unread, rest);
        let mut changes = Vec::new();
        for event in whole.split("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data:")).map(str::trim);
            if let Some(data) = data.filter(|data| !data.is_empty()) {
                changes.extend(change(data)?);
            }
        }
        Ok(changes)
    }
}

fn change(data: &str) -> Result<Option<Change>, ClientError> {
    let refused = |why: String| ClientError::Refused(why);
    let next: Next = serde_json::from_str(data).map_err(|error| refused(error.to_string()))?;
    let Some(Data { event }) = next.data else {
        let errors: Vec<_> = next.errors.iter().map(ToString::to_string).collect();
        return Err(refused(errors.join(", ")));
    };
    let (Some(status), Some(message)) = (event.status, event.message) else { return Ok(None) };
    let fault = event.error.map(|fault| fault.title);
    Ok(Some(Change { message_id: message.id, status, fault }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_tells_a_change_and_others_are_passed_over() {
        let told = change(
            r#"{"data":{"messageEvents":{"seq":1,"status":"UNDELIVERED","message":{"id":"msg_1"},
                "error":{"code":"ABSENT","title":"The phone was off"}}}}"#,
        );
        let told = told.unwrap().unwrap();
        assert_eq!((told.message_id.as_str(), told.is_final()), ("msg_1", true));
        assert_eq!(told.fault.as_deref(), Some("The phone was off"));
        assert!(change(r#"{"data":{"messageEvents":{"seq":2}}}"#).unwrap().is_none());
        assert!(change(r#"{"errors":[{"message":"no"}]}"#).is_err());
    }
}
