//! Calls of `sendMessages`, written ahead of the measurement: the driver then only copies bytes.

use std::fmt::Write as _;

use bytes::Bytes;

const DOCUMENT: &str = "mutation Send($input: SendMessagesInput!) { sendMessages(input: $input) \
    { results { message { id } error { code } } replayed userErrors { code message } } }";

/// Numbers in Germany's 151 range have eight digits more.
const RECIPIENTS_MAX: u32 = 100_000_000;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Apart from other runs against the same server.
    pub run: String,
    /// The sender, approved.
    pub from: String,
    /// The number of the first message; the others follow.
    pub first: u32,
    /// Messages in all.
    pub messages: u32,
    /// Messages in a call, at most 1,000.
    pub batch: u32,
    /// Every so many messages one is a one-time password; 0: none.
    pub otp_every: u32,
    /// Whether each message has a text of its own; else all of a call have the same.
    pub texts: Texts,
}

/// The texts of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Texts {
    /// Each its own, as with codes and order numbers.
    Distinct,
    /// One for all, as in a campaign.
    Shared,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The request's body.
    pub body: Bytes,
    /// The number of its first message.
    pub first: u32,
    /// How many messages.
    pub count: u32,
}

impl Plan {
    /// How many calls.
    pub fn batches(&self) -> u32 {
        self.messages.div_ceil(self.batch)
    }

    /// All calls. Holds about 120 bytes a message.
    pub fn prepared(&self) -> Vec<Batch> {
        (0..self.batches()).map(|index| self.call(index)).collect()
    }

    /// One call.
    pub fn call(&self, index: u32) -> Batch {
        let done = index * self.batch;
        let (first, count) = (self.first + done, self.batch.min(self.messages - done));
        let mut body = String::with_capacity(200 + count as usize * 130);
        let _ = write!(
            body,
            r#"{{"query":"{DOCUMENT}","variables":{{"input":{{"idempotencyKey":"{}-{index}","messages":["#,
            self.run
        );
        for number in first..first + count {
            if number > first {
                body.push(',');
            }
            let class = match self.otp_every {
                0 => "TRANSACTIONAL",
                every if number % every == 0 => "OTP",
                _ => "TRANSACTIONAL",
            };
            let of = match self.texts {
                Texts::Distinct => number,
                Texts::Shared => index,
            };
            let _ = write!(
                body,
                r#"{{"to":"{}","from":"{}","text":"Your parcel {of:08} is on its way","class":"{class}"}}"#,
                recipient(number),
                self.from,
            );
        }
        body.push_str("]}}}");
        Batch { body: body.into(), first, count }
    }
}

/// The recipient of a message: no two have the same.
pub fn recipient(number: u32) -> String {
    assert!(number < RECIPIENTS_MAX, "there are no more numbers in this range");
    format!("+49151{number:08}")
}

/// The message of a recipient, with or without the plus sign.
pub fn number_of(recipient: &str) -> Option<u32> {
    recipient.trim_start_matches('+').strip_prefix("49151")?.parse().ok()
}
