//! How an API key is written: `hg_live_` or `hg_test_`, 30 random base62 characters, and six of a
//! CRC32 over all before it. The checksum lets us (and scanners of leaked secrets) refuse most
//! wrong texts without a look at the store. It is no protection: the 30 characters are.

use entity::enums::KeyMode;

use super::base62;
use crate::sys::Randomness;
use crate::types::secret::SecretText;

const LIVE: &str = "hg_live_";
const TEST: &str = "hg_test_";
/// 178 bits.
const RANDOM_CHARS: usize = 30;
const CHECKSUM_CHARS: usize = 6;
const PREFIX_CHARS: usize = LIVE.len();
const KEY_CHARS: usize = PREFIX_CHARS + RANDOM_CHARS + CHECKSUM_CHARS;
/// What is stored and shown of a key: the prefix and eight characters, so that people tell keys
/// apart. 22 characters (131 bits) stay secret.
const LOOKUP_CHARS: usize = PREFIX_CHARS + 8;

/// The text of an API key that is well formed; whether there is such a key, the store knows.
#[derive(Clone, Copy)]
pub(super) struct KeyText<'a>(&'a str);

/// Whether a credential claims to be an API key (else it can only be a token).
pub(super) fn looks_like_key(text: &str) -> bool {
    text.starts_with(LIVE) || text.starts_with(TEST)
}

/// A new key.
pub(super) fn generate(mode: KeyMode, randomness: &Randomness) -> SecretText {
    let prefix = match mode {
        KeyMode::Live => LIVE,
        KeyMode::Test => TEST,
    };
    let mut text = String::with_capacity(KEY_CHARS);
    text.push_str(prefix);
    text.push_str(&base62::random(randomness, RANDOM_CHARS));
    let checksum = base62::six(crc32fast::hash(text.as_bytes()));
    text.extend(checksum.map(char::from));
    SecretText::new(text)
}

impl<'a> KeyText<'a> {
    /// Reads a key; `None` if the form or the checksum is wrong.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.len() != KEY_CHARS || !looks_like_key(text) {
            return None;
        }
        if !base62::is_base62(text.get(PREFIX_CHARS..)?) {
            return None;
        }
        let (signed, checksum) = text.split_at(KEY_CHARS - CHECKSUM_CHARS);
        let expected = base62::six(crc32fast::hash(signed.as_bytes()));
        (checksum.as_bytes() == expected).then_some(Self(text))
    }

    /// The whole text.
    pub(super) const fn expose(self) -> &'a str {
        self.0
    }

    /// The part that is stored and shown.
    pub(super) fn lookup(self) -> &'a str {
        &self.0[..LOOKUP_CHARS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_tell_their_mode() {
        let randomness = Randomness::seeded(1);
        for (mode, prefix) in [(KeyMode::Live, LIVE), (KeyMode::Test, TEST)] {
            let key = generate(mode, &randomness);
            let text = KeyText::parse(key.expose()).unwrap();
            assert_eq!(text.expose().len(), 44);
            assert!(text.lookup().starts_with(prefix));
            assert_eq!(text.lookup().len(), 16);
        }
    }

    #[test]
    fn every_single_change_of_a_character_is_noticed() {
        let key = generate(KeyMode::Live, &Randomness::seeded(2));
        for index in 0..KEY_CHARS {
            let mut bytes = key.expose().as_bytes().to_vec();
            bytes[index] = if bytes[index] == b'x' { b'y' } else { b'x' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(KeyText::parse(&changed).is_none(), "{index}");
        }
    }

    #[test]
    fn other_lengths_and_alphabets_are_refused() {
        let key = generate(KeyMode::Test, &Randomness::seeded(3));
        let key = key.expose();
        let cut = &key[..KEY_CHARS - 1];
        let longer = format!("{key}0");
        let foreign = format!("hg_test_{}", "é".repeat(18));
        assert_eq!(foreign.len(), KEY_CHARS);
        for text in ["", "hg_live_", cut, &longer, &foreign, &key.replace("test", "live")] {
            assert!(KeyText::parse(text).is_none(), "{text}");
        }
    }
}
