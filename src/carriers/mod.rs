//! Carriers: how a message leaves the house, and how receipts come back.
//!
//! A [`Carrier`] is started once and then spoken to over two bounded channels: submissions in,
//! [`CarrierEvent`]s out. It keeps the protocol's own rules (window, rate, throttling, links); it
//! does not know accounts, prices or the store, and never writes one. Called by
//! `messages::dispatch`.
//!
//! What every carrier promises (held to by the conformance suite in
//! `tests/it/carrier_conformance.rs`):
//!
//! - Each submission ends in exactly one [`CarrierEvent::Result`], unless the process dies.
//! - A part is `Uncertain` if and only if its request may have left and no answer came.
//! - Parts of one message leave contiguously, in order, on one link.
//! - A receipt or an inbound message is acknowledged to the carrier only when its [`Ack`] is told
//!   `done`; a dropped `Ack` asks the carrier to deliver again.
//! - Throttling answers are not results: the part goes back to the head and leaves again later.

/// What carriers' errors mean.
pub mod errors;
/// The carriers that the operator set up.
pub mod registry;
pub mod simulator;
pub mod smpp;
pub mod smsc;

use bytes::Bytes;
use entity::ids::MessageId;
use entity::time::UnixMillis;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::sys::{Clock, Randomness};
use crate::types::magic::PlannedState;

/// A way to the phones: an SMPP account, an HTTP interface, a simulator.
pub trait Carrier: Send + 'static {
    /// Starts the carrier's tasks. They end when `shutdown` is cancelled, after what is in flight
    /// was answered or its time ran out, and then the event channel closes.
    fn start(self: Box<Self>, platform: Platform, shutdown: CancellationToken) -> CarrierHandle;
}

/// What a carrier may use of the platform.
#[derive(Clone)]
pub struct Platform {
    /// Time for everything that is compared with stored times (validity). Protocol timers
    /// (window timeouts, keep-alive) use tokio's clock, which a test can pause.
    pub clock: Clock,
    /// Jitter of reconnects.
    pub randomness: Randomness,
}

/// The two ends of a running carrier.
pub struct CarrierHandle {
    /// Bounded: a full channel means "do not claim more".
    pub submissions: mpsc::Sender<Submission>,
    /// Questions about messages that no receipt came for; none if the carrier cannot be asked.
    /// Each is answered by at most one [`CarrierEvent::Queried`].
    pub queries: Option<mpsc::Sender<StatusQuery>>,
    /// Bounded: it must be drained, else the carrier stops reading.
    pub events: mpsc::Receiver<CarrierEvent>,
    /// Whether it is worth claiming, and how much.
    pub link: watch::Receiver<LinkState>,
    /// Ends after the shutdown is complete.
    pub task: JoinHandle<()>,
}

/// One try to hand one message over, all its parts.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Comes back in the result; never leaves the house.
    pub message_id: MessageId,
    /// 1 for the first try.
    pub attempt: i16,
    /// Who it is from, as the phone shows it.
    pub from: Address,
    /// E.164 digits without the plus sign.
    pub to: String,
    /// In order; at least one.
    pub parts: Vec<PartPayload>,
    /// Past this the parts that have not left are answered `NotSubmitted(Expired)`.
    pub expires_at: UnixMillis,
    /// Sent as `user_message_reference` where the protocol has such a field.
    pub reference: u16,
    /// Whether a delivery receipt is asked for.
    pub wants_receipt: bool,
}

/// A question about one part that the carrier took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusQuery {
    /// The carrier's own id, as its answer wrote it.
    pub carrier_message_id: String,
    /// Who it was from: carriers compare it with the submission.
    pub from: Address,
}

/// A source address with its SMPP type of number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Up to 11 GSM characters.
    Alphanumeric(String),
    /// E.164 digits without the plus sign.
    International(String),
    /// A short code, digits.
    ShortCode(String),
}

/// One part, encoded for the air.
#[derive(Clone, PartialEq, Eq)]
pub struct PartPayload {
    /// User data header (if any) and text, at most 140 octets on the air; GSM text as one septet
    /// an octet (SMPP's unpacked form), UCS-2 big-endian.
    pub octets: Bytes,
    /// SMPP `data_coding`: 0 GSM default alphabet, 8 UCS-2.
    pub data_coding: u8,
    /// Whether `octets` starts with a user data header (sets the UDHI bit).
    pub has_header: bool,
}

impl std::fmt::Debug for PartPayload {
    /// Shows no content: message text is never logged.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PartPayload({} octets, data_coding {})", self.octets.len(), self.data_coding)
    }
}

/// What a carrier reports.
#[derive(Debug)]
pub enum CarrierEvent {
    /// The end of a submission.
    Result(SubmissionResult),
    /// A delivery receipt, to be acknowledged once it is committed.
    Receipt(Receipt, Ack),
    /// The answer to a [`StatusQuery`], with the id that was asked about. Nothing to acknowledge.
    Queried(Receipt),
    /// A message from a phone, to be acknowledged once it is committed.
    Inbound(Inbound, Ack),
}

/// How a submission ended, part by part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionResult {
    /// Of the submission.
    pub message_id: MessageId,
    /// Of the submission.
    pub attempt: i16,
    /// As many as the submission's parts, in order. After the first part that is not `Accepted`
    /// the carrier need not try the rest (`NotSubmitted(EarlierPart)`).
    pub parts: Vec<PartOutcome>,
}

/// How one part ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartOutcome {
    /// The carrier took it and named it.
    Accepted {
        /// The carrier's own id, as it wrote it.
        carrier_message_id: String,
    },
    /// The carrier refused it for good or for now; `error` tells which.
    Refused(CarrierError),
    /// It may or may not have arrived: no answer within the time, or the link broke.
    Uncertain,
    /// It never left.
    NotSubmitted(NotSubmitted),
}

/// Why a part never left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSubmitted {
    /// No link was up.
    Disconnected,
    /// Its validity ended first.
    Expired,
    /// An earlier part of the message was not accepted.
    EarlierPart,
    /// The carrier is shutting down.
    ShuttingDown,
}

/// A carrier's refusal or a receipt's error, as the carrier wrote it. `carriers::errors` maps it
/// to a class and to what the API shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarrierError {
    /// Which list `code` is from.
    pub kind: CarrierErrorKind,
    /// SMPP `command_status`, or the receipt's `err` (three digits as a number), or the GSM
    /// network error.
    pub code: u32,
}

/// Where an error code comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierErrorKind {
    /// SMPP 3.4 `command_status`, section 5.1.3.
    CommandStatus,
    /// The `err:` field of a receipt.
    ReceiptError,
    /// The `network_error_code` TLV (0x0423).
    NetworkError,
}

/// A delivery receipt, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The id as the carrier wrote it; matching tries its other forms.
    pub carrier_message_id: String,
    /// The state that it reports.
    pub state: ReceiptState,
    /// The error, if it names one other than zero.
    pub error: Option<CarrierError>,
    /// `done date`, if readable. The carrier's clock and zone are its own: shown, never compared.
    pub done_at: Option<UnixMillis>,
    /// Our reference, where the carrier echoes it.
    pub reference: Option<u16>,
    /// The recipient's digits, as the carrier wrote them (the receipt's source address).
    pub recipient: String,
}

/// SMPP 3.4 `message_state`, section 5.2.28.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptState {
    /// 1, ENROUTE.
    Enroute,
    /// 2, DELIVRD.
    Delivered,
    /// 3, EXPIRED.
    Expired,
    /// 4, DELETED.
    Deleted,
    /// 5, UNDELIV.
    Undeliverable,
    /// 6, ACCEPTD.
    Accepted,
    /// 7, UNKNOWN.
    Unknown,
    /// 8, REJECTD.
    Rejected,
}

impl From<PlannedState> for ReceiptState {
    fn from(planned: PlannedState) -> Self {
        match planned {
            PlannedState::Enroute => Self::Enroute,
            PlannedState::Delivered => Self::Delivered,
            PlannedState::Expired => Self::Expired,
            PlannedState::Deleted => Self::Deleted,
            PlannedState::Undeliverable => Self::Undeliverable,
            PlannedState::Accepted => Self::Accepted,
            PlannedState::Unknown => Self::Unknown,
            PlannedState::Rejected => Self::Rejected,
        }
    }
}

/// A message from a phone.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The phone's digits, as the carrier wrote them.
    pub from: String,
    /// Our number, as the carrier wrote it.
    pub to: String,
    /// Decoded text of this part.
    pub text: String,
    /// Present if this is one part of several.
    pub concatenation: Option<Concatenation>,
}

impl std::fmt::Debug for Inbound {
    /// Shows no content and no numbers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound")
            .field("concatenation", &self.concatenation)
            .finish_non_exhaustive()
    }
}

/// Which part of which message (3GPP TS 23.040, 9.2.3.24.1 and .8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Concatenation {
    /// Same for all parts.
    pub reference: u16,
    /// How many there are.
    pub total: u8,
    /// From 1.
    pub number: u8,
}

/// The right to acknowledge one receipt or inbound message.
#[derive(Debug)]
pub struct Ack(Option<oneshot::Sender<()>>);

impl Ack {
    /// The ack, and what resolves when it was used; dropped unused, the other end sees an error.
    pub fn pair() -> (Self, oneshot::Receiver<()>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }

    /// Says that the event is committed.
    pub fn done(mut self) {
        if let Some(sender) = self.0.take() {
            // The link may be gone; the carrier will deliver again and we will see a duplicate.
            let _ = sender.send(());
        }
    }
}

/// Whether the carrier can be submitted to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LinkState {
    /// Links that are bound for sending.
    pub bound: u16,
    /// The rate it now allows itself, in parts a second; infinite while it knows of no limit.
    pub rate_parts_per_s: f64,
    /// Messages that it was told to send later, and holds until then: they take up nothing.
    pub waiting: usize,
    /// Parts that may wait for answers at a time, over all links that are bound.
    pub window: usize,
}
