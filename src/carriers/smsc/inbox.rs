//! What phones behind the simulated SMSC show: the parts of a message decoded by their own headers,
//! and joined. In memory alone, and only where [`SmscConfig::inbox_messages_max`] asks for it: a
//! test sees there what a recipient would. The journal keeps no text.
//!
//! [`SmscConfig::inbox_messages_max`]: super::config::SmscConfig::inbox_messages_max

use std::collections::{BTreeMap, VecDeque};

use super::wire::{Digits, Submit};
use crate::types::sms_text::{ShiftTables, decode_latin1, decode_ucs2_be};

/// A message as a phone shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct ShownMessage {
    /// Source address.
    pub from: String,
    /// The phone.
    pub to: String,
    /// What it says.
    pub text: String,
    /// In how many parts it came.
    pub parts: u8,
    /// `data_coding`, of its last part.
    pub data_coding: u8,
    /// The shift tables that its header names, of its last part.
    pub tables: ShiftTables,
}

impl std::fmt::Debug for ShownMessage {
    /// Shows neither text nor numbers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShownMessage")
            .field("parts", &self.parts)
            .field("data_coding", &self.data_coding)
            .field("tables", &self.tables)
            .finish_non_exhaustive()
    }
}

/// What parts of one message have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    from: Digits,
    to: Digits,
    reference: u16,
    total: u8,
}

/// A message of which parts are missing.
struct Open {
    key: Key,
    /// By number.
    parts: BTreeMap<u8, String>,
}

/// The messages that phones show, and those that are not complete.
pub(super) struct Inbox {
    messages_max: usize,
    shown: VecDeque<ShownMessage>,
    open: VecDeque<Open>,
}

impl Inbox {
    /// Keeps the latest `messages_max` of either kind.
    pub(super) fn new(messages_max: usize) -> Self {
        Self { messages_max, shown: VecDeque::new(), open: VecDeque::new() }
    }

    /// Takes a part. One that came before takes the earlier one's place.
    pub(super) fn take(&mut self, submit: &Submit<'_>) {
        if self.messages_max == 0 {
            return;
        }
        let part = match submit.data_coding {
            0 => submit.tables.decode_unpacked(submit.text),
            8 => decode_ucs2_be(submit.text),
            _ => decode_latin1(submit.text),
        };
        let Some(segment) = submit.segment else {
            self.show(submit, part, 1);
            return;
        };
        let key = Key {
            from: submit.source.digits,
            to: submit.destination.digits,
            reference: segment.reference,
            total: segment.total,
        };
        let place = self.open.iter().position(|open| open.key == key);
        // Out of the queue, and to its end unless it is complete.
        let mut open = place
            .and_then(|place| self.open.remove(place))
            .unwrap_or_else(|| Open { key, parts: BTreeMap::new() });
        open.parts.insert(segment.number, part);
        if open.parts.len() == usize::from(segment.total) {
            let text = open.parts.into_values().collect();
            self.show(submit, text, segment.total);
        } else {
            push_bounded(&mut self.open, open, self.messages_max);
        }
    }

    fn show(&mut self, last: &Submit<'_>, text: String, parts: u8) {
        let message = ShownMessage {
            from: last.source.digits.to_text(),
            to: last.destination.digits.to_text(),
            text,
            parts,
            data_coding: last.data_coding,
            tables: last.tables,
        };
        push_bounded(&mut self.shown, message, self.messages_max);
    }

    /// What is shown, oldest first.
    pub(super) fn shown(&self) -> Vec<ShownMessage> {
        self.shown.iter().cloned().collect()
    }
}

/// Appends; the oldest goes where there is no room.
fn push_bounded<T>(queue: &mut VecDeque<T>, item: T, items_max: usize) {
    if queue.len() == items_max {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use entity::enums::NationalLanguage::Turkish;

    use super::super::wire::{Address, Segment};
    use super::*;

    fn submit<'a>(text: &'a [u8], number: u8, total: u8) -> Submit<'a> {
        Submit {
            source: Address::international("15550000000"),
            destination: Address::international("447700900001"),
            registered_delivery: 0,
            data_coding: 0,
            content: text,
            text,
            tables: ShiftTables { locking: Some(Turkish), single: None },
            reference: None,
            segment: (total > 1).then_some(Segment { reference: 7, total, number }),
        }
    }

    fn texts(inbox: &Inbox) -> Vec<String> {
        inbox.shown().into_iter().map(|message| message.text).collect()
    }

    #[test]
    fn parts_are_joined_in_their_order_and_shown_when_all_came() {
        let mut inbox = Inbox::new(10);
        inbox.take(&submit(b"c\x1D", 3, 3));
        inbox.take(&submit(b"a\x07", 1, 3));
        inbox.take(&submit(b"a\x07", 1, 3));
        inbox.take(&submit(b"other", 2, 2));
        assert_eq!(texts(&inbox), Vec::<String>::new());
        inbox.take(&submit(b"b\x0C", 2, 3));
        inbox.take(&submit(b"alone", 1, 1));
        assert_eq!(texts(&inbox), ["aıbğcş", "alone"]);
        assert_eq!((inbox.shown()[0].parts, inbox.shown()[1].parts), (3, 1));
        assert!(!format!("{:?}", inbox.shown()).contains("alone"));
    }

    #[test]
    fn it_keeps_no_more_than_it_may() {
        let mut none = Inbox::new(0);
        none.take(&submit(b"a", 1, 1));
        assert_eq!(texts(&none), Vec::<String>::new());
        let mut two = Inbox::new(2);
        for (text, number, total) in [
            (b"a", 1, 1),
            (b"b", 1, 1),
            (b"c", 1, 1),
            // Messages of 4, 5 and 6 parts: the first is forgotten.
            (b"x", 1, 4),
            (b"x", 1, 5),
            (b"x", 1, 6),
        ] {
            two.take(&submit(text, number, total));
        }
        assert_eq!(texts(&two), ["b", "c"]);
        assert_eq!(two.open.len(), 2);
    }
}
