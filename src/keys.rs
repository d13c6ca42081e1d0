//! The master key and what is made from it: keyed hashes (lookups of what must not be stored) and
//! seals (secrets that must come back). Not here: message content keys, which are per account.

use std::io::Write;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::sys::Randomness;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// The master key's file in the data directory.
pub const MASTER_KEY_FILE: &str = "master.key";

/// What a derived key is for. Each has a key of its own, so that a hash made for one purpose says
/// nothing about another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Hashes of API keys.
    ApiKey,
    /// Hashes of refresh tokens.
    RefreshToken,
    /// Hashes of one-time links.
    OneTimeLink,
    /// Hashes of e-mails and addresses in the log-in throttle.
    LoginThrottle,
    /// Hashes of idempotent inputs.
    Idempotency,
    /// Seals of token-signing keys.
    SigningKey,
    /// Seals of carrier passwords.
    CarrierPassword,
    /// Hashes of voucher codes.
    VoucherCode,
    /// The chain of the ledger.
    Ledger,
    /// Hashes of what was posted under a key.
    LedgerRequest,
    /// Hashes of webhooks' bodies.
    WebhookBody,
    /// Seals of payment processors' secrets and keys.
    Processor,
    /// Hashes of the numbers of contacts.
    ContactNumber,
    /// Hashes of what imports were asked for.
    ContactImport,
    /// Seals of imported files, and of what is wrong with them.
    ImportPart,
    /// Hashes that sign links to files.
    FileLink,
    /// Hashes that sign links to preference pages.
    PreferenceLink,
    /// Hashes that hide the number in such a link.
    PreferenceNumber,
    /// The key that enciphers short links.
    ShortLink,
    /// The proof that an account owns a host.
    LinkDomain,
    /// The hash by which an installation knows its master key again.
    Installation,
    /// The keys that split the recipients of campaigns among variants.
    CampaignSplit,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::ApiKey => b"heliograph/v1/api-key",
            Self::RefreshToken => b"heliograph/v1/refresh-token",
            Self::OneTimeLink => b"heliograph/v1/one-time-link",
            Self::LoginThrottle => b"heliograph/v1/login-throttle",
            Self::Idempotency => b"heliograph/v1/idempotency",
            Self::SigningKey => b"heliograph/v1/signing-key",
            Self::CarrierPassword => b"heliograph/v1/carrier-password",
            Self::VoucherCode => b"heliograph/v1/voucher-code",
            Self::Ledger => b"heliograph/v1/ledger",
            Self::LedgerRequest => b"heliograph/v1/ledger-request",
            Self::WebhookBody => b"heliograph/v1/webhook-body",
            Self::Processor => b"heliograph/v1/processor",
            Self::ContactNumber => b"heliograph/v1/contact-number",
            Self::ContactImport => b"heliograph/v1/contact-import",
            Self::ImportPart => b"heliograph/v1/import-part",
            Self::FileLink => b"heliograph/v1/file-link",
            Self::PreferenceLink => b"heliograph/v1/preference-link",
            Self::PreferenceNumber => b"heliograph/v1/preference-number",
            Self::ShortLink => b"heliograph/v1/short-link",
            Self::LinkDomain => b"heliograph/v1/link-domain",
            Self::Installation => b"heliograph/v1/installation",
            Self::CampaignSplit => b"heliograph/v1/campaign-split",
        }
    }
}

/// The master key. It has no text form.
pub struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey")
    }
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// It is not base64 of 32 bytes.
    #[error("the master key must be 32 bytes in base64")]
    Malformed,
    /// The file cannot be read or made.
    #[error("the master key file {path} cannot be used")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Sealed bytes that do not open: another key, another place, or changed.
#[derive(Debug, thiserror::Error)]
#[error("sealed with another master key, or damaged")]
pub struct Unsealable;

impl MasterKey {
    /// Reads base64 of 32 bytes.
    ///
    /// # Errors
    /// [`MasterKeyError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let bytes =
            Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| MasterKeyError::Malformed)?);
        let key = bytes.as_slice().try_into().map_err(|_| MasterKeyError::Malformed)?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// The key in `directory`, made (readable by its owner only) if there is none.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn in_directory(directory: &Path, randomness: &Randomness) -> Result<Self, MasterKeyError> {
        let path = directory.join(MASTER_KEY_FILE);
        let failed = |source| MasterKeyError::File { path: path.display().to_string(), source };
        std::fs::create_dir_all(directory).map_err(failed)?;
        if !path.exists() {
            let text = Zeroizing::new(STANDARD.encode(randomness.bytes::<KEY_BYTES>()));
            // Written whole under another name first: two processes that start at once end with
            // one key, since a hard link is made once.
            let draft = directory.join(format!("{MASTER_KEY_FILE}.{}", std::process::id()));
            write_private(&draft, &text).map_err(failed)?;
            let linked = std::fs::hard_link(&draft, &path);
            std::fs::remove_file(&draft).map_err(failed)?;
            if let Err(error) = linked
                && error.kind() != std::io::ErrorKind::AlreadyExists
            {
                return Err(failed(error));
            }
        }
        Self::parse(&Zeroizing::new(std::fs::read_to_string(&path).map_err(failed)?))
    }

    /// A keyed hash (HMAC-SHA256) of `data`.
    pub fn hash(&self, purpose: Purpose, data: &[u8]) -> [u8; 32] {
        hmac(self.derived(purpose).as_slice(), &[data])
    }

    /// Seals `plain` so that it opens only under the same purpose and `place` (what row it is in).
    pub fn seal(
        &self,
        purpose: Purpose,
        place: &[u8],
        plain: &[u8],
        randomness: &Randomness,
    ) -> Vec<u8> {
        let nonce = randomness.bytes::<NONCE_BYTES>();
        let sealed = self
            .cipher(purpose)
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: place })
            .expect("XChaCha20-Poly1305 refuses only texts of 256 GiB and more");
        [nonce.as_slice(), &sealed].concat()
    }

    /// Opens what [`seal`](Self::seal) made.
    ///
    /// # Errors
    /// [`Unsealable`].
    pub fn open(
        &self,
        purpose: Purpose,
        place: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or(Unsealable)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| Unsealable)?;
        self.cipher(purpose)
            .decrypt(&XNonce::from(nonce), Payload { msg: sealed, aad: place })
            .map(Zeroizing::new)
            .map_err(|_| Unsealable)
    }

    fn cipher(&self, purpose: Purpose) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.derived(purpose)))
    }

    fn derived(&self, purpose: Purpose) -> Zeroizing<[u8; KEY_BYTES]> {
        Zeroizing::new(hmac(self.0.as_slice(), &[purpose.label()]))
    }
}

fn hmac(key: &[u8], data: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key)
        .expect("HMAC takes keys of any length");
    for part in data {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(unix)]
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(not(unix))]
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_opens_only_with_its_key_purpose_and_place() {
        let randomness = Randomness::seeded(1);
        let key = MasterKey(Zeroizing::new(randomness.bytes()));
        let other = MasterKey(Zeroizing::new(randomness.bytes()));
        let sealed = key.seal(Purpose::SigningKey, b"here", b"secret", &randomness);
        let open = |key: &MasterKey, purpose, place: &[u8], sealed: &[u8]| {
            key.open(purpose, place, sealed).ok().map(|plain| plain.to_vec())
        };
        assert_eq!(open(&key, Purpose::SigningKey, b"here", &sealed), Some(b"secret".to_vec()));
        assert_eq!(open(&other, Purpose::SigningKey, b"here", &sealed), None);
        assert_eq!(open(&key, Purpose::CarrierPassword, b"here", &sealed), None);
        assert_eq!(open(&key, Purpose::SigningKey, b"there", &sealed), None);
        assert_eq!(open(&key, Purpose::SigningKey, b"here", &sealed[1..]), None);
        assert_eq!(open(&key, Purpose::SigningKey, b"here", &[]), None);
    }

    #[test]
    fn a_directory_keeps_its_key() {
        let directory = tempfile::tempdir().unwrap();
        let first = MasterKey::in_directory(directory.path(), &Randomness::seeded(1)).unwrap();
        let again = MasterKey::in_directory(directory.path(), &Randomness::seeded(2)).unwrap();
        assert_eq!(first.hash(Purpose::ApiKey, b"x"), again.hash(Purpose::ApiKey, b"x"));
        assert_ne!(first.hash(Purpose::ApiKey, b"x"), first.hash(Purpose::RefreshToken, b"x"));
    }
}
