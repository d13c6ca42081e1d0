//! The inbox: a webhook comes in, is verified, made facts, and kept once, before it is answered.
//!
//! Webhooks that came while the last group was being committed are the next group: one statement
//! and one commit for all of them. What the processor's API told (a sweep, an answer to a call)
//! comes in by [`record`], under the same ids, so both may tell the same thing.
//!
//! Nothing here changes a payment; folding does, by the doorbell or a second later.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity::enums::WebhookState;
use entity::ids::{ProcessorId, WebhookEventId};
use entity::time::UnixMillis;
use http::HeaderMap;
use sea_orm::DbErr;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::endpoints::Endpoints;
use super::facts::{EventId, Fact, MethodState};
use super::processor::{Delivery, Refusal, Unreadable, Verified, receive};
use super::raw_body::RawBody;
use crate::ctx::{Ctx, Platform};
use crate::db::{Bulk, BulkColumn, BulkType, Tx};
use crate::error::Failed;
use crate::events::Topic;
use crate::keys::Purpose;

/// Webhooks that wait for their group on one node. More are told to come again: processors do, for
/// days.
const WAITING_MAX: usize = 4_096;
/// Webhooks in one commit: a few milliseconds of work for either store.
const GROUP_MAX: usize = 500;

/// Parked until the processor was asked: what came was not signed.
pub(super) const HINT_ONLY: &str = "HINT_ONLY";

/// What came to an address.
pub struct Post<'a> {
    /// The path's second part.
    pub processor: &'a str,
    /// Its third.
    pub endpoint: &'a str,
    /// Its fourth, for processors that can carry a secret only there.
    pub token: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The bytes.
    pub body: RawBody,
}

/// What to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// Kept, or kept before, or of no interest: 2xx.
    Taken,
    /// Unsigned, or signed by somebody else: 401.
    Refused,
    /// No such address: 404.
    UnknownEndpoint,
    /// It could not be kept: 503, and the processor comes again.
    Unavailable,
}

/// A row of the inbox that is to be.
pub(super) struct NewEvent {
    pub(super) id: WebhookEventId,
    pub(super) endpoint_id: ProcessorId,
    pub(super) event_id: String,
    pub(super) body_mac: Option<Vec<u8>>,
    pub(super) event_type: String,
    pub(super) facts: String,
    pub(super) state: WebhookState,
    pub(super) reason: Option<&'static str>,
    pub(super) occurred_at: Option<UnixMillis>,
    pub(super) received_at: UnixMillis,
}

struct Waiting {
    event: NewEvent,
    kept: oneshot::Sender<bool>,
}

/// Takes webhooks in on this node. Cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    platform: Arc<Platform>,
    endpoints: Arc<Endpoints>,
    waiting: mpsc::Sender<Waiting>,
}

/// What writes the groups: run it beside the inbox.
pub struct Writer {
    platform: Arc<Platform>,
    waiting: mpsc::Receiver<Waiting>,
}

impl Inbox {
    /// An inbox, and what writes for it.
    pub fn new(platform: Arc<Platform>) -> (Self, Writer) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let endpoints = Arc::new(Endpoints::new(Arc::clone(&platform)));
        let writer = Writer { platform: Arc::clone(&platform), waiting: receiver };
        (Self { platform, endpoints, waiting: sender }, writer)
    }

    /// Verifies, projects and keeps a webhook. When it returns [`Reception::Taken`], what mattered
    /// of it is committed. Idempotent.
    pub async fn receive(&self, post: Post<'_>) -> Reception {
        let found = self.endpoints.find(post.processor, post.endpoint).await;
        let endpoint = match found {
            Ok(Some(endpoint)) => endpoint,
            Ok(None) => return Reception::UnknownEndpoint,
            Err(error) => {
                tracing::error!(%error, "cannot read the payment processors");
                return Reception::Unavailable;
            }
        };
        let Some(secrets) = endpoint.secrets() else { return Reception::Refused };
        let now = self.platform.clock.now();
        let delivery = Delivery { headers: post.headers, path_token: post.token, secrets, now };
        let body_mac = self.platform.master_key.hash(Purpose::WebhookBody, post.body.bytes());
        let name = endpoint.processor.name();
        let received = Received { id: self.platform.ids.next(), endpoint_id: endpoint.id, now };
        let event = match receive(endpoint.processor, post.body, &delivery) {
            Ok(verified) => received.verified(verified, Some(body_mac.to_vec())),
            Err(Refusal::Unreadable(reason)) => {
                count(name, "unreadable");
                tracing::error!(
                    processor.id = %endpoint.id, reason = reason.code(),
                    "a genuine webhook cannot be read; it is parked"
                );
                // Its hash is all its id; in letters, so that no digits come about by chance.
                let event_id = format!("mac:{}", letters(&body_mac));
                Ok(received.unreadable(reason, event_id, Some(body_mac.to_vec())))
            }
            Err(Refusal::BadSignature | Refusal::Stale) => {
                count(name, "refused");
                return Reception::Refused;
            }
        };
        let Ok(event) = event else { return Reception::Unavailable };
        let (sender, kept) = oneshot::channel();
        if self.waiting.try_send(Waiting { event, kept: sender }).is_err() {
            count(name, "overflow");
            return Reception::Unavailable;
        }
        match kept.await {
            Ok(true) => {
                count(name, "taken");
                Reception::Taken
            }
            Ok(false) | Err(_) => {
                count(name, "not_kept");
                Reception::Unavailable
            }
        }
    }
}

fn count(processor: &'static str, outcome: &'static str) {
    metrics::counter!("payment_webhooks_total", "processor" => processor, "outcome" => outcome)
        .increment(1);
}

impl Writer {
    /// Writes groups until `stop`, and then what still waits.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            let came =
                stop.run_until_cancelled(self.waiting.recv_many(&mut group, GROUP_MAX)).await;
            if came.is_none() {
                self.waiting.close();
                self.waiting.recv_many(&mut group, WAITING_MAX).await;
            }
            if group.is_empty() {
                return;
            }
            self.write(std::mem::take(&mut group)).await;
        }
    }

    async fn write(&self, group: Vec<Waiting>) {
        let (events, waiting): (Vec<_>, Vec<_>) =
            group.into_iter().map(|it| (it.event, it.kept)).unzip();
        let kept = match keep(&self.platform, &events).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, events = events.len(), "cannot keep webhooks");
                false
            }
        };
        for waiting in waiting {
            // Whoever hung up is told nothing: the processor comes again, and finds it kept.
            let _ = waiting.send(kept);
        }
    }
}

/// Where and when something came in.
#[derive(Clone, Copy)]
struct Received {
    id: WebhookEventId,
    endpoint_id: ProcessorId,
    now: UnixMillis,
}

impl Received {
    fn verified(self, verified: Verified, body_mac: Option<Vec<u8>>) -> Result<NewEvent, Failed> {
        let says_something = verified.facts.iter().any(|fact| match fact {
            Fact::Payment(_) | Fact::Payout(_) => true,
            // Which ones are kept, their payments say.
            Fact::SavedMethod(facts) => facts.state == MethodState::Detached,
            Fact::BalanceTransaction(_) => false,
        });
        let (state, reason) = match (says_something, verified.hint_only) {
            (false, _) => (WebhookState::Ignored, None),
            (true, true) => (WebhookState::Parked, Some(HINT_ONLY)),
            (true, false) => (WebhookState::Received, None),
        };
        Ok(NewEvent {
            id: self.id,
            endpoint_id: self.endpoint_id,
            event_id: verified.event_id.as_str().to_owned(),
            body_mac,
            event_type: verified.event_type.as_str().to_owned(),
            facts: serde_json::to_string(&verified.facts).map_err(Failed::internal)?,
            state,
            reason,
            occurred_at: verified.created_at,
            received_at: self.now,
        })
    }

    /// Nothing of it is known but its id.
    fn unreadable(
        self,
        reason: Unreadable,
        event_id: String,
        body_mac: Option<Vec<u8>>,
    ) -> NewEvent {
        NewEvent {
            id: self.id,
            endpoint_id: self.endpoint_id,
            event_id,
            body_mac,
            event_type: "unreadable".to_owned(),
            facts: "[]".to_owned(),
            state: WebhookState::Parked,
            reason: Some(reason.code()),
            occurred_at: None,
            received_at: self.now,
        }
    }
}

/// Hexadecimal with `a` to `p` for its digits.
pub(super) fn letters(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.map(|nibble| char::from(b'a' + nibble)).collect()
}

/// Something that the processor's API told.
pub(super) enum Told {
    /// An event of its list.
    Event(Box<Verified>),
    /// An event of its list that cannot be read, by its id as it is written.
    Unreadable(String, Unreadable),
    /// The state of an object. Its id here is a hash of the facts: the same state is kept once.
    Facts(Vec<Fact>),
}

/// Keeps what a processor's API told, as if it had been posted.
pub(super) async fn record(
    ctx: &Ctx,
    endpoint_id: ProcessorId,
    told: Vec<Told>,
) -> Result<(), Failed> {
    if told.is_empty() {
        return Ok(());
    }
    let now = ctx.clock.now();
    let mut events = Vec::with_capacity(told.len());
    for told in told {
        let received = Received { id: ctx.ids.next(), endpoint_id, now };
        events.push(match told {
            Told::Event(verified) => received.verified(*verified, None)?,
            Told::Unreadable(id, reason) => {
                let event_id = match EventId::try_from(id.clone()) {
                    Ok(id) => id.as_str().to_owned(),
                    Err(_) => letters(&ctx.master_key.hash(Purpose::WebhookBody, id.as_bytes())),
                };
                // Not its own id: a later version may be able to read it.
                received.unreadable(reason, format!("unreadable:{event_id}"), None)
            }
            Told::Facts(facts) => {
                let facts = serde_json::to_string(&facts).map_err(Failed::internal)?;
                let hash = ctx.master_key.hash(Purpose::WebhookBody, facts.as_bytes());
                NewEvent {
                    id: received.id,
                    endpoint_id,
                    event_id: format!("api:{}", letters(&hash)),
                    body_mac: None,
                    event_type: "api".to_owned(),
                    facts,
                    state: WebhookState::Received,
                    reason: None,
                    occurred_at: None,
                    received_at: now,
                }
            }
        });
    }
    Ok(keep(ctx, &events).await?)
}

/// Keeps events that are not kept yet, in one transaction.
async fn keep(platform: &Platform, events: &[NewEvent]) -> Result<(), DbErr> {
    let mismatches = platform.db.write(|tx| async move { insert(&tx, events).await }).await?;
    for mismatch in mismatches {
        metrics::counter!("payment_webhook_mismatches_total").increment(1);
        tracing::error!(
            processor.id = %mismatch.0, event.id = mismatch.1,
            "a webhook came again under its id with another body; the first one counts"
        );
    }
    let wakes =
        |event: &NewEvent| event.state == WebhookState::Received || event.reason == Some(HINT_ONLY);
    if events.iter().any(wakes) {
        platform.doorbell.ring(Topic::Webhooks);
    }
    Ok(())
}

const COLUMNS: &[BulkColumn] = &[
    BulkColumn::new("id", BulkType::Uuid),
    BulkColumn::new("endpoint_id", BulkType::Uuid),
    BulkColumn::new("event_id", BulkType::Text),
    BulkColumn::nullable("body_mac", BulkType::Bytes),
    BulkColumn::new("event_type", BulkType::Text),
    BulkColumn::new("facts", BulkType::Text),
    BulkColumn::new("state", BulkType::SmallInt),
    BulkColumn::nullable("reason", BulkType::Text),
    BulkColumn::nullable("occurred_at_ms", BulkType::BigInt),
    BulkColumn::new("received_at_ms", BulkType::BigInt),
];

type Key = (ProcessorId, String);

/// Inserts, and names those that are kept with another body.
async fn insert(tx: &Tx, events: &[NewEvent]) -> Result<Vec<Key>, DbErr> {
    let mut rows = Bulk::new(COLUMNS);
    let mut first: HashMap<(Uuid, &str), &NewEvent> = HashMap::new();
    let mut mismatches = Vec::new();
    for event in events {
        let key = (event.endpoint_id.0, event.event_id.as_str());
        if let Some(earlier) = first.get(&key) {
            mismatches.extend(differs(event, earlier.body_mac.as_deref()));
            continue;
        }
        first.insert(key, event);
        rows.push([
            event.id.0.into(),
            event.endpoint_id.0.into(),
            event.event_id.clone().into(),
            event.body_mac.clone().into(),
            event.event_type.clone().into(),
            event.facts.clone().into(),
            event.state.code().into(),
            event.reason.map(str::to_owned).into(),
            event.occurred_at.map(|time| time.0).into(),
            event.received_at.0.into(),
        ]);
    }
    let sql = "INSERT INTO webhook_event (id, endpoint_id, event_id, body_mac, event_type, facts, \
        state, attempts, next_at_ms, reason, occurred_at_ms, received_at_ms) \
        SELECT id, endpoint_id, event_id, body_mac, event_type, facts, state, 0, received_at_ms, \
        reason, occurred_at_ms, received_at_ms FROM rows WHERE true \
        ORDER BY endpoint_id, event_id \
        ON CONFLICT (endpoint_id, event_id) DO NOTHING RETURNING id";
    let inserted = rows.query(tx, sql, Vec::new()).await?;
    let inserted: HashSet<WebhookEventId> =
        inserted.iter().map(|row| row.try_get("", "id")).collect::<Result<_, _>>()?;
    let repeated = first.into_values().filter(|event| !inserted.contains(&event.id)).collect();
    mismatches.extend(compare(tx, repeated).await?);
    Ok(mismatches)
}

const KEY_COLUMNS: &[BulkColumn] =
    &[BulkColumn::new("endpoint_id", BulkType::Uuid), BulkColumn::new("event_id", BulkType::Text)];

/// Compares repeated events with what is kept of them.
async fn compare(tx: &Tx, repeated: Vec<&NewEvent>) -> Result<Vec<Key>, DbErr> {
    let mut rows = Bulk::new(KEY_COLUMNS);
    for event in &repeated {
        rows.push([event.endpoint_id.0.into(), event.event_id.clone().into()]);
    }
    let sql = "SELECT e.endpoint_id, e.event_id, e.body_mac FROM rows CROSS JOIN webhook_event e \
        WHERE e.endpoint_id = rows.endpoint_id AND e.event_id = rows.event_id";
    let mut kept: HashMap<Key, Option<Vec<u8>>> = HashMap::new();
    for row in rows.query(tx, sql, Vec::new()).await? {
        let key = (row.try_get("", "endpoint_id")?, row.try_get("", "event_id")?);
        kept.insert(key, row.try_get("", "body_mac")?);
    }
    let differing = repeated.into_iter().filter_map(|event| {
        let mac = kept.get(&(event.endpoint_id, event.event_id.clone()))?;
        differs(event, mac.as_deref())
    });
    Ok(differing.collect())
}

/// The event's key, if both bodies are known and differ.
fn differs(event: &NewEvent, kept: Option<&[u8]>) -> Option<Key> {
    let other = event.body_mac.as_deref()? != kept?;
    other.then(|| (event.endpoint_id, event.event_id.clone()))
}
