//! The text of a message: which alphabet it needs, how many parts it makes, and the octets of each.
//!
//! A [`SmsText`] is a text that fits: counting happens once, on construction, and is what
//! estimates, prices and the parts themselves go by. Nothing here stores, logs or shows the text.
//! Called by `messages` (accept, estimate, dispatch) and by carriers for inbound text.
//!
//! Sources: 3GPP TS 23.038 (alphabets), TS 23.040 (140 octets a part; concatenation, 9.2.3.24.8;
//! national language shift, 9.2.3.24.15 and .16).

mod decode;
pub mod gsm7;
mod layout;
mod national;
mod segment;
mod smart;
mod tables;
#[cfg(test)]
mod tests;

use std::fmt;

use thiserror::Error;

pub use decode::{decode_latin1, decode_ucs2_be};
pub use gsm7::ShiftTables;
pub use national::{NationalLanguages, elements};
pub use segment::{
    EncodingChoice, Reference16, Segment, SegmentError, SegmentOptions, Segments, segment,
};
pub use smart::{Replacement, smart_encoding};

/// Octets of a part on the air, with its header (3GPP TS 23.040, 9.2.3.16).
const OCTETS_MAX: usize = 140;
/// The most parts of one message. Networks allow 255; ten is more than any honest text and bounds
/// what one call can cost.
pub const PARTS_MAX: u8 = 10;
/// The longest text that is looked at, in bytes: ten parts of 152 characters, at most three bytes
/// each (the widest in GSM tables are the euro sign and U+221E), and UCS-2 text is shorter.
pub const TEXT_BYTES_MAX: usize = PARTS_MAX as usize * 152 * 3;
/// The most distinct characters that [`offending_characters`] tells.
pub const OFFENDING_MAX: usize = 20;

/// The alphabet of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// GSM 7-bit, by these tables; SMPP `data_coding` 0.
    Gsm7(ShiftTables),
    /// UCS-2, sent as UTF-16 big-endian; SMPP `data_coding` 8.
    Ucs2,
}

impl Encoding {
    /// GSM by the default tables.
    pub const GSM7: Self = Self::Gsm7(ShiftTables::DEFAULT);

    /// SMPP 3.4 `data_coding`, 5.2.19.
    pub const fn data_coding(self) -> u8 {
        match self {
            Self::Gsm7(_) => 0,
            Self::Ucs2 => 8,
        }
    }

    /// Units (septets, UTF-16 code units) of a message of one part.
    pub const fn single_units(self) -> usize {
        self.units_beside(self.header_octets(false))
    }

    /// Units of one part of several, with a 16-bit reference.
    pub const fn part_units(self) -> usize {
        self.units_beside(self.header_octets(true))
    }

    /// Octets of the user data header: its length, an element of six octets for the place among
    /// several parts, and one of three for each national table. None without any element.
    const fn header_octets(self, is_concatenated: bool) -> usize {
        let mut elements = if is_concatenated { 6 } else { 0 };
        if let Self::Gsm7(tables) = self {
            elements += 3 * (tables.single.is_some() as usize + tables.locking.is_some() as usize);
        }
        if elements == 0 { 0 } else { 1 + elements }
    }

    /// What of a part's 140 octets is left beside a header; septets begin at a multiple of seven
    /// bits (TS 23.040, 9.2.3.24).
    const fn units_beside(self, header_octets: usize) -> usize {
        match self {
            Self::Gsm7(_) => OCTETS_MAX * 8 / 7 - (header_octets * 8).div_ceil(7),
            Self::Ucs2 => (OCTETS_MAX - header_octets) / 2,
        }
    }

    /// Units that a character takes; one where the alphabet lacks it.
    fn units(self, char: char) -> usize {
        match self {
            Self::Gsm7(tables) => tables.encode(char).map_or(1, gsm7::Code::septets),
            Self::Ucs2 => char.len_utf16(),
        }
    }
}

/// What a text takes on the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// GSM where every character is in the default alphabet, else UCS-2, or GSM with national
    /// tables where these are allowed and make fewer parts.
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
    /// Checks and counts the text, without national tables. It is kept exactly as it is, blanks at
    /// its ends too.
    ///
    /// # Errors
    /// [`SmsTextError`].
    pub fn new(text: String) -> Result<Self, SmsTextError> {
        Self::with_languages(text, NationalLanguages::NONE)
    }

    /// The same, where the tables of these languages may be used.
    ///
    /// With the language alone that was chosen among several, the same is chosen again.
    ///
    /// # Errors
    /// [`SmsTextError`].
    pub fn with_languages(
        text: String,
        languages: NationalLanguages,
    ) -> Result<Self, SmsTextError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(SmsTextError::TooLong);
        }
        if text.as_bytes().contains(&0) {
            return Err(SmsTextError::Nul);
        }
        if text.trim_start().is_empty() {
            return Err(SmsTextError::Empty);
        }
        let count = layout::count(&text, languages);
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
