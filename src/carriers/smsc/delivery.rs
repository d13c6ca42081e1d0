//! What the simulated SMSC sends of its own accord: receipts and messages from phones, and how
//! they are written as `deliver_sm`. When they are due is `smsc::center`'s matter.

use std::io::Write;

use chrono::{DateTime, Datelike, Timelike};
use entity::time::UnixMillis;

use super::PhoneMessage;
use super::config::{IdForm, ReceiptForm, ReferenceEcho, SmscConfig};
use super::wire::{self, Address, ContentPlace, Deliver, Digits};
use crate::carriers::ReceiptState;
use crate::types::sms_text::{Reference16, Segment, SegmentOptions, Segments, SmsText, segment};

/// Something to deliver to a receiver or transceiver.
#[derive(Clone)]
pub(super) enum Delivery {
    /// Of a submission.
    Receipt(PendingReceipt),
    /// From a phone.
    Inbound(Box<InboundMessage>),
}

/// A receipt on its way.
#[derive(Clone)]
pub(super) struct PendingReceipt {
    /// The submission's id.
    pub message_id: u64,
    /// The submission's destination: where the receipt comes from.
    pub recipient: Address,
    /// The submission's source: where the receipt goes.
    pub sender: Address,
    /// The state that it reports.
    pub state: ReceiptState,
    /// The `err` field, three digits.
    pub error: u16,
    /// The submission's.
    pub submitted_at: UnixMillis,
    /// The submission's `user_message_reference`.
    pub reference: Option<u16>,
    /// The first 20 octets of the text, as appendix B wants.
    pub text: Digits,
}

/// A message from a phone.
#[derive(Clone)]
pub(super) struct InboundMessage {
    pub from: Address,
    pub to: Address,
    pub data_coding: u8,
    /// Whether the octets start with a user data header.
    pub has_header: bool,
    pub octets: Vec<u8>,
}

impl InboundMessage {
    /// Encodes `text`: characters that ASCII and the GSM alphabet (3GPP TS 23.038, 6.2.1) write
    /// the same way go as they are, everything else as UCS-2.
    pub(super) fn new(from: &str, to: Address, text: &str) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || " !\"#%&'()*+,-./:;<=>?\n\r".contains(c);
        let (data_coding, octets) = if text.chars().all(plain) {
            (0, text.as_bytes().to_vec())
        } else {
            (8, text.encode_utf16().flat_map(u16::to_be_bytes).collect())
        };
        Self { from: Address::international(from), to, data_coding, has_header: false, octets }
    }

    /// The parts of a message, as the phone cuts and encodes it. A text that no phone could write
    /// goes as it is.
    pub(super) fn parts(
        message: &PhoneMessage<'_>,
        to: Address,
        reference: Reference16,
    ) -> Vec<Self> {
        let whole = || vec![Self::new(message.from, to, message.text)];
        if message.national_languages.is_empty() {
            return whole();
        }
        let text = SmsText::with_languages(message.text.to_owned(), message.national_languages);
        let Ok(text) = text else { return whole() };
        let segments = segment(&text, SegmentOptions::with_reference(reference));
        let Ok(Segments { encoding, segments }) = segments else { return whole() };
        let part = |segment: Segment| Self {
            from: Address::international(message.from),
            to,
            data_coding: encoding.data_coding(),
            has_header: segment.has_header,
            octets: segment.octets,
        };
        segments.into_iter().map(part).collect()
    }
}

/// How an id is written in the answer to the submission.
pub(super) fn answer_id(form: IdForm, id: u64) -> IdText {
    match form {
        IdForm::Decimal | IdForm::DecimalThenHex | IdForm::ZeroPadded => IdText::decimal(id),
        IdForm::Hex | IdForm::HexThenDecimal => IdText::hex(id),
    }
}

/// How an id is written in the receipt.
fn receipt_id(form: IdForm, id: u64) -> IdText {
    match form {
        IdForm::Decimal | IdForm::HexThenDecimal => IdText::decimal(id),
        IdForm::Hex | IdForm::DecimalThenHex => IdText::hex(id),
        IdForm::ZeroPadded => IdText::written(format_args!("{id:020}")),
    }
}

/// Reads an id as [`answer_id`] wrote it.
pub(super) fn parse_id(form: IdForm, text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    match form {
        IdForm::Decimal | IdForm::DecimalThenHex | IdForm::ZeroPadded => text.parse().ok(),
        IdForm::Hex | IdForm::HexThenDecimal => u64::from_str_radix(text, 16).ok(),
    }
}

/// A message id as text, held without allocation: at most 20 digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct IdText {
    length: usize,
    octets: [u8; 24],
}

impl IdText {
    fn written(arguments: std::fmt::Arguments<'_>) -> Self {
        let mut octets = [0; 24];
        let mut rest = octets.as_mut_slice();
        rest.write_fmt(arguments).expect("20 digits fit in 24 octets");
        let left = rest.len();
        Self { length: octets.len() - left, octets }
    }

    fn decimal(id: u64) -> Self {
        Self::written(format_args!("{id}"))
    }

    fn hex(id: u64) -> Self {
        Self::written(format_args!("{id:X}"))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.octets[..self.length]
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("ids are written in ASCII")
    }
}

/// Writes deliveries as the settings want them.
pub(super) struct DeliveryWriter {
    receipt_form: ReceiptForm,
    id_form: IdForm,
    reference_echo: ReferenceEcho,
    /// Room for a receipt's text, used again and again.
    text: Vec<u8>,
}

impl DeliveryWriter {
    pub(super) fn new(config: &SmscConfig) -> Self {
        Self {
            receipt_form: config.receipt_form,
            id_form: config.id_form,
            reference_echo: config.reference_echo,
            text: Vec::new(),
        }
    }

    /// Appends `delivery` as a `deliver_sm`; `now` is a receipt's `done date`.
    pub(super) fn put(
        &mut self,
        out: &mut Vec<u8>,
        sequence: u32,
        delivery: &Delivery,
        now: UnixMillis,
    ) {
        match delivery {
            Delivery::Receipt(receipt) => self.put_receipt(out, sequence, receipt, now),
            Delivery::Inbound(message) => put_inbound(out, sequence, message),
        }
    }

    fn put_receipt(
        &mut self,
        out: &mut Vec<u8>,
        sequence: u32,
        receipt: &PendingReceipt,
        now: UnixMillis,
    ) {
        let id = receipt_id(self.id_form, receipt.message_id);
        let tlvs = Some((id.as_bytes(), message_state(receipt.state)));
        let (place, receipted) = match self.receipt_form {
            ReceiptForm::TextAndTlvs | ReceiptForm::Tlvs => (ContentPlace::ShortMessage, tlvs),
            ReceiptForm::Text => (ContentPlace::ShortMessage, None),
            ReceiptForm::TextInPayload => (ContentPlace::MessagePayload, None),
        };
        self.text.clear();
        if self.receipt_form != ReceiptForm::Tlvs {
            put_receipt_text(&mut self.text, &id, receipt, now);
        }
        let deliver = Deliver {
            esm_class: wire::ESM_RECEIPT,
            data_coding: 0,
            content: &self.text,
            place,
            reference: match self.reference_echo {
                ReferenceEcho::Echoed => receipt.reference,
                ReferenceEcho::Absent => None,
            },
            receipted,
        };
        wire::put_deliver_sm(out, sequence, &receipt.recipient, &receipt.sender, &deliver);
    }
}

fn put_inbound(out: &mut Vec<u8>, sequence: u32, message: &InboundMessage) {
    let deliver = Deliver {
        esm_class: if message.has_header { wire::ESM_UDHI } else { 0 },
        data_coding: message.data_coding,
        content: &message.octets,
        place: match message.octets.len() {
            0..=254 => ContentPlace::ShortMessage,
            _ => ContentPlace::MessagePayload,
        },
        reference: None,
        receipted: None,
    };
    wire::put_deliver_sm(out, sequence, &message.from, &message.to, &deliver);
}

/// The text of SMPP 3.4, appendix B.
fn put_receipt_text(text: &mut Vec<u8>, id: &IdText, receipt: &PendingReceipt, now: UnixMillis) {
    let delivered = match receipt.state {
        ReceiptState::Delivered => b"001",
        _ => b"000",
    };
    text.extend_from_slice(b"id:");
    text.extend_from_slice(id.as_bytes());
    text.extend_from_slice(b" sub:001 dlvrd:");
    text.extend_from_slice(delivered);
    text.extend_from_slice(b" submit date:");
    put_minute(text, receipt.submitted_at);
    text.extend_from_slice(b" done date:");
    put_minute(text, now);
    text.extend_from_slice(b" stat:");
    text.extend_from_slice(stat(receipt.state));
    text.extend_from_slice(b" err:");
    put_digits(text, u32::from(receipt.error), 3);
    text.extend_from_slice(b" text:");
    text.extend_from_slice(receipt.text.as_bytes());
}

/// `YYMMDDhhmm`, UTC.
fn put_minute(text: &mut Vec<u8>, at: UnixMillis) {
    let at = DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    let year = at.year().rem_euclid(100).unsigned_abs();
    for field in [year, at.month(), at.day(), at.hour(), at.minute()] {
        put_digits(text, field, 2);
    }
}

/// `value` in exactly `width` decimal digits; higher digits are cut.
fn put_digits(text: &mut Vec<u8>, value: u32, width: u32) {
    for place in (0..width).rev() {
        text.push(b'0' + (value / 10u32.pow(place) % 10) as u8);
    }
}

/// `YYMMDDhhmmsstnnp` (section 7.1.1), UTC, for `query_sm_resp`.
pub(super) fn put_absolute_time(text: &mut Vec<u8>, at: UnixMillis) {
    put_minute(text, at);
    let at = DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    put_digits(text, at.second(), 2);
    text.extend_from_slice(b"000+");
}

/// `message_state` (section 5.2.28).
pub(super) const fn message_state(state: ReceiptState) -> u8 {
    match state {
        ReceiptState::Enroute => 1,
        ReceiptState::Delivered => 2,
        ReceiptState::Expired => 3,
        ReceiptState::Deleted => 4,
        ReceiptState::Undeliverable => 5,
        ReceiptState::Accepted => 6,
        ReceiptState::Unknown => 7,
        ReceiptState::Rejected => 8,
    }
}

/// The `stat` field (appendix B).
const fn stat(state: ReceiptState) -> &'static [u8] {
    match state {
        ReceiptState::Enroute => b"ENROUTE",
        ReceiptState::Delivered => b"DELIVRD",
        ReceiptState::Expired => b"EXPIRED",
        ReceiptState::Deleted => b"DELETED",
        ReceiptState::Undeliverable => b"UNDELIV",
        ReceiptState::Accepted => b"ACCEPTD",
        ReceiptState::Unknown => b"UNKNOWN",
        ReceiptState::Rejected => b"REJECTD",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_in_the_form_that_is_set_and_read_back() {
        let table = [
            (IdForm::Decimal, "43981", "43981"),
            (IdForm::Hex, "ABCD", "ABCD"),
            (IdForm::HexThenDecimal, "ABCD", "43981"),
            (IdForm::DecimalThenHex, "43981", "ABCD"),
            (IdForm::ZeroPadded, "43981", "00000000000000043981"),
        ];
        for (form, answer, receipt) in table {
            assert_eq!(answer_id(form, 43_981).as_str(), answer);
            assert_eq!(receipt_id(form, 43_981).as_str(), receipt);
            assert_eq!(parse_id(form, answer.as_bytes()), Some(43_981));
        }
    }

    #[test]
    fn the_receipt_text_is_that_of_appendix_b() {
        let receipt = PendingReceipt {
            message_id: 5,
            recipient: Address::default(),
            sender: Address::default(),
            state: ReceiptState::Undeliverable,
            error: 34,
            submitted_at: UnixMillis(1_700_000_000_000),
            reference: None,
            text: Digits::new(b"Hello"),
        };
        let mut text = Vec::new();
        let now = UnixMillis(1_700_000_061_000);
        put_receipt_text(&mut text, &answer_id(IdForm::Decimal, 5), &receipt, now);
        let expected = "id:5 sub:001 dlvrd:000 submit date:2311142213 done date:2311142214 \
                        stat:UNDELIV err:034 text:Hello";
        assert_eq!(String::from_utf8_lossy(&text), expected);
        let mut time = Vec::new();
        put_absolute_time(&mut time, now);
        assert_eq!(time, b"231114221421000+");
    }
}
