//! Stripe's webhooks: the signature, and which part of an event says what. Not its API.
//!
//! Events are read by pointer and not by Stripe's types, so that a field that is new or gone in
//! another version of the API costs nothing that is not needed here. Source:
//! docs.stripe.com/webhooks and docs.stripe.com/api/events/types.

pub(super) mod api;
pub(super) mod lines;
mod objects;
pub(super) mod off_session;

use super::document::{Object, need};
use super::facts::{EventId, Fact, IdForm, MethodState};
use super::processor::{
    Delivery, Event, EventType, Refusal, Trust, Unreadable, Verified, WebhookProcessor,
};
use super::signature::{
    Algorithm, SIGNATURES_MAX, is_near, signed_time, single_header, verify_any,
};

/// Stripe.
pub(super) struct Stripe;

/// The events that say something to us.
const EVENT_TYPES: &[&str] = &[
    "charge.captured",
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.failed",
    "charge.pending",
    "charge.refund.updated",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "payment_method.attached",
    "payment_method.detached",
    "payout.created",
    "payout.failed",
    "payout.paid",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "setup_intent.succeeded",
];

const EVENT: IdForm = IdForm { prefixes: &["evt_"], marks: "_" };

impl WebhookProcessor for Stripe {
    /// `Stripe-Signature: t=…,v1=…[,v1=…]`: HMAC-SHA256 over `t.body`. Any `v1` may match, other
    /// schemes are ignored (`v0` is a dummy for downgrade attacks).
    fn verify(&self, body: &[u8], delivery: &Delivery<'_>) -> Result<Trust, Refusal> {
        let header = single_header(delivery.headers, "stripe-signature")?;
        let mut time = None;
        let mut signatures = Vec::new();
        for element in header.split(',') {
            match element.trim().split_once('=') {
                Some(("t", _)) if time.is_some() => return Err(Refusal::BadSignature),
                Some(("t", value)) => time = Some(value),
                Some(("v1", value)) if signatures.len() < SIGNATURES_MAX => signatures.push(value),
                _ => {}
            }
        }
        let time = time.ok_or(Refusal::BadSignature)?;
        let signed_at = signed_time(time)?;
        let signed = [time.as_bytes(), b".", body];
        verify_any(Algorithm::HmacSha256, &delivery.secrets, &signed, &signatures)?;
        is_near(signed_at, delivery.now)?;
        Ok(Trust { hint_only: false, livemode: None })
    }

    fn project(&self, event: &Event<'_>) -> Result<Verified, Unreadable> {
        read_event(event.document.root(), event.trust)
    }
}

/// Reads an event, as it is posted and as Stripe's API lists it.
fn read_event(root: Object<'_>, trust: Trust) -> Result<Verified, Unreadable> {
    let event_type = EventType::among(EVENT_TYPES, need(root.text("/type")?)?);
    let event_id = EventId::parse(EVENT, need(root.text("/id")?)?)?;
    let mut verified = Verified {
        event_id,
        event_type,
        created_at: None,
        livemode: root.truth("/livemode")?,
        facts: Vec::new(),
        hint_only: trust.hint_only,
    };
    // Events of the second kind ("thin") write their time in another form; none is on the list.
    if event_type == EventType::UNKNOWN {
        return Ok(verified);
    }
    verified.created_at = Some(need(root.seconds("/created")?)?);
    let object = need(root.object("/data/object")?)?;
    let name = event_type.as_str();
    verified.facts = match name.rsplit_once('.') {
        Some(("payment_intent", change)) => vec![objects::payment_intent(object, change)?],
        Some(("charge", _)) => objects::charge(object)?,
        Some(("refund" | "charge.refund", _)) => vec![objects::refund(object)?],
        Some(("charge.dispute", change)) => objects::dispute(object, change)?,
        Some(("checkout.session", change)) => vec![objects::checkout_session(object, change)?],
        Some(("payout", _)) => vec![Fact::Payout(objects::payout(object)?)],
        Some(("setup_intent", _)) => objects::setup_intent(object)?.into_iter().collect(),
        Some(("payment_method", "detached")) => {
            vec![objects::payment_method(object, MethodState::Detached)?]
        }
        Some(("payment_method", _)) => {
            vec![objects::payment_method(object, MethodState::Attached)?]
        }
        _ => Vec::new(),
    };
    Ok(verified)
}
