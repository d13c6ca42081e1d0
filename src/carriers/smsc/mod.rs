//! A simulated SMSC: an SMPP 3.4 server that takes messages, plays their life and reports it,
//! as well or as badly as it is told to. For development, the demo, tests and benchmarks; no
//! message goes anywhere from here. Started by `cli::smsc`, or embedded through [`Smsc::start`].
//!
//! It speaks bind (all three), `submit_sm`, `data_sm`, `query_sm`, `cancel_sm`, `enquire_link`,
//! `unbind` and `generic_nack`, and sends `deliver_sm`. It does not speak TLS, `submit_multi`,
//! `replace_sm` or `outbind`, and it ignores validity and scheduled delivery.

mod address;
mod allowance;
mod center;
pub mod config;
mod connection;
mod delivery;
mod inbox;
mod journal;
mod link;
mod plan;
mod records;
mod stats;
pub mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::center::Center;
use self::connection::{Connection, Orders};
use self::delivery::{Delivery, InboundMessage};
pub use self::inbox::ShownMessage;
pub use self::journal::{AnswerFate, JournalEntry, JournalSummary};
pub use self::stats::Stats;
use self::wire::Address;
use super::Platform;
use crate::types::sms_text::NationalLanguages;
use config::{Shares, SmscConfig};

/// Connections that are open at once; further ones wait in the listener's queue.
pub const CONNECTIONS_MAX: u32 = 1_000;
/// The pause after a failure to accept (no descriptors left, say).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The phone that settings-made inbound messages come from: Ofcom's numbers for drama.
const INBOUND_PHONE: &str = "447700900123";
/// Where they go, if the system id has not sent anything yet.
const INBOUND_DESTINATION: &str = "447700900999";

/// The simulated SMSC.
pub struct Smsc;

/// A running simulated SMSC. Dropping it does not stop it; the shutdown token does.
pub struct SmscHandle {
    local_addr: SocketAddr,
    center: Arc<Center>,
    drop_all: watch::Sender<u64>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

/// A message that a phone sends to a bound system id.
#[derive(Clone, Copy)]
pub struct PhoneMessage<'a> {
    /// The phone's digits, without the plus sign.
    pub from: &'a str,
    /// The number that it is sent to.
    pub to: &'a str,
    /// What it says.
    pub text: &'a str,
    /// Whose shift tables the phone may write with; such a phone cuts long messages into parts,
    /// while one without any hands a text over in one piece.
    pub national_languages: NationalLanguages,
}

/// No such system id has ever bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such system id has bound")]
pub struct UnknownSystemId;

impl Smsc {
    /// Listens and serves until `shutdown` is cancelled; then every bound peer gets an `unbind`.
    ///
    /// # Errors
    /// If the address cannot be listened on or the journal file cannot be opened.
    pub async fn start(
        config: SmscConfig,
        platform: Platform,
        shutdown: CancellationToken,
    ) -> io::Result<SmscHandle> {
        let listener = TcpListener::bind(config.listen).await?;
        let local_addr = listener.local_addr()?;
        let inbound_every_ms = config.inbound_every_ms;
        let center = Arc::new(Center::new(config, platform)?);
        let drop_all = watch::Sender::new(0);
        let acceptor = Acceptor {
            listener,
            center: Arc::clone(&center),
            drop_all: drop_all.clone(),
            shutdown: shutdown.clone(),
        };
        let phones =
            inbound_every_ms.map(|every_ms| send_inbound_forever(Arc::clone(&center), every_ms));
        let stop = shutdown.clone();
        let task = tokio::spawn(async move {
            let phones = phones.map(|phones| tokio::spawn(stop.run_until_cancelled_owned(phones)));
            acceptor.run().await;
            if let Some(phones) = phones {
                // It ends by the same token; a panic in it was reported where it happened.
                let _ = phones.await;
            }
        });
        Ok(SmscHandle { local_addr, center, drop_all, shutdown, task })
    }
}

impl SmscHandle {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The counters now.
    pub fn stats(&self) -> Stats {
        self.center.lock().stats
    }

    /// The counters as they change; `wait_for` on it is how a test waits.
    pub fn watch_stats(&self) -> watch::Receiver<Stats> {
        self.center.watch_stats()
    }

    /// The latest submissions that were taken, oldest first; see
    /// [`SmscConfig::journal_entries_max`].
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.center.lock().journal.entries()
    }

    /// The latest messages as phones show them, oldest first; see
    /// [`SmscConfig::inbox_messages_max`].
    pub fn shown(&self) -> Vec<ShownMessage> {
        self.center.lock().inbox.shown()
    }

    /// What was taken altogether, and how much of it more than once. Counted only while the
    /// journal is kept, in memory or in a file.
    pub fn journal_summary(&self) -> JournalSummary {
        self.center.lock().journal.summary()
    }

    /// Changes how often it misbehaves, from the next submission on.
    pub fn set_shares(&self, shares: Shares) {
        self.center.lock().shares = shares;
    }

    /// Drops every open connection, as a broken network would: nothing more is written.
    pub fn drop_connections(&self) {
        let mut state = self.center.lock();
        state.stats.drops += u64::from(state.stats.connections);
        self.center.publish(state);
        self.drop_all.send_modify(|times| *times += 1);
    }

    /// Has a phone send a message. It waits if no receiver is bound now.
    ///
    /// # Errors
    /// If `system_id` has never bound.
    pub fn send_inbound(
        &self,
        system_id: &str,
        message: PhoneMessage<'_>,
    ) -> Result<(), UnknownSystemId> {
        let mut state = self.center.lock();
        let account = state.known_account(system_id).ok_or(UnknownSystemId)?;
        let to = Address::international(message.to);
        for part in InboundMessage::parts(&message, to, state.next_reference()) {
            let delivery = Delivery::Inbound(Box::new(part));
            state.schedule(account, self.center.now_ms(), delivery);
        }
        self.center.publish(state);
        Ok(())
    }

    /// Stops it and waits until every connection is closed.
    pub async fn stop(self) {
        self.shutdown.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(error = %error, "the simulated SMSC broke");
        }
    }
}

struct Acceptor {
    listener: TcpListener,
    center: Arc<Center>,
    drop_all: watch::Sender<u64>,
    shutdown: CancellationToken,
}

impl Acceptor {
    async fn run(self) {
        let connections = TaskTracker::new();
        let mut stats = self.center.watch_stats();
        let mut number = 0;
        loop {
            let accepted = async {
                // An error means the sender is gone; `self` holds it.
                let _ = stats.wait_for(|stats| stats.connections < CONNECTIONS_MAX).await;
                self.listener.accept().await
            };
            let accepted = tokio::select! {
                accepted = accepted => accepted,
                () = self.shutdown.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    number += 1;
                    connections.spawn(self.serve(stream, number));
                }
                Err(error) => {
                    tracing::warn!(error = %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        connections.close();
        connections.wait().await;
    }

    fn serve(&self, stream: TcpStream, number: u64) -> impl Future<Output = ()> + use<> {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "cannot set TCP_NODELAY");
        }
        let mut state = self.center.lock();
        state.stats.connections += 1;
        self.center.publish(state);
        let orders =
            Orders { shutdown: self.shutdown.clone(), drop_all: self.drop_all.subscribe() };
        Connection::new(stream, Arc::clone(&self.center), number).run(orders)
    }
}

async fn send_inbound_forever(center: Arc<Center>, every_ms: u64) {
    let mut ticks = tokio::time::interval(Duration::from_millis(every_ms.max(1)));
    ticks.tick().await;
    for number in 1_u64.. {
        ticks.tick().await;
        let mut state = center.lock();
        for (account, last_source) in state.receiving() {
            let to = last_source.unwrap_or_else(|| Address::international(INBOUND_DESTINATION));
            let text = format!("Message {number} from a simulated phone");
            let inbound = InboundMessage::new(INBOUND_PHONE, to, &text);
            state.schedule(account, center.now_ms(), Delivery::Inbound(Box::new(inbound)));
        }
        center.publish(state);
    }
}
