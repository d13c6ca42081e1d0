//! What may be a password. Hashing stands in `hasher.rs`.
//!
//! Length is what counts (NIST SP 800-63B, 3.1.1.2): no rule asks for digits or symbols, but what
//! everybody guesses first is refused.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::model::Email;
use crate::types::secret::SecretText;

/// Fewest characters.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Most characters: more would only cost us time to hash.
pub const PASSWORD_CHARS_MAX: usize = 128;
/// A password that repeats a piece of at most this many characters is refused.
const REPEATED_CHARS_MAX: usize = 6;

static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    include_str!("common_passwords.txt").lines().filter(|line| !line.starts_with('#')).collect()
});

/// A password that satisfies the rules and may be set.
#[derive(Clone)]
pub struct NewPassword(SecretText);

/// Why a password may not be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Under [`PASSWORD_CHARS_MIN`].
    #[error("a password has at least {PASSWORD_CHARS_MIN} characters")]
    TooShort,
    /// Over [`PASSWORD_CHARS_MAX`].
    #[error("a password has at most {PASSWORD_CHARS_MAX} characters")]
    TooLong,
    /// On the list, a repetition, a sequence, or made of the e-mail address.
    #[error("this password is among those that are guessed first")]
    TooCommon,
}

impl NewPassword {
    /// Checks a password that `email`'s owner wants.
    ///
    /// # Errors
    /// [`PasswordFault`].
    pub fn parse(password: SecretText, email: &Email) -> Result<Self, PasswordFault> {
        let chars = password.expose().chars().count();
        if chars < PASSWORD_CHARS_MIN {
            return Err(PasswordFault::TooShort);
        }
        if chars > PASSWORD_CHARS_MAX {
            return Err(PasswordFault::TooLong);
        }
        if is_common(password.expose(), email) {
            return Err(PasswordFault::TooCommon);
        }
        Ok(Self(password))
    }

    /// The text.
    pub(super) const fn secret(&self) -> &SecretText {
        &self.0
    }
}

/// Whether a text is short enough to be compared with a hash at all.
pub(super) fn may_be_password(text: &SecretText) -> bool {
    text.expose().chars().nth(PASSWORD_CHARS_MAX).is_none()
}

fn is_common(password: &str, email: &Email) -> bool {
    let lower = password.to_lowercase();
    let word = lower.trim_matches(|c: char| !c.is_alphabetic());
    COMMON.contains(lower.as_str())
        || COMMON.contains(word)
        || is_repetition(&lower)
        || is_sequence(&lower)
        || lower == email.as_str()
        || word == email.local_part()
}

/// `abcabcabcabc`, `passwordpassword`.
fn is_repetition(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let halves = chars.len().is_multiple_of(2).then_some(chars.len() / 2);
    (1..=REPEATED_CHARS_MAX)
        .chain(halves)
        .any(|piece| chars.iter().zip(&chars[piece.min(chars.len())..]).all(|(a, b)| a == b))
}

/// Each character the next, or the one before, of the character before it; digits go round.
fn is_sequence(text: &str) -> bool {
    let chars: Vec<u32> = text.chars().map(u32::from).collect();
    let (nine, zero) = (u32::from('9'), u32::from('0'));
    let up = |pair: &[u32]| pair[0] + 1 == pair[1] || (pair[0] == nine && pair[1] == zero);
    let down = |pair: &[u32]| pair[1] + 1 == pair[0] || (pair[0] == zero && pair[1] == nine);
    chars.windows(2).all(up) || chars.windows(2).all(down)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(password: &str) -> Option<PasswordFault> {
        let email = Email::parse("ada.lovelace@example.com").unwrap();
        NewPassword::parse(SecretText::new(password.to_owned()), &email).err()
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(fault("short-pass1"), Some(PasswordFault::TooShort));
        assert_eq!(fault("short-pass12"), None);
        assert_eq!(fault("žluťoučký k"), Some(PasswordFault::TooShort));
        assert_eq!(fault("žluťoučký kůň"), None);
        let long: String = (0..64).map(|n| format!("{:02}", n * 37 % 100)).collect();
        assert_eq!((long.len(), fault(&long)), (128, None));
        assert_eq!(fault(&format!("{long}x")), Some(PasswordFault::TooLong));
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for password in [
            "qwertyqwerty",
            "QWERTY123456",
            "password1234",
            "Password2026!",
            "passwordpassword",
            "aaaaaaaaaaaaaaa",
            "abcabcabcabcabc",
            "123456789012",
            "987654321098",
            "abcdefghijklmnop",
            "ada.lovelace@example.com",
            "ada.lovelace2026",
        ] {
            assert_eq!(fault(password), Some(PasswordFault::TooCommon), "{password}");
        }
        for password in ["correct horse battery", "r4nd0m-0f-c0urse", "paßwort für alle"] {
            assert_eq!(fault(password), None, "{password}");
        }
    }

    #[test]
    fn the_list_is_as_its_head_says() {
        assert!(COMMON.len() > 1_500);
        assert!(COMMON.iter().all(|line| *line == line.to_lowercase() && !line.is_empty()));
    }
}
