//! What every carrier promises (`src/carriers/mod.rs`), asked of each one. A carrier joins with a
//! function that starts it and one line at the end; it has to play the magic recipients' scripts,
//! itself or through the simulated SMSC.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use entity::ids::MessageId;
use entity::time::UnixMillis;
use futures::future::BoxFuture;
use heliograph::carriers::simulator::{SimulatorCarrier, SimulatorConfig};
use heliograph::carriers::smpp::{Bind, SmppCarrier, SmppConfig};
use heliograph::carriers::smsc::config::SmscConfig;
use heliograph::carriers::smsc::{Smsc, SmscHandle};
use heliograph::carriers::{
    Ack, Address, Carrier, CarrierError, CarrierErrorKind, CarrierEvent, CarrierHandle,
    NotSubmitted, PartOutcome, PartPayload, Platform, Receipt, ReceiptState, Submission,
    SubmissionResult,
};
use heliograph::sys::{Clock, IdGenerator, ManualClock, Randomness};
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test fails: far more than it needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Numbers that no script is for (Ofcom's for drama), and the scripts that the suite plays.
const PLAIN: &str = "447700900001";
const OTHER_PLAIN: &str = "447700900002";
const EARLY_RECEIPT: &str = "9993030000000";
const REFUSED: &str = "9994030000000";
const THROTTLED_TWICE: &str = "9995020000000";
const THROTTLED_NINE_TIMES: &str = "9995090000000";
const NO_ANSWER: &str = "9996010000000";
const DROPPED: &str = "9996020000000";
const NO_ANSWER_BUT_DELIVERED: &str = "9996030000000";

/// A started carrier.
pub struct Subject {
    handle: CarrierHandle,
    shutdown: CancellationToken,
    clock: Clock,
    ids: IdGenerator,
    next_reference: u16,
    /// What it submits to, if that is the simulated SMSC.
    smsc: Option<SmscHandle>,
}

impl Subject {
    pub fn start(carrier: Box<dyn Carrier>, clock: Clock, smsc: Option<SmscHandle>) -> Self {
        let randomness = Randomness::seeded(11);
        let shutdown = CancellationToken::new();
        let platform = Platform { clock: clock.clone(), randomness: randomness.clone() };
        let handle = carrier.start(platform, shutdown.clone());
        let ids = IdGenerator::new(clock.clone(), randomness);
        Self { handle, shutdown, clock, ids, next_reference: 0, smsc }
    }

    async fn until_bound(mut self) -> Self {
        let bound = self.handle.link.wait_for(|link| link.bound > 0);
        soon("the link", bound).await.expect("the carrier lives");
        self
    }

    fn submission(&mut self, to: &str, parts: u8) -> Submission {
        self.next_reference += 1;
        let part = |number: u8| PartPayload {
            octets: Bytes::copy_from_slice(&[5, 0, 3, self.next_reference as u8, parts, number]),
            data_coding: 0,
            has_header: true,
        };
        Submission {
            message_id: self.ids.next::<MessageId>(),
            attempt: 1,
            from: Address::Alphanumeric("Shop".into()),
            to: to.to_owned(),
            parts: (1..=parts).map(part).collect(),
            expires_at: self.clock.now().plus_ms(3_600_000),
            reference: self.next_reference,
            wants_receipt: true,
        }
    }

    async fn send(&self, submission: Submission) -> MessageId {
        let id = submission.message_id;
        let sent = self.handle.submissions.send(submission);
        soon("room for a submission", sent).await.expect("the carrier lives");
        id
    }

    async fn submit(&mut self, to: &str, parts: u8) -> MessageId {
        let submission = self.submission(to, parts);
        self.send(submission).await
    }

    async fn next(&mut self) -> CarrierEvent {
        soon("an event", self.handle.events.recv()).await.expect("the carrier lives")
    }

    /// The next result; receipts before it are acknowledged.
    async fn result(&mut self) -> SubmissionResult {
        loop {
            match self.next().await {
                CarrierEvent::Result(result) => return result,
                CarrierEvent::Receipt(_, ack) | CarrierEvent::Inbound(_, ack) => ack.done(),
                CarrierEvent::Queried(_) => panic!("nobody asked"),
            }
        }
    }

    /// The only part's outcome of a message to `to`.
    async fn outcome(&mut self, to: &str) -> PartOutcome {
        let id = self.submit(to, 1).await;
        let result = self.result().await;
        assert_eq!((result.message_id, result.attempt, result.parts.len()), (id, 1, 1));
        result.parts[0].clone()
    }

    /// The next receipt; results before it are dropped.
    async fn receipt(&mut self) -> (Receipt, Ack) {
        loop {
            match self.next().await {
                CarrierEvent::Receipt(receipt, ack) => return (receipt, ack),
                CarrierEvent::Result(_) => {}
                CarrierEvent::Queried(_) | CarrierEvent::Inbound(..) => {
                    panic!("nobody wrote to us")
                }
            }
        }
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited too long for {what}"),
    }
}

fn accepted_id(outcome: &PartOutcome) -> Option<&str> {
    match outcome {
        PartOutcome::Accepted { carrier_message_id } => Some(carrier_message_id),
        PartOutcome::Refused(_) | PartOutcome::Uncertain | PartOutcome::NotSubmitted(_) => None,
    }
}

async fn each_submission_ends_in_one_result_and_each_accepted_part_in_one_receipt(
    mut subject: Subject,
) {
    let mut expected = HashMap::new();
    for number in 0..200_u8 {
        let (to, parts) = match number % 4 {
            0 => (PLAIN, 1),
            1 => (OTHER_PLAIN, 3),
            2 => (REFUSED, 2),
            _ => (EARLY_RECEIPT, 1),
        };
        expected.insert(subject.submit(to, parts).await, (to, usize::from(parts)));
    }
    let (mut accepted, mut receipted) = (HashSet::new(), HashSet::new());
    while !expected.is_empty() || receipted.len() < accepted.len() {
        match subject.next().await {
            CarrierEvent::Result(result) => {
                let (to, parts) = expected.remove(&result.message_id).expect("one result each");
                assert_eq!(result.parts.len(), parts);
                let ids = result.parts.iter().filter_map(accepted_id);
                let before = accepted.len();
                accepted.extend(ids.map(str::to_owned));
                let taken = if to == REFUSED { 0 } else { parts };
                assert_eq!(accepted.len(), before + taken, "every accepted part has its own id");
            }
            CarrierEvent::Receipt(receipt, ack) => {
                ack.done();
                assert_eq!(receipt.state, ReceiptState::Delivered);
                assert!(receipted.insert(receipt.carrier_message_id), "one receipt each");
            }
            CarrierEvent::Queried(_) | CarrierEvent::Inbound(..) => panic!("nobody wrote to us"),
        }
    }
    assert_eq!(receipted, accepted, "receipts name the ids of the answers");
}

async fn a_part_is_uncertain_if_and_only_if_no_answer_came(mut subject: Subject) {
    assert!(accepted_id(&subject.outcome(PLAIN).await).is_some());
    assert_eq!(subject.outcome(NO_ANSWER).await, PartOutcome::Uncertain);
    let invalid_recipient = CarrierError { kind: CarrierErrorKind::CommandStatus, code: 0x0B };
    assert_eq!(subject.outcome(REFUSED).await, PartOutcome::Refused(invalid_recipient.clone()));
    subject.submit(REFUSED, 3).await;
    let result = subject.result().await;
    assert_eq!(result.parts[0], PartOutcome::Refused(invalid_recipient));
    assert!(result.parts.iter().all(|part| accepted_id(part).is_none()), "{result:?}");
    assert!(!result.parts.contains(&PartOutcome::Uncertain), "{result:?}");
    assert_eq!(subject.outcome(DROPPED).await, PartOutcome::Uncertain);
    loop {
        subject = subject.until_bound().await;
        match subject.outcome(PLAIN).await {
            // The link state may lag behind the link; whoever submits tries again.
            PartOutcome::NotSubmitted(NotSubmitted::Disconnected) => {}
            outcome => return assert!(accepted_id(&outcome).is_some(), "it goes on after a drop"),
        }
    }
}

async fn an_uncertain_message_can_still_be_reported_by_its_reference(mut subject: Subject) {
    let submission = subject.submission(NO_ANSWER_BUT_DELIVERED, 1);
    let reference = submission.reference;
    subject.send(submission).await;
    let (mut result, mut receipt) = (None, None);
    while result.is_none() || receipt.is_none() {
        match subject.next().await {
            CarrierEvent::Result(found) => result = Some(found.parts),
            CarrierEvent::Receipt(found, ack) => {
                ack.done();
                receipt = Some((found.reference, found.state, found.recipient));
            }
            CarrierEvent::Queried(_) | CarrierEvent::Inbound(..) => panic!("nobody wrote to us"),
        }
    }
    assert_eq!(result, Some(vec![PartOutcome::Uncertain]));
    let to = NO_ANSWER_BUT_DELIVERED.to_owned();
    assert_eq!(receipt, Some((Some(reference), ReceiptState::Delivered, to)));
}

async fn throttling_is_not_a_result(mut subject: Subject) {
    let outcome = subject.outcome(THROTTLED_TWICE).await;
    let id = accepted_id(&outcome).expect("accepted in the end").to_owned();
    let (receipt, ack) = subject.receipt().await;
    ack.done();
    assert_eq!((receipt.carrier_message_id, receipt.state), (id, ReceiptState::Delivered));
}

async fn what_expired_does_not_leave(mut subject: Subject) {
    let mut late = subject.submission(PLAIN, 2);
    late.expires_at = UnixMillis(subject.clock.now().0 - 1);
    subject.send(late).await;
    let expired = PartOutcome::NotSubmitted(NotSubmitted::Expired);
    assert_eq!(subject.result().await.parts, [expired.clone(), expired.clone()]);
    // Nor does it when it expires while it waits for the carrier to throttle no more.
    let mut waiting = subject.submission(THROTTLED_NINE_TIMES, 1);
    waiting.expires_at = subject.clock.now().plus_ms(50);
    subject.send(waiting).await;
    assert_eq!(subject.result().await.parts, [expired]);
}

async fn a_receipt_comes_again_until_it_is_acknowledged(mut subject: Subject) {
    subject.submit(PLAIN, 1).await;
    let (first, ack) = subject.receipt().await;
    drop(ack);
    let (again, ack) = subject.receipt().await;
    assert_eq!(again, first);
    ack.done();
    subject.submit(OTHER_PLAIN, 1).await;
    let (next, ack) = subject.receipt().await;
    ack.done();
    assert_eq!(next.recipient, OTHER_PLAIN, "acknowledged once, it is over");
}

async fn no_receipt_comes_that_was_not_asked_for(mut subject: Subject) {
    let mut silent = subject.submission(PLAIN, 1);
    silent.wants_receipt = false;
    subject.send(silent).await;
    subject.submit(OTHER_PLAIN, 1).await;
    let (receipt, ack) = subject.receipt().await;
    ack.done();
    assert_eq!(receipt.recipient, OTHER_PLAIN);
}

async fn shutdown_answers_everything_and_closes_the_channel(mut subject: Subject) {
    let mut open = HashSet::new();
    for number in 0..50 {
        let to = if number % 10 == 0 { THROTTLED_NINE_TIMES } else { PLAIN };
        open.insert(subject.submit(to, 2).await);
    }
    subject.shutdown.cancel();
    while let Some(event) = soon("the end", subject.handle.events.recv()).await {
        match event {
            CarrierEvent::Result(result) => {
                assert!(open.remove(&result.message_id), "one result each");
                assert_eq!(result.parts.len(), 2);
            }
            CarrierEvent::Receipt(_, ack) | CarrierEvent::Inbound(_, ack) => ack.done(),
            CarrierEvent::Queried(_) => panic!("nobody asked"),
        }
    }
    assert!(open.is_empty(), "{} without a result", open.len());
    soon("the task", subject.handle.task).await.expect("it does not panic");
    assert_eq!(subject.handle.link.borrow().bound, 0);
    assert!(subject.handle.submissions.is_closed());
}

macro_rules! conforms {
    ($carrier:ident, $start:expr, $($promise:ident),* $(,)?) => {
        mod $carrier {
            $(
                #[tokio::test]
                async fn $promise() {
                    super::$promise($start().await.until_bound().await).await;
                }
            )*
        }
    };
    ($carrier:ident, $start:expr) => {
        conforms!(
            $carrier,
            $start,
            each_submission_ends_in_one_result_and_each_accepted_part_in_one_receipt,
            a_part_is_uncertain_if_and_only_if_no_answer_came,
            an_uncertain_message_can_still_be_reported_by_its_reference,
            throttling_is_not_a_result,
            what_expired_does_not_leave,
            a_receipt_comes_again_until_it_is_acknowledged,
            no_receipt_comes_that_was_not_asked_for,
            shutdown_answers_everything_and_closes_the_channel,
        );
    };
}

fn simulator() -> BoxFuture<'static, Subject> {
    let config = SimulatorConfig {
        receipt_delay_ms: 5,
        answer_timeout_ms: 100,
        throttle_pause_ms: 20,
        redelivery_delay_ms: 5,
    };
    let carrier = Box::new(SimulatorCarrier::new(config));
    Box::pin(async { Subject::start(carrier, Clock::system(), None) })
}

conforms!(simulator_carrier, super::simulator);

async fn smpp(binds: u16, bind: Bind) -> Subject {
    let config = SmscConfig {
        receipt_delay_ms: 5,
        redelivery_delay_ms: 5,
        journal_entries_max: 10_000,
        ..SmscConfig::default()
    };
    let platform = Platform { clock: Clock::system(), randomness: Randomness::seeded(3) };
    let smsc = Smsc::start(config, platform, CancellationToken::new()).await.unwrap();
    let address = smsc.local_addr().to_string();
    let mut config = SmppConfig::new("simulated", &address, "shop", "secret".into());
    (config.binds, config.bind) = (binds, bind);
    (config.response_timeout_ms, config.shutdown_timeout_ms) = (2_000, 5_000);
    config.reconnect.first_ms = 50;
    let carrier = Box::new(SmppCarrier::new(config).unwrap());
    Subject::start(carrier, Clock::system(), Some(smsc))
}

fn smpp_transceiver() -> BoxFuture<'static, Subject> {
    Box::pin(smpp(1, Bind::Transceiver))
}

fn smpp_pairs() -> BoxFuture<'static, Subject> {
    Box::pin(smpp(2, Bind::TransmitterReceiver))
}

conforms!(smpp_one_transceiver, super::smpp_transceiver);
conforms!(smpp_two_pairs, super::smpp_pairs);

#[tokio::test]
async fn parts_of_a_message_leave_in_order_side_by_side_on_one_link() {
    let mut subject = smpp(3, Bind::Transceiver).await.until_bound().await;
    for number in 0..90 {
        subject.submit(PLAIN, number % 4 + 1).await;
    }
    for _ in 0..90 {
        let result = subject.result().await;
        assert!(result.parts.iter().all(|part| accepted_id(part).is_some()));
    }
    let journal = subject.smsc.as_ref().unwrap().journal();
    let mut left = HashMap::<_, (Option<u16>, u8, u8)>::new();
    for entry in journal {
        let segment = entry.segment.expect("each part says which it is");
        let (reference, number, total) = left.entry(entry.connection).or_default();
        if number == total {
            (*reference, *number, *total) = (entry.reference, 0, segment.total);
        }
        *number += 1;
        assert_eq!((entry.reference, segment.number), (*reference, *number));
    }
    assert!(left.values().all(|(_, number, total)| number == total));
}

/// The simulator keeps the platform's clock: nothing comes before its time, whatever the machine
/// does, and everything comes once the clock was moved.
#[tokio::test]
async fn the_simulator_reports_when_the_manual_clock_says_so() {
    let hand = ManualClock::starting_at(UnixMillis(1_700_000_000_000));
    let carrier = Box::new(SimulatorCarrier::new(SimulatorConfig::default()));
    let mut subject = Subject::start(carrier, hand.clock(), None);
    subject.submit(PLAIN, 1).await;
    subject.result().await;
    hand.advance(Duration::from_millis(99));
    // The next answer comes after anything that was due before it.
    subject.submit(OTHER_PLAIN, 1).await;
    assert!(matches!(subject.next().await, CarrierEvent::Result(_)), "1 ms is missing");
    hand.advance(Duration::from_millis(1));
    let (receipt, ack) = subject.receipt().await;
    ack.done();
    assert_eq!(receipt.recipient, PLAIN);
    assert_eq!(receipt.done_at, Some(UnixMillis(1_700_000_000_100)));
    hand.advance(Duration::from_millis(99));
    let (receipt, ack) = subject.receipt().await;
    ack.done();
    assert_eq!(receipt.recipient, OTHER_PLAIN);
}
