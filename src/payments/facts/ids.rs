//! Ids of the processors' objects, of their events, and our own in their metadata. Each has a
//! prefix or a charset, a length, and does not read as a card number.

use std::fmt;

use data_encoding::{Encoding, Specification};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::payments::processor::Unreadable;
use crate::types::card_detector;

/// The longest id, in characters (Stripe's documented limit; the others' are shorter).
const ID_CHARS_MAX: usize = 255;

/// The key of our payment's id in a processor's metadata.
pub const PAYMENT_METADATA_KEY: &str = "heliograph_payment_id";

/// What ids of a kind look like: one of the prefixes, then letters, digits and `marks`.
#[derive(Clone, Copy, Debug)]
pub(in crate::payments) struct IdForm {
    pub(in crate::payments) prefixes: &'static [&'static str],
    pub(in crate::payments) marks: &'static str,
}

impl IdForm {
    fn ensure(self, text: &str) -> Result<(), Unreadable> {
        let belongs = |it: char| it.is_ascii_alphanumeric() || self.marks.contains(it);
        let rest = self.prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
        let is_formed = rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(belongs));
        let is_good = is_formed
            && text.len() <= ID_CHARS_MAX
            && card_detector::find(text.as_bytes()).is_none();
        if is_good { Ok(()) } else { Err(Unreadable::BadId) }
    }
}

/// Every form in one: for reading back what was stored.
const ANY: IdForm = IdForm { prefixes: &[""], marks: "_-.=:" };

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// As the processor writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// # Errors
            ///
            /// Text of another form.
            pub(in crate::payments) fn parse(
                form: IdForm,
                text: &str,
            ) -> Result<Self, Unreadable> {
                form.ensure(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Unreadable;

            fn try_from(text: String) -> Result<Self, Unreadable> {
                ANY.ensure(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

text_ids! {
    /// The id of an object at a processor: an intent, a charge, a refund.
    ObjectId;
    /// What tells an event from all others of its processor, and is the same when it is repeated.
    EventId;
}

/// Our id of a payment, as it stands in a processor's metadata: a TypeID (`pay_` and 26 characters
/// of Crockford's base32), or with a hyphen where a processor forbids the underscore. Kept with
/// the underscore. Whether there is such a payment is not known here.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PaymentReference(String);

/// Characters of a UUID in base32.
const REFERENCE_CHARS: usize = 26;

impl PaymentReference {
    /// Reads an id of ours; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let id = text.strip_prefix("pay_").or_else(|| text.strip_prefix("pay-"))?;
        let belongs = |it: u8| {
            matches!(it, b'0'..=b'9' | b'a'..=b'h' | b'j' | b'k' | b'm' | b'n')
                || matches!(it, b'p'..=b't' | b'v'..=b'z')
        };
        let is_id = id.len() == REFERENCE_CHARS
            && id.as_bytes()[0] <= b'7'
            && id.bytes().all(belongs)
            && card_detector::find(id.as_bytes()).is_none();
        is_id.then(|| Self(format!("pay_{id}")))
    }

    /// With the underscore.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PaymentReference {
    type Error = Unreadable;

    fn try_from(text: String) -> Result<Self, Unreadable> {
        Self::parse(&text).ok_or(Unreadable::BadId)
    }
}

impl From<PaymentReference> for String {
    fn from(reference: PaymentReference) -> Self {
        reference.0
    }
}

impl fmt::Debug for PaymentReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Bytes of a MAC that stand for an event without an id; two events share them by chance once in
/// 2^64.
const MAC_BYTES: usize = 16;

/// An event id for a body whose processor gave none: a MAC of it under the endpoint's secret.
/// In letters only, so that no row of digits comes about by chance.
pub(in crate::payments) fn mac_as_id(key: &[u8], body: &[u8]) -> EventId {
    let mut mac =
        <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    EventId(format!("mac:{}", letters().encode(&bytes[..MAC_BYTES])))
}

/// Hexadecimal with `a` to `p` for its digits.
fn letters() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnop");
    specification.encoding().expect("sixteen symbols are an encoding")
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTENT: IdForm = IdForm { prefixes: &["pi_"], marks: "_" };

    #[test]
    fn ids_have_a_form() {
        for text in ["pi_3MtwBwLkdIwHu7ix28a3tqPa", "pi_1", "pi_test_1"] {
            assert!(ObjectId::parse(INTENT, text).is_ok(), "{text}");
        }
        let long = format!("pi_{}", "a".repeat(ID_CHARS_MAX));
        for text in [
            "",
            "pi_",
            "ch_1",
            "pi_4242424242424242",
            "pi_a_4242_4242_4242_4242",
            "pi_NDI0MjQyNDI0MjQyNDI0Mg",
            "pi_34323432343234323432343234323432",
            "pi_ä",
            "pi_1 ",
            "pi_1\n",
            &long,
        ] {
            assert_eq!(ObjectId::parse(INTENT, text), Err(Unreadable::BadId), "{text}");
            let stored = serde_json::to_string(text).expect("a text");
            let read: Result<ObjectId, _> = serde_json::from_str(&stored);
            let has_other_prefix = matches!(text, "pi_" | "ch_1");
            assert_eq!(read.is_ok(), has_other_prefix, "{text}");
        }
    }

    #[test]
    fn our_own_ids_are_type_ids() {
        let id = "01kbz4n3fjfz8r7d9v1p2q3s4t";
        for text in [format!("pay_{id}"), format!("pay-{id}")] {
            let read = PaymentReference::parse(&text).expect("an id of ours");
            assert_eq!(read.as_str(), format!("pay_{id}"));
        }
        for text in [
            id,
            "pay_01kbz4n3fjfz8r7d9v1p2q3s4",
            "pay_81kbz4n3fjfz8r7d9v1p2q3s4t",
            "pay_01kbz4n3fjfz8r7d9v1p2q3s4u",
            "pay_01KBZ4N3FJFZ8R7D9V1P2Q3S4T",
            "pay_0abcde4242424242424242hjkm",
        ] {
            assert_eq!(PaymentReference::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_mac_as_an_id_has_no_digits() {
        let id = mac_as_id(b"secret", b"body");
        assert!(id.as_str().bytes().all(|byte| !byte.is_ascii_digit()), "{id:?}");
        assert_ne!(id, mac_as_id(b"secret", b"body."));
        assert_ne!(id, mac_as_id(b"secrets", b"body"));
    }
}
