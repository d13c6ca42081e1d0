//! The current routes, read again when the doorbell rings for them or a second has passed.

use std::sync::Arc;
use std::time::Duration;

use entity::time::UnixMillis;
use sea_orm::DbErr;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use super::RouteTable;
use super::backlog::{Backlog, COUNT_INTERVAL, COUNT_MS_MAX, REST_TIMES};
use crate::db::Db;
use crate::events::{Doorbell, POLL_INTERVAL, Topic};
use crate::sys::Clock;

/// The routes of this node. Cheap to clone.
#[derive(Clone)]
pub struct Routes(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    state: Mutex<State>,
    backlog: Backlog,
}

struct State {
    bell: watch::Receiver<u64>,
    /// The table and when it was read.
    read: Option<(Arc<RouteTable>, UnixMillis)>,
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Routes")
    }
}

impl Routes {
    /// Nothing is read before the first question.
    pub fn new(db: Db, clock: Clock, doorbell: &Doorbell) -> Self {
        let state = Mutex::new(State { bell: doorbell.listen(Topic::Carriers), read: None });
        Self(Arc::new(Inner { db, clock, state, backlog: Backlog::default() }))
    }

    /// The routes as they are now: at once on the node that changed them, within
    /// [`POLL_INTERVAL`] elsewhere. Whoever asks while they are being read waits for that one
    /// reading.
    ///
    /// # Errors
    /// The store's own.
    pub async fn current(&self) -> Result<Arc<RouteTable>, DbErr> {
        let mut state = self.0.state.lock().await;
        let now = self.0.clock.now();
        // An error means that the doorbell is gone, and with it the process.
        let rung = state.bell.has_changed().unwrap_or(true);
        if let Some((table, read_at)) = &state.read
            && !rung
            && u128::from(now.since(*read_at).unsigned_abs()) < POLL_INTERVAL.as_millis()
        {
            return Ok(Arc::clone(table));
        }
        // Before the reading: what rings during it is not lost.
        state.bell.borrow_and_update();
        let table = RouteTable::load(self.0.db.reader()).await?;
        let table = Arc::new(table.beside(self.0.backlog.clone()));
        state.read = Some((Arc::clone(&table), now));
        Ok(table)
    }

    /// Counts what waits in the carriers' queues, for [`RouteTable::wait_ms`].
    ///
    /// # Errors
    /// The store's own; then there are no estimates.
    pub async fn count_backlog(&self) -> Result<(), DbErr> {
        self.0.backlog.count(self.0.db.reader(), self.0.clock.now()).await
    }

    /// Keeps the estimates of the carriers' queues until `stop`.
    pub async fn keep_counting(self, stop: CancellationToken) {
        let counting = async {
            loop {
                let started = self.0.clock.now();
                if let Err(error) = self.count_backlog().await {
                    tracing::warn!(%error, "cannot count the carriers' queues; trying again");
                }
                // A clock that was set meanwhile tells nothing.
                let took_ms = self.0.clock.now().since(started).clamp(0, COUNT_MS_MAX);
                let rest = Duration::from_millis(took_ms.unsigned_abs()) * REST_TIMES;
                self.0.clock.sleep(rest.max(COUNT_INTERVAL)).await;
            }
        };
        stop.run_until_cancelled(counting).await;
    }
}
