//! From what people type to bare digits. No numbering plans here.

use super::{INPUT_BYTES_MAX, PhoneNumberError};

/// The most digits that are kept: 15, an international prefix and a trunk prefix, and some air.
const WRITTEN_DIGITS_MAX: usize = 24;

/// The zeros of the decimal digits that keyboards and contact lists produce; nine digits follow
/// each. Source: Unicode character database, `Nd`.
const ZEROS: &[char] = &[
    '\u{0660}', '\u{06F0}', '\u{07C0}', '\u{0966}', '\u{09E6}', '\u{0A66}', '\u{0AE6}', '\u{0B66}',
    '\u{0BE6}', '\u{0C66}', '\u{0CE6}', '\u{0D66}', '\u{0DE6}', '\u{0E50}', '\u{0ED0}', '\u{0F20}',
    '\u{1040}', '\u{17E0}', '\u{1810}', '\u{FF10}',
];

/// Digits, and whether a plus sign stood before them.
pub(super) struct Written {
    digits: [u8; WRITTEN_DIGITS_MAX],
    len: usize,
    /// Whether it started with a plus sign.
    pub(super) international: bool,
}

impl Written {
    /// Strips separators, a `tel:` scheme (RFC 3966) and the invisible marks that copying from
    /// a contact list brings along.
    pub(super) fn read(input: &str) -> Result<Self, PhoneNumberError> {
        if input.len() > INPUT_BYTES_MAX {
            return Err(PhoneNumberError::Unparsable);
        }
        let mut written = Self { digits: [0; WRITTEN_DIGITS_MAX], len: 0, international: false };
        let trimmed = input.trim();
        if trimmed.is_empty() {
            return Err(PhoneNumberError::Empty);
        }
        for char in trimmed.strip_prefix("tel:").unwrap_or(trimmed).chars() {
            written.take(char)?;
        }
        if written.len == 0 { Err(PhoneNumberError::Unparsable) } else { Ok(written) }
    }

    /// ASCII digits, at least one.
    pub(super) fn digits(&self) -> &str {
        std::str::from_utf8(&self.digits[..self.len]).expect("digits are ASCII")
    }

    fn take(&mut self, char: char) -> Result<(), PhoneNumberError> {
        if let Some(digit) = digit(char) {
            if self.len == WRITTEN_DIGITS_MAX {
                return Err(PhoneNumberError::ImpossibleLength);
            }
            self.digits[self.len] = b'0' + digit;
            self.len += 1;
            return Ok(());
        }
        if matches!(char, '+' | '\u{FF0B}') && self.len == 0 && !self.international {
            self.international = true;
            return Ok(());
        }
        if is_separator(char) { Ok(()) } else { Err(PhoneNumberError::Unparsable) }
    }
}

fn digit(char: char) -> Option<u8> {
    if char.is_ascii() {
        return char.is_ascii_digit().then(|| char as u8 - b'0');
    }
    let zero = ZEROS.iter().rev().find(|&&zero| zero <= char)?;
    u8::try_from(char as u32 - *zero as u32).ok().filter(|&digit| digit < 10)
}

fn is_separator(char: char) -> bool {
    match char {
        ' ' | '\t' | '-' | '.' | '/' | '(' | ')' | '[' | ']' => true,
        '\u{00A0}' | '\u{00AD}' | '\u{202F}' | '\u{3000}' => true,
        // Spaces of all widths, zero-width and direction marks, hyphens and dashes.
        '\u{2000}'..='\u{2015}' | '\u{202A}'..='\u{202E}' | '\u{2060}' => true,
        '\u{2066}'..='\u{2069}' | '\u{FEFF}' => true,
        // The minus sign and the full-width hyphen, parentheses, full stop and slash.
        '\u{2212}' | '\u{FF0D}' | '\u{FF08}' | '\u{FF09}' | '\u{FF0E}' | '\u{FF0F}' => true,
        _ => false,
    }
}
