//! Access tokens: what they say and how they are written (RFC 9068, RFC 8037). EdDSA only; the
//! keys stand in `keyring.rs`. A token that reads well still needs its session to be alive, which
//! `authenticate.rs` looks up.

use entity::ids::{AccountId, PersonId, SessionId};
use entity::time::UnixMillis;
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};

use super::keyring::{KeySet, SigningKey};
use crate::error::Failed;
use crate::types::secret::SecretText;

/// Header `typ` of access tokens (RFC 9068, 2.1): no other kind of token passes for one.
const TYPE: &str = "at+jwt";
/// How far the clocks of two nodes may be apart, in seconds.
const LEEWAY_S: i64 = 5;
/// Ours have about 500 characters.
const TOKEN_CHARS_MAX: usize = 2_048;

/// Who makes tokens and whom they are for.
#[derive(Clone, Debug)]
pub(super) struct Parties {
    pub(super) issuer: String,
    pub(super) audience: String,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: String,
    pub(super) sub: PersonId,
    pub(super) sid: SessionId,
    pub(super) acct: AccountId,
    /// Seconds since 1970.
    pub(super) iat: i64,
    /// Seconds since 1970.
    pub(super) exp: i64,
}

impl Claims {
    /// When the token expires.
    pub(super) const fn expires_at(&self) -> UnixMillis {
        UnixMillis(self.exp.saturating_mul(1_000))
    }
}

/// Signs `claims`.
pub(super) fn sign(key: &SigningKey, claims: &Claims) -> Result<SecretText, Failed> {
    let header = Header {
        typ: Some(TYPE.to_owned()),
        kid: Some(key.kid.clone()),
        ..Header::new(Algorithm::EdDSA)
    };
    jsonwebtoken::encode(&header, claims, &key.private)
        .map(SecretText::new)
        .map_err(Failed::internal)
}

/// The `kid` of a token that could be one of ours.
pub(super) fn key_id(token: &str) -> Option<String> {
    if token.len() > TOKEN_CHARS_MAX {
        return None;
    }
    let header = jsonwebtoken::decode_header(token).ok()?;
    let ours = header.alg == Algorithm::EdDSA
        && header.typ.as_deref() == Some(TYPE)
        // RFC 7515, 4.1.11: what we do not understand we refuse, and we understand no extension.
        && header.crit.is_none();
    if ours { header.kid } else { None }
}

/// What a token says, if one of our keys signed it for us and it is not over.
pub(super) fn verify(
    token: &str,
    kid: &str,
    keys: &KeySet,
    parties: &Parties,
    now: UnixMillis,
) -> Option<Claims> {
    let key = keys.verifying(kid)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[&parties.audience]);
    validation.set_issuer(&[&parties.issuer]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The library reads the machine's clock; ours is compared below.
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(token, key, &validation).ok()?.claims;
    let now_s = now.0.div_euclid(1_000);
    let in_time = claims.exp + LEEWAY_S > now_s && claims.iat - LEEWAY_S <= now_s;
    in_time.then_some(claims)
}

/// How long a token may pass after its `exp`, in milliseconds.
pub(super) const LEEWAY_MS: i64 = LEEWAY_S * 1_000;

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use uuid::Uuid;

    use super::super::keyring::tests::key_set;
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn parties() -> Parties {
        Parties { issuer: "https://sms.example".into(), audience: "https://sms.example/g".into() }
    }

    fn claims() -> Claims {
        Claims {
            iss: parties().issuer,
            aud: parties().audience,
            sub: PersonId(Uuid::from_u128(1)),
            sid: SessionId(Uuid::from_u128(2)),
            acct: AccountId(Uuid::from_u128(3)),
            iat: NOW.0 / 1_000,
            exp: NOW.0 / 1_000 + 600,
        }
    }

    fn read(keys: &KeySet, token: &str, now: UnixMillis) -> Option<Claims> {
        verify(token, &key_id(token)?, keys, &parties(), now)
    }

    #[test]
    fn a_token_reads_back_until_it_expires() {
        let (keys, signing) = key_set(1);
        let token = sign(&signing, &claims()).unwrap();
        let at = |offset_ms| read(&keys, token.expose(), NOW.plus_ms(offset_ms));
        assert_eq!(at(0), Some(claims()));
        assert_eq!(at(600_000 + LEEWAY_MS - 1), Some(claims()));
        assert_eq!(at(600_000 + LEEWAY_MS), None);
        assert_eq!(at(-LEEWAY_MS), Some(claims()));
        assert_eq!(at(-LEEWAY_MS - 1), None);
    }

    #[test]
    fn other_keys_parties_and_kinds_of_token_are_refused() {
        let (keys, signing) = key_set(1);
        let (_, stranger) = key_set(2);
        let refused = |token: &str| assert_eq!(read(&keys, token, NOW), None, "{token}");
        refused(sign(&stranger, &claims()).unwrap().expose());
        let forged = SigningKey { kid: signing.kid.clone(), ..stranger };
        refused(sign(&forged, &claims()).unwrap().expose());
        let elsewhere = Claims { aud: "https://other.example".into(), ..claims() };
        refused(sign(&signing, &elsewhere).unwrap().expose());
        let other = Claims { iss: "https://other.example".into(), ..claims() };
        refused(sign(&signing, &other).unwrap().expose());
        let header = Header { kid: Some(signing.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        refused(&jsonwebtoken::encode(&header, &claims(), &signing.private).unwrap());
        refused("");
        refused(&"x".repeat(TOKEN_CHARS_MAX + 1));
    }

    #[test]
    fn no_signature_and_another_algorithm_are_refused() {
        let (keys, signing) = key_set(1);
        let good = sign(&signing, &claims()).unwrap();
        let mut parts = good.expose().split('.');
        let (_, payload) = (parts.next(), parts.next().unwrap());
        for alg in ["none", "HS256"] {
            let header = serde_json::json!({ "alg": alg, "typ": TYPE, "kid": signing.kid });
            let header = URL_SAFE_NO_PAD.encode(header.to_string());
            assert_eq!(read(&keys, &format!("{header}.{payload}."), NOW), None);
            // The public key as an HMAC secret: the classic confusion.
            let confused = jsonwebtoken::crypto::sign(
                format!("{header}.{payload}").as_bytes(),
                &jsonwebtoken::EncodingKey::from_secret(&keys.public(&signing.kid).unwrap()),
                Algorithm::HS256,
            );
            let confused = format!("{header}.{payload}.{}", confused.unwrap());
            assert_eq!(read(&keys, &confused, NOW), None);
        }
    }
}
