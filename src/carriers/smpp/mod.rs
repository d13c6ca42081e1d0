//! SMPP 3.4 client: one account at a carrier, over one or more binds.
//!
//! A submission goes `intake` → `queue` → a link's `writer` → the carrier; its answer comes back
//! through the link's `reader`, which tells `messages::dispatch`. Each link is one task that
//! reconnects by itself. Not here: the meaning of errors (`carriers::errors`), routing, the store.
//!
//! | file | holds |
//! |---|---|
//! | `config` | what an operator may set |
//! | `hub`, `queue`, `pace` | what the links share: waiting messages, the rate |
//! | `link`, `connect` | reconnecting; TCP, TLS, bind |
//! | `session`, `reader`, `writer`, `acks` | one bound connection |
//! | `questions` | `query_sm`, and what came of it |
//! | `in_flight`, `answer_times` | parts without an answer; how long answers take |
//! | `wire`, `encode` | PDUs from and to octets |
//! | `receipt`, `receipt_date`, `receipt_id`, `inbound`, `text` | what deliveries mean |

mod acks;
mod answer_times;
mod config;
mod connect;
mod encode;
mod hub;
mod in_flight;
mod inbound;
mod link;
mod metrics;
mod pace;
mod questions;
mod queue;
mod reader;
pub mod receipt;
mod receipt_date;
pub mod receipt_id;
mod session;
mod text;
mod wire;
mod writer;

use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

pub use config::{
    Bind, ConfigError, DefaultAlphabet, Numbering, PASSWORD_LENGTH_MAX, Reconnect,
    SYSTEM_ID_LENGTH_MAX, SmppConfig, TlsConfig, TlsRoots, TonNpi, Validity, WINDOW_MAX, Window,
};

use self::encode::Role;
use self::hub::Hub;
use self::metrics::Meters;
use self::pace::Pace;
use self::questions::{QUERIES_MAX, Questions};
use self::queue::{Queue, Run, Waiting};
use super::{
    Carrier, CarrierHandle, LinkState, NotSubmitted, Platform, StatusQuery, Submission,
    SubmissionResult,
};

/// Submissions that wait to be taken in.
const SUBMISSIONS_MAX: usize = 256;
/// Events that wait to be drained.
const EVENTS_MAX: usize = 1_024;
/// Messages that wait for a link. Enough that no link runs dry between two looks of the intake.
const QUEUE_MAX: usize = 512;

/// An SMPP account, ready to be started.
pub struct SmppCarrier {
    config: SmppConfig,
}

impl SmppCarrier {
    /// Nothing is connected before `start`.
    ///
    /// # Errors
    /// If the settings cannot be used.
    pub fn new(config: SmppConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { config })
    }

    fn roles(&self) -> Vec<Role> {
        let roles: &[Role] = match self.config.bind {
            Bind::Transceiver => &[Role::Transceiver],
            Bind::TransmitterReceiver => &[Role::Transmitter, Role::Receiver],
        };
        roles.repeat(usize::from(self.config.binds))
    }
}

impl Carrier for SmppCarrier {
    fn start(self: Box<Self>, platform: Platform, shutdown: CancellationToken) -> CarrierHandle {
        let (submissions, intake) = mpsc::channel(SUBMISSIONS_MAX);
        let (events, drained) = mpsc::channel(EVENTS_MAX);
        let (state, link) = watch::channel(LinkState::default());
        let roles = self.roles();
        let hub = Arc::new(Hub {
            platform,
            queue: Queue::new(QUEUE_MAX),
            pace: Pace::new(self.config.rate_parts_per_s, Instant::now()),
            meters: Meters::new(&self.config.name),
            events,
            shutdown,
            state,
            wakes: Mutex::default(),
            questions: Questions::default(),
            waiting: Waiting::default(),
            config: self.config,
        });
        hub.publish();
        let (queries, asked) = hub.config.query_sm.then(|| mpsc::channel(QUERIES_MAX)).unzip();
        let task = tokio::spawn(run(hub, roles, intake, asked));
        CarrierHandle { submissions, queries, events: drained, link, task }
    }
}

/// Ends when intake and all links have; the event channel closes with the last of them.
async fn run(
    hub: Arc<Hub>,
    roles: Vec<Role>,
    submissions: mpsc::Receiver<Submission>,
    queries: Option<mpsc::Receiver<StatusQuery>>,
) {
    let mut tasks = JoinSet::new();
    for (number, role) in roles.into_iter().enumerate() {
        let span = tracing::info_span!(
            "smpp.link",
            carrier.name = hub.config.name,
            link.number = number,
            link.role = role.name()
        );
        tasks.spawn(link::run(Arc::clone(&hub), role).instrument(span));
    }
    if let Some(queries) = queries {
        tasks.spawn(questions::take_in(Arc::clone(&hub), queries));
    }
    tasks.spawn(take_in(hub, submissions));
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!("a task of an SMPP carrier failed: {error}");
        }
    }
}

/// Moves submissions into the queue, as many as fit; ends them at once while no link is up.
async fn take_in(hub: Arc<Hub>, mut submissions: mpsc::Receiver<Submission>) {
    let mut batch = Vec::with_capacity(SUBMISSIONS_MAX);
    loop {
        let free = hub.queue.free();
        let taken = tokio::select! {
            biased;
            () = hub.shutdown.cancelled() => break,
            () = hub.queue.room.notified(), if free == 0 => continue,
            taken = submissions.recv_many(&mut batch, free.min(SUBMISSIONS_MAX)), if free > 0 => taken,
        };
        if taken == 0 {
            // Nobody submits any more; receipts still come until the shutdown.
            hub.shutdown.cancelled().await;
            break;
        }
        for submission in batch.drain(..) {
            if let Some(result) = enqueue(&hub, submission) {
                hub.report(result).await;
            }
        }
        hub.wake_all();
        hub.publish();
    }
    submissions.close();
    hub.end(hub.queue.close(), NotSubmitted::ShuttingDown).await;
    while let Some(submission) = submissions.recv().await {
        hub.end(vec![Run::new(submission)], NotSubmitted::ShuttingDown).await;
    }
}

/// Puts a submission into the queue, or yields its result if that is already known.
fn enqueue(hub: &Hub, submission: Submission) -> Option<SubmissionResult> {
    let (message_id, attempt) = (submission.message_id, submission.attempt);
    if submission.parts.is_empty() {
        return Some(SubmissionResult { message_id, attempt, parts: Vec::new() });
    }
    match hub.queue.push(Run::new(submission)) {
        Ok(()) => None,
        Err((run, why)) => run.settle(why),
    }
}
