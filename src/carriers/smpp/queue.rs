//! Messages on their way out: what each part came to, and the queue that a carrier's links share.
//!
//! Knows nothing of the protocol. Filled by the carrier's intake, emptied by the links' writers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::carriers::{NotSubmitted, PartOutcome, Submission, SubmissionResult};

/// A submission and what its parts have come to.
pub(super) struct Message {
    pub submission: Submission,
    /// Parts that wait out a pause.
    paused: AtomicUsize,
    progress: Mutex<Progress>,
}

struct Progress {
    outcomes: Vec<Option<PartOutcome>>,
    open: usize,
    refused: bool,
}

impl Message {
    pub fn new(submission: Submission) -> Self {
        let open = submission.parts.len();
        let progress = Progress { outcomes: vec![None; open], open, refused: false };
        Self { submission, paused: AtomicUsize::new(0), progress: Mutex::new(progress) }
    }

    /// Records how a part ended; the last one yields the result. A part ends once: what comes
    /// later for it is dropped.
    #[must_use]
    pub fn settle(&self, part: usize, outcome: PartOutcome) -> Option<SubmissionResult> {
        let mut progress = lock(&self.progress);
        let slot = progress.outcomes.get_mut(part)?;
        if slot.is_some() {
            return None;
        }
        let refused = matches!(outcome, PartOutcome::Refused(_));
        *slot = Some(outcome);
        progress.refused |= refused;
        progress.open -= 1;
        if progress.open > 0 {
            return None;
        }
        Some(SubmissionResult {
            message_id: self.submission.message_id,
            attempt: self.submission.attempt,
            parts: std::mem::take(&mut progress.outcomes).into_iter().flatten().collect(),
        })
    }

    /// Whether a part was refused, so that the rest need not be tried.
    pub fn is_refused(&self) -> bool {
        lock(&self.progress).refused
    }
}

/// How many messages have parts that wait out a pause.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// How many.
    pub fn messages(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts the message of a part until what is returned is dropped.
    pub fn count(&self, message: &Arc<Message>) -> Pause {
        if message.paused.fetch_add(1, Ordering::Relaxed) == 0 {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Pause { message: Arc::clone(message), waiting: self.clone() }
    }
}

/// A part's pause.
pub(super) struct Pause {
    message: Arc<Message>,
    waiting: Waiting,
}

impl Drop for Pause {
    fn drop(&mut self) {
        if self.message.paused.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.waiting.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Consecutive parts of one message that have yet to leave.
pub(super) struct Run {
    pub message: Arc<Message>,
    /// The next part to leave.
    pub next: usize,
    /// One past the last.
    pub end: usize,
}

impl Run {
    /// All parts.
    pub fn new(submission: Submission) -> Self {
        let end = submission.parts.len();
        Self { message: Arc::new(Message::new(submission)), next: 0, end }
    }

    /// One part again.
    pub fn part(message: Arc<Message>, part: usize) -> Self {
        Self { message, next: part, end: part + 1 }
    }

    /// Ends all its parts.
    #[must_use]
    pub fn settle(self, why: NotSubmitted) -> Option<SubmissionResult> {
        let mut result = None;
        for part in self.next..self.end {
            result = result.or(self.message.settle(part, PartOutcome::NotSubmitted(why)));
        }
        result
    }
}

/// Joins neighbours that continue each other, so that a message's parts stay on one link.
pub(super) fn join(runs: impl IntoIterator<Item = Run>) -> Vec<Run> {
    let mut joined: Vec<Run> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last) if Arc::ptr_eq(&last.message, &run.message) && last.end == run.next => {
                last.end = run.end;
            }
            Some(_) | None => joined.push(run),
        }
    }
    joined
}

/// What waits for a link, in order, and how many links can take it.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told when the queue has room again.
    pub room: Notify,
    capacity: usize,
}

#[derive(Default)]
struct State {
    runs: VecDeque<Run>,
    bound: u16,
    closed: bool,
}

impl Queue {
    /// `capacity`: more than the links can take at once, and little more, as what waits here can
    /// no longer be reordered by those who know priorities.
    pub fn new(capacity: usize) -> Self {
        Self { state: Mutex::default(), room: Notify::new(), capacity }
    }

    /// How many more fit.
    pub fn free(&self) -> usize {
        self.capacity.saturating_sub(lock(&self.state).runs.len())
    }

    /// Appends.
    ///
    /// # Errors
    /// Gives the run back, with the reason, if no link is bound or the carrier shuts down.
    pub fn push(&self, run: Run) -> Result<(), (Run, NotSubmitted)> {
        let mut state = lock(&self.state);
        match state.refusal() {
            Some(why) => Err((run, why)),
            None => {
                state.runs.push_back(run);
                Ok(())
            }
        }
    }

    /// The next to leave.
    pub fn take(&self) -> Option<Run> {
        let mut state = lock(&self.state);
        let run = state.runs.pop_front()?;
        if state.runs.len() <= self.capacity / 2 {
            drop(state);
            self.room.notify_one();
        }
        Some(run)
    }

    /// A link is bound for sending.
    pub fn link_up(&self) {
        lock(&self.state).bound += 1;
    }

    /// A link is lost. What it had not sent goes to the head; if it was the last link, everything
    /// that waits is returned to be ended, with the reason.
    pub fn link_down(&self, unsent: Vec<Run>) -> Option<(Vec<Run>, NotSubmitted)> {
        let mut state = lock(&self.state);
        state.bound = state.bound.saturating_sub(1);
        for run in unsent.into_iter().rev() {
            state.runs.push_front(run);
        }
        let why = state.refusal()?;
        let rest = state.runs.drain(..).collect();
        drop(state);
        self.room.notify_one();
        Some((rest, why))
    }

    /// The carrier shuts down: returns everything that waits; nothing is taken in any more.
    pub fn close(&self) -> Vec<Run> {
        let mut state = lock(&self.state);
        state.closed = true;
        state.runs.drain(..).collect()
    }

    /// Links that are bound for sending.
    pub fn bound(&self) -> u16 {
        lock(&self.state).bound
    }
}

impl State {
    fn refusal(&self) -> Option<NotSubmitted> {
        match (self.closed, self.bound) {
            (true, _) => Some(NotSubmitted::ShuttingDown),
            (false, 0) => Some(NotSubmitted::Disconnected),
            (false, _) => None,
        }
    }
}

/// Locks; a panic elsewhere while holding it leaves nothing half-done that matters here.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use entity::ids::MessageId;
    use entity::time::UnixMillis;
    use uuid::Uuid;

    use super::*;
    use crate::carriers::{Address, CarrierError, CarrierErrorKind, PartPayload};

    fn submission(parts: usize) -> Submission {
        let part =
            PartPayload { octets: Bytes::from_static(b"x"), data_coding: 0, has_header: false };
        Submission {
            message_id: MessageId::from(Uuid::nil()),
            attempt: 1,
            from: Address::ShortCode("1234".into()),
            to: "15551230000".into(),
            parts: vec![part; parts],
            expires_at: UnixMillis(0),
            reference: 0,
            wants_receipt: true,
        }
    }

    fn accepted(id: &str) -> PartOutcome {
        PartOutcome::Accepted { carrier_message_id: id.into() }
    }

    #[test]
    fn the_last_part_yields_the_one_result_with_all_parts_in_order() {
        let message = Message::new(submission(3));
        assert_eq!(message.settle(2, accepted("c")), None);
        assert_eq!(message.settle(0, PartOutcome::Uncertain), None);
        assert_eq!(message.settle(0, accepted("late")), None, "a part ends once");
        let result = message.settle(1, accepted("b")).expect("all parts ended");
        assert_eq!(result.parts, [PartOutcome::Uncertain, accepted("b"), accepted("c")]);
        assert_eq!(message.settle(1, accepted("again")), None);
    }

    #[test]
    fn a_refused_part_marks_the_message_and_the_rest_ends_together() {
        let Run { message, .. } = Run::new(submission(3));
        let error = CarrierError { kind: CarrierErrorKind::CommandStatus, code: 11 };
        assert_eq!(message.settle(0, PartOutcome::Refused(error.clone())), None);
        assert!(message.is_refused());
        let rest = Run { message, next: 1, end: 3 };
        let result = rest.settle(NotSubmitted::EarlierPart).expect("all parts ended");
        let not_sent = PartOutcome::NotSubmitted(NotSubmitted::EarlierPart);
        assert_eq!(result.parts, [PartOutcome::Refused(error), not_sent.clone(), not_sent]);
    }

    #[test]
    fn neighbours_of_one_message_are_joined() {
        let first = Run::new(submission(4)).message;
        let second = Run::new(submission(1));
        let joined = join([
            Run::part(first.clone(), 1),
            Run::part(first.clone(), 2),
            Run { message: first.clone(), next: 3, end: 4 },
            second,
            Run::part(first, 0),
        ]);
        let spans: Vec<_> = joined.iter().map(|run| (run.next, run.end)).collect();
        assert_eq!(spans, [(1, 4), (0, 1), (0, 1)]);
    }

    #[test]
    fn a_message_waits_as_long_as_one_of_its_parts_does() {
        let waiting = Waiting::default();
        let (long, other) = (Run::new(submission(3)).message, Run::new(submission(1)).message);
        let first = waiting.count(&long);
        let second = waiting.count(&long);
        let third = waiting.count(&other);
        assert_eq!(waiting.messages(), 2);
        drop(first);
        assert_eq!(waiting.messages(), 2);
        drop((second, third));
        assert_eq!(waiting.messages(), 0);
    }

    #[test]
    fn without_a_link_nothing_is_taken_in_and_the_last_link_empties_the_queue() {
        let queue = Queue::new(4);
        assert!(matches!(
            queue.push(Run::new(submission(1))),
            Err((_, NotSubmitted::Disconnected))
        ));
        queue.link_up();
        queue.link_up();
        assert!(queue.push(Run::new(submission(1))).is_ok());
        assert!(queue.link_down(vec![Run::new(submission(2))]).is_none(), "one link is left");
        let (rest, why) = queue.link_down(vec![]).expect("no link is left");
        assert_eq!(why, NotSubmitted::Disconnected);
        let ends: Vec<_> = rest.iter().map(|run| run.end).collect();
        assert_eq!(ends, [2, 1], "what was given back stands at the head");
        queue.link_up();
        assert!(queue.push(Run::new(submission(1))).is_ok());
        assert_eq!(queue.close().len(), 1);
        assert!(matches!(
            queue.push(Run::new(submission(1))),
            Err((_, NotSubmitted::ShuttingDown))
        ));
    }
}
