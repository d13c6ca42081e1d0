//! `query_sm`: what the SMSC is to be asked, what it was asked and has not answered, and how an
//! answer reads. Questions take a place in the pace like parts do, and none in the window.
//!
//! A question that is lost with its link is not asked again here: whoever asked does, in time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use rusmpp::CommandStatus;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::encode;
use super::hub::Hub;
use super::queue::lock;
use super::receipt;
use super::session::Traffic;
use super::wire::{self, Frame};
use crate::carriers::{Receipt, StatusQuery};

/// Questions that wait to be asked.
pub(super) const QUERIES_MAX: usize = 128;
/// Unanswered questions on one link.
const ASKED_MAX: usize = 10;

/// What is to be asked, by whichever link comes first.
#[derive(Default)]
pub(super) struct Questions(Mutex<VecDeque<StatusQuery>>);

/// What was asked on one link, by sequence number.
#[derive(Default)]
pub(super) struct Asked(BTreeMap<u32, (String, Instant)>);

/// Passes questions on to the links; while none is bound they are dropped.
pub(super) async fn take_in(hub: Arc<Hub>, mut queries: mpsc::Receiver<StatusQuery>) {
    while let Some(Some(query)) = hub.shutdown.run_until_cancelled(queries.recv()).await {
        if hub.queue.bound() == 0 {
            continue;
        }
        let mut waiting = lock(&hub.questions.0);
        if waiting.len() < QUERIES_MAX {
            waiting.push_back(query);
        }
        drop(waiting);
        hub.wake_all();
    }
}

/// Appends what may be asked now. Returns when to look again, if that is known.
pub(super) fn ask(
    hub: &Hub,
    traffic: &mut Traffic,
    octets: &mut BytesMut,
    now: Instant,
) -> Option<Instant> {
    if !hub.config.query_sm {
        return None;
    }
    let mut waiting = lock(&hub.questions.0);
    while traffic.asked.0.len() < ASKED_MAX
        && let Some(query) = waiting.pop_front()
    {
        // An id or a sender that no query_sm can carry was never taken by an SMPP carrier.
        let Ok(pdu) = encode::query_sm(&hub.config, &query) else { continue };
        if let Err(resume) = hub.pace.take(now) {
            waiting.push_front(query);
            return Some(resume);
        }
        let sequence_number = traffic.in_flight.untracked();
        encode::pdu(octets, CommandStatus::EsmeRok, sequence_number, pdu);
        traffic.asked.0.insert(sequence_number, (query.carrier_message_id, now));
    }
    None
}

impl Asked {
    /// Whether this answers a question; what it says of the message, if anything.
    pub(super) fn answer(&mut self, hub: &Hub, frame: &Frame) -> Option<Option<Receipt>> {
        let (id, _) = self.0.remove(&frame.sequence_number)?;
        let read = (frame.status == 0).then(|| wire::query_result(&frame.body)).flatten();
        let receipt =
            read.and_then(|(state, error)| receipt::of_query(&id, u32::from(state), error));
        hub.meters.queried(match (&read, &receipt) {
            (None, _) => "refused",
            (Some(_), None) => "unknown",
            (Some(_), Some(_)) => "told",
        });
        Some(receipt)
    }

    /// Gives up what was asked `timeout` ago or longer.
    pub(super) fn expire(&mut self, hub: &Hub, now: Instant, timeout: Duration) {
        self.0.retain(|_, (_, asked_at)| {
            let waits = now.saturating_duration_since(*asked_at) < timeout;
            if !waits {
                hub.meters.queried("unanswered");
            }
            waits
        });
    }
}
