//! The in-process simulator: the carrier of test keys, and of trials without a network.
//!
//! It accepts every message at once and reports it delivered a little later, unless the recipient
//! is a magic one ([`Script`]). It is not the simulated SMSC (`carriers::smsc`), which speaks SMPP
//! over TCP; both play the same scripts. Started by `messages::dispatch` like any other carrier.
//!
//! What it has not reported yet lives in its memory only: after a restart such receipts never
//! come, and those messages end as `unknown`.

mod schedule;

use std::collections::HashMap;

use entity::time::UnixMillis;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Ack, Carrier, CarrierError, CarrierErrorKind, CarrierEvent, CarrierHandle, LinkState,
    NotSubmitted, PartOutcome, Platform, Receipt, ReceiptState, Submission, SubmissionResult,
};
use crate::sys::IdGenerator;
use crate::types::magic::{PlannedReceipt, ReceiptTime, Script, SimulatedError, SubmitPlan};
use schedule::Schedule;

/// Submissions that wait in the channel.
const SUBMISSIONS_MAX: usize = 1_024;
/// Events that wait in the channel.
const EVENTS_MAX: usize = 1_024;
/// What may be scheduled before no more submissions are taken.
const SCHEDULED_MAX: usize = 500_000;
/// Receipts that may wait for their acknowledgement before no more are sent.
const UNACKNOWLEDGED_MAX: usize = 10_000;
/// Magic recipients whose refusals are counted; one more, and the count begins anew.
const REFUSED_RECIPIENTS_MAX: usize = 100_000;
/// The rate that it shows, in parts a second: more than the stores behind it commit.
const RATE_PARTS_PER_S: f64 = 100_000.0;

/// Settings of the simulator. All times are on the platform's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulatorConfig {
    /// From the acceptance to the receipt of an ordinary recipient.
    pub receipt_delay_ms: i64,
    /// How long a missing answer is waited for before the message is uncertain.
    pub answer_timeout_ms: i64,
    /// The pause after a throttling answer.
    pub throttle_pause_ms: i64,
    /// The pause before a receipt comes again whose [`Ack`] was dropped.
    pub redelivery_delay_ms: i64,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            receipt_delay_ms: 100,
            answer_timeout_ms: 1_000,
            throttle_pause_ms: 1_000,
            redelivery_delay_ms: 1_000,
        }
    }
}

/// The in-process simulator.
pub struct SimulatorCarrier {
    config: SimulatorConfig,
}

impl SimulatorCarrier {
    /// One that is not started yet.
    pub fn new(config: SimulatorConfig) -> Self {
        Self { config }
    }
}

impl Carrier for SimulatorCarrier {
    fn start(self: Box<Self>, platform: Platform, shutdown: CancellationToken) -> CarrierHandle {
        let (submissions, submitted) = mpsc::channel(SUBMISSIONS_MAX);
        let (reported, events) = mpsc::channel(EVENTS_MAX);
        let up = LinkState {
            bound: 1,
            rate_parts_per_s: RATE_PARTS_PER_S,
            waiting: 0,
            window: usize::MAX,
        };
        let (link_state, link) = watch::channel(up);
        let ids = IdGenerator::new(platform.clock.clone(), platform.randomness.clone());
        let simulator = Simulator {
            config: self.config,
            platform,
            ids,
            events: reported,
            schedule: Schedule::default(),
            unacknowledged: FuturesUnordered::new(),
            refusals: HashMap::new(),
        };
        let task = tokio::spawn(async move {
            simulator.run(submitted, shutdown).await;
            link_state.send_replace(LinkState::default());
        });
        CarrierHandle { submissions, queries: None, events, link, task }
    }
}

/// Something to do later.
enum Action {
    /// Report it.
    Deliver(Receipt),
    /// Give up waiting for the answer.
    GiveUp(Submission),
    /// Submit again after throttling.
    Resubmit(Submission),
}

/// Nobody listens to the events any more.
struct Deaf;

struct Simulator {
    config: SimulatorConfig,
    platform: Platform,
    ids: IdGenerator,
    events: mpsc::Sender<CarrierEvent>,
    schedule: Schedule<Action>,
    /// Resolves to a receipt that has to come again, or to `None`.
    unacknowledged: FuturesUnordered<BoxFuture<'static, Option<Receipt>>>,
    /// How often each magic recipient was refused since it was last accepted.
    refusals: HashMap<String, u8>,
}

impl Simulator {
    async fn run(mut self, mut submitted: mpsc::Receiver<Submission>, stop: CancellationToken) {
        if self.serve(&mut submitted, &stop).await.is_err() {
            return;
        }
        submitted.close();
        while let Some(submission) = submitted.recv().await {
            let outcome = PartOutcome::NotSubmitted(NotSubmitted::ShuttingDown);
            if self.answer_all(&submission, outcome).await.is_err() {
                return;
            }
        }
        while let Some(action) = self.schedule.pop_any() {
            let ended = match action {
                Action::Deliver(_) => Ok(()),
                Action::GiveUp(submission) => {
                    self.answer_all(&submission, PartOutcome::Uncertain).await
                }
                Action::Resubmit(submission) => {
                    let outcome = PartOutcome::NotSubmitted(NotSubmitted::ShuttingDown);
                    self.answer_all(&submission, outcome).await
                }
            };
            if ended.is_err() {
                return;
            }
        }
    }

    async fn serve(
        &mut self,
        submitted: &mut mpsc::Receiver<Submission>,
        stop: &CancellationToken,
    ) -> Result<(), Deaf> {
        let clock = self.platform.clock.clone();
        let mut is_submitted_to = true;
        loop {
            let next = self.schedule.next_at();
            let may_play = next.is_some() && self.unacknowledged.len() < UNACKNOWLEDGED_MAX;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(again) = self.unacknowledged.next() => {
                    if let Some(receipt) = again {
                        self.do_later(self.config.redelivery_delay_ms, Action::Deliver(receipt));
                    }
                }
                () = clock.sleep_until(next.unwrap_or(clock.now())), if may_play => {
                    self.play_due().await?;
                }
                submission = submitted.recv(),
                    if is_submitted_to && self.schedule.len() < SCHEDULED_MAX =>
                {
                    match submission {
                        Some(submission) => self.submit(submission).await?,
                        None => is_submitted_to = false,
                    }
                }
            }
        }
    }

    async fn play_due(&mut self) -> Result<(), Deaf> {
        let now = self.platform.clock.now();
        while self.unacknowledged.len() < UNACKNOWLEDGED_MAX
            && let Some(action) = self.schedule.pop_due(now)
        {
            match action {
                Action::Deliver(receipt) => self.deliver(receipt).await?,
                Action::GiveUp(submission) => {
                    self.answer_all(&submission, PartOutcome::Uncertain).await?;
                }
                Action::Resubmit(submission) => self.submit(submission).await?,
            }
        }
        Ok(())
    }

    async fn submit(&mut self, submission: Submission) -> Result<(), Deaf> {
        if submission.expires_at <= self.platform.clock.now() {
            let outcome = PartOutcome::NotSubmitted(NotSubmitted::Expired);
            return self.answer_all(&submission, outcome).await;
        }
        let script = Script::for_recipient(&submission.to);
        let plan = script.as_ref().map_or(SubmitPlan::Accept, |script| script.submit);
        if let Some(error) = self.refusal(&submission.to, plan) {
            return self.refuse(submission, error).await;
        }
        let ids: Vec<String> =
            submission.parts.iter().map(|_| self.ids.next::<Uuid>().simple().to_string()).collect();
        if submission.wants_receipt {
            self.plan_receipts(&submission, &ids, script.as_ref()).await?;
        }
        match plan {
            SubmitPlan::Accept | SubmitPlan::Refuse(_) | SubmitPlan::RefuseThenAccept { .. } => {
                let accepted = |carrier_message_id| PartOutcome::Accepted { carrier_message_id };
                self.answer(&submission, ids.into_iter().map(accepted).collect()).await
            }
            SubmitPlan::NoAnswer => {
                self.do_later(self.config.answer_timeout_ms, Action::GiveUp(submission));
                Ok(())
            }
            SubmitPlan::DropConnection => {
                self.answer_all(&submission, PartOutcome::Uncertain).await
            }
        }
    }

    /// The error that this submission meets, if any; keeps count of a script's refusals.
    fn refusal(&mut self, recipient: &str, plan: SubmitPlan) -> Option<SimulatedError> {
        let (error, times) = match plan {
            SubmitPlan::Accept | SubmitPlan::NoAnswer | SubmitPlan::DropConnection => return None,
            SubmitPlan::Refuse(error) => return Some(error),
            SubmitPlan::RefuseThenAccept { error, times } => (error, times),
        };
        let before = self.refusals.get(recipient).copied().unwrap_or(0);
        if before >= times {
            self.refusals.remove(recipient);
            return None;
        }
        if self.refusals.len() >= REFUSED_RECIPIENTS_MAX {
            self.refusals.clear();
        }
        self.refusals.insert(recipient.to_owned(), before + 1);
        Some(error)
    }

    async fn refuse(&mut self, submission: Submission, error: SimulatedError) -> Result<(), Deaf> {
        match error {
            SimulatedError::Throttled | SimulatedError::QueueFull => {
                self.do_later(self.config.throttle_pause_ms, Action::Resubmit(submission));
                Ok(())
            }
            SimulatedError::Temporary
            | SimulatedError::Route
            | SimulatedError::Recipient
            | SimulatedError::Content
            | SimulatedError::Account
            | SimulatedError::Unmapped => {
                let code = error.command_status();
                let error = CarrierError { kind: CarrierErrorKind::CommandStatus, code };
                let mut parts = vec![
                    PartOutcome::NotSubmitted(NotSubmitted::EarlierPart);
                    submission.parts.len()
                ];
                if let Some(first) = parts.first_mut() {
                    *first = PartOutcome::Refused(error);
                }
                self.answer(&submission, parts).await
            }
        }
    }

    /// Schedules the receipts of every part; those that come before the answer are sent now.
    async fn plan_receipts(
        &mut self,
        submission: &Submission,
        ids: &[String],
        script: Option<&Script>,
    ) -> Result<(), Deaf> {
        let now = self.platform.clock.now();
        let Some(script) = script else {
            let at = now.plus_ms(self.config.receipt_delay_ms);
            for id in ids {
                let receipt = receipt(submission, id, (ReceiptState::Delivered, None), at);
                self.schedule.push(at, Action::Deliver(receipt));
            }
            return Ok(());
        };
        for PlannedReceipt { state, error, when } in script.receipts.iter().copied() {
            for id in ids {
                let what = (state.into(), error);
                match when {
                    ReceiptTime::BeforeAnswer => {
                        self.deliver(receipt(submission, id, what, now)).await?;
                    }
                    ReceiptTime::AfterAnswer { delay_ms } => {
                        let at = now.plus_ms(delay_ms.into());
                        let receipt = receipt(submission, id, what, at);
                        self.schedule.push(at, Action::Deliver(receipt));
                    }
                }
            }
        }
        Ok(())
    }

    fn do_later(&mut self, delay_ms: i64, action: Action) {
        self.schedule.push(self.platform.clock.now().plus_ms(delay_ms), action);
    }

    async fn deliver(&mut self, receipt: Receipt) -> Result<(), Deaf> {
        let (ack, acknowledged) = Ack::pair();
        self.report(CarrierEvent::Receipt(receipt.clone(), ack)).await?;
        let again = async move {
            match acknowledged.await {
                Ok(()) => None,
                Err(_) => Some(receipt),
            }
        };
        self.unacknowledged.push(Box::pin(again));
        Ok(())
    }

    async fn answer_all(
        &mut self,
        submission: &Submission,
        outcome: PartOutcome,
    ) -> Result<(), Deaf> {
        self.answer(submission, vec![outcome; submission.parts.len()]).await
    }

    async fn answer(
        &mut self,
        submission: &Submission,
        parts: Vec<PartOutcome>,
    ) -> Result<(), Deaf> {
        let Submission { message_id, attempt, .. } = *submission;
        self.report(CarrierEvent::Result(SubmissionResult { message_id, attempt, parts })).await
    }

    async fn report(&mut self, event: CarrierEvent) -> Result<(), Deaf> {
        self.events.send(event).await.map_err(|_| Deaf)
    }
}

fn receipt(
    submission: &Submission,
    id: &str,
    (state, error): (ReceiptState, Option<u16>),
    done_at: UnixMillis,
) -> Receipt {
    Receipt {
        carrier_message_id: id.to_owned(),
        state,
        error: error
            .filter(|&code| code != 0)
            .map(|code| CarrierError { kind: CarrierErrorKind::ReceiptError, code: code.into() }),
        done_at: Some(done_at),
        reference: Some(submission.reference),
        recipient: submission.to.clone(),
    }
}
