//! Links to preference pages: whose contact it is and its number, in 44 characters that show neither
//! the number nor that two links are of one. Nothing of them is kept, and they work as long as the
//! master key does, also for a number that is no contact any more: who objects must always be able to.
//!
//! The number is hidden as in a synthetic-IV seal (RFC 5297): a keyed hash of account and number is
//! both the proof that we made the link and the seed of the pad that covers the number. 80 bits of it
//! are enough for what is tried over the network, and leave room in a text message.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::ids::AccountId;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use crate::keys::{MasterKey, Purpose};
use crate::types::phone::PhoneNumber;

const ACCOUNT_BYTES: usize = 16;
const MAC_BYTES: usize = 10;
/// 15 digits are less than 2^56.
const NUMBER_BYTES: usize = 7;
/// Characters of a link: six bits each.
pub const LINK_CHARS: usize = (ACCOUNT_BYTES + MAC_BYTES + NUMBER_BYTES) * 8 / 6;

/// The link for a number of an account, of letters, digits, hyphens and underscores.
pub fn sign(key: &MasterKey, account_id: AccountId, number: &PhoneNumber) -> String {
    let digits: u64 = number.e164().trim_start_matches('+').parse().unwrap_or_default();
    let mut plain = [0; NUMBER_BYTES];
    plain.copy_from_slice(&digits.to_be_bytes()[8 - NUMBER_BYTES..]);
    let mac = mac(key, account_id, plain);
    let hidden = covered(key, account_id, &mac, plain);
    URL_SAFE_NO_PAD.encode([account_id.0.as_bytes().as_slice(), &mac, &hidden].concat())
}

/// The account and the number of a link that [`sign`] made; none for anything else.
pub fn read(key: &MasterKey, text: &str) -> Option<(AccountId, PhoneNumber)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (account, rest) = bytes.split_at_checked(ACCOUNT_BYTES)?;
    let (given, hidden) = rest.split_at_checked(MAC_BYTES)?;
    let account_id = AccountId(Uuid::from_slice(account).ok()?);
    let plain = covered(key, account_id, given, hidden.try_into().ok()?);
    if !bool::from(mac(key, account_id, plain).ct_eq(given)) {
        return None;
    }
    let mut digits = [0; 8];
    digits[8 - NUMBER_BYTES..].copy_from_slice(&plain);
    let number = PhoneNumber::restore(&format!("+{}", u64::from_be_bytes(digits))).ok()?;
    Some((account_id, number))
}

fn mac(key: &MasterKey, account_id: AccountId, plain: [u8; NUMBER_BYTES]) -> [u8; MAC_BYTES] {
    let text = [account_id.0.as_bytes().as_slice(), &plain].concat();
    let mut mac = [0; MAC_BYTES];
    mac.copy_from_slice(&key.hash(Purpose::PreferenceLink, &text)[..MAC_BYTES]);
    mac
}

/// Covers a number, and uncovers it again.
fn covered(
    key: &MasterKey,
    account_id: AccountId,
    mac: &[u8],
    number: [u8; NUMBER_BYTES],
) -> [u8; NUMBER_BYTES] {
    let seed = [account_id.0.as_bytes().as_slice(), mac].concat();
    let pad = key.hash(Purpose::PreferenceNumber, &seed);
    std::array::from_fn(|place| number[place] ^ pad[place])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Randomness;

    #[test]
    fn a_link_names_one_number_of_one_account_and_shows_neither() {
        let directory = tempfile::tempdir().unwrap();
        let key = MasterKey::in_directory(directory.path(), &Randomness::seeded(1)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let other = MasterKey::in_directory(directory.path(), &Randomness::seeded(2)).unwrap();
        let account_id = AccountId(Uuid::from_u128(7));
        for e164 in ["+447400123456", "+4915112345678", "+999100000000123", "+6831234"] {
            let number = PhoneNumber::restore(e164).unwrap();
            let link = sign(&key, account_id, &number);
            assert_eq!((link.len(), LINK_CHARS), (44, 44));
            assert_eq!(read(&key, &link), Some((account_id, number)));
            assert_eq!(read(&other, &link), None);
            assert_ne!(link, sign(&key, AccountId(Uuid::from_u128(8)), &number));
            for place in 0..link.len() {
                let mut changed = link.clone().into_bytes();
                changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
                assert_eq!(read(&key, std::str::from_utf8(&changed).unwrap()), None, "{place}");
            }
        }
        for text in ["", "é", "AAAA", &"A".repeat(44), &"A".repeat(1_000)] {
            assert_eq!(read(&key, text), None);
        }
    }
}
