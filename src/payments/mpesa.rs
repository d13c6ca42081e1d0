//! M-Pesa's callbacks (Safaricom's Daraja API, STK push). They are not signed. What stands in for
//! a signature is a token in the path of the address that each push was given: our payment's id with
//! a MAC of it, or the endpoint's secret for pushes that were not made here. Who saw one callback can
//! repeat it, so their facts are hints: the push is queried before it is credited.
//!
//! Source: the callback's shape as Safaricom's developer portal and the libraries for it show it;
//! result codes from memory. The payer's phone number stands in the body and is not kept. Mind
//! that newer request ids end with its digits.

pub(super) mod api;

use std::collections::{BTreeMap, BTreeSet};

use entity::ids::PaymentId;

use super::document::{Object, need};
use super::facts::{
    AttemptFacts, AttemptOutcome, EventId, Fact, FailureClass, IdForm, IntentFacts, ObjectId,
    PaymentFacts, PaymentReference, scale_of,
};
use super::processor::{
    Delivery, Event, EventType, Processor, Refusal, Trust, Unreadable, Verified, WebhookProcessor,
};
use super::signature::{Algorithm, hex_mac, verify_any, verify_token};
use crate::types::secret::SecretText;

/// M-Pesa.
pub(super) struct MPesa;

/// A callback names no event.
const EVENT_TYPES: &[&str] = &["stkCallback"];

const REQUEST: IdForm = IdForm { prefixes: &["ws_CO_"], marks: "" };
const EVENT: IdForm = IdForm { prefixes: &["ws_CO_"], marks: ":" };
const RECEIPT: IdForm = IdForm { prefixes: &[""], marks: "" };

impl WebhookProcessor for MPesa {
    fn verify(&self, _body: &[u8], delivery: &Delivery<'_>) -> Result<Trust, Refusal> {
        let token = delivery.path_token.ok_or(Refusal::BadSignature)?;
        match token.split_once('.') {
            Some((id, mac)) if PaymentReference::parse(id).is_some() => {
                let signed = [PUSH, id.as_bytes()];
                verify_any(Algorithm::HmacSha256, &delivery.secrets, &signed, &[mac])?;
            }
            _ => verify_token(&delivery.secrets, token)?,
        }
        Ok(Trust { hint_only: true, livemode: None })
    }

    fn project(&self, event: &Event<'_>) -> Result<Verified, Unreadable> {
        let callback = need(event.document.root().object("/Body/stkCallback")?)?;
        let request = need(callback.id("/CheckoutRequestID", REQUEST)?)?;
        let code = need(callback.text_or_number("/ResultCode")?)?;
        let is_paid = code == "0";
        let outcome = if is_paid { "paid" } else { "failed" };
        let event_id = EventId::parse(EVENT, &format!("{}:{outcome}", request.as_str()))?;
        let mut facts =
            if is_paid { paid(callback, request)? } else { failed(request, failure(&code)) };
        facts.references.extend(event.delivery.path_token.and_then(pushed));
        Ok(Verified {
            event_id,
            event_type: EventType::among(EVENT_TYPES, EVENT_TYPES[0]),
            created_at: None,
            livemode: None,
            facts: vec![Fact::Payment(Box::new(facts))],
            hint_only: event.trust.hint_only,
        })
    }
}

/// What is signed of a push, before the payment's id.
const PUSH: &[u8] = b"mpesa push/";

/// The last part of the path that a push's callback goes to: it proves that we made the push, and
/// says for what.
fn push_token(secret: &SecretText, payment_id: PaymentId) -> String {
    let id = payment_id.to_string();
    let mac = hex_mac(Algorithm::HmacSha256, secret, &[PUSH, id.as_bytes()]);
    format!("{id}.{mac}")
}

/// Whose push it was, of a token that was verified.
fn pushed(token: &str) -> Option<PaymentReference> {
    PaymentReference::parse(token.split_once('.')?.0)
}

/// The values stand in a list of `{"Name": …, "Value": …}`, in no promised order.
fn item<'a>(callback: Object<'a>, name: &str) -> Result<Option<Object<'a>>, Unreadable> {
    let items = callback.objects("/CallbackMetadata/Item")?;
    Ok(items.into_iter().find(|item| item.text("/Name").ok().flatten() == Some(name)))
}

fn paid(callback: Object<'_>, request: ObjectId) -> Result<PaymentFacts, Unreadable> {
    let receipt = need(item(callback, "MpesaReceiptNumber")?)?;
    let receipt = need(receipt.id("/Value", RECEIPT)?)?;
    let written = need(need(item(callback, "Amount")?)?.number_text("/Value")?)?;
    let amount = scale_of(Processor::MPesa, "KES")?.decimal_amount(&written)?;
    let attempt = AttemptFacts { outcome: AttemptOutcome::Succeeded, failure: None };
    let intent = IntentFacts {
        authorized: amount.into(),
        captured: amount.into(),
        attempts: BTreeMap::from([(receipt.clone(), attempt)]),
        ..Default::default()
    };
    Ok(PaymentFacts {
        objects: BTreeSet::from([request.clone(), receipt]),
        intents: BTreeMap::from([(request, intent)]),
        ..Default::default()
    })
}

fn failed(request: ObjectId, failure: FailureClass) -> PaymentFacts {
    let attempt = AttemptFacts { outcome: AttemptOutcome::Failed, failure: Some(failure) };
    let intent = IntentFacts {
        attempts: BTreeMap::from([(request.clone(), attempt)]),
        ..Default::default()
    };
    PaymentFacts {
        objects: BTreeSet::from([request.clone()]),
        intents: BTreeMap::from([(request, intent)]),
        ..Default::default()
    }
}

/// Daraja's result codes of a push.
fn failure(code: &str) -> FailureClass {
    match code {
        "1" => FailureClass::InsufficientFunds,
        "1019" | "1037" => FailureClass::TimedOut,
        "1032" => FailureClass::CanceledByPayer,
        "2001" => FailureClass::IncorrectDetails,
        "26" | "1001" | "1025" | "9999" => FailureClass::ProcessingError,
        _ => FailureClass::Other,
    }
}
