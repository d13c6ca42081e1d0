//! The doorbell: tells waiting readers that a table has something new. It carries no data, and a
//! lost ring costs at most [`POLL_INTERVAL`](super::POLL_INTERVAL).

use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use entity::ids::{AccountId, CarrierId};
use tokio::sync::Notify;
use tokio::sync::watch;

/// What has something new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// An account's event log.
    Events(AccountId),
    /// A carrier's queue.
    Queue(CarrierId),
    /// The list of carriers or routes.
    Carriers,
    /// The prices.
    Prices,
    /// The list of payment processors.
    Processors,
    /// The inbox of payment webhooks.
    Webhooks,
    /// Keys, sessions or roles of an account: what was read of them is stale.
    Credentials(AccountId),
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Events(id) => write!(f, "events/{id}"),
            Self::Queue(id) => write!(f, "queue/{id}"),
            Self::Carriers => f.write_str("carriers"),
            Self::Prices => f.write_str("prices"),
            Self::Processors => f.write_str("processors"),
            Self::Webhooks => f.write_str("webhooks"),
            Self::Credentials(id) => write!(f, "credentials/{id}"),
        }
    }
}

impl FromStr for Topic {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "carriers" => return Ok(Self::Carriers),
            "prices" => return Ok(Self::Prices),
            "processors" => return Ok(Self::Processors),
            "webhooks" => return Ok(Self::Webhooks),
            _ => {}
        }
        let (kind, id) = text.split_once('/').ok_or(())?;
        match kind {
            "events" => id.parse().map(Self::Events).map_err(drop),
            "queue" => id.parse().map(Self::Queue).map_err(drop),
            "credentials" => id.parse().map(Self::Credentials).map_err(drop),
            _ => Err(()),
        }
    }
}

/// Rings and waits. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Doorbell(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Topics that somebody waits for. The number only grows; waiters see that it changed.
    waiting: Mutex<HashMap<Topic, watch::Sender<u64>>>,
    /// Rings for the other nodes, until the next notification takes them.
    outgoing: Mutex<Option<BTreeSet<Topic>>>,
    outgoing_added: Notify,
}

impl Doorbell {
    /// Wakes those who wait for `topic`, here and on the other nodes.
    pub fn ring(&self, topic: Topic) {
        self.ring_here(topic);
        let mut outgoing = self.0.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outgoing) = outgoing.as_mut()
            && outgoing.insert(topic)
        {
            self.0.outgoing_added.notify_one();
        }
    }

    /// Wakes those who wait for `topic` on this node only.
    pub(super) fn ring_here(&self, topic: Topic) {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bell) = waiting.get(&topic) else { return };
        if bell.receiver_count() == 0 {
            waiting.remove(&topic);
        } else {
            bell.send_modify(|rings| *rings += 1);
        }
    }

    /// Wakes everybody: after a connection to the other nodes was lost, anything may have rung.
    pub(super) fn ring_all_here(&self) {
        let waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for bell in waiting.values() {
            bell.send_modify(|rings| *rings += 1);
        }
    }

    /// A receiver that changes with each ring of `topic` from now on.
    pub fn listen(&self, topic: Topic) -> watch::Receiver<u64> {
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.entry(topic).or_default().subscribe()
    }

    /// Starts to collect rings for other nodes, which [`next_outgoing`](Self::next_outgoing) takes.
    pub(super) fn collect_outgoing(&self) {
        let mut outgoing = self.0.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        outgoing.get_or_insert_default();
    }

    /// The topics rung since the last call, once there is one.
    pub(super) async fn next_outgoing(&self) -> BTreeSet<Topic> {
        loop {
            {
                let mut outgoing = self.0.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(topics) = outgoing.as_mut()
                    && !topics.is_empty()
                {
                    return std::mem::take(topics);
                }
            }
            self.0.outgoing_added.notified().await;
        }
    }
}
