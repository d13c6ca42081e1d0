//! What must hold after crashes, looked at from outside: the answers of `sendMessages`, the event
//! log as a subscriber saw it, the API's account of each doubtful message, and the SMSC's journal.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::kit::drive::api::{Accepted, Api};
use crate::kit::drive::journal::Takings;
use crate::kit::drive::record::{Seen, Status};
use crate::kit::drive::stream::Subscriber;
use crate::kit::report::Report;

/// Faults of one kind that are shown.
const SHOWN_MAX: usize = 5;
/// Nothing new for so long, with everything settled: then nothing more comes.
const QUIET: Duration = Duration::from_secs(2);

const MESSAGE: &str = "query Message($id: ID!) { message(id: $id) { status attempts { number parts \
    { state } } events { status error { code } } } }";

/// What is known of the accepted messages.
pub struct Audit {
    /// By id, the number that names the recipient.
    numbers: HashMap<u128, u32>,
    ids: HashMap<u32, u128>,
    /// Numbers that came twice: a call made two messages of one.
    doubled: Vec<u32>,
    last: HashMap<u128, Status>,
    /// Messages whose log says at some time that they are uncertain.
    was_unknown: HashSet<u128>,
    strangers: HashSet<u128>,
    first_seq: Option<u64>,
    last_seq: u64,
    gaps: Vec<(u64, u64)>,
}

impl Audit {
    /// Of these messages.
    pub fn new(accepted: &[Accepted]) -> Self {
        let (mut numbers, mut ids, mut doubled) = (HashMap::new(), HashMap::new(), Vec::new());
        for call in accepted {
            for (number, id) in (call.first..).zip(&call.ids) {
                numbers.insert(*id, number);
                if ids.insert(number, *id).is_some() {
                    doubled.push(number);
                }
            }
        }
        Self {
            numbers,
            ids,
            doubled,
            last: HashMap::new(),
            was_unknown: HashSet::new(),
            strangers: HashSet::new(),
            first_seq: None,
            last_seq: 0,
            gaps: Vec::new(),
        }
    }

    /// How many messages were accepted.
    pub fn messages(&self) -> usize {
        self.numbers.len()
    }

    /// Reads the log until every message is settled and the log is quiet, or `limit` is over.
    pub async fn follow(&mut self, subscriber: &mut Subscriber, limit: Duration) {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            match tokio::time::timeout(QUIET, subscriber.seen.recv()).await {
                Ok(Some(seen)) => seen.iter().for_each(|event| self.take(event)),
                Ok(None) => return,
                Err(_) if self.unsettled().next().is_none() => return,
                Err(_) => {}
            }
        }
    }

    /// An event of the log, in order.
    pub fn take(&mut self, event: &Seen) {
        if self.first_seq.is_none() {
            self.first_seq = Some(event.seq);
        } else if event.seq != self.last_seq + 1 {
            self.gaps.push((self.last_seq, event.seq));
        }
        self.last_seq = event.seq;
        if !self.numbers.contains_key(&event.id) {
            self.strangers.insert(event.id);
            return;
        }
        if event.status == Status::Unknown {
            self.was_unknown.insert(event.id);
        }
        self.last.insert(event.id, event.status);
    }

    fn unsettled(&self) -> impl Iterator<Item = u128> {
        let last = |id: &u128| self.last.get(id).copied();
        self.numbers.keys().filter(move |id| !last(id).is_some_and(Status::is_settled)).copied()
    }

    /// Holds what was seen against what must be.
    pub async fn check(&self, api: &Api, takings: &HashMap<u32, Takings>, report: &mut Report) {
        report.figure("events", (self.last_seq + 1 - self.first_seq.unwrap_or(1)) as f64);
        list(report, "the log jumps", self.gaps.iter().map(|gap| format!("{gap:?}")));
        list(report, "accepted twice", self.doubled.iter().map(u32::to_string));
        list(report, "in the log, never answered", self.strangers.iter().map(shown));
        list(report, "not settled", self.unsettled().map(|id| shown(&id)));
        let delivered = |id: &u128| self.last.get(id) == Some(&Status::Delivered);
        let never_taken = self
            .numbers
            .iter()
            .filter(|(id, number)| delivered(id) && !takings.contains_key(number));
        list(report, "delivered, never taken by the SMSC", never_taken.map(|(id, _)| shown(id)));
        let repeated: Vec<u128> = takings
            .iter()
            .filter(|(_, takings)| takings.at_ms.len() > 1)
            .filter_map(|(number, _)| self.ids.get(number).copied())
            .collect();
        report.figure("uncertain_at_some_time", self.was_unknown.len() as f64);
        report.figure("taken_by_the_smsc_more_than_once", repeated.len() as f64);
        let mut unreported = Vec::new();
        for id in repeated {
            if !self.is_reported_uncertain(api, id).await {
                unreported.push(shown(&id));
            }
        }
        list(report, "submitted twice, not reported as uncertain", unreported.into_iter());
    }

    /// Whether the log or the API says of the message that an attempt was uncertain.
    async fn is_reported_uncertain(&self, api: &Api, id: u128) -> bool {
        if self.was_unknown.contains(&id) {
            return true;
        }
        let data = api.query(MESSAGE, json!({ "id": shown(&id) })).await;
        let attempts = data["message"]["attempts"].as_array().cloned().unwrap_or_default();
        let states = attempts
            .iter()
            .flat_map(|attempt| attempt["parts"].as_array().cloned().unwrap_or_default());
        states.into_iter().any(|part| part["state"] == "UNCERTAIN")
    }
}

/// How many messages ended in which status.
pub fn settled_status(audit: &Audit) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for status in audit.last.values() {
        *counts.entry(format!("{status:?}").to_uppercase()).or_default() += 1;
    }
    let shown = counts.iter().map(|(status, count)| format!("{status} {count}"));
    shown.collect::<Vec<_>>().join(", ")
}

fn shown(id: &u128) -> String {
    entity::ids::MessageId(uuid::Uuid::from_u128(*id)).to_string()
}

fn list(report: &mut Report, what: &str, found: impl Iterator<Item = String>) {
    let found: Vec<String> = found.collect();
    if !found.is_empty() {
        let some = found.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
        report.fault(format!("{what}: {} ({some} …)", found.len()));
    }
}
