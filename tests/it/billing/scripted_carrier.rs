//! A carrier that answers each submission as a test says, and reports what a test tells it to.

use std::sync::Arc;

use heliograph::carriers::{
    Ack, Carrier, CarrierError, CarrierErrorKind, CarrierEvent, CarrierHandle, Inbound, LinkState,
    NotSubmitted, PartOutcome, Platform, Receipt, ReceiptState, Submission, SubmissionResult,
};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::messages::Running;
use crate::support::{PATIENCE, TestHouse, within};

type Answer = Arc<dyn Fn(&Submission) -> Vec<PartOutcome> + Send + Sync>;

/// The carrier.
#[derive(Clone)]
struct Scripted {
    answer: Answer,
    /// Told of each submission.
    submitted: mpsc::UnboundedSender<Submission>,
    /// Reports to be made.
    receipts: Arc<Mutex<mpsc::UnboundedReceiver<Receipt>>>,
    /// Messages from phones to be passed on.
    phones: Arc<Mutex<mpsc::UnboundedReceiver<Written>>>,
}

/// A message from a phone, and whom to tell that it was taken.
type Written = (Inbound, oneshot::Sender<()>);

/// A test's hand on it.
pub struct Hand {
    submitted: mpsc::UnboundedReceiver<Submission>,
    receipts: mpsc::UnboundedSender<Receipt>,
    phones: mpsc::UnboundedSender<Written>,
    running: Running,
}

/// Starts dispatch with a carrier that answers so.
pub fn start(
    house: &TestHouse,
    answer: impl Fn(&Submission) -> Vec<PartOutcome> + Send + Sync + 'static,
) -> Hand {
    let (submitted, submissions) = mpsc::unbounded_channel();
    let (receipts, reported) = mpsc::unbounded_channel();
    let receipt_queue = Arc::new(Mutex::new(reported));
    let (phones, written) = mpsc::unbounded_channel();
    let written = Arc::new(Mutex::new(written));
    let carrier =
        Scripted { answer: Arc::new(answer), submitted, receipts: receipt_queue, phones: written };
    let running = Running::start(house, move || Box::new(carrier.clone()));
    Hand { submitted: submissions, receipts, phones, running }
}

impl Hand {
    /// The next submission, once it was answered.
    pub async fn submission(&mut self) -> Submission {
        within(PATIENCE, self.submitted.recv()).await.expect("the carrier runs")
    }

    /// Reports that a submission was delivered.
    pub fn delivered(&self, submission: &Submission) {
        self.report(submission, "never-heard-of".to_owned(), ReceiptState::Delivered);
    }

    /// Reports what became of a submission of one part that [`takes_all`] took.
    pub fn came_to(&self, submission: &Submission, state: ReceiptState) {
        self.report(submission, format!("{}-0", submission.message_id), state);
    }

    fn report(&self, submission: &Submission, carrier_message_id: String, state: ReceiptState) {
        let receipt = Receipt {
            carrier_message_id,
            state,
            error: None,
            done_at: None,
            reference: Some(submission.reference),
            recipient: submission.to.clone(),
        };
        self.receipts.send(receipt).unwrap();
    }

    /// Passes a message from a phone on, and returns when it was taken.
    pub async fn wrote(&self, from: &str, to: &str, text: &str) {
        let message = Inbound {
            from: from.to_owned(),
            to: to.to_owned(),
            text: text.to_owned(),
            concatenation: None,
        };
        let (taken, done) = oneshot::channel();
        self.phones.send((message, taken)).unwrap();
        within(PATIENCE, done).await.unwrap();
    }

    /// Whether nothing was submitted but what was asked for.
    pub fn is_idle(&mut self) -> bool {
        self.submitted.try_recv().is_err()
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }
}

impl Carrier for Scripted {
    fn start(self: Box<Self>, _: Platform, shutdown: CancellationToken) -> CarrierHandle {
        let (submissions, mut received) = mpsc::channel::<Submission>(100);
        let (report, events) = mpsc::channel(100);
        let (up, link) = watch::channel(LinkState {
            bound: 1,
            rate_parts_per_s: f64::INFINITY,
            waiting: 0,
            window: usize::MAX,
        });
        let task = tokio::spawn(async move {
            let _up = up;
            let mut receipts = self.receipts.lock().await;
            let mut phones = self.phones.lock().await;
            loop {
                let event = tokio::select! {
                    () = shutdown.cancelled() => break,
                    Some(submission) = received.recv() => {
                        let parts = (self.answer)(&submission);
                        let (message_id, attempt) = (submission.message_id, submission.attempt);
                        self.submitted.send(submission).unwrap();
                        CarrierEvent::Result(SubmissionResult { message_id, attempt, parts })
                    }
                    Some((message, taken)) = phones.recv() => {
                        let (ack, done) = Ack::pair();
                        tokio::spawn(async move {
                            if done.await.is_ok() {
                                let _ = taken.send(());
                            }
                        });
                        CarrierEvent::Inbound(message, ack)
                    }
                    Some(receipt) = receipts.recv() => CarrierEvent::Receipt(receipt, Ack::pair().0),
                };
                report.send(event).await.unwrap();
            }
        });
        CarrierHandle { submissions, queries: None, events, link, task }
    }
}

/// Takes every part.
pub fn takes_all(submission: &Submission) -> Vec<PartOutcome> {
    let id = |n: usize| format!("{}-{n}", submission.message_id);
    (0..submission.parts.len())
        .map(|n| PartOutcome::Accepted { carrier_message_id: id(n) })
        .collect()
}

/// Takes the first part, and refuses the second for good.
pub fn takes_one(submission: &Submission) -> Vec<PartOutcome> {
    let recipient_is_wrong = CarrierError { kind: CarrierErrorKind::CommandStatus, code: 0x0B };
    let mut outcomes = takes_all(submission);
    outcomes[1] = PartOutcome::Refused(recipient_is_wrong);
    outcomes[2..].fill(PartOutcome::NotSubmitted(NotSubmitted::EarlierPart));
    outcomes
}

/// Cannot take it now: ESME_RSYSERR.
pub fn says_later(submission: &Submission) -> Vec<PartOutcome> {
    let error = CarrierError { kind: CarrierErrorKind::CommandStatus, code: 0x08 };
    vec![PartOutcome::Refused(error); submission.parts.len()]
}

/// Is never heard of again.
pub fn says_nothing(submission: &Submission) -> Vec<PartOutcome> {
    vec![PartOutcome::Uncertain; submission.parts.len()]
}
