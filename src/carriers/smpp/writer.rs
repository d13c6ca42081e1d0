//! The sending half of a session: takes parts while window and pace allow, encodes as many as it
//! can and writes them at once.
//!
//! It knows exactly which parts' last octets were handed to the connection, so that only those
//! become uncertain when it breaks.

use bytes::BytesMut;
use rusmpp::{CommandStatus, Pdu};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::encode;
use super::in_flight::{Flight, Ordinal};
use super::questions;
use super::queue::Run;
use super::session::{Phase, Session, Traffic};
use crate::carriers::{NotSubmitted, PartOutcome, SubmissionResult};

/// Octets after which a batch is written before more is added.
const BATCH_LENGTH: usize = 64 * 1024;
/// Octets of answers that may wait for a carrier that does not read; beyond it the link is lost.
const CONTROL_LENGTH_MAX: usize = 1024 * 1024;
/// Throttled parts that may wait on one link before it takes no new messages.
const RETRIES_MAX: usize = 5_000;
/// How long the answer to our unbind may take.
const UNBIND_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

/// What the writer had not written.
#[derive(Default)]
pub(super) struct Unwritten {
    /// The rest of the message that it was sending.
    pub current: Option<Run>,
    /// This part and the later ones in flight never left.
    pub from: Option<Ordinal>,
}

/// Writes until the session is down, or is to end.
pub(super) async fn write(session: &Session, mut io: impl AsyncWrite + Unpin) -> Unwritten {
    let mut batch = Batch::default();
    let mut drain = Drain::No;
    loop {
        let pause = batch.fill(session, drain);
        for result in batch.results.drain(..) {
            session.hub.report(result).await;
        }
        if !batch.octets.is_empty() {
            if let Err(from) = batch.send(session, &mut io).await {
                return Unwritten { current: batch.current, from };
            }
            continue;
        }
        if batch.closing {
            break;
        }
        drain = match drain {
            Drain::Until(limit) if session.is_quiet() || Instant::now() >= limit => {
                session.traffic().request(Pdu::Unbind);
                Drain::Unbound(Instant::now() + UNBIND_TIMEOUT)
            }
            Drain::Unbound(limit) if Instant::now() >= limit => break,
            Drain::No | Drain::Until(_) | Drain::Unbound(_) => wait(session, drain, pause).await,
        };
        if session.down.is_cancelled() {
            break;
        }
    }
    Unwritten { current: batch.current, from: None }
}

/// The way to a shutdown.
#[derive(Clone, Copy)]
enum Drain {
    No,
    /// Nothing new is sent; answers and acknowledgements are waited for until then.
    Until(Instant),
    /// We have unbound; the answer is waited for until then.
    Unbound(Instant),
}

/// Waits for a reason to look again.
async fn wait(session: &Session, drain: Drain, pause: Option<Instant>) -> Drain {
    let until = match drain {
        Drain::No => pause,
        Drain::Until(limit) | Drain::Unbound(limit) => {
            Some(pause.map_or(limit, |pause| pause.min(limit)))
        }
    };
    tokio::select! {
        () = session.wake.notified() => drain,
        () = session.down.cancelled() => drain,
        () = sleep_until(until) => drain,
        () = session.hub.shutdown.cancelled(), if matches!(drain, Drain::No) => {
            Drain::Until(Instant::now() + session.hub.config.shutdown_timeout())
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

#[derive(Default)]
struct Batch {
    octets: BytesMut,
    /// Where each part in `octets` ends.
    ends: Vec<(Ordinal, usize)>,
    /// The message that is being sent.
    current: Option<Run>,
    /// Whether any part of `current` has left, so that a shutdown lets it finish.
    begun: bool,
    results: Vec<SubmissionResult>,
    /// After this batch the session ends.
    closing: bool,
}

impl Batch {
    /// Adds what may leave now. Returns when to look again, if that is known.
    fn fill(&mut self, session: &Session, drain: Drain) -> Option<Instant> {
        let mut traffic = session.traffic();
        self.closing |= traffic.control.len() > CONTROL_LENGTH_MAX;
        self.octets.extend_from_slice(&traffic.control);
        traffic.control.clear();
        match traffic.phase {
            Phase::Open => {}
            Phase::Unbound => return None,
            Phase::Broken => {
                self.closing = true;
                return None;
            }
        }
        match drain {
            Drain::No => {}
            Drain::Until(_) => self.forgo(&mut traffic),
            Drain::Unbound(_) => return None,
        }
        if !session.role.sends() {
            return None;
        }
        let now = Instant::now();
        let asking = match drain {
            Drain::No => questions::ask(&session.hub, &mut traffic, &mut self.octets, now),
            Drain::Until(_) | Drain::Unbound(_) => None,
        };
        let sending = self.fill_parts(session, &mut traffic, drain, now);
        asking.into_iter().chain(sending).min()
    }

    /// Adds the parts that may leave now. Returns when to look again, if that is known.
    fn fill_parts(
        &mut self,
        session: &Session,
        traffic: &mut Traffic,
        drain: Drain,
        now: Instant,
    ) -> Option<Instant> {
        while self.octets.len() < BATCH_LENGTH && traffic.in_flight.open() < traffic.window {
            let Some(run) = self.next(session, traffic, drain, now) else {
                return traffic.retries.peek().map(|retry| retry.due);
            };
            if let Some(why) = pointless(session, &run) {
                self.results.extend(run.settle(why));
                self.begun = false;
                continue;
            }
            if let Err(resume) = session.hub.pace.take(now) {
                self.current = Some(run);
                return Some(resume);
            }
            self.add(session, traffic, run, now);
        }
        None
    }

    /// The shutdown has begun: what has not begun to leave is ended.
    fn forgo(&mut self, traffic: &mut Traffic) {
        let unbegun = if self.begun { None } else { self.current.take() };
        let retries = std::mem::take(&mut traffic.retries).into_iter().map(|retry| retry.run);
        for run in retries.chain(unbegun) {
            self.results.extend(run.settle(NotSubmitted::ShuttingDown));
        }
    }

    /// The rest of the current message, then throttled parts whose time has come, then the next.
    fn next(
        &mut self,
        session: &Session,
        traffic: &mut Traffic,
        drain: Drain,
        now: Instant,
    ) -> Option<Run> {
        if let Some(run) = self.current.take() {
            return Some(run);
        }
        self.begun = false;
        if traffic.retries.peek().is_some_and(|retry| retry.due <= now) {
            let run = traffic.retries.pop().map(|retry| retry.run);
            // It waits no more.
            session.hub.publish();
            return run;
        }
        match drain {
            Drain::No if traffic.retries.len() < RETRIES_MAX => session.hub.queue.take(),
            Drain::No | Drain::Until(_) | Drain::Unbound(_) => None,
        }
    }

    /// Encodes the run's next part; the rest becomes the current message.
    fn add(&mut self, session: &Session, traffic: &mut Traffic, mut run: Run, now: Instant) {
        let hub = &session.hub;
        let part = run.next;
        let submission = &run.message.submission;
        match encode::submit_sm(&hub.config, submission, part, hub.platform.clock.now()) {
            Ok(pdu) => {
                let message = run.message.clone();
                let flight = Flight { message, part, sent_at: now };
                let (ordinal, sequence_number) = traffic.in_flight.track(flight);
                encode::pdu(&mut self.octets, CommandStatus::EsmeRok, sequence_number, pdu);
                self.ends.push((ordinal, self.octets.len()));
                self.begun = true;
            }
            Err(error) => {
                self.results.extend(run.message.settle(part, PartOutcome::Refused(error)));
            }
        }
        run.next += 1;
        if run.next < run.end {
            self.current = Some(run);
        }
    }

    /// Writes the batch.
    ///
    /// # Errors
    /// If the session went down first: the first part that did not leave.
    async fn send(
        &mut self,
        session: &Session,
        io: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), Option<Ordinal>> {
        let mut written = 0;
        let whole = loop {
            if written == self.octets.len() {
                break true;
            }
            tokio::select! {
                biased;
                wrote = io.write(&self.octets[written..]) => match wrote {
                    Ok(count) if count > 0 => written += count,
                    Ok(_) | Err(_) => break false,
                },
                () = session.down.cancelled() => break false,
            }
        };
        let flushed = whole
            && tokio::select! {
                biased;
                flushed = io.flush() => flushed.is_ok(),
                () = session.down.cancelled() => false,
            };
        let left = self.ends.iter().take_while(|(_, end)| *end <= written).count();
        session.hub.meters.submitted.increment(left as u64);
        let unwritten = self.ends.get(left).map(|(ordinal, _)| *ordinal);
        self.octets.clear();
        self.ends.clear();
        if flushed { Ok(()) } else { Err(unwritten) }
    }
}

/// Why a run need not be sent, if so.
fn pointless(session: &Session, run: &Run) -> Option<NotSubmitted> {
    if run.message.is_refused() {
        return Some(NotSubmitted::EarlierPart);
    }
    let now = session.hub.platform.clock.now();
    (run.message.submission.expires_at <= now).then_some(NotSubmitted::Expired)
}
