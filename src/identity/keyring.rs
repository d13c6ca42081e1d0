//! The keys that sign access tokens: made at first need, sealed in the store, held in memory.
//!
//! The newest key that is not retired signs. A retired one still verifies until the last token
//! that any node may have signed with it is over.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entity::signing_key;
use entity::time::UnixMillis;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::store::signing_keys as store;
use super::tokens::LEEWAY_MS;
use crate::ctx::Platform;
use crate::error::Failed;
use crate::keys::Purpose;

/// The keys are read anew this often, in milliseconds: a node may sign with a key for this long
/// after another has retired it.
const RELOAD_MS: i64 = 60_000;
/// An unknown `kid` makes us look for a new key at most this often, in milliseconds.
const UNKNOWN_RELOAD_MS: i64 = 1_000;

/// The key that signs.
pub(super) struct SigningKey {
    pub(super) kid: String,
    pub(super) private: EncodingKey,
}

struct VerifyingKey {
    key: DecodingKey,
    public: [u8; 32],
}

/// The keys as they were read.
pub(super) struct KeySet {
    signing: Option<Arc<SigningKey>>,
    verifying: HashMap<String, VerifyingKey>,
    read_at: UnixMillis,
}

impl KeySet {
    pub(super) fn verifying(&self, kid: &str) -> Option<&DecodingKey> {
        self.verifying.get(kid).map(|key| &key.key)
    }

    #[cfg(test)]
    pub(super) fn public(&self, kid: &str) -> Option<[u8; 32]> {
        self.verifying.get(kid).map(|key| key.public)
    }

    /// The public keys as a JWK set (RFC 7517, 5; RFC 8037, 2).
    fn jwks(&self) -> serde_json::Value {
        let mut keys: Vec<_> = self.verifying.iter().collect();
        keys.sort_by_key(|(kid, _)| *kid);
        let keys: Vec<_> = keys
            .into_iter()
            .map(|(kid, key)| {
                let x = URL_SAFE_NO_PAD.encode(key.public);
                json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
                        "kid": kid, "x": x })
            })
            .collect();
        json!({ "keys": keys })
    }
}

/// Holds the keys of this node.
#[derive(Default)]
pub(super) struct Keyring {
    keys: RwLock<Option<Arc<KeySet>>>,
    /// One reader at a time.
    reading: tokio::sync::Mutex<()>,
}

impl Keyring {
    /// The key to sign with, made if there is none.
    pub(super) async fn signing(&self, platform: &Platform) -> Result<Arc<SigningKey>, Failed> {
        if let Some(key) = &self.fresh(platform, RELOAD_MS).await?.signing {
            return Ok(Arc::clone(key));
        }
        // Two nodes may both make one at first: both then verify, and the newer one signs.
        let row = generate(platform);
        let row = &row;
        platform.db.write(|tx| async move { store::insert(&tx, row).await }).await?;
        self.forget();
        let keys = self.fresh(platform, RELOAD_MS).await?;
        keys.signing.clone().ok_or_else(|| Failed::internal("the new signing key is not there"))
    }

    /// The keys to verify a token signed with `kid`.
    pub(super) async fn for_kid(
        &self,
        platform: &Platform,
        kid: &str,
    ) -> Result<Arc<KeySet>, Failed> {
        let keys = self.fresh(platform, RELOAD_MS).await?;
        if keys.verifying.contains_key(kid) {
            return Ok(keys);
        }
        // Another node may have made it a moment ago.
        self.fresh(platform, UNKNOWN_RELOAD_MS).await
    }

    /// The public keys.
    pub(super) async fn jwks(&self, platform: &Platform) -> Result<serde_json::Value, Failed> {
        Ok(self.fresh(platform, RELOAD_MS).await?.jwks())
    }

    /// Makes a new key and retires the others. Tokens signed with them stay good.
    pub(super) async fn rotate(&self, platform: &Platform) -> Result<String, Failed> {
        let row = generate(platform);
        let (new, now) = (&row, platform.clock.now());
        let rotate = |tx| async move {
            store::retire_all(&tx, now).await?;
            store::insert(&tx, new).await
        };
        platform.db.write(rotate).await?;
        self.forget();
        Ok(row.kid)
    }

    fn forget(&self) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn held(&self, platform: &Platform, age_ms_max: i64) -> Option<Arc<KeySet>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let keys = keys.as_ref()?;
        let fresh = platform.clock.now().since(keys.read_at) < age_ms_max;
        fresh.then(|| Arc::clone(keys))
    }

    /// The keys, read at most `age_ms_max` ago.
    async fn fresh(&self, platform: &Platform, age_ms_max: i64) -> Result<Arc<KeySet>, Failed> {
        if let Some(keys) = self.held(platform, age_ms_max) {
            return Ok(keys);
        }
        let _one = self.reading.lock().await;
        if let Some(keys) = self.held(platform, age_ms_max) {
            return Ok(keys);
        }
        let keys = Arc::new(read(platform).await?);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&keys));
        Ok(keys)
    }
}

/// Keys that were retired before this verify nothing any more.
pub(super) fn retired_before(platform: &Platform) -> UnixMillis {
    let token_ms = platform.settings.identity.access_token_ttl_s * 1_000;
    platform.clock.now().plus_ms(-(token_ms + RELOAD_MS + LEEWAY_MS))
}

async fn read(platform: &Platform) -> Result<KeySet, Failed> {
    let read_at = platform.clock.now();
    let rows = store::usable(platform.db.reader(), retired_before(platform)).await?;
    let mut keys = KeySet { signing: None, verifying: HashMap::new(), read_at };
    // Newest first.
    for row in rows {
        if keys.signing.is_none() && row.retired_at_ms.is_none() {
            let private = platform
                .master_key
                .open(Purpose::SigningKey, row.kid.as_bytes(), &row.sealed_private)
                .map_err(Failed::internal)?;
            let private = EncodingKey::from_ed_der(&private);
            keys.signing = Some(Arc::new(SigningKey { kid: row.kid.clone(), private }));
        }
        let public: [u8; 32] = row
            .public_key
            .try_into()
            .map_err(|_| Failed::internal("a signing key in the store is not of 32 bytes"))?;
        keys.verifying.insert(row.kid, verifying_key(public));
    }
    Ok(keys)
}

fn verifying_key(public: [u8; 32]) -> VerifyingKey {
    // The library names it DER and means the 32 bytes themselves.
    VerifyingKey { key: DecodingKey::from_ed_der(&public), public }
}

fn generate(platform: &Platform) -> signing_key::Model {
    let seed = zeroize::Zeroizing::new(platform.randomness.bytes::<32>());
    let pair = key_pair(&seed);
    let public = public_key(&pair);
    let kid = thumbprint(&public);
    let private = pair.to_pkcs8v1().expect("a key pair has a PKCS #8 form");
    signing_key::Model {
        sealed_private: platform.master_key.seal(
            Purpose::SigningKey,
            kid.as_bytes(),
            private.as_ref(),
            &platform.randomness,
        ),
        kid,
        public_key: public.to_vec(),
        created_at_ms: platform.clock.now(),
        retired_at_ms: None,
    }
}

fn key_pair(seed: &[u8; 32]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are an Ed25519 seed (RFC 8032)")
}

fn public_key(pair: &Ed25519KeyPair) -> [u8; 32] {
    pair.public_key().as_ref().try_into().expect("Ed25519 public keys have 32 bytes")
}

/// The JWK thumbprint (RFC 7638, 3; RFC 8037, 2): the key names itself.
fn thumbprint(public: &[u8; 32]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public);
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A set of one key, and that key to sign with.
    pub(in super::super) fn key_set(seed: u8) -> (KeySet, SigningKey) {
        let pair = key_pair(&[seed; 32]);
        let public = public_key(&pair);
        let kid = thumbprint(&public);
        let private = EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref());
        let verifying = HashMap::from([(kid.clone(), verifying_key(public))]);
        let set = KeySet { signing: None, verifying, read_at: UnixMillis(0) };
        (set, SigningKey { kid, private })
    }

    #[test]
    fn the_key_names_itself_as_in_rfc_8037() {
        // RFC 8037, appendix A.2 and A.3.
        let public = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let public: [u8; 32] = public.try_into().unwrap();
        assert_eq!(thumbprint(&public), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn the_set_shows_public_keys_only() {
        let (set, signing) = key_set(7);
        let jwks = set.jwks();
        let key = &jwks["keys"][0];
        assert_eq!(key["kid"], signing.kid);
        let mut members: Vec<_> = key.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"]);
    }
}
