//! The text of a message: which alphabet it needs, how many parts it makes, and the octets of each.
//!
//! A [`SmsText`] is a text that fits: counting happens once, on construction, and is what
//! estimates, prices and the parts themselves go by. Nothing here stores, logs or shows the text.
//! Called by `messages` (accept, estimate, dispatch) and by carriers for inbound text.
//!
//! Sources: 3GPP TS 23.038 (alphabets), TS 23.040 (140 octets a part; concatenation, 9.2.3.24.8).

mod decode;
pub mod gsm7;
mod layout;
mod segment;
mod smart;
#[cfg(test)]
mod tests;

use std::fmt;

use thiserror::Error;

pub use decode::{decode_gsm7_unpacked, decode_latin1, decode_ucs2_be};
pub use segment::{
    EncodingChoice, Reference16, Segment, SegmentError, SegmentOptions, Segments, segment,
};
pub use smart::{Replacement, smart_encoding};

/// The most parts of one message. Networks allow 255; ten is more than any honest text and bounds
/// what one call can cost.
pub const PARTS_MAX: u8 = 10;
/// The longest text that is looked at, in bytes: ten parts of 152 characters, at most three bytes
/// each (the GSM alphabet's widest is the euro sign), and UCS-2 text is shorter.
pub const TEXT_BYTES_MAX: usize = PARTS_MAX as usize * 152 * 3;
/// The most distinct characters that [`offending_characters`] tells.
pub const OFFENDING_MAX: usize = 20;

/// The alphabet of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// GSM 7-bit default alphabet and extension; SMPP `data_coding` 0.
    Gsm7,
    /// UCS-2, sent as UTF-16 big-endian; SMPP `data_coding` 8.
    Ucs2,
}

impl Encoding {
    /// SMPP 3.4 `data_coding`, 5.2.19.
    pub const fn data_coding(self) -> u8 {
        match self {
            Self::Gsm7 => 0,
            Self::Ucs2 => 8,
        }
    }

    /// Units (septets, UTF-16 code units) of a message of one part, without a header.
    pub const fn single_units(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// Units of one part of several, beside a header of seven octets with a 16-bit reference.
    pub const fn part_units(self) -> usize {
        match self {
            Self::Gsm7 => 152,
            Self::Ucs2 => 66,
        }
    }

    /// Units that a character takes; one where the alphabet lacks it.
    fn units(self, char: char) -> usize {
        match self {
            Self::Gsm7 => gsm7::encode(char).map_or(1, gsm7::Code::septets),
            Self::Ucs2 => char.len_utf16(),
        }
    }
}

/// What a text takes on the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// GSM where every character is in that alphabet, else UCS-2.
    pub encoding: Encoding,
    /// How many parts.
    pub parts: u16,
}

/// A text that is not blank, has no NUL and makes at most [`PARTS_MAX`] parts.
///
/// `Debug` shows its size, not its content.
#[derive(Clone, PartialEq, Eq)]
pub struct SmsText {
    text: String,
    count: Count,
}

/// Why a text cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SmsTextError {
    /// Nothing, or only white space.
    #[error("the text is empty")]
    Empty,
    /// More than [`PARTS_MAX`] parts.
    #[error("the text is longer than {PARTS_MAX} parts")]
    TooLong,
    /// U+0000: PostgreSQL cannot store it and phones end the text there.
    #[error("the text has a NUL character")]
    Nul,
}

impl SmsText {
    /// Checks and counts the text. It is kept exactly as it is, blanks at its ends too.
    ///
    /// # Errors
    /// [`SmsTextError`].
    pub fn new(text: String) -> Result<Self, SmsTextError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(SmsTextError::TooLong);
        }
        if text.as_bytes().contains(&0) {
            return Err(SmsTextError::Nul);
        }
        if text.trim_start().is_empty() {
            return Err(SmsTextError::Empty);
        }
        let count = layout::count(&text);
        if count.parts > u16::from(PARTS_MAX) {
            return Err(SmsTextError::TooLong);
        }
        Ok(Self { text, count })
    }

    /// The content. Never log it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Gives the content back.
    pub fn into_string(self) -> String {
        self.text
    }

    /// Alphabet and parts, counted on construction.
    pub fn count(&self) -> Count {
        self.count
    }
}

impl fmt::Debug for SmsText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmsText({} bytes, {:?})", self.text.len(), self.count)
    }
}

/// Alphabet and parts of a text with [`EncodingChoice::Auto`]; the same as [`segment()`] makes.
pub fn count(text: &SmsText) -> Count {
    text.count()
}

/// The distinct characters that force UCS-2, in order of appearance, at most [`OFFENDING_MAX`].
pub fn offending_characters(text: &str) -> Vec<char> {
    let mut found = Vec::new();
    for char in text.chars() {
        if gsm7::encode(char).is_none() && !found.contains(&char) {
            found.push(char);
            if found.len() == OFFENDING_MAX {
                break;
            }
        }
    }
    found
}
