//! Addresses as SMPP carries them, held without allocation. Used by the wire format, the journal
//! and receipts.

/// The digits of an address, in octets without the final zero (section 4.4.1).
pub const ADDRESS_OCTETS_MAX: usize = 20;

/// The digits (or letters) of an address, held without allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digits {
    length: u8,
    octets: [u8; ADDRESS_OCTETS_MAX],
}

impl Digits {
    /// The first 20 octets of `text`.
    pub fn new(text: &[u8]) -> Self {
        let text = &text[..text.len().min(ADDRESS_OCTETS_MAX)];
        let mut octets = [0; ADDRESS_OCTETS_MAX];
        octets[..text.len()].copy_from_slice(text);
        Self { length: text.len() as u8, octets }
    }

    /// The octets as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }

    /// The octets as text, if they are.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }

    /// The octets as text, for the journal.
    pub fn to_text(self) -> String {
        String::from_utf8_lossy(self.as_bytes()).into_owned()
    }
}

/// An address with its type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Address {
    /// Type of number (section 5.2.5).
    pub ton: u8,
    /// Numbering plan (section 5.2.6).
    pub npi: u8,
    /// The address itself.
    pub digits: Digits,
}

impl Address {
    /// A phone number in international format.
    pub fn international(digits: &str) -> Self {
        Self { ton: 1, npi: 1, digits: Digits::new(digits.as_bytes()) }
    }
}

impl std::fmt::Debug for Address {
    /// Shows no number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address(ton {}, npi {})", self.ton, self.npi)
    }
}

impl std::fmt::Debug for Digits {
    /// Shows no number and no text.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digits({})", self.as_bytes().len())
    }
}
