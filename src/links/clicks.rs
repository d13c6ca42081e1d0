//! Clicks: noted while a link leads on, written by one task of the node, and told by events.
//!
//! Noting waits for nothing: a click goes into a bounded queue in memory, and what does not fit is
//! dropped and counted. Clicks that came while the last group was being committed are the next
//! group. What a node that is killed had not written is lost, and nothing else: a group is tried
//! again under the same ids, so that each click is kept and told at most once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use entity::enums::ClickKind;
use entity::ids::{AccountId, CampaignId, LinkClickId};
use entity::time::UnixMillis;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::kept_clicks::{Row, keep};
use super::visitor::Visitor;
use crate::ctx::{Ctx, Platform};
use crate::events::Topic;

/// Clicks that wait on one node, some 100 bytes each. More are dropped.
pub const WAITING_MAX: usize = 16_384;
/// Clicks in one commit: some milliseconds of work for either store.
const GROUP_MAX: usize = 500;
/// How often a group is tried, and after how long again: as long as a store may be away while clicks
/// wait for it.
const TRIES_MAX: u32 = 60;
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What a link that leads somewhere says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Said {
    pub(super) account_id: AccountId,
    pub(super) campaign_id: CampaignId,
    pub(super) number: u32,
    pub(super) place: u32,
}

/// Somebody, or something, followed a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Click {
    pub(super) id: LinkClickId,
    pub(super) said: Said,
    pub(super) visitor: Visitor,
    pub(super) at: UnixMillis,
}

/// Takes clicks in on this node. Cheap to clone.
#[derive(Clone)]
pub(super) struct Clicks {
    platform: Arc<Platform>,
    waiting: mpsc::Sender<Click>,
}

/// What writes the clicks: run it beside the links.
pub struct ClickWriter {
    platform: Arc<Platform>,
    waiting: mpsc::Receiver<Click>,
}

impl Clicks {
    pub(super) fn new(platform: Arc<Platform>) -> (Self, ClickWriter) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let writer = ClickWriter { platform: Arc::clone(&platform), waiting: receiver };
        (Self { platform, waiting: sender }, writer)
    }

    /// Notes a click. Never waits.
    pub(super) fn note(&self, said: Said, visitor: Visitor) {
        let (id, at) = (self.platform.ids.next(), self.platform.clock.now());
        if self.waiting.try_send(Click { id, said, visitor, at }).is_err() {
            count("dropped", 1);
        }
    }
}

fn count(outcome: &'static str, clicks: usize) {
    metrics::counter!("link_clicks_total", "outcome" => outcome).increment(clicks as u64);
}

impl ClickWriter {
    /// Writes groups until `stop`, and then what still waits.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut clicks = Vec::with_capacity(GROUP_MAX);
        loop {
            let came =
                stop.run_until_cancelled(self.waiting.recv_many(&mut clicks, GROUP_MAX)).await;
            if came.is_none() {
                self.waiting.close();
                self.waiting.recv_many(&mut clicks, WAITING_MAX).await;
            }
            if clicks.is_empty() {
                return;
            }
            for group in clicks.chunks(GROUP_MAX) {
                self.write(group, &stop).await;
            }
            clicks.clear();
        }
    }

    async fn write(&self, group: &[Click], stop: &CancellationToken) {
        let ctx = Ctx::system(Arc::clone(&self.platform), "clicks");
        for tried in 1..=TRIES_MAX {
            match keep(&ctx, group).await {
                Ok(kept) => return self.tell(group.len(), &kept),
                Err(error) if tried == 1 => {
                    tracing::error!(%error, clicks = group.len(), "cannot keep clicks");
                }
                Err(_) => {}
            }
            if stop.is_cancelled() || tried == TRIES_MAX {
                break;
            }
            stop.run_until_cancelled(self.platform.clock.sleep(RETRY_DELAY)).await;
        }
        count("dropped", group.len());
    }

    fn tell(&self, clicks: usize, kept: &[Row]) {
        let persons = kept.iter().filter(|row| row.kind == ClickKind::Person);
        let accounts: BTreeSet<AccountId> = persons.clone().map(|row| row.account_id).collect();
        for account_id in accounts {
            self.platform.doorbell.ring(Topic::Events(account_id));
        }
        let persons = persons.count();
        count("person", persons);
        count("bot", kept.len() - persons);
        count("not_counted", clicks - kept.len());
    }
}
