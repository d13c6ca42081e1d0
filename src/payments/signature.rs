//! What the processors' signatures have in common: MACs compared in constant time, one header and
//! not two, a time that is near. Which header, and what is signed, is each processor's own.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use entity::time::UnixMillis;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::{Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};

use super::processor::{EndpointSecrets, Refusal};
use crate::types::secret::SecretText;

/// How far a signed time may lie from now, either way, in milliseconds. Stripe's own libraries'
/// default; PayMongo's documentation advises the same.
pub(super) const CLOCK_SKEW_MS_MAX: i64 = 300_000;

/// The signatures read of one header. A processor sends one for each of at most two secrets, and
/// Stripe further ones of other schemes.
pub(super) const SIGNATURES_MAX: usize = 16;

/// The one value of a header.
///
/// # Errors
///
/// A bad signature if it is missing, not ASCII, or there twice: then it would depend on the
/// reader which one counts.
pub(super) fn single_header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().map_err(|_| Refusal::BadSignature),
        _ => Err(Refusal::BadSignature),
    }
}

/// A signed time in whole seconds.
///
/// # Errors
///
/// A bad signature if it is not 1 to 12 digits.
pub(super) fn signed_time(text: &str) -> Result<UnixMillis, Refusal> {
    if text.is_empty() || text.len() > 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::BadSignature);
    }
    let seconds: i64 = text.parse().map_err(|_| Refusal::BadSignature)?;
    Ok(UnixMillis(seconds * 1000))
}

/// # Errors
///
/// Stale if the time is too far from now, in the past or in the future.
pub(super) fn is_near(signed_at: UnixMillis, now: UnixMillis) -> Result<(), Refusal> {
    if now.since(signed_at).saturating_abs() > CLOCK_SKEW_MS_MAX {
        return Err(Refusal::Stale);
    }
    Ok(())
}

/// Which MAC a processor uses.
#[derive(Clone, Copy)]
pub(super) enum Algorithm {
    HmacSha256,
    HmacSha512,
}

/// Whether one of the candidates, in hex, is the MAC of the parts under one of the secrets. All
/// candidates are compared with all secrets, in the same time whatever matches.
///
/// # Errors
///
/// A bad signature if none is.
pub(super) fn verify_any(
    algorithm: Algorithm,
    secrets: &EndpointSecrets<'_>,
    parts: &[&[u8]],
    candidates: &[&str],
) -> Result<(), Refusal> {
    let candidates: Vec<Vec<u8>> = candidates
        .iter()
        .take(SIGNATURES_MAX)
        .filter_map(|candidate| HEXLOWER_PERMISSIVE.decode(candidate.as_bytes()).ok())
        .collect();
    let mut matched = Choice::from(0);
    for secret in secrets.all() {
        let expected = algorithm.mac(secret, parts);
        for candidate in &candidates {
            matched |= expected.ct_eq(candidate);
        }
    }
    if bool::from(matched) { Ok(()) } else { Err(Refusal::BadSignature) }
}

impl Algorithm {
    fn mac(self, secret: &SecretText, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::HmacSha256 => mac::<Hmac<Sha256>>(secret.expose().as_bytes(), parts),
            Self::HmacSha512 => mac::<Hmac<Sha512>>(secret.expose().as_bytes(), parts),
        }
    }
}

/// The MAC of the parts, in hex: for what we sign ourselves.
pub(super) fn hex_mac(algorithm: Algorithm, secret: &SecretText, parts: &[&[u8]]) -> String {
    HEXLOWER.encode(&algorithm.mac(secret, parts))
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// Whether the token is one of the secrets; in the same time whichever it is.
///
/// # Errors
///
/// A bad signature if it is not.
pub(super) fn verify_token(secrets: &EndpointSecrets<'_>, token: &str) -> Result<(), Refusal> {
    let mut matched = Choice::from(0);
    for secret in secrets.all() {
        matched |= secret.expose().as_bytes().ct_eq(token.as_bytes());
    }
    if bool::from(matched) { Ok(()) } else { Err(Refusal::BadSignature) }
}
