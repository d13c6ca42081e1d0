//! A subscriber over server-sent events that notes what it sees and comes back when it is cut off.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::record::{Seen, Status};
use super::{api, stream_client, unix_us};

const SUBSCRIPTION: &str = "subscription Watch($filter: MessageEventFilter) { messageEvents(filter: \
    $filter) { seq ... on MessageStatusChanged { status message { id } } } }";

/// Before connecting again.
const RECONNECT_DELAY: Duration = Duration::from_millis(20);

/// Which events are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// All: then their numbers must be dense.
    Everything,
    /// Only SENT and what may follow it.
    AfterQueued,
}

impl Wish {
    fn variables(self) -> serde_json::Value {
        match self {
            Self::Everything => serde_json::json!({}),
            Self::AfterQueued => serde_json::json!({ "filter": { "statuses": [
                "SENT", "DELIVERED", "UNDELIVERED", "EXPIRED", "REJECTED", "FAILED", "UNKNOWN",
            ] } }),
        }
    }
}

/// A running subscriber.
pub struct Subscriber {
    task: JoinHandle<()>,
    /// What it saw, in order.
    pub seen: mpsc::UnboundedReceiver<Vec<Seen>>,
    /// How often it connected.
    pub connected: watch::Receiver<u32>,
}

impl Subscriber {
    /// Starts one and waits until it is connected.
    pub async fn start(url: &str, key: &str, wish: Wish) -> Self {
        let (found, seen) = mpsc::unbounded_channel();
        let (connects, mut connected) = watch::channel(0);
        let reader = Reader {
            url: format!("{url}/graphql").into(),
            key: key.into(),
            wish,
            found,
            connects,
            last_id: None,
        };
        let task = tokio::spawn(reader.run());
        connected.wait_for(|connected| *connected > 0).await.expect("the reader runs");
        Self { task, seen, connected }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Reader {
    url: Arc<str>,
    key: Arc<str>,
    wish: Wish,
    found: mpsc::UnboundedSender<Vec<Seen>>,
    connects: watch::Sender<u32>,
    last_id: Option<String>,
}

impl Reader {
    async fn run(mut self) {
        loop {
            // A server that is killed cuts us off: that is what the crash scenario is about.
            let _ = self.read().await;
            if self.found.is_closed() {
                return;
            }
            tokio::time::sleep(RECONNECT_DELAY).await;
        }
    }

    async fn read(&mut self) -> reqwest::Result<()> {
        let body = serde_json::json!({ "query": SUBSCRIPTION, "variables": self.wish.variables() });
        let mut request = stream_client()
            .post(&*self.url)
            .bearer_auth(&self.key)
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .body(body.to_string());
        if let Some(id) = &self.last_id {
            request = request.header("last-event-id", id);
        }
        let mut answer = request.send().await?.error_for_status()?;
        let mut rest = String::new();
        let mut counted = false;
        while let Some(chunk) = answer.chunk().await? {
            if !counted {
                // The server's first comment says that the subscription stands.
                counted = true;
                self.connects.send_modify(|connects| *connects += 1);
            }
            rest.push_str(std::str::from_utf8(&chunk).unwrap_or_default());
            let Some(end) = rest.rfind("\n\n") else { continue };
            let now_us = unix_us();
            let mut seen = Vec::new();
            for event in rest[..end].split("\n\n") {
                self.take(event, now_us, &mut seen);
            }
            rest.drain(..end + 2);
            if !seen.is_empty() {
                // Nobody listens any more: the scenario is over.
                let _ = self.found.send(seen);
            }
        }
        Ok(())
    }

    fn take(&mut self, event: &str, now_us: u64, seen: &mut Vec<Seen>) {
        assert!(!event.contains("\"errors\""), "the stream told an error: {event}");
        let Some(status) = after(event, "\"status\":\"").and_then(Status::at_start) else { return };
        let Some(id) = after(event, "\"id\":\"").and_then(api::message_id) else { return };
        let seq = after(event, "\"seq\":").map_or(0, leading_number);
        if let Some(cursor) = after(event, "\nid: ") {
            self.last_id = cursor.lines().next().map(str::to_owned);
        }
        seen.push(Seen { id, seq, status, at_us: now_us });
    }
}

fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.find(mark).map(|at| &text[at + mark.len()..])
}

fn leading_number(text: &str) -> u64 {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
