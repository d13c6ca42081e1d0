//! The bytes of a webhook, as they came. They may hold a person's data, so this type cannot be
//! shown, logged, stored or copied: it is made, consumed by [`receive`](super::processor::receive),
//! and wiped.
//!
//! Formatting does not compile:
//!
//! ```compile_fail,E0277
//! let body = heliograph::payments::raw_body::RawBody::new(b"{}".to_vec()).ok().unwrap();
//! format!("{body:?}");
//! ```
//!
//! ```compile_fail,E0277
//! let body = heliograph::payments::raw_body::RawBody::new(b"{}".to_vec()).ok().unwrap();
//! format!("{body}");
//! ```
//!
//! Nor does logging:
//!
//! ```compile_fail,E0277
//! let body = heliograph::payments::raw_body::RawBody::new(b"{}".to_vec()).ok().unwrap();
//! tracing::info!(?body, "received");
//! ```
//!
//! Nor cloning, serializing, or reading the bytes:
//!
//! ```compile_fail,E0599
//! let body = heliograph::payments::raw_body::RawBody::new(b"{}".to_vec()).ok().unwrap();
//! let _ = body.clone();
//! ```
//!
//! ```compile_fail,E0277
//! let body = heliograph::payments::raw_body::RawBody::new(b"{}".to_vec()).ok().unwrap();
//! serde_json::to_string(&body);
//! ```
//!
//! ```compile_fail,E0624
//! let body = heliograph::payments::raw_body::RawBody::new(b"{}".to_vec()).ok().unwrap();
//! body.bytes();
//! ```
//!
//! What does compile, so that the samples above fail for their own reason:
//!
//! ```
//! let body = heliograph::payments::raw_body::RawBody::new(b"{}".to_vec()).ok().unwrap();
//! assert_eq!(body.length_bytes(), 2);
//! ```

use thiserror::Error;
use zeroize::Zeroizing;

/// The longest webhook taken, in bytes. The largest events that Stripe documents (an invoice with
/// all its lines) stay under 100 KiB.
pub const RAW_BODY_BYTES_MAX: usize = 256 * 1024;

/// The body is longer than [`RAW_BODY_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the webhook is longer than {RAW_BODY_BYTES_MAX} bytes")]
pub struct TooLong;

/// The bytes of a webhook.
pub struct RawBody(Zeroizing<Vec<u8>>);

impl RawBody {
    /// Takes the bytes over; their buffer is wiped when this is dropped. (Copies that the caller
    /// made before are the caller's.)
    ///
    /// # Errors
    ///
    /// [`TooLong`]; the bytes are wiped then, too.
    pub fn new(bytes: Vec<u8>) -> Result<Self, TooLong> {
        let body = Self(Zeroizing::new(bytes));
        if body.length_bytes() > RAW_BODY_BYTES_MAX { Err(TooLong) } else { Ok(body) }
    }

    /// How long it is.
    pub fn length_bytes(&self) -> usize {
        self.0.len()
    }

    /// For the signature's check and the parser alone.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use static_assertions::assert_not_impl_any;

    use super::*;

    // Fails to compile as soon as one of these is implemented, also where doc tests are not run.
    assert_not_impl_any!(
        RawBody: std::fmt::Debug, std::fmt::Display, Clone, serde::Serialize, AsRef<[u8]>,
        std::ops::Deref, IntoIterator, Into<Vec<u8>>, tracing::Value
    );

    #[test]
    fn a_byte_too_many_is_refused() {
        let body = RawBody::new(vec![b' '; RAW_BODY_BYTES_MAX]).map(|body| body.length_bytes());
        assert_eq!(body, Ok(RAW_BODY_BYTES_MAX));
        let body = RawBody::new(vec![b' '; RAW_BODY_BYTES_MAX + 1]).map(|body| body.length_bytes());
        assert_eq!(body, Err(TooLong));
    }
}
