//! What the simulated SMSC is told to do, and how it is told to misbehave. Plain values: the
//! command line (`cli::smsc`), the demo, tests and benchmarks fill them in.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Settings of one simulated SMSC. [`Default`] is a well-behaved one on a free port of the
/// loopback interface.
#[derive(Clone, Debug)]
pub struct SmscConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who may bind; empty: everybody, with any password.
    pub logins: Vec<Login>,
    /// From the end of the read to the answer of a submission.
    pub delay_ms: u64,
    /// From the answer to the receipt.
    pub receipt_delay_ms: u64,
    /// Parts a second and system id above which submissions are throttled.
    pub parts_per_s_max: Option<f64>,
    /// Drops each connection this long after it was accepted.
    pub drop_every_ms: Option<u64>,
    /// Sends one message from a phone to each bound system id this often.
    pub inbound_every_ms: Option<u64>,
    /// Unanswered `deliver_sm` on one connection.
    pub window: usize,
    /// How long a `deliver_sm` may stay unanswered before it is sent again.
    pub deliver_timeout_ms: u64,
    /// The pause before a refused `deliver_sm` is sent again.
    pub redelivery_delay_ms: u64,
    /// How receipts look.
    pub receipt_form: ReceiptForm,
    /// How message ids are written in answers and receipts.
    pub id_form: IdForm,
    /// Whether receipts echo `user_message_reference`.
    pub reference_echo: ReferenceEcho,
    /// How often to misbehave.
    pub shares: Shares,
    /// Repeats the same decisions for the same traffic; `None` draws a seed.
    pub seed: Option<u64>,
    /// The number of the first message id; `None` takes one from the clock, so that ids do not
    /// repeat after a restart.
    pub first_message_id: Option<u64>,
    /// Entries of the journal that are kept in memory, the latest; 0 keeps none.
    pub journal_entries_max: usize,
    /// Messages whose text is kept in memory as phones show it, the latest; 0 keeps none.
    pub inbox_messages_max: usize,
    /// Appends each accepted submission to this file as a line of JSON.
    pub journal_file: Option<PathBuf>,
}

impl Default for SmscConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            logins: Vec::new(),
            delay_ms: 0,
            receipt_delay_ms: 0,
            parts_per_s_max: None,
            drop_every_ms: None,
            inbound_every_ms: None,
            window: 100,
            deliver_timeout_ms: 10_000,
            redelivery_delay_ms: 1_000,
            receipt_form: ReceiptForm::TextAndTlvs,
            id_form: IdForm::Decimal,
            reference_echo: ReferenceEcho::Echoed,
            shares: Shares::default(),
            seed: None,
            first_message_id: None,
            journal_entries_max: 0,
            inbox_messages_max: 0,
            journal_file: None,
        }
    }
}

/// One `system_id` with its password.
#[derive(Clone)]
pub struct Login {
    /// At most 15 characters (SMPP 3.4, section 5.2.1).
    pub system_id: String,
    /// At most 8 characters (section 5.2.2); `None` takes any.
    pub password: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("system_id", &self.system_id).finish_non_exhaustive()
    }
}

/// Shares of submissions, 0 to 1, that meet each kind of trouble. Answers are drawn in the order
/// in which they stand here, and the first that hits decides; receipts are drawn apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shares {
    /// Refused with ESME_RTHROTTLED.
    pub throttled: f64,
    /// Refused with ESME_RSUBMITFAIL.
    pub refused: f64,
    /// The connection is dropped before the answer; every second such message was taken.
    pub dropped: f64,
    /// Taken, but the answer never comes.
    pub answer_lost: f64,
    /// Reported UNDELIV in place of DELIVRD.
    pub undelivered: f64,
    /// Receipt sent twice.
    pub receipt_duplicated: f64,
    /// Receipt sent before the answer, which waits for [`EARLY_RECEIPT_LEAD_MS`] more.
    pub receipt_early: f64,
    /// Receipt later by `receipt_late_ms`.
    pub receipt_late: f64,
    /// An ENROUTE receipt follows the final one, as if it had been overtaken.
    pub receipt_reordered: f64,
    /// No receipt at all.
    pub receipt_missing: f64,
    /// How much later a late receipt comes.
    pub receipt_late_ms: u64,
}

/// By how much an early receipt precedes the answer.
pub const EARLY_RECEIPT_LEAD_MS: u64 = 50;

/// How a receipt is written into a `deliver_sm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReceiptForm {
    /// SMPP 3.4 appendix B text, with `receipted_message_id` and `message_state`.
    TextAndTlvs,
    /// The text alone.
    Text,
    /// The TLVs alone, no text.
    Tlvs,
    /// The text alone, in `message_payload`.
    TextInPayload,
}

/// How message ids are written. Real carriers mix the forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum IdForm {
    /// Decimal in both.
    Decimal,
    /// Upper-case hexadecimal in both.
    Hex,
    /// Hexadecimal in the answer, decimal in the receipt.
    HexThenDecimal,
    /// Decimal in the answer, hexadecimal in the receipt.
    DecimalThenHex,
    /// Decimal in both, in the receipt with leading zeros.
    ZeroPadded,
}

/// Whether receipts carry the submission's `user_message_reference`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ReferenceEcho {
    /// They do.
    Echoed,
    /// They do not.
    Absent,
}
