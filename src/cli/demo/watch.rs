//! The customer's dashboard: a subscription to `messageEvents` over server-sent events.

use serde::Deserialize;

use super::client::{Client, ClientError};
use super::stream::Stream;
use crate::types::money::Micros;

const WATCH: &str = "subscription Watch { messageEvents { seq ... on MessageStatusChanged { status \
    message { id charged { amount } } error { code title } } } }";

/// A message took a status.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) message_id: String,
    pub(super) status: String,
    /// What went wrong, in words.
    pub(super) fault: Option<String>,
    /// What was charged for it, once that is known.
    pub(super) charged: Option<Micros>,
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
pub(super) struct Watcher(Stream);

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "messageEvents")]
    event: Event,
}

#[derive(Deserialize)]
struct Event {
    status: Option<String>,
    message: Option<Message>,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    charged: Option<Money>,
}

#[derive(Deserialize)]
struct Money {
    amount: String,
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
        Ok(Self(Stream::open(client, WATCH).await?))
    }

    /// The next changes. Cancel-safe: what was read and not returned is kept.
    ///
    /// # Errors
    /// If the stream ends or tells an error.
    pub(super) async fn next(&mut self) -> Result<Vec<Change>, ClientError> {
        Ok(self.0.next().await?.into_iter().filter_map(change).collect())
    }
}

fn change(data: Data) -> Option<Change> {
    let Event { status, message, error } = data.event;
    let (status, message) = (status?, message?);
    let fault = error.map(|fault| fault.title);
    let charged = message.charged.and_then(|money| money.amount.parse().ok());
    Some(Change { message_id: message.id, status, fault, charged })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::stream::read;

    #[test]
    fn an_event_tells_a_change_and_others_are_passed_over() {
        let told = read(
            r#"{"data":{"messageEvents":{"seq":1,"status":"UNDELIVERED",
                "message":{"id":"msg_1","charged":{"amount":"0.01"}},
                "error":{"code":"ABSENT","title":"The phone was off"}}}}"#,
        );
        let told = change(told.unwrap()).unwrap();
        assert_eq!((told.message_id.as_str(), told.is_final()), ("msg_1", true));
        assert_eq!(told.fault.as_deref(), Some("The phone was off"));
        assert_eq!(told.charged, Some(Micros(10_000)));
        let other = read(r#"{"data":{"messageEvents":{"seq":2}}}"#);
        assert!(change(other.unwrap()).is_none());
        assert!(read::<Data>(r#"{"errors":[{"message":"no"}]}"#).is_err());
    }
}
