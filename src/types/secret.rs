//! Values that are never shown: keys, tokens, passwords. Their `Debug` says nothing, their memory
//! is wiped when they are dropped, and they are compared in constant time.
//!
//! Not encryption and not hashing. Whoever needs the value calls `expose`, which is easy to find.

use std::fmt;

use secrecy::{ExposeSecret, SecretBox, SecretString};
use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// What is shown in place of a secret.
const REDACTED: &str = "[redacted]";

/// Exactly `N` secret bytes: a key, the raw form of a token.
pub struct Secret<const N: usize>(SecretBox<[u8; N]>);

/// A secret text: a password, a carrier's credentials, a token as it is written.
pub struct SecretText(SecretString);

impl<const N: usize> Secret<N> {
    /// Takes the bytes and wipes the array that it was given. (Copies that the caller made before
    /// are the caller's.)
    pub fn new(mut bytes: [u8; N]) -> Self {
        let secret = Self::copied(&bytes);
        bytes.zeroize();
        secret
    }

    /// From a slice of the right length, else `None`.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == N).then(|| Self::copied(bytes))
    }

    /// Filled in place, so that no copy is left on the stack.
    fn copied(bytes: &[u8]) -> Self {
        let mut boxed = Box::new([0; N]);
        boxed.copy_from_slice(bytes);
        Self(SecretBox::new(boxed))
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8; N] {
        self.0.expose_secret()
    }

    /// Whether the bytes are these; takes the same time wherever they differ. A different length
    /// shows at once.
    pub fn matches(&self, candidate: &[u8]) -> bool {
        self.expose().as_slice().ct_eq(candidate).into()
    }
}

impl SecretText {
    /// Takes the text over; its buffer is wiped.
    pub fn new(text: String) -> Self {
        let text = Zeroizing::new(text);
        Self(SecretString::from(text.as_str()))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether the text is this; takes the same time wherever they differ. A different length
    /// shows at once.
    pub fn matches(&self, candidate: &str) -> bool {
        self.expose().as_bytes().ct_eq(candidate.as_bytes()).into()
    }
}

impl<const N: usize> Clone for Secret<N> {
    fn clone(&self) -> Self {
        Self::copied(self.expose())
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.expose())
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Clone for SecretText {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.expose())
    }
}

impl Eq for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// From settings. There is no `Serialize`, on purpose.
impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_nothing() {
        let bytes = Secret::new(*b"hunter2");
        let text = SecretText::new("hunter2".to_owned());
        assert_eq!(format!("{bytes:?} {text:?}"), "[redacted] [redacted]");
    }

    #[test]
    fn compares_by_content() {
        let bytes = Secret::new(*b"hunter2");
        assert_eq!(bytes, bytes.clone());
        assert_eq!(Secret::from_slice(b"hunter2"), Some(bytes.clone()));
        assert_eq!(Secret::<7>::from_slice(b"hunter"), None);
        assert_ne!(bytes, Secret::new(*b"hunter3"));
        assert!(bytes.matches(b"hunter2") && !bytes.matches(b"hunter") && !bytes.matches(b""));
        let text = SecretText::new("hunter2".to_owned());
        assert_eq!(text, text.clone());
        assert!(text.matches("hunter2") && !text.matches("hunter22"));
        assert_eq!(text.expose(), "hunter2");
    }
}
