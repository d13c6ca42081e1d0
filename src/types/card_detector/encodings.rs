//! Undoes what hides digits: escapes and other scripts' digits (all at once, with a map back to
//! the input), and tokens in hex or base64 (one by one).

use std::ops::Range;

use zeroize::Zeroizing;

use super::Encoding;

/// Text without escapes.
pub(super) struct Unescaped {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Where each byte came from; one more for the end.
    origins: Vec<usize>,
}

impl Unescaped {
    /// The place in the input of a place in here.
    pub(super) fn origin(&self, place: &Range<usize>) -> Range<usize> {
        self.origins[place.start]..self.origins[place.end]
    }
}

/// The input with escapes undone, digits of every script as ASCII, and typographic blanks and
/// dashes as a blank; `None` if there is nothing of this in it.
pub(super) fn unescape(input: &[u8]) -> Option<Unescaped> {
    let is_plain = |byte: &u8| byte.is_ascii() && !matches!(byte, b'%' | b'\\' | b'&');
    let mut at = input.iter().position(|byte| !is_plain(byte))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(input.len()));
    let mut origins = Vec::with_capacity(input.len() + 1);
    bytes.extend_from_slice(&input[..at]);
    origins.extend(0..at);
    let mut changed = false;
    while let Some(first) = input.get(at) {
        let rest = &input[at..];
        let decoded = if is_plain(first) {
            None
        } else if first.is_ascii() {
            escape(rest)
        } else {
            other_script(rest)
        };
        match decoded {
            Some((byte, length)) => {
                changed = true;
                bytes.push(byte);
                origins.push(at);
                at += length;
            }
            None => {
                bytes.push(*first);
                origins.push(at);
                at += 1;
            }
        }
    }
    origins.push(at);
    changed.then_some(Unescaped { bytes, origins })
}

/// The byte that an escape stands for, and the escape's length.
fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    match rest {
        [b'%', ..] => Some((u8::try_from(number(rest.get(1..3)?, 16)?).ok()?, 3)),
        [b'\\', b'x', ..] => Some((u8::try_from(number(rest.get(2..4)?, 16)?).ok()?, 4)),
        [b'\\', b'u', b'{', ..] => closed(rest, 3, 16, b'}'),
        [b'\\', b'u', ..] => Some((ascii_of(number(rest.get(2..6)?, 16)?)?, 6)),
        [b'&', b'#', b'x' | b'X', ..] => closed(rest, 3, 16, b';'),
        [b'&', b'#', ..] => closed(rest, 2, 10, b';'),
        _ => None,
    }
}

/// Characters of a code point in an escape of variable length: `&#x10FFFF;` with leading zeros.
const CODE_CHARS_MAX: usize = 8;

fn closed(rest: &[u8], start: usize, radix: u32, end: u8) -> Option<(u8, usize)> {
    let length = rest[start..].iter().take(CODE_CHARS_MAX + 1).position(|byte| *byte == end)?;
    let code = number(&rest[start..start + length], radix)?;
    Some((ascii_of(code)?, start + length + 1))
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if !digits.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    u32::from_str_radix(str::from_utf8(digits).ok()?, radix).ok()
}

/// What stands for a digit, a separator or another ASCII character.
fn ascii_of(code: u32) -> Option<u8> {
    let character = char::from_u32(code)?;
    match u8::try_from(code) {
        Ok(byte) if byte.is_ascii() => Some(byte),
        _ => stand_in(character),
    }
}

fn other_script(rest: &[u8]) -> Option<(u8, usize)> {
    // A character has at most four bytes; looking at more would make this quadratic.
    let text = rest[..rest.len().min(4)].utf8_chunks().next()?.valid();
    let character = text.chars().next()?;
    Some((stand_in(character)?, character.len_utf8()))
}

/// Zeros of the scripts' decimal digits (Unicode 14, general category Nd); ten in a row each.
const ZEROS: &[u32] = &[
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6,
    0xE50, 0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50,
    0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
    0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650,
    0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50,
    0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0,
];

fn stand_in(character: char) -> Option<u8> {
    let code = u32::from(character);
    if character.is_whitespace()
        || matches!(code, 0xAD | 0x180E | 0x200B..=0x2015 | 0x2060 | 0x2212 | 0xFE58 | 0xFE63)
        || matches!(code, 0xFEFF | 0xFF0D | 0xB7 | 0x2022)
    {
        return Some(b' ');
    }
    let zero = ZEROS[..ZEROS.partition_point(|zero| *zero <= code)].last()?;
    let digit = u8::try_from(code - zero).ok().filter(|digit| *digit < 10)?;
    Some(b'0' + digit)
}

/// A token in hex or base64.
pub(super) struct Token {
    pub(super) encoding: Encoding,
    pub(super) place: Range<usize>,
}

/// Twelve digits in hex.
const HEX_CHARS_MIN: usize = 24;
/// Twelve digits in base64.
const BASE64_CHARS_MIN: usize = 16;

/// Decodes each token of the input in every alignment, until `look` finds something.
pub(super) fn find_token<T>(
    input: &[u8],
    mut look: impl FnMut(&Token, &[u8]) -> Option<T>,
) -> Option<T> {
    let mut decoded = Zeroizing::new(Vec::new());
    for place in runs(input, |byte| BASE64[usize::from(byte)] != NONE, BASE64_CHARS_MIN) {
        let base64 = Token { encoding: Encoding::Base64, place: place.clone() };
        for skipped in 0..4 {
            decode_base64(&input[place.clone()][skipped..], &mut decoded);
            if let Some(found) = look(&base64, &decoded) {
                return Some(found);
            }
        }
        for hex_place in runs(&input[place.clone()], |it| it.is_ascii_hexdigit(), HEX_CHARS_MIN) {
            let hex_place = place.start + hex_place.start..place.start + hex_place.end;
            let hex = Token { encoding: Encoding::Hex, place: hex_place.clone() };
            for skipped in 0..2 {
                decode_hex(&input[hex_place.clone()][skipped..], &mut decoded);
                if let Some(found) = look(&hex, &decoded) {
                    return Some(found);
                }
            }
        }
    }
    None
}

/// The longest stretches of bytes that belong, if they are long enough.
fn runs(
    input: &[u8],
    belongs: impl Fn(u8) -> bool,
    length_min: usize,
) -> impl Iterator<Item = Range<usize>> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        loop {
            let start = rest + input[rest..].iter().position(|byte| belongs(*byte))?;
            let length = input[start..].iter().take_while(|byte| belongs(**byte)).count();
            rest = start + length;
            if length >= length_min {
                return Some(start..rest);
            }
        }
    })
}

const NONE: u8 = 0xFF;

/// The six bits of each character of both alphabets (RFC 4648, sections 4 and 5).
const BASE64: [u8; 256] = {
    let mut table = [NONE; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut at = 0;
    while at < 64 {
        table[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};

fn decode_base64(token: &[u8], decoded: &mut Vec<u8>) {
    decoded.clear();
    for group in token.chunks(4) {
        let bits = group.iter().fold(0, |bits, it| bits << 6 | u32::from(BASE64[usize::from(*it)]));
        let bytes = (bits << (6 * (4 - group.len()))).to_be_bytes();
        decoded.extend_from_slice(&bytes[1..group.len().max(1)]);
    }
}

fn decode_hex(token: &[u8], decoded: &mut Vec<u8>) {
    decoded.clear();
    let nibble = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
    decoded.extend(token.chunks_exact(2).map(|pair| nibble(pair[0]) << 4 | nibble(pair[1])));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_script_are_known() {
        let digit = regex::Regex::new(r"^\d$").expect("a pattern");
        let mut known = 0;
        for character in ('\u{80}'..=char::MAX).filter(|it| !it.is_whitespace()) {
            let is_digit = digit.is_match(character.encode_utf8(&mut [0; 4]));
            let found = stand_in(character).is_some_and(|byte| byte.is_ascii_digit());
            assert!(is_digit || !found, "{character:?} is no digit");
            known += usize::from(found);
        }
        assert!(known >= 600, "only {known}");
    }
}
