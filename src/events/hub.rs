//! Fan-out: one reader an account for all its subscribers on this node.
//!
//! The reader runs while somebody subscribes. It reads new events once and hands each batch, shared,
//! to every subscriber's bounded queue. A subscriber whose queue is full is not waited for: it loses
//! its place in the feed and catches up from the log by its own cursor, so a slow client never slows
//! the others and never misses an event.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use entity::event::Model as Event;
use entity::ids::AccountId;
use sea_orm::DbErr;
use tokio::sync::{broadcast, watch};

use super::{Doorbell, POLL_INTERVAL, Topic, first_seq, last_seq, read_after};
use crate::db::Db;
use crate::sys::Clock;

/// Events read by one statement.
const READ_MAX: u64 = 500;
/// Batches that a subscriber may lag behind before it reads the log itself.
const QUEUE_BATCHES_MAX: usize = 16;

/// The subscriptions of this node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    doorbell: Doorbell,
    feeds: Mutex<HashMap<AccountId, Weak<Feed>>>,
}

/// What the subscribers of one account share.
#[derive(Debug)]
struct Feed {
    batches: broadcast::Sender<Arc<[Event]>>,
    /// Turns true once the reader knows its place: whatever is appended from then on is sent.
    started: watch::Receiver<bool>,
    task: tokio::task::AbortHandle,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a subscription cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The cursor is older than the log: events were removed by retention since.
    #[error("the cursor is older than the event log: read the state anew and subscribe without it")]
    CursorExpired,
    /// The cursor is ahead of the log: it is not from here.
    #[error("the cursor is not of this account's event log")]
    CursorUnknown,
    /// The store's own.
    #[error(transparent)]
    Store(#[from] DbErr),
}

/// An account's events from a place in its log on, without a gap.
#[derive(Debug)]
pub struct Subscription {
    hub: Hub,
    account_id: AccountId,
    /// The last number handed out.
    seq: i64,
    feed: Arc<Feed>,
    batches: broadcast::Receiver<Arc<[Event]>>,
    /// Whether the log may hold events after `seq` that the feed will not bring.
    behind: bool,
    ready: VecDeque<Event>,
}

impl Hub {
    /// No subscriptions yet.
    pub fn new(db: Db, clock: Clock, doorbell: Doorbell) -> Self {
        Self(Arc::new(Inner { db, clock, doorbell, feeds: Mutex::default() }))
    }

    /// Subscribes to the events after number `after`, or to those from now on.
    ///
    /// # Errors
    /// [`SubscriptionError`].
    pub async fn subscribe(
        &self,
        account_id: AccountId,
        after: Option<i64>,
    ) -> Result<Subscription, SubscriptionError> {
        // In this order nothing falls between: what the feed sent before we listened, and what
        // was appended before it started, is in the log when we read its end. What comes twice
        // is dropped by its number.
        let feed = self.feed(account_id);
        let batches = feed.batches.subscribe();
        // It fails only with the feed's task, and then the feed is made anew by `next`.
        let _ = feed.started.clone().wait_for(|started| *started).await;
        let last = last_seq(self.0.db.reader(), account_id).await?;
        let seq = after.unwrap_or(last);
        if seq > last {
            return Err(SubscriptionError::CursorUnknown);
        }
        if seq < last {
            let first = first_seq(self.0.db.reader(), account_id).await?;
            if first.is_none_or(|first| first > seq + 1) {
                return Err(SubscriptionError::CursorExpired);
            }
        }
        let behind = seq < last;
        let ready = VecDeque::new();
        Ok(Subscription { hub: self.clone(), account_id, seq, feed, batches, behind, ready })
    }

    fn feed(&self, account_id: AccountId) -> Arc<Feed> {
        let mut feeds = self.0.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = feeds.get(&account_id).and_then(Weak::upgrade) {
            return feed;
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let (batches, _) = broadcast::channel(QUEUE_BATCHES_MAX);
        let (start, started) = watch::channel(false);
        let reader = FeedReader { hub: Arc::clone(&self.0), account_id, batches: batches.clone() };
        let task = tokio::spawn(reader.run(start)).abort_handle();
        let feed = Arc::new(Feed { batches, started, task });
        feeds.insert(account_id, Arc::downgrade(&feed));
        feed
    }
}

/// Reads an account's log as it grows, for all its subscribers.
struct FeedReader {
    hub: Arc<Inner>,
    account_id: AccountId,
    batches: broadcast::Sender<Arc<[Event]>>,
}

impl FeedReader {
    async fn run(self, start: watch::Sender<bool>) {
        let mut bell = self.hub.doorbell.listen(Topic::Events(self.account_id));
        let mut seq = None;
        loop {
            bell.borrow_and_update();
            match self.read_new(seq).await {
                Ok(last) => {
                    seq = Some(last);
                    start.send_replace(true);
                }
                Err(error) => tracing::warn!(
                    account.id = %self.account_id, %error,
                    "cannot read the event log; trying again"
                ),
            }
            tokio::select! {
                _ = bell.changed() => {}
                () = self.hub.clock.sleep(POLL_INTERVAL) => {}
            }
        }
    }

    /// Sends what follows `seq` and returns the last number; without `seq`, only finds the end.
    async fn read_new(&self, seq: Option<i64>) -> Result<i64, DbErr> {
        let reader = self.hub.db.reader();
        let Some(mut seq) = seq else { return last_seq(reader, self.account_id).await };
        loop {
            let events = read_after(reader, self.account_id, seq, READ_MAX).await?;
            let full = events.len() as u64 == READ_MAX;
            if let Some(last) = events.last() {
                seq = last.seq;
                // No receiver: the feed is about to end.
                let _ = self.batches.send(events.into());
            }
            if !full {
                return Ok(seq);
            }
        }
    }
}

impl Subscription {
    /// The account.
    pub const fn account_id(&self) -> AccountId {
        self.account_id
    }

    /// The next events in order, at least one, once there are any.
    ///
    /// Cancel-safe: an event is lost only with the subscription itself.
    ///
    /// # Errors
    /// [`SubscriptionError::CursorExpired`] if retention overtook a slow reader;
    /// [`SubscriptionError::Store`] if the log cannot be read now: call again to go on.
    pub async fn next(&mut self) -> Result<Event, SubscriptionError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.seq = event.seq;
                return Ok(event);
            }
            if self.behind {
                // Boxed, for it is seldom: an idle subscriber is not to hold room for a query.
                Box::pin(self.catch_up()).await?;
                continue;
            }
            match self.batches.recv().await {
                Ok(batch) => self.take(&batch),
                Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                // The feed outlives its subscribers; were it gone, the log would still be there.
                Err(broadcast::error::RecvError::Closed) => {
                    self.feed = self.hub.feed(self.account_id);
                    self.batches = self.feed.batches.subscribe();
                    self.behind = true;
                }
            }
        }
    }

    /// The next events in order, at least one, once there are any: all that came meanwhile, about
    /// as many as one statement reads of the log. For a reader who looks something up for them.
    ///
    /// Cancel-safe, as [`next`](Self::next) is.
    ///
    /// # Errors
    /// Those of [`next`](Self::next).
    pub async fn next_batch(&mut self) -> Result<Vec<Event>, SubscriptionError> {
        let mut events = vec![self.next().await?];
        loop {
            events.extend(self.ready.drain(..));
            self.seq = events.last().map_or(self.seq, |event| event.seq);
            if self.behind || events.len() as u64 >= READ_MAX {
                return Ok(events);
            }
            match self.batches.try_recv() {
                Ok(batch) => self.take(&batch),
                Err(broadcast::error::TryRecvError::Lagged(_)) => self.behind = true,
                // Closed: `next` sees to it.
                Err(_) => return Ok(events),
            }
        }
    }

    /// Queues what follows the last event; a gap means that the feed began later than we did.
    fn take(&mut self, batch: &[Event]) {
        let mut expected = self.seq + 1;
        for event in batch {
            if event.seq < expected {
                continue;
            }
            if event.seq > expected {
                self.behind = true;
                return;
            }
            self.ready.push_back(event.clone());
            expected += 1;
        }
    }

    async fn catch_up(&mut self) -> Result<(), SubscriptionError> {
        let db = &self.hub.0.db;
        let events = read_after(db.reader(), self.account_id, self.seq, READ_MAX).await?;
        if events.first().is_some_and(|first| first.seq != self.seq + 1) {
            return Err(SubscriptionError::CursorExpired);
        }
        self.behind = events.len() as u64 == READ_MAX;
        self.ready.extend(events);
        Ok(())
    }
}
