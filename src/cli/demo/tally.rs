//! What became of the messages, and how long it took. Pure.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::client::Sent;
use super::watch::Change;
use crate::types::money::Micros;

/// What is known so far.
pub(super) struct Tally {
    messages: usize,
    last: HashMap<String, Last>,
    sent: Option<Sent>,
}

struct Last {
    status: String,
    fault: Option<String>,
    charged: Option<Micros>,
    is_final: bool,
    at: Instant,
}

/// Times in ascending order.
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// The smallest time that `share` of all did not exceed (nearest rank); none without any.
    pub(super) fn percentile(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied()
    }
}

impl Tally {
    pub(super) fn new(messages: u32) -> Self {
        let messages = messages as usize;
        Self { messages, last: HashMap::with_capacity(messages), sent: None }
    }

    /// How many there are to be.
    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    /// All were accepted.
    pub(super) fn accepted(&mut self, sent: Sent) {
        self.sent = Some(sent);
    }

    /// A change that was seen at `at`.
    pub(super) fn take(&mut self, change: Change, at: Instant) {
        let is_final = change.is_final();
        let Change { message_id, status, fault, charged } = change;
        let last = Last { status, fault, charged, is_final, at };
        self.last.insert(message_id, last);
    }

    /// How many messages have come to their end.
    pub(super) fn settled(&self) -> usize {
        self.last.values().filter(|last| last.is_final).count()
    }

    /// How many messages stand where, by status.
    pub(super) fn by_status(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for last in self.last.values() {
            *counts.entry(last.status.as_str()).or_default() += 1;
        }
        counts
    }

    /// What was charged for all of them; none if that cannot be added up.
    pub(super) fn charged(&self) -> Option<Micros> {
        Micros::checked_sum(self.last.values().filter_map(|last| last.charged))
    }

    /// What went wrong, and how often.
    pub(super) fn faults(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for fault in self.last.values().filter_map(|last| last.fault.as_deref()) {
            *counts.entry(fault).or_default() += 1;
        }
        counts
    }

    /// Messages accepted a second, while they were sent.
    pub(super) fn accepted_per_s(&self) -> Option<f64> {
        let sent = self.sent.as_ref()?;
        Some(sent.accepted.len() as f64 / (sent.ended - sent.began).as_secs_f64())
    }

    /// Messages settled a second, from the first call to the last event.
    pub(super) fn settled_per_s(&self) -> Option<f64> {
        let began = self.sent.as_ref()?.began;
        let finals = self.last.values().filter(|last| last.is_final);
        let ended = finals.map(|last| last.at).max()?;
        Some(self.settled() as f64 / (ended - began).as_secs_f64())
    }

    /// From the answer that accepted a message to its last event.
    pub(super) fn accepted_to_settled(&self) -> Times {
        let accepted = self.sent.iter().flat_map(|sent| &sent.accepted);
        let mut times: Vec<_> = accepted
            .filter_map(|accepted| {
                let last = self.last.get(&accepted.message_id).filter(|last| last.is_final)?;
                Some(last.at.saturating_duration_since(accepted.at))
            })
            .collect();
        times.sort_unstable();
        Times(times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::client::Accepted;

    fn change(id: &str, status: &str) -> Change {
        let charged = (status != "QUEUED").then_some(Micros(10_000));
        Change { message_id: id.to_owned(), status: status.to_owned(), fault: None, charged }
    }

    #[test]
    fn only_final_statuses_settle_and_the_last_one_counts() {
        let (mut tally, began) = (Tally::new(2), Instant::now());
        for (id, status) in [("a", "QUEUED"), ("b", "QUEUED"), ("a", "SENT"), ("a", "DELIVERED")] {
            tally.take(change(id, status), began + Duration::from_secs(2));
        }
        assert_eq!(tally.settled(), 1);
        assert_eq!(tally.charged(), Some(Micros(10_000)));
        assert_eq!(tally.by_status(), BTreeMap::from([("DELIVERED", 1), ("QUEUED", 1)]));
        let accepted = ["a", "b"]
            .map(|id| Accepted { message_id: id.to_owned(), at: began + Duration::from_secs(1) });
        let ended = began + Duration::from_secs(1);
        tally.accepted(Sent { accepted: accepted.into(), began, ended });
        assert_eq!(tally.accepted_per_s(), Some(2.0));
        assert_eq!(tally.settled_per_s(), Some(0.5));
        assert_eq!(tally.accepted_to_settled().percentile(0.5), Some(Duration::from_secs(1)));
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times = Times((1..=10).map(Duration::from_secs).collect());
        let at = |share| times.percentile(share).unwrap().as_secs();
        assert_eq!((at(0.0), at(0.5), at(0.95), at(1.0)), (1, 5, 10, 10));
        assert_eq!(Times(Vec::new()).percentile(0.5), None);
    }
}
