//! Voucher codes: 80 random bits as 16 characters of Crockford's base 32, and two that check them.
//!
//! The alphabet has no I, L, O and U; on reading, I and L are 1, O is 0, case does not matter, and
//! blanks and dashes are passed over. The whole number, check included, is 1 modulo the prime 97 (as
//! in ISO/IEC 7064, MOD 97-10, with base 32 in the place of 10), so that any one wrong character and
//! any two neighbors in the wrong order are seen before the store is asked.

use std::fmt;
use std::str::FromStr;

use crate::keys::{MasterKey, Purpose};
use crate::sys::Randomness;
use crate::types::secret::SecretText;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Random octets of a code.
const CODE_BYTES: usize = 10;
/// Characters for these: five bits each.
const BODY_CHARS: usize = 16;
/// Characters of a code with its check.
const CODE_CHARS: usize = BODY_CHARS + 2;
/// Characters between two dashes, as a code is shown.
const GROUP_CHARS: usize = 4;
/// The least prime above the digit values and their differences, as a check needs.
const MODULUS: u128 = 97;

/// A voucher's code. Whoever has it has the money.
#[derive(Clone, PartialEq, Eq)]
pub struct VoucherCode([u8; CODE_BYTES]);

/// A text that cannot be a code: too short or too long, a character that codes have not, or mistyped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a voucher's code: look for a mistyped character")]
pub struct InvalidVoucherCode;

impl VoucherCode {
    /// A code that nobody can guess.
    pub fn draw(randomness: &Randomness) -> Self {
        Self(randomness.bytes())
    }

    /// As it is given out: `ABCD-EFGH-JKMN-PQRS-TV`.
    pub fn to_text(&self) -> SecretText {
        let body = self.number();
        let digits = (body << 10) + check(body);
        let mut text = String::with_capacity(CODE_CHARS + CODE_CHARS / GROUP_CHARS);
        for place in 0..CODE_CHARS {
            if place > 0 && place % GROUP_CHARS == 0 {
                text.push('-');
            }
            let digit = (digits >> (5 * (CODE_CHARS - 1 - place))) & 31;
            text.push(char::from(ALPHABET[digit as usize]));
        }
        SecretText::new(text)
    }

    /// What is stored of it: without the master key nobody can tell which codes there are.
    pub fn hash(&self, master_key: &MasterKey) -> [u8; 32] {
        master_key.hash(Purpose::VoucherCode, &self.0)
    }

    fn number(&self) -> u128 {
        self.0.iter().fold(0, |number, byte| (number << 8) | u128::from(*byte))
    }
}

/// What makes `body`, moved by two digits, one modulo 97.
const fn check(body: u128) -> u128 {
    (MODULUS + 1 - (body << 10) % MODULUS) % MODULUS
}

impl FromStr for VoucherCode {
    type Err = InvalidVoucherCode;

    fn from_str(text: &str) -> Result<Self, InvalidVoucherCode> {
        let (mut digits, mut chars) = (0u128, 0);
        for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let c = match c.to_ascii_uppercase() {
                'I' | 'L' => '1',
                'O' => '0',
                c => c,
            };
            let digit = ALPHABET.iter().position(|symbol| char::from(*symbol) == c);
            let digit = digit.ok_or(InvalidVoucherCode)?;
            chars += 1;
            if chars > CODE_CHARS {
                return Err(InvalidVoucherCode);
            }
            digits = (digits << 5) | digit as u128;
        }
        let body = digits >> 10;
        if chars != CODE_CHARS || digits & 0x3ff != check(body) {
            return Err(InvalidVoucherCode);
        }
        let mut bytes = [0; CODE_BYTES];
        bytes.copy_from_slice(&body.to_be_bytes()[16 - CODE_BYTES..]);
        Ok(Self(bytes))
    }
}

impl fmt::Debug for VoucherCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VoucherCode")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes() -> Vec<(VoucherCode, String)> {
        let randomness = Randomness::seeded(97);
        let mut codes: Vec<_> = (0..20).map(|_| VoucherCode::draw(&randomness)).collect();
        codes.extend([VoucherCode([0; CODE_BYTES]), VoucherCode([255; CODE_BYTES])]);
        codes.into_iter().map(|code| (code.clone(), code.to_text().expose().to_owned())).collect()
    }

    #[test]
    fn a_code_is_read_back_however_it_is_written() {
        for (code, text) in codes() {
            assert_eq!(text.len(), CODE_CHARS + 4);
            assert_eq!(text.parse(), Ok(code.clone()));
            let sloppy = text.to_lowercase().replace('-', " ").replace('1', "l").replace('0', "o");
            assert_eq!(sloppy.parse(), Ok(code));
        }
    }

    #[test]
    fn every_wrong_character_and_every_swap_of_neighbors_is_seen() {
        for (_, text) in codes() {
            let digits: Vec<char> = text.chars().filter(|c| *c != '-').collect();
            for place in 0..digits.len() {
                for other in ALPHABET.iter().map(|symbol| char::from(*symbol)) {
                    let mut wrong = digits.clone();
                    wrong[place] = other;
                    let read = wrong.iter().collect::<String>().parse::<VoucherCode>();
                    assert_eq!(read.is_ok(), other == digits[place], "{text} {place} {other}");
                }
                if place > 0 && digits[place] != digits[place - 1] {
                    let mut swapped = digits.clone();
                    swapped.swap(place, place - 1);
                    let read = swapped.iter().collect::<String>().parse::<VoucherCode>();
                    assert_eq!(read, Err(InvalidVoucherCode), "{text} {place}");
                }
            }
        }
    }

    #[test]
    fn what_is_too_short_too_long_or_no_code_is_refused() {
        let (_, text) = codes().remove(0);
        for wrong in ["", "-", "U", &text[1..], &format!("{text}0"), &format!("0{text}"), "é"] {
            assert_eq!(wrong.parse::<VoucherCode>(), Err(InvalidVoucherCode), "{wrong}");
        }
    }
}
