//! What the links of one carrier account share.

use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::config::SmppConfig;
use super::metrics::Meters;
use super::pace::Pace;
use super::questions::Questions;
use super::queue::{Queue, Run, Waiting, lock};
use crate::carriers::{CarrierEvent, LinkState, NotSubmitted, Platform, SubmissionResult};

pub(super) struct Hub {
    pub config: SmppConfig,
    pub platform: Platform,
    pub queue: Queue,
    pub pace: Pace,
    pub meters: Meters,
    pub events: mpsc::Sender<CarrierEvent>,
    pub shutdown: CancellationToken,
    pub state: watch::Sender<LinkState>,
    /// Messages with parts that wait out a pause.
    pub waiting: Waiting,
    /// What the SMSC is to be asked.
    pub questions: Questions,
    /// One for each bound link that sends; told when there is work.
    pub wakes: Mutex<Vec<Arc<Notify>>>,
}

impl Hub {
    /// Tells all writers that there is work.
    pub fn wake_all(&self) {
        for wake in lock(&self.wakes).iter() {
            wake.notify_one();
        }
    }

    /// Shows the state of the links to whoever claims messages.
    pub fn publish(&self) {
        let bound = self.queue.bound();
        let now = LinkState {
            bound,
            window: usize::from(bound) * usize::from(self.config.window.most()),
            rate_parts_per_s: self.pace.rate(),
            waiting: self.waiting.messages(),
        };
        self.state.send_if_modified(|shown| {
            let changed = *shown != now;
            *shown = now;
            changed
        });
        self.meters.bound.set(f64::from(now.bound));
        let rate = now.rate_parts_per_s;
        self.meters.rate.set(if rate.is_finite() { rate } else { 0.0 });
    }

    /// A link is bound for sending.
    pub fn link_up(&self, wake: &Arc<Notify>) {
        lock(&self.wakes).push(Arc::clone(wake));
        self.queue.link_up();
        self.publish();
    }

    /// A link is lost: what it had not sent goes to another, or is ended.
    pub async fn link_down(&self, wake: &Arc<Notify>, unsent: Vec<Run>) {
        lock(&self.wakes).retain(|other| !Arc::ptr_eq(other, wake));
        let orphans = self.queue.link_down(unsent);
        self.publish();
        self.wake_all();
        if let Some((runs, why)) = orphans {
            self.end(runs, why).await;
        }
    }

    /// Ends what will not be sent.
    pub async fn end(&self, runs: Vec<Run>, why: NotSubmitted) {
        for result in runs.into_iter().filter_map(|run| run.settle(why)) {
            self.report(result).await;
        }
    }

    /// Reports a result; waits while the events are not drained.
    pub async fn report(&self, result: SubmissionResult) {
        // Without a receiver nobody is left to be told.
        let _ = self.events.send(CarrierEvent::Result(result)).await;
    }
}
