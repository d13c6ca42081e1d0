//! What stands in a short link: which address and which recipient, in 12 letters and digits. Pure.
//!
//! The 64 bits of both are enciphered together as one number below 62^12 (71.4 bits) by a Feistel
//! network of ten rounds with cycle walking, which is how format-preserving encryption is made (NIST
//! SP 800-38G). So each text of 12 letters and digits deciphers to a number, and 7.4 bits of that must
//! be zero, the address must be one that there is, and the recipient one that the campaign has: of a
//! billion links that were sent, a guess hits one with a chance of 3 in 10^13. Links that follow each
//! other have nothing in common, and one says nothing about the next.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::keys::{MasterKey, Purpose};

/// Letters and digits of a link.
pub const TOKEN_CHARS: usize = 12;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// 62^12: how many texts there are.
const TEXTS: u128 = 3_226_266_762_397_899_821_056;
/// Of each half of the number that is enciphered; 2^72 is the least even power above [`TEXTS`].
const HALF_BITS: u32 = 36;
const HALF_MASK: u64 = (1 << HALF_BITS) - 1;
/// As many as NIST's modes have.
const ROUNDS: u8 = 10;

/// What a link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// Which address.
    pub(super) number: u32,
    /// Which recipient of the campaign, from 1 in the order in which messages are made; 0: a test.
    pub(super) place: u32,
}

/// Makes links and reads them.
pub(super) struct Cipher(Zeroizing<[u8; 32]>);

impl Cipher {
    pub(super) fn new(key: &MasterKey) -> Self {
        Self(Zeroizing::new(key.hash(Purpose::ShortLink, b"cipher")))
    }

    /// The text of a link.
    pub(super) fn seal(&self, token: Token) -> String {
        let plain = u128::from(token.number) << 32 | u128::from(token.place);
        let mut sealed = self.forth(plain);
        while sealed >= TEXTS {
            sealed = self.forth(sealed);
        }
        let mut text = [0; TOKEN_CHARS];
        for place in text.iter_mut().rev() {
            *place = ALPHABET[(sealed % 62) as usize];
            sealed /= 62;
        }
        text.iter().map(|byte| char::from(*byte)).collect()
    }

    /// What a link says that we made; none for most of what we did not.
    pub(super) fn open(&self, text: &str) -> Option<Token> {
        if text.len() != TOKEN_CHARS {
            return None;
        }
        let mut sealed: u128 = 0;
        for byte in text.bytes() {
            let digit = ALPHABET.iter().position(|it| *it == byte)?;
            sealed = sealed * 62 + digit as u128;
        }
        let mut plain = self.back(sealed);
        while plain >= TEXTS {
            plain = self.back(plain);
        }
        let plain = u64::try_from(plain).ok()?;
        Some(Token { number: (plain >> 32) as u32, place: plain as u32 })
    }

    fn forth(&self, number: u128) -> u128 {
        let (mut left, mut right) = halves(number);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.round(round, right));
        }
        u128::from(left) << HALF_BITS | u128::from(right)
    }

    fn back(&self, number: u128) -> u128 {
        let (mut left, mut right) = halves(number);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.round(round, left), left);
        }
        u128::from(left) << HALF_BITS | u128::from(right)
    }

    /// A keyed hash of a half. What is hashed is always of one length, so that the key may stand
    /// before it.
    fn round(&self, round: u8, half: u64) -> u64 {
        let mut hash = Sha256::new();
        hash.update(self.0.as_slice());
        hash.update([round]);
        hash.update(half.to_be_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        u64::from_be_bytes(first) & HALF_MASK
    }
}

fn halves(number: u128) -> (u64, u64) {
    ((number >> HALF_BITS) as u64 & HALF_MASK, number as u64 & HALF_MASK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Randomness;

    fn cipher(seed: u64) -> Cipher {
        let directory = tempfile::tempdir().unwrap();
        let randomness = Randomness::seeded(seed);
        Cipher::new(&MasterKey::in_directory(directory.path(), &randomness).unwrap())
    }

    #[test]
    fn there_are_as_many_texts_as_digits_can_make() {
        assert_eq!(62_u128.pow(TOKEN_CHARS as u32), TEXTS);
        const { assert!(TEXTS < 1 << (2 * HALF_BITS) && TEXTS > 1 << (2 * HALF_BITS - 2)) };
    }

    #[test]
    fn what_is_sealed_opens_under_its_key_alone() {
        let (own, other) = (cipher(1), cipher(2));
        let mut foreign = 0;
        for number in [0, 1, 7, u32::MAX] {
            for place in [0, 1, 2, 999_999, u32::MAX] {
                let token = Token { number, place };
                let text = own.seal(token);
                assert_eq!(text.len(), TOKEN_CHARS);
                assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
                assert_eq!(own.open(&text), Some(token));
                assert_ne!(other.open(&text), Some(token));
                foreign += usize::from(other.open(&text).is_some());
            }
        }
        assert!(foreign <= 2, "one in 175 opens to something, not {foreign} of 20");
    }

    #[test]
    fn links_that_follow_each_other_have_nothing_in_common() {
        let own = cipher(1);
        let mut same = 0;
        let mut last = own.seal(Token { number: 5, place: 0 });
        for place in 1..=1_000 {
            let text = own.seal(Token { number: 5, place });
            same += text.bytes().zip(last.bytes()).filter(|(one, other)| one == other).count();
            last = text;
        }
        // One of 62 by chance: 194 of 12,000.
        assert!((100..300).contains(&same), "{same}");
    }

    #[test]
    fn tampered_links_say_nothing_of_what_they_were() {
        let own = cipher(1);
        let token = Token { number: 1_234_567, place: 89 };
        let text = own.seal(token);
        let (mut tried, mut opened) = (0, 0);
        for place in 0..TOKEN_CHARS {
            for byte in ALPHABET {
                let mut changed = text.clone().into_bytes();
                if changed[place] == *byte {
                    continue;
                }
                changed[place] = *byte;
                tried += 1;
                if let Some(found) = own.open(std::str::from_utf8(&changed).unwrap()) {
                    opened += 1;
                    assert_ne!(found.number, token.number, "another recipient of the same");
                }
            }
        }
        assert!(opened < tried / 50, "{opened} of {tried}");
        for text in ["", "A", "AAAAAAAAAAA", "AAAAAAAAAAAAA", "AAAAAAAAAAA-", "AAAAAAAAAA\u{e9}"] {
            assert_eq!(own.open(text), None, "{text}");
        }
    }
}
