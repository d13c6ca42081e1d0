//! The magic test recipients: which simulated life a test number stands for.
//!
//! A test recipient is `+999 SSS xxxxxxx`: the three digits after 999 choose the script, the seven
//! to nine that follow are free, so that any number of distinct recipients share one. The first
//! digit of the script is the part of the life that it is about:
//!
//! | `SSS` | about |
//! |---|---|
//! | `0ss` | nothing: an ordinary test number, the simulator's defaults apply |
//! | `1dd` | delivered, receipt after `dd` seconds (`100` at once, `160` after a minute) |
//! | `2ss` | accepted, then a receipt that says it failed |
//! | `3ss` | accepted, then receipts that are doubled, out of order, early, late or missing |
//! | `4ss` | refused at submission, for good |
//! | `5kn` | refused `n` times (1 to 9), then accepted and delivered |
//! | `6ss` | uncertain: no answer, or the connection drops |
//!
//! [`rows`] lists every script in words. Plain data: the in-process simulator and the simulated
//! SMSC play it, each in its own protocol. What a script refuses `n` times is counted by the
//! simulator per recipient.

/// The most times that a `5kn` script refuses, so that one digit says it.
pub const REFUSALS_MAX: u8 = 9;
/// How long after the answer an ordinary simulated receipt comes, in milliseconds.
const RECEIPT_DELAY_MS: u32 = 100;
/// What `304` calls late, in milliseconds: past an OTP's fallback (30 s), within any validity.
const LATE_DELAY_MS: u32 = 60_000;
/// Between the receipts of one script, in milliseconds: apart enough to be two writes.
const BETWEEN_RECEIPTS_MS: u32 = 500;

/// What a simulated carrier does with one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// What it answers to the submission.
    pub submit: SubmitPlan,
    /// What it reports afterwards, in this order; empty: nothing ever.
    pub receipts: Vec<PlannedReceipt>,
}

/// The answer to the submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmitPlan {
    /// Accepted at once.
    Accept,
    /// Always refused.
    Refuse(SimulatedError),
    /// Refused this many times, then accepted.
    RefuseThenAccept {
        /// What the refusals say.
        error: SimulatedError,
        /// 1 to [`REFUSALS_MAX`].
        times: u8,
    },
    /// Taken, and never answered; the receipts come nevertheless.
    NoAnswer,
    /// Taken, and the connection is closed without an answer; the receipts come on the next one.
    DropConnection,
}

/// A refusal, in the words of SMPP 3.4, 5.1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimulatedError {
    /// ESME_RSYSERR: for now.
    Temporary,
    /// ESME_RSUBMITFAIL: this carrier cannot, another may.
    Route,
    /// ESME_RINVDSTADR: the recipient is wrong.
    Recipient,
    /// ESME_RINVMSGLEN: the content is not taken.
    Content,
    /// ESME_RINVSERTYP: our account with the carrier is not set up for it.
    Account,
    /// A code from a vendor's range that no table maps.
    Unmapped,
    /// ESME_RTHROTTLED: slow down.
    Throttled,
    /// ESME_RMSGQFUL: the carrier's queue is full.
    QueueFull,
}

impl SimulatedError {
    /// The SMPP `command_status`.
    pub const fn command_status(self) -> u32 {
        match self {
            Self::Temporary => 0x0000_0008,
            Self::Route => 0x0000_0045,
            Self::Recipient => 0x0000_000B,
            Self::Content => 0x0000_0001,
            Self::Account => 0x0000_0015,
            // 0x400 to 0x4FF are the vendor's own.
            Self::Unmapped => 0x0000_04F9,
            Self::Throttled => 0x0000_0058,
            Self::QueueFull => 0x0000_0014,
        }
    }
}

/// One receipt to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedReceipt {
    /// What it says.
    pub state: PlannedState,
    /// Its `err`, if not zero.
    pub error: Option<u16>,
    /// When it comes.
    pub when: ReceiptTime,
}

/// When a receipt comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiptTime {
    /// Before the answer to the submission.
    BeforeAnswer,
    /// After the answer (or after the moment it would have been given).
    AfterAnswer {
        /// Counted from the answer, not from the receipt before.
        delay_ms: u32,
    },
}

/// What a receipt says; SMPP 3.4 `message_state`, 5.2.28.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the standard's own names")]
pub enum PlannedState {
    Enroute,
    Delivered,
    Expired,
    Deleted,
    Undeliverable,
    Accepted,
    Unknown,
    Rejected,
}

/// One line of the table of scripts, for the documentation and for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The three digits after 999; lower-case letters stand for a choice of digits.
    pub script: &'static str,
    /// A number that plays it, with the plus sign.
    pub example: &'static str,
    /// What happens.
    pub outcome: &'static str,
}

impl Script {
    /// The script of a recipient, or `None` for every number that has none: then the simulator's
    /// own settings apply. `digits` without the plus sign.
    pub fn for_recipient(digits: &str) -> Option<Self> {
        let rest = digits.strip_prefix("999")?;
        let shaped = super::phone::TEST_DIGITS.contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_digit());
        if !shaped {
            return None;
        }
        let [kind, tens, ones] = *rest.as_bytes().first_chunk::<3>()?;
        let number = (tens - b'0') * 10 + (ones - b'0');
        match kind {
            b'1' => Some(delivered_after(u32::from(number) * 1000)),
            b'2' => failing_receipt(number),
            b'3' => odd_receipts(number),
            b'4' => refused(number),
            b'5' => recovering(tens - b'0', ones - b'0'),
            b'6' => uncertain(number),
            _ => None,
        }
    }
}

fn accepted(receipts: Vec<PlannedReceipt>) -> Script {
    Script { submit: SubmitPlan::Accept, receipts }
}

fn receipt(state: PlannedState, delay_ms: u32) -> PlannedReceipt {
    PlannedReceipt { state, error: None, when: ReceiptTime::AfterAnswer { delay_ms } }
}

fn delivered_after(delay_ms: u32) -> Script {
    accepted(vec![receipt(PlannedState::Delivered, delay_ms)])
}

fn failing_receipt(number: u8) -> Option<Script> {
    // MAP errors (3GPP TS 29.002, 17.6): 1 unknown, 6 absent, 21 not supported, 31 busy; causes of
    // failure (3GPP TS 23.040, 9.2.3.22): 144 coding not supported, 193 no subscription.
    let (state, error) = match number {
        1 => (PlannedState::Undeliverable, Some(6)),
        2 => (PlannedState::Expired, None),
        3 => (PlannedState::Rejected, None),
        4 => (PlannedState::Unknown, None),
        5 => (PlannedState::Deleted, None),
        11 => (PlannedState::Undeliverable, Some(31)),
        12 => (PlannedState::Undeliverable, Some(21)),
        13 => (PlannedState::Undeliverable, Some(1)),
        14 => (PlannedState::Undeliverable, Some(144)),
        15 => (PlannedState::Undeliverable, Some(193)),
        16 => (PlannedState::Undeliverable, Some(998)),
        _ => return None,
    };
    let planned = PlannedReceipt { error, ..receipt(state, RECEIPT_DELAY_MS) };
    Some(accepted(vec![planned]))
}

fn odd_receipts(number: u8) -> Option<Script> {
    use PlannedState::{Accepted, Delivered, Enroute, Undeliverable};
    let first = RECEIPT_DELAY_MS;
    let second = first + BETWEEN_RECEIPTS_MS;
    let third = second + BETWEEN_RECEIPTS_MS;
    let receipts = match number {
        1 => vec![receipt(Delivered, first), receipt(Delivered, second)],
        2 => vec![receipt(Delivered, first), receipt(Enroute, second)],
        3 => vec![PlannedReceipt { when: ReceiptTime::BeforeAnswer, ..receipt(Delivered, 0) }],
        4 => vec![receipt(Delivered, LATE_DELAY_MS)],
        5 => Vec::new(),
        6 => vec![receipt(Delivered, first), receipt(Undeliverable, second)],
        7 => vec![receipt(Undeliverable, first), receipt(Delivered, second)],
        8 => vec![receipt(Accepted, first), receipt(Enroute, second), receipt(Delivered, third)],
        9 => vec![receipt(Enroute, first)],
        _ => return None,
    };
    Some(accepted(receipts))
}

fn refused(number: u8) -> Option<Script> {
    let error = match number {
        1 => SimulatedError::Temporary,
        2 => SimulatedError::Route,
        3 => SimulatedError::Recipient,
        4 => SimulatedError::Content,
        5 => SimulatedError::Account,
        6 => SimulatedError::Unmapped,
        _ => return None,
    };
    Some(Script { submit: SubmitPlan::Refuse(error), receipts: Vec::new() })
}

fn recovering(kind: u8, times: u8) -> Option<Script> {
    let error = match kind {
        0 => SimulatedError::Throttled,
        1 => SimulatedError::Temporary,
        2 => SimulatedError::QueueFull,
        _ => return None,
    };
    if times == 0 {
        return None;
    }
    let submit = SubmitPlan::RefuseThenAccept { error, times };
    Some(Script { submit, ..delivered_after(RECEIPT_DELAY_MS) })
}

fn uncertain(number: u8) -> Option<Script> {
    let delivered = delivered_after(RECEIPT_DELAY_MS).receipts;
    let (submit, receipts) = match number {
        1 => (SubmitPlan::NoAnswer, Vec::new()),
        2 => (SubmitPlan::DropConnection, Vec::new()),
        3 => (SubmitPlan::NoAnswer, delivered),
        4 => (SubmitPlan::DropConnection, delivered),
        _ => return None,
    };
    Some(Script { submit, receipts })
}

/// Every script, in order.
pub const fn rows() -> &'static [Row] {
    ROWS
}

macro_rules! rows {
    ($($script:literal $example:literal $outcome:literal;)*) => {
        const ROWS: &[Row] =
            &[$(Row { script: $script, example: $example, outcome: $outcome }),*];
    };
}

rows! {
    "1dd" "+9991000000000" "delivered, receipt after dd seconds (00 at once, up to 99)";
    "201" "+9992010000000" "undelivered: the phone is not reachable (err 6)";
    "202" "+9992020000000" "expired at the carrier";
    "203" "+9992030000000" "rejected by the carrier after it had accepted";
    "204" "+9992040000000" "the carrier reports UNKNOWN";
    "205" "+9992050000000" "deleted at the carrier";
    "211" "+9992110000000" "undelivered, class TEMPORARY: the subscriber is busy (err 31)";
    "212" "+9992120000000" "undelivered, class ROUTE: not supported on this way (err 21)";
    "213" "+9992130000000" "undelivered, class RECIPIENT: unknown subscriber (err 1)";
    "214" "+9992140000000" "undelivered, class CONTENT: the phone does not take the coding (err 144)";
    "215" "+9992150000000" "undelivered, class ACCOUNT: no subscription at the centre (err 193)";
    "216" "+9992160000000" "undelivered, class UNKNOWN: an error that no table has (err 998)";
    "301" "+9993010000000" "delivered, the receipt comes twice";
    "302" "+9993020000000" "delivered, then a receipt that it is still on its way";
    "303" "+9993030000000" "delivered, the receipt comes before the answer to the submission";
    "304" "+9993040000000" "delivered, the receipt comes after 60 seconds";
    "305" "+9993050000000" "accepted, no receipt ever";
    "306" "+9993060000000" "delivered, then a receipt that contradicts it";
    "307" "+9993070000000" "undelivered, then a receipt that contradicts it";
    "308" "+9993080000000" "accepted, on its way, delivered: three receipts in order";
    "309" "+9993090000000" "on its way, and no final receipt";
    "401" "+9994010000000" "refused each time, class TEMPORARY";
    "402" "+9994020000000" "refused, class ROUTE";
    "403" "+9994030000000" "refused, class RECIPIENT";
    "404" "+9994040000000" "refused, class CONTENT";
    "405" "+9994050000000" "refused, class ACCOUNT";
    "406" "+9994060000000" "refused, class UNKNOWN: an error that no table has";
    "50n" "+9995010000000" "throttled n times (1 to 9), then delivered";
    "51n" "+9995110000000" "a temporary error n times (1 to 9), then delivered";
    "52n" "+9995210000000" "the carrier's queue is full n times (1 to 9), then delivered";
    "601" "+9996010000000" "uncertain: no answer, no receipt";
    "602" "+9996020000000" "uncertain: the connection drops, no receipt";
    "603" "+9996030000000" "uncertain: no answer, yet the receipt says delivered";
    "604" "+9996040000000" "uncertain: the connection drops, yet the receipt says delivered";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::types::phone::PhoneNumber;

    /// Rows and scripts are the same set: every number of three digits either plays a script that
    /// a row names, or none.
    #[test]
    fn every_script_has_its_row() {
        let named: HashSet<String> = rows().iter().flat_map(|row| expand(row.script)).collect();
        for script in 0..1000 {
            let script = format!("{script:03}");
            let plays = Script::for_recipient(&format!("999{script}0000000")).is_some();
            assert_eq!(plays, named.contains(&script), "{script}");
        }
    }

    fn expand(script: &str) -> Vec<String> {
        match script {
            "1dd" => (100..200).map(|it| it.to_string()).collect(),
            _ if script.ends_with('n') => {
                (1..=REFUSALS_MAX).map(|n| script.replace('n', &n.to_string())).collect()
            }
            _ => vec![script.to_owned()],
        }
    }

    #[test]
    fn examples_are_test_numbers_and_play_their_row() {
        for row in rows() {
            let number = PhoneNumber::parse_test(row.example).expect(row.example);
            assert!(Script::for_recipient(number.digits()).is_some(), "{}", row.example);
            assert_eq!(&row.example[4..5], &row.script[..1]);
        }
    }

    #[test]
    fn trailing_digits_are_free() {
        let script = Script::for_recipient("9992010000000");
        assert!(script.is_some());
        for digits in ["9992019876543", "99920112345678", "999201123456789"] {
            assert_eq!(Script::for_recipient(digits), script, "{digits}");
        }
    }

    #[test]
    fn other_numbers_have_no_script() {
        for digits in
            ["", "999", "447400123456", "999201000000", "9992010000000000", "999201000000x"]
        {
            assert_eq!(Script::for_recipient(digits), None, "{digits}");
        }
        assert_eq!(Script::for_recipient("9990000000000"), None);
        assert_eq!(Script::for_recipient("9997010000000"), None);
    }

    #[test]
    fn delays_and_times_are_the_digits() {
        let wait = |delay_ms| Some(delivered_after(delay_ms));
        assert_eq!(Script::for_recipient("9991000000000"), wait(0));
        assert_eq!(Script::for_recipient("9991420000000"), wait(42_000));
        let submit = |digits| Script::for_recipient(digits).map(|it| it.submit);
        let error = SimulatedError::Throttled;
        let wanted = SubmitPlan::RefuseThenAccept { error, times: 3 };
        assert_eq!(submit("9995030000000"), Some(wanted));
        assert_eq!(submit("9995000000000"), None);
    }
}
