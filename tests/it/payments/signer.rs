//! Signs webhooks as the processors do, by another implementation of HMAC than the one that
//! verifies them.

use aws_lc_rs::hmac;
use data_encoding::HEXLOWER;
use entity::time::UnixMillis;
use heliograph::payments::processor::{
    Delivery, EndpointSecrets, Processor, Refusal, Verified, receive,
};
use heliograph::payments::raw_body::RawBody;
use heliograph::types::secret::SecretText;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The endpoint's secret in use.
pub(super) const SECRET: &str = "whsec_current";
/// The one that it replaces.
pub(super) const OLD_SECRET: &str = "whsec_old";
/// When webhooks arrive, in seconds.
pub(super) const NOW_S: i64 = 1_763_807_600;

/// What comes with a body.
#[derive(Clone, Default)]
pub(super) struct Request {
    pub(super) headers: HeaderMap,
    pub(super) path_token: Option<String>,
}

impl Request {
    fn with(name: &'static str, value: &str) -> Self {
        let mut request = Self::default();
        request.add(name, value);
        request
    }

    pub(super) fn add(&mut self, name: &'static str, value: &str) {
        let value = HeaderValue::from_str(value).expect("a header's value");
        self.headers.append(HeaderName::from_static(name), value);
    }
}

pub(super) fn hmac_sha256(secret: &str, parts: &[&[u8]]) -> String {
    tag(hmac::HMAC_SHA256, secret, parts)
}

fn tag(algorithm: hmac::Algorithm, secret: &str, parts: &[&[u8]]) -> String {
    let key = hmac::Key::new(algorithm, secret.as_bytes());
    HEXLOWER.encode(hmac::sign(&key, &parts.concat()).as_ref())
}

/// The header that carries the signature; none where it stands in the path.
pub(super) fn signature_header(processor: Processor) -> Option<&'static str> {
    match processor {
        Processor::Stripe => Some("stripe-signature"),
        Processor::Paystack => Some("x-paystack-signature"),
        Processor::PayMongo => Some("paymongo-signature"),
        Processor::Xendit => Some("x-callback-token"),
        Processor::MPesa => None,
    }
}

/// Whether the signature depends on the body.
pub(super) fn signs_body(processor: Processor) -> bool {
    !matches!(processor, Processor::Xendit | Processor::MPesa)
}

/// Whether the signature holds a time.
pub(super) fn signs_time(processor: Processor) -> bool {
    matches!(processor, Processor::Stripe | Processor::PayMongo)
}

/// Signs a body as the processor does.
pub(super) fn sign(processor: Processor, body: &[u8], secret: &str, time_s: i64) -> Request {
    let time = time_s.to_string();
    let timed = || hmac_sha256(secret, &[time.as_bytes(), b".", body]);
    let value = match processor {
        Processor::Stripe => format!("t={time},v1={}", timed()),
        Processor::PayMongo => format!("t={time},te=,li={}", timed()),
        Processor::Paystack => tag(hmac::HMAC_SHA512, secret, &[body]),
        Processor::Xendit | Processor::MPesa => secret.to_owned(),
    };
    match signature_header(processor) {
        Some(name) => {
            let mut request = Request::with(name, &value);
            if processor == Processor::Xendit {
                request.add("webhook-id", "wh-7c1d0bd2-54a1-4f2a-a6a7-2f1d3a5b9c0e");
            }
            request
        }
        None => Request { path_token: Some(value), ..Default::default() },
    }
}

/// Delivers a body with what came along, to an endpoint with both secrets.
pub(super) fn deliver(
    processor: Processor,
    body: &[u8],
    request: &Request,
) -> Result<Verified, Refusal> {
    deliver_under(processor, body, request, SECRET, Some(OLD_SECRET))
}

/// Delivers to an endpoint with these secrets.
pub(super) fn deliver_under(
    processor: Processor,
    body: &[u8],
    request: &Request,
    current: &str,
    other: Option<&str>,
) -> Result<Verified, Refusal> {
    let current = SecretText::new(current.to_owned());
    let other = other.map(|secret| SecretText::new(secret.to_owned()));
    let delivery = Delivery {
        headers: &request.headers,
        path_token: request.path_token.as_deref(),
        secrets: EndpointSecrets::new(&current, other.as_ref()).expect("secrets"),
        now: UnixMillis(NOW_S * 1000),
    };
    receive(processor, RawBody::new(body.to_vec()).expect("a body"), &delivery)
}

/// Signs now, and delivers.
pub(super) fn receive_signed(
    processor: Processor,
    body: &[u8],
    secret: &str,
) -> Result<Verified, Refusal> {
    deliver(processor, body, &sign(processor, body, secret, NOW_S))
}
