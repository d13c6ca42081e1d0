//! One bound connection, from its bind to its end: what reader, writer and acknowledger share.
//!
//! The three run as one task: an answer that frees a window slot lets the writer go on without a
//! thread switch, and none of them can keep another from running. `link` starts it and deals with
//! what is left over.

use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::BytesMut;
use rusmpp::CommandStatus;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::acks;
use super::answer_times::AnswerTimes;
use super::config::{WINDOW_AUTO_RANGE, Window};
use super::connect::Connection;
use super::encode::{self, Role};
use super::hub::Hub;
use super::in_flight::{Flight, InFlight};
use super::questions::Asked;
use super::queue::{Pause, Run, join, lock};
use super::reader::{self, End};
use super::writer;

/// Deliveries that may wait for their acknowledgement on one link; beyond it the link is not read.
/// A carrier's own window is far smaller; this bounds memory against one that has none.
pub(super) const UNACKNOWLEDGED_MAX: usize = 5_000;

/// A bound connection.
pub(super) struct Session {
    pub hub: Arc<Hub>,
    pub role: Role,
    /// Tells the writer that something changed for it.
    pub wake: Arc<Notify>,
    /// Cancelled when either direction has ended.
    pub down: CancellationToken,
    /// A permit for each delivery that may yet be read.
    pub unacknowledged: Arc<Semaphore>,
    traffic: Mutex<Traffic>,
}

/// What reader and writer both change.
pub(super) struct Traffic {
    pub in_flight: InFlight,
    /// `query_sm` without an answer.
    pub asked: Asked,
    /// Throttled parts, by when they may leave again.
    pub retries: BinaryHeap<Retry>,
    /// Encoded PDUs other than submit_sm, to be written next.
    pub control: BytesMut,
    /// Whether parts may still be sent.
    pub phase: Phase,
    /// submit_sm that may wait for answers.
    pub window: usize,
    pub answer_times: AnswerTimes,
}

/// How far along the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Parts are sent.
    Open,
    /// The carrier has unbound: answers may still come, nothing more is sent.
    Unbound,
    /// The stream is broken: once what is waiting is written, the session ends.
    Broken,
}

/// A throttled part.
pub(super) struct Retry {
    pub due: Instant,
    /// Keeps parts of the same moment in order.
    pub order: u64,
    pub run: Run,
    /// Counts it as waiting.
    pub _pause: Pause,
}

impl PartialEq for Retry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Retry {}

impl PartialOrd for Retry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Retry {
    /// Reversed: the heap's greatest is the one that is due first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.due, other.order).cmp(&(self.due, self.order))
    }
}

/// What a session leaves behind.
pub(super) struct Remains {
    pub end: End,
    /// Parts that may have left and will not be answered.
    pub uncertain: Vec<Flight>,
    /// Parts that never left, in order.
    pub unsent: Vec<Run>,
}

impl Session {
    pub fn new(hub: Arc<Hub>, role: Role, wake: Arc<Notify>) -> Self {
        let window = match hub.config.window {
            Window::Fixed(window) => window,
            Window::Auto => *WINDOW_AUTO_RANGE.start(),
        };
        let mut in_flight = InFlight::default();
        // The bind took the first sequence number.
        in_flight.untracked();
        let traffic = Traffic {
            in_flight,
            asked: Asked::default(),
            retries: BinaryHeap::new(),
            control: BytesMut::new(),
            phase: Phase::Open,
            window: usize::from(window),
            answer_times: AnswerTimes::default(),
        };
        Self {
            hub,
            role,
            wake,
            down: CancellationToken::new(),
            unacknowledged: Arc::new(Semaphore::new(UNACKNOWLEDGED_MAX)),
            traffic: Mutex::new(traffic),
        }
    }

    pub fn traffic(&self) -> std::sync::MutexGuard<'_, Traffic> {
        lock(&self.traffic)
    }

    /// Runs until the connection has ended, for whatever reason.
    pub async fn run(self, connection: Connection) -> Remains {
        let Connection { reader, writer, frames } = connection;
        let (unacknowledged, acknowledging) = mpsc::unbounded_channel();
        let (end, unwritten, ()) = tokio::join!(
            async {
                let end = reader::read(&self, reader, frames, unacknowledged).await;
                self.down.cancel();
                end
            },
            async {
                let unwritten = writer::write(&self, writer).await;
                self.down.cancel();
                unwritten
            },
            acks::acknowledge(&self, acknowledging),
        );
        let traffic = self.traffic.into_inner().unwrap_or_else(|poison| poison.into_inner());
        let Traffic { mut in_flight, retries, .. } = traffic;
        let (uncertain, never_left) = in_flight.drain(unwritten.from);
        let never_left =
            never_left.into_iter().map(|flight| Run::part(flight.message, flight.part));
        // The heap's ascending order is by latest first.
        let retries = retries.into_sorted_vec().into_iter().rev().map(|retry| retry.run);
        let unsent = join(never_left.chain(unwritten.current).chain(retries));
        Remains { end, uncertain, unsent }
    }

    /// Whether nothing waits for an answer or an acknowledgement.
    pub fn is_quiet(&self) -> bool {
        self.unacknowledged.available_permits() == UNACKNOWLEDGED_MAX
            && self.traffic().in_flight.open() == 0
    }
}

impl Traffic {
    /// Puts an answer without content into the stream.
    pub fn answer(
        &mut self,
        status: CommandStatus,
        sequence_number: u32,
        pdu: impl Into<rusmpp::Pdu>,
    ) {
        encode::pdu(&mut self.control, status, sequence_number, pdu);
    }

    /// Puts a request of ours into the stream.
    pub fn request(&mut self, pdu: impl Into<rusmpp::Pdu>) {
        let sequence_number = self.in_flight.untracked();
        encode::pdu(&mut self.control, CommandStatus::EsmeRok, sequence_number, pdu);
    }

    /// Learns an answer's time, and from many of them the window where it is to be chosen.
    pub fn learn(&mut self, hub: &Hub, took: Duration, now: Instant) {
        match hub.config.window {
            Window::Fixed(_) => {}
            Window::Auto => {
                if let Some(measured) = self.answer_times.add(took, now) {
                    let rate = hub.pace.rate();
                    let links = f64::from(hub.queue.bound().max(1));
                    let share =
                        if rate.is_finite() { rate / links } else { measured.answers_per_s };
                    let (least, most) = (*WINDOW_AUTO_RANGE.start(), *WINDOW_AUTO_RANGE.end());
                    let wanted = share * measured.p95.as_secs_f64() * 1.5;
                    let wanted = wanted.ceil().clamp(f64::from(least), f64::from(most));
                    // Between 10 and 100, which fits.
                    self.window = wanted as usize;
                }
            }
        }
    }
}
