//! Finds payment card numbers in any text or bytes: plain, in groups, escaped, in hex, in base64.
//! For proofs that nothing stored or sent holds one, and for what people type. It says where and
//! of which scheme, never the digits.
//!
//! A number counts when it has 12 to 19 digits, passes Luhn's check and stands in an issuer's
//! range of that length: of numbers with the right length alone, one in ten passes Luhn. It must
//! also begin and end where a group of digits does. A number inside a longer run of digits is
//! found by [`find_in_any_window`] only, since in a run of 26 (an M-Pesa request id) some window
//! would pass by chance once in four. For the same reason digits within a UUID or a digest, and
//! behind a decimal point, are not a number here.
//!
//! Not a validator of cards, and no proof of absence for compressed or encrypted data.

mod digits;
mod encodings;
mod issuers;

use std::ops::Range;

pub use digits::Windows;
pub use issuers::Scheme;

/// A card number was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whose range it stands in.
    pub scheme: Scheme,
    /// How it was written. Of nested encodings, the outermost.
    pub encoding: Encoding,
    /// Where, in bytes of the input; of hex and base64, the whole token.
    pub place: Range<usize>,
}

/// How a number was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As digits, maybe in groups.
    Plain,
    /// Percent, `\u`, `\x` or character references, or digits of another script.
    Escaped,
    /// The hexadecimal form of its ASCII.
    Hex,
    /// Base64 in either alphabet.
    Base64,
}

/// How many encodings may lie around each other. Three is more than any path of ours makes
/// (base64 in JSON in a form); it bounds the work on hostile input.
const DEPTH_MAX: usize = 3;

/// The first card number in `input` that stands as whole groups of digits. Takes time linear in
/// the input.
pub fn find(input: &[u8]) -> Option<Finding> {
    find_nested(input, Windows::WholeGroups, 0)
}

/// Like [`find`], but in every window of 12 to 19 digits, also inside longer runs. For data in
/// which no long numbers are expected: elsewhere it finds some by chance.
pub fn find_in_any_window(input: &[u8]) -> Option<Finding> {
    find_nested(input, Windows::Any, 0)
}

fn find_nested(input: &[u8], windows: Windows, depth: usize) -> Option<Finding> {
    if let Some((scheme, place)) = digits::find(input, windows) {
        return Some(Finding { scheme, encoding: Encoding::Plain, place });
    }
    if depth == DEPTH_MAX {
        return None;
    }
    if let Some(plain) = encodings::unescape(input)
        && let Some(found) = find_nested(&plain.bytes, windows, depth + 1)
    {
        let place = plain.origin(&found.place);
        return Some(Finding { scheme: found.scheme, encoding: Encoding::Escaped, place });
    }
    encodings::find_token(input, |token, decoded| {
        let found = find_nested(decoded, windows, depth + 1)?;
        Some(Finding { scheme: found.scheme, encoding: token.encoding, place: token.place.clone() })
    })
}

#[cfg(test)]
mod tests;
