//! What Daraja is asked: to prompt the payer's phone (STK push), and what became of a push. Source:
//! developer.safaricom.co.ke (M-Pesa Express Simulate and Query), result codes from memory.
//!
//! The answer to a query holds neither amount nor receipt: what was paid is what the push asked for,
//! which the payer cannot change. So only pushes of payments that were started here say anything.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, FixedOffset};
use entity::enums::PaymentFlow;
use serde::Serialize;

use super::{REQUEST, failed, failure, push_token};
use crate::payments::api::http::{Credential, JsonApi};
use crate::payments::api::{About, ApiError, NewStart, ProcessorApi, Started};
use crate::payments::document::need;
use crate::payments::facts::{
    AttemptFacts, AttemptOutcome, Fact, IntentFacts, ObjectId, PaymentFacts, PaymentReference,
    scale_of,
};
use crate::payments::processor::{Processor, Unreadable};
use crate::sys::Clock;
use crate::types::secret::SecretText;

const BASE_URL: &str = "https://api.safaricom.co.ke/";
/// East Africa Time, in which Daraja signs.
const OFFSET_S: i32 = 3 * 3_600;
/// The push has not ended yet.
const PENDING: &str = "4999";
/// What stands on the payer's statement: at most 12 characters.
const ACCOUNT_REFERENCE: &str = "Balance";
/// At most 13 characters.
const DESCRIPTION: &str = "Top-up";

/// What Daraja is called with, in one text: `consumer key:consumer secret:short code:passkey`.
struct Keys {
    consumer_key: SecretText,
    consumer_secret: SecretText,
    short_code: String,
    passkey: SecretText,
}

impl Keys {
    fn parse(text: &SecretText) -> Option<Self> {
        let parts: Vec<&str> = text.expose().split(':').collect();
        let [consumer_key, consumer_secret, short_code, passkey] = parts[..] else { return None };
        let is_code = (5..=7).contains(&short_code.len())
            && short_code.bytes().all(|byte| byte.is_ascii_digit());
        let secret = |text: &str| SecretText::new(text.to_owned());
        let has_all = ![consumer_key, consumer_secret, passkey].contains(&"");
        (is_code && has_all).then(|| Self {
            consumer_key: secret(consumer_key),
            consumer_secret: secret(consumer_secret),
            short_code: short_code.to_owned(),
            passkey: secret(passkey),
        })
    }
}

/// Whether a text has the parts of [`Keys`].
pub(in crate::payments) fn are_keys(text: &SecretText) -> bool {
    Keys::parse(text).is_some()
}

/// Daraja with the keys of one short code.
pub(in crate::payments) struct Api {
    http: JsonApi,
    keys: Keys,
    clock: Clock,
    /// Where callbacks go, without the token at the end.
    callback_url: String,
    callback_secret: SecretText,
}

/// What an [`Api`] is made of.
pub(in crate::payments) struct Parts<'a> {
    pub(in crate::payments) key: &'a SecretText,
    pub(in crate::payments) base_url: Option<&'a str>,
    pub(in crate::payments) clock: Clock,
    pub(in crate::payments) callback_url: String,
    pub(in crate::payments) callback_secret: SecretText,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Signed<'a> {
    business_short_code: &'a str,
    password: &'a str,
    timestamp: &'a str,
    #[serde(flatten)]
    rest: Rest<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Rest<'a> {
    Query {
        #[serde(rename = "CheckoutRequestID")]
        checkout_request_id: &'a str,
    },
    #[serde(rename_all = "PascalCase")]
    Push {
        transaction_type: &'a str,
        amount: i64,
        party_a: &'a str,
        party_b: &'a str,
        phone_number: &'a str,
        #[serde(rename = "CallBackURL")]
        callback_url: &'a str,
        account_reference: &'a str,
        transaction_desc: &'a str,
    },
}

impl Api {
    /// # Errors
    /// [`ApiError::Misconfigured`].
    pub(in crate::payments) fn new(parts: Parts<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            http: JsonApi::new(parts.base_url.unwrap_or(BASE_URL))?,
            keys: Keys::parse(parts.key).ok_or(ApiError::Misconfigured)?,
            clock: parts.clock,
            callback_url: parts.callback_url,
            callback_secret: parts.callback_secret,
        })
    }

    async fn token(&self) -> Result<SecretText, ApiError> {
        let credential = Credential::Basic(&self.keys.consumer_key, &self.keys.consumer_secret);
        let path = "oauth/v1/generate?grant_type=client_credentials";
        let answer = self.http.get(credential, path, &[]).await?.ok_or(ApiError::Refused(404))?;
        let token = need(answer.root().text("/access_token")?)?;
        Ok(SecretText::new(token.to_owned()))
    }

    async fn post(
        &self,
        path: &str,
        rest: Rest<'_>,
    ) -> Result<crate::payments::document::Document, ApiError> {
        let token = self.token().await?;
        let timestamp = timestamp(&self.clock)?;
        let (code, passkey) = (&self.keys.short_code, self.keys.passkey.expose());
        let password = zeroize::Zeroizing::new(format!("{code}{passkey}{timestamp}"));
        let password = zeroize::Zeroizing::new(STANDARD.encode(password.as_bytes()));
        let body =
            Signed { business_short_code: code, password: &password, timestamp: &timestamp, rest };
        self.http.post(Credential::Bearer(&token), path, &body).await
    }
}

fn timestamp(clock: &Clock) -> Result<String, ApiError> {
    let zone = FixedOffset::east_opt(OFFSET_S).ok_or(ApiError::Misconfigured)?;
    let now = DateTime::from_timestamp_millis(clock.now().0).ok_or(ApiError::Misconfigured)?;
    Ok(now.with_timezone(&zone).format("%Y%m%d%H%M%S").to_string())
}

fn payment(facts: PaymentFacts) -> Fact {
    Fact::Payment(Box::new(facts))
}

#[async_trait]
impl ProcessorApi for Api {
    /// Daraja knows no idempotency key: the caller starts a payment once.
    async fn start(&self, new: &NewStart<'_>) -> Result<Started, ApiError> {
        let (PaymentFlow::PhonePrompt, Some(phone)) = (new.flow, new.phone) else {
            return Ok(Started::default());
        };
        let scale = scale_of(Processor::MPesa, new.amount.currency.as_str())?;
        let amount = scale.units_of(new.amount.amount_micros).ok_or(ApiError::Refused(400))?;
        let token = push_token(&self.callback_secret, new.payment_id);
        let push = Rest::Push {
            transaction_type: "CustomerPayBillOnline",
            amount,
            party_a: phone.digits(),
            party_b: &self.keys.short_code,
            phone_number: phone.digits(),
            callback_url: &format!("{}/{token}", self.callback_url),
            account_reference: ACCOUNT_REFERENCE,
            transaction_desc: DESCRIPTION,
        };
        let answer = self.post("mpesa/stkpush/v1/processrequest", push).await?;
        let root = answer.root();
        if need(root.text_or_number("/ResponseCode")?)? != "0" {
            return Err(ApiError::Refused(400));
        }
        let request = need(root.id("/CheckoutRequestID", REQUEST)?)?;
        let intent = IntentFacts { requested: new.amount.into(), ..Default::default() };
        let facts = PaymentFacts {
            references: PaymentReference::parse(&new.payment_id.to_string()).into_iter().collect(),
            objects: BTreeSet::from([request.clone()]),
            intents: BTreeMap::from([(request, intent)]),
            ..Default::default()
        };
        Ok(Started { facts: Some(payment(facts)), ..Started::default() })
    }

    fn can_look_up(&self, id: &ObjectId) -> bool {
        ObjectId::parse(REQUEST, id.as_str()).is_ok()
    }

    async fn look_up(&self, id: &ObjectId, about: &About) -> Result<Vec<Fact>, ApiError> {
        // What was not started here says nothing: how much it asked for is not known.
        let (Some(reference), Some(requested)) = (&about.reference, about.requested) else {
            return Ok(Vec::new());
        };
        let query = Rest::Query { checkout_request_id: id.as_str() };
        let answer = self.post("mpesa/stkpushquery/v1/query", query).await?;
        let root = answer.root();
        let told = need(root.id("/CheckoutRequestID", REQUEST)?)?;
        if told != *id {
            return Err(Unreadable::BadId.into());
        }
        let code = need(root.text_or_number("/ResultCode")?)?;
        let mut facts = match code.as_str() {
            "0" => {
                let attempt = AttemptFacts { outcome: AttemptOutcome::Succeeded, failure: None };
                let intent = IntentFacts {
                    requested: requested.into(),
                    authorized: requested.into(),
                    captured: requested.into(),
                    attempts: BTreeMap::from([(id.clone(), attempt)]),
                    ..Default::default()
                };
                PaymentFacts {
                    objects: BTreeSet::from([id.clone()]),
                    intents: BTreeMap::from([(id.clone(), intent)]),
                    ..Default::default()
                }
            }
            PENDING => {
                let intent = IntentFacts { requested: requested.into(), ..Default::default() };
                PaymentFacts {
                    objects: BTreeSet::from([id.clone()]),
                    intents: BTreeMap::from([(id.clone(), intent)]),
                    ..Default::default()
                }
            }
            code => failed(id.clone(), failure(code)),
        };
        facts.references.insert(reference.clone());
        Ok(vec![payment(facts)])
    }

    async fn find(&self, _about: &About) -> Result<Vec<Fact>, ApiError> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use entity::time::UnixMillis;

    use super::*;
    use crate::sys::ManualClock;

    #[test]
    fn keys_have_four_parts() {
        let is_good = |text: &str| are_keys(&SecretText::new(text.to_owned()));
        assert!(is_good("key:secret:174379:bfb279f9"));
        for text in ["", "key", "key:secret:174379", "key:secret:1:pass", "key::174379:pass"] {
            assert!(!is_good(text), "{text}");
        }
        assert!(!is_good("key:secret:174379:pass:more") && !is_good("key:secret:17437x:pass"));
    }

    #[test]
    fn daraja_signs_by_the_time_of_nairobi() {
        let clock = ManualClock::starting_at(UnixMillis(1_767_571_200_000)).clock();
        assert_eq!(timestamp(&clock), Ok("20260105030000".to_owned()));
    }
}
