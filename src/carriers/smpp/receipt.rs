//! Delivery receipts as carriers write them.
//!
//! Pure functions. The text format of SMPP 3.4, appendix B, is only a suggestion, so fields are
//! found by name, in any order and case. The `text:` field repeats the message's content and
//! never leaves this file.

use super::receipt_date;
use super::wire::{Delivery, latin1};
use crate::carriers::{CarrierError, CarrierErrorKind, Receipt, ReceiptState};

/// `esm_class` bits of the message type (SMPP 3.4, 5.2.12).
const MESSAGE_TYPE_MASK: u8 = 0x3C;
/// An SMSC delivery receipt.
const DELIVERY_RECEIPT: u8 = 0x04;
/// An intermediate delivery notification.
const INTERMEDIATE_NOTIFICATION: u8 = 0x20;
/// A user data header stands before the text.
const UDHI: u8 = 0x40;
/// Longest carrier id that is taken, characters. SMPP 3.4 allows 64; some carriers write UUIDs
/// twice over. Longer ones are no ids.
pub const CARRIER_MESSAGE_ID_LENGTH_MAX: usize = 128;

/// Whether a delivery reports on a message rather than being one: `esm_class` says so, or it
/// names the message that it is about. Text that merely looks like a receipt does not count: any
/// phone can send that.
pub(super) fn is_receipt(delivery: &Delivery) -> bool {
    matches!(delivery.esm_class & MESSAGE_TYPE_MASK, DELIVERY_RECEIPT | INTERMEDIATE_NOTIFICATION)
        || delivery.tlvs.receipted_message_id.as_ref().is_some_and(|id| !id.is_empty())
}

/// Reads a receipt; TLVs win over text. None if it names neither a message id nor our reference,
/// or says nothing about the state.
pub(super) fn read(delivery: &Delivery) -> Option<Receipt> {
    let text = decode_text(delivery);
    let fields = Fields::find(&text);
    let tlvs = &delivery.tlvs;
    let id_tlv = tlvs.receipted_message_id.as_ref().map(|octets| {
        let end = octets.iter().position(|octet| *octet == 0).unwrap_or(octets.len());
        latin1(&octets[..end]).trim().to_owned()
    });
    let carrier_message_id = id_tlv
        .filter(|id| !id.is_empty())
        .or_else(|| fields.id.and_then(id_of))
        .filter(|id| id.chars().count() <= CARRIER_MESSAGE_ID_LENGTH_MAX)
        .unwrap_or_default();
    let reference = tlvs
        .user_message_reference
        .as_deref()
        .and_then(number)
        .and_then(|reference| u16::try_from(reference).ok());
    if carrier_message_id.is_empty() && reference.is_none() {
        return None;
    }
    let state = tlvs
        .message_state
        .as_deref()
        .and_then(number)
        .and_then(state_of_number)
        .or_else(|| fields.stat.and_then(state_of_text))?;
    let error = tlvs
        .network_error_code
        .as_deref()
        .and_then(network_error)
        .or_else(|| fields.err.and_then(receipt_error));
    Some(Receipt {
        carrier_message_id,
        state,
        error,
        done_at: fields.done.and_then(receipt_date::parse),
        reference,
        recipient: delivery.source.clone(),
    })
}

/// What the answer to `query_sm` says of a message: its state and the network's error (SMPP 3.4,
/// 4.8.2). None if the SMSC does not know the state either.
pub(super) fn of_query(carrier_message_id: &str, state: u32, error: u8) -> Option<Receipt> {
    let state = state_of_number(state).filter(|state| *state != ReceiptState::Unknown)?;
    let error = (error != 0)
        .then(|| CarrierError { kind: CarrierErrorKind::NetworkError, code: error.into() });
    Some(Receipt {
        carrier_message_id: carrier_message_id.to_owned(),
        state,
        error,
        done_at: None,
        reference: None,
        recipient: String::new(),
    })
}

/// Receipts are ASCII in whatever coding they claim; some come as UCS-2.
fn decode_text(delivery: &Delivery) -> String {
    let mut octets = &delivery.text[..];
    if delivery.esm_class & UDHI != 0
        && let Some((length, rest)) = octets.split_first()
        && let Some(text) = rest.get(usize::from(*length)..)
    {
        octets = text;
    }
    if octets.len() >= 2 && octets[0] == 0 {
        let units = octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        return char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{FFFD}')).collect();
    }
    latin1(octets)
}

/// The fields that are used, as they stand in the text.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fields<'a> {
    id: Option<&'a str>,
    stat: Option<&'a str>,
    err: Option<&'a str>,
    done: Option<&'a str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    Stat,
    Err,
    Done,
    Text,
    /// Known, not used: it only ends the field before it.
    Other,
}

/// Field names in small letters without the separators that vendors put between words.
const KEYS: [(&str, Key); 18] = [
    ("id", Key::Id),
    ("messageid", Key::Id),
    ("msgid", Key::Id),
    ("sub", Key::Other),
    ("dlvrd", Key::Other),
    ("submitdate", Key::Other),
    ("submit", Key::Other),
    ("donedate", Key::Done),
    ("done", Key::Done),
    ("stat", Key::Stat),
    ("status", Key::Stat),
    ("state", Key::Stat),
    ("err", Key::Err),
    ("error", Key::Err),
    ("errcode", Key::Err),
    ("nack", Key::Other),
    ("text", Key::Text),
    ("txt", Key::Text),
];

impl<'a> Fields<'a> {
    /// Reads up to `text:`, whose content may look like anything. Only if id or state are missing
    /// there, what follows is read too, each field from its last occurrence: some vendors write
    /// `text:` first.
    fn find(text: &'a str) -> Self {
        let (head, tail) = match keys(text).find(|found| found.key == Key::Text) {
            Some(found) => (&text[..found.start], &text[found.value..]),
            None => (text, ""),
        };
        let mut fields = Self::default();
        for (key, value) in pairs(head) {
            if let Some(slot) = fields.slot(key) {
                slot.get_or_insert(value);
            }
        }
        if fields.id.is_none() || fields.stat.is_none() {
            let known = Self { ..fields };
            for (key, value) in pairs(tail) {
                if let Some(slot) = fields.slot(key) {
                    *slot = Some(value);
                }
            }
            fields = Self {
                id: known.id.or(fields.id),
                stat: known.stat.or(fields.stat),
                err: known.err.or(fields.err),
                done: known.done.or(fields.done),
            };
        }
        fields
    }

    const fn slot(&mut self, key: Key) -> Option<&mut Option<&'a str>> {
        match key {
            Key::Id => Some(&mut self.id),
            Key::Stat => Some(&mut self.stat),
            Key::Err => Some(&mut self.err),
            Key::Done => Some(&mut self.done),
            Key::Text | Key::Other => None,
        }
    }
}

struct Found {
    key: Key,
    start: usize,
    value: usize,
}

/// Every field name that is followed by a colon or an equals sign and starts a word.
fn keys(text: &str) -> impl Iterator<Item = Found> {
    text.char_indices().filter(|(_, c)| matches!(c, ':' | '=')).filter_map(|(colon, _)| {
        let before = text[..colon].trim_end();
        // The longest name first, so that `submit date` is not read as an unknown `date`.
        let words: Vec<usize> = before
            .char_indices()
            .rev()
            .filter(|(at, c)| {
                c.is_ascii_alphabetic()
                    && !before[..*at].ends_with(|c: char| c.is_ascii_alphanumeric())
            })
            .map(|(at, _)| at)
            .take(2)
            .collect();
        words.iter().rev().find_map(|start| {
            let name: String = before[*start..]
                .chars()
                .filter(|c| !matches!(c, ' ' | '_' | '-'))
                .map(|c| c.to_ascii_lowercase())
                .collect();
            let (_, key) = KEYS.iter().find(|(known, _)| *known == name)?;
            Some(Found { key: *key, start: *start, value: colon + 1 })
        })
    })
}

fn pairs(text: &str) -> impl Iterator<Item = (Key, &str)> {
    let mut found = keys(text).peekable();
    std::iter::from_fn(move || {
        let field = found.next()?;
        let end = found.peek().map_or(text.len(), |next| next.start.max(field.value));
        let value = text[field.value..end]
            .trim_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '"' | '\'' | '|'));
        Some((field.key, value))
    })
}

/// The first word, without quotes.
fn id_of(value: &str) -> Option<String> {
    let word = value.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|')).next()?;
    let word = word.trim_matches(|c| matches!(c, '"' | '\'' | '\0'));
    (!word.is_empty()).then(|| word.to_owned())
}

/// `stat` of any length: the standard's seven letters, spelled out, or a number.
fn state_of_text(value: &str) -> Option<ReceiptState> {
    let word: String = value
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .map(|c| c.to_ascii_uppercase())
        .collect();
    if word.is_empty() {
        return None;
    }
    if let Ok(value) = word.parse::<u32>() {
        return Some(state_of_number(value).unwrap_or(ReceiptState::Unknown));
    }
    const PREFIXES: [(&str, ReceiptState); 17] = [
        ("DELIV", ReceiptState::Delivered),
        ("DLVRD", ReceiptState::Delivered),
        ("DELETE", ReceiptState::Deleted),
        ("CANCEL", ReceiptState::Deleted),
        ("UNDEL", ReceiptState::Undeliverable),
        ("UNDLV", ReceiptState::Undeliverable),
        ("FAIL", ReceiptState::Undeliverable),
        ("NOT_DELIV", ReceiptState::Undeliverable),
        ("EXPIR", ReceiptState::Expired),
        ("REJEC", ReceiptState::Rejected),
        ("REJCT", ReceiptState::Rejected),
        ("ACCEP", ReceiptState::Accepted),
        ("ACKED", ReceiptState::Accepted),
        ("ENROU", ReceiptState::Enroute),
        ("BUFF", ReceiptState::Enroute),
        ("SCHED", ReceiptState::Enroute),
        ("PENDING", ReceiptState::Enroute),
    ];
    let known = PREFIXES.iter().find(|(prefix, _)| word.starts_with(prefix));
    Some(known.map_or(ReceiptState::Unknown, |(_, state)| *state))
}

/// SMPP 3.4, 5.2.28; SMPP 5.0, 4.7.15 adds 0 (scheduled) and 9 (skipped).
const fn state_of_number(value: u32) -> Option<ReceiptState> {
    Some(match value {
        0 | 1 => ReceiptState::Enroute,
        2 => ReceiptState::Delivered,
        3 => ReceiptState::Expired,
        4 => ReceiptState::Deleted,
        5 => ReceiptState::Undeliverable,
        6 => ReceiptState::Accepted,
        7 => ReceiptState::Unknown,
        8 => ReceiptState::Rejected,
        9 => ReceiptState::Deleted,
        _ => return None,
    })
}

/// A TLV's integer of one to four octets; or digits, which some vendors write instead.
fn number(octets: &[u8]) -> Option<u32> {
    let digits: &[u8] = octets.strip_suffix(&[0]).unwrap_or(octets);
    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        return latin1(digits).parse().ok();
    }
    match octets.len() {
        1..=4 => Some(octets.iter().fold(0, |value, octet| value << 8 | u32::from(*octet))),
        _ => None,
    }
}

/// Network type and error code (SMPP 3.4, 5.3.2.31); zero means none.
fn network_error(octets: &[u8]) -> Option<CarrierError> {
    let code = match octets {
        [_, high, low] | [high, low] => u32::from(*high) << 8 | u32::from(*low),
        _ => number(octets)?,
    };
    (code != 0).then_some(CarrierError { kind: CarrierErrorKind::NetworkError, code })
}

/// Decimal, or hexadecimal where it is marked so or cannot be decimal; zero means none.
fn receipt_error(value: &str) -> Option<CarrierError> {
    let word: String = value.chars().take_while(char::is_ascii_alphanumeric).collect();
    let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let code = match hex {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => word.parse().or_else(|_| u32::from_str_radix(&word, 16)).ok()?,
    };
    (code != 0).then_some(CarrierError { kind: CarrierErrorKind::ReceiptError, code })
}

#[cfg(test)]
mod tests;
