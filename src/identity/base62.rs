//! Base62 as API keys use it: digits, upper case, lower case. Only for random text and checksums;
//! nothing is ever decoded.

use crate::sys::Randomness;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The largest multiple of 62 in a byte: bytes from here on would favor the first symbols.
const UNBIASED: u8 = 248;

/// `chars` random symbols, each equally likely.
pub(super) fn random(randomness: &Randomness, chars: usize) -> String {
    let mut text = String::with_capacity(chars);
    while text.len() < chars {
        let bytes = randomness.bytes::<64>();
        let fair = bytes.iter().filter(|&&byte| byte < UNBIASED);
        let symbols = fair.map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        text.extend(symbols.take(chars - text.len()));
    }
    text
}

/// `value` in six symbols, most significant first. Six hold 35 bits.
pub(super) fn six(value: u32) -> [u8; 6] {
    let mut rest = value;
    let mut text = [0; 6];
    for slot in text.iter_mut().rev() {
        *slot = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    text
}

/// Whether `text` is of this alphabet only.
pub(super) fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_symbols_hold_every_checksum() {
        for (value, text) in
            [(0, *b"000000"), (61, *b"00000z"), (62, *b"000010"), (u32::MAX, *b"4gfFC3")]
        {
            assert_eq!(six(value), text, "{value}");
        }
    }

    #[test]
    fn random_text_has_the_length_asked_for_and_every_symbol() {
        let text = random(&Randomness::seeded(5), 20_000);
        assert_eq!(text.len(), 20_000);
        assert!(is_base62(&text));
        let used: std::collections::HashSet<_> = text.bytes().collect();
        assert_eq!(used.len(), 62);
    }
}
