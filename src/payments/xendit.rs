//! Xendit's webhooks: `x-callback-token`, the same in every request, so whoever saw one can make
//! more. Their facts are hints: the payment is asked for before it is credited. `webhook-id` is
//! the same for each repetition. Source: docs.xendit.co (payment webhook notification); refunds
//! and invoices are from memory.

pub(super) mod api;

use std::collections::BTreeMap;

use super::document::{Object, need};
use super::facts::{
    AttemptFacts, AttemptOutcome, EventId, Fact, FailureClass, IdForm, IntentFacts, ObjectId,
    PaymentFacts, PaymentReference, RefundFacts, RefundRank, Scale, SessionFacts, mac_as_id,
    scale_of,
};
use super::processor::{
    Delivery, Event, EventType, Processor, Refusal, Trust, Unreadable, Verified, WebhookProcessor,
};
use super::signature::{single_header, verify_token};

/// Xendit.
pub(super) struct Xendit;

/// `invoice` is ours: an invoice's webhook names no event.
const EVENT_TYPES: &[&str] = &[
    INVOICE,
    "payment.authorization",
    "payment.capture",
    "payment.failure",
    "refund.failed",
    "refund.succeeded",
];

const INVOICE: &str = "invoice";

/// `py-`, `pr-` and `rfd-` with a UUID, and 24 hex digits of an invoice.
const ANY: IdForm = IdForm { prefixes: &[""], marks: "-_" };

impl WebhookProcessor for Xendit {
    fn verify(&self, _body: &[u8], delivery: &Delivery<'_>) -> Result<Trust, Refusal> {
        let token = single_header(delivery.headers, "x-callback-token")?;
        verify_token(&delivery.secrets, token)?;
        Ok(Trust { hint_only: true, livemode: None })
    }

    fn project(&self, event: &Event<'_>) -> Result<Verified, Unreadable> {
        let root = event.document.root();
        let is_invoice = root.text("/event")?.is_none() && root.text("/external_id")?.is_some();
        let name = if is_invoice { INVOICE } else { need(root.text("/event")?)? };
        let event_type = EventType::among(EVENT_TYPES, name);
        let delivered = event.delivery;
        let event_id = match single_header(delivered.headers, "webhook-id") {
            Ok(id) => EventId::parse(ANY, id)?,
            Err(_) => mac_as_id(delivered.secrets.first(), event.body),
        };
        let mut verified = Verified {
            event_id,
            event_type,
            created_at: None,
            livemode: None,
            facts: Vec::new(),
            hint_only: event.trust.hint_only,
        };
        if event_type == EventType::UNKNOWN {
            return Ok(verified);
        }
        verified.created_at = root.date_time("/created")?;
        let facts = if is_invoice {
            invoice(root)?
        } else {
            let data = need(root.object("/data")?)?;
            match event_type.as_str().split_once('.') {
                Some(("refund", _)) => refund(data)?,
                _ => payment(data)?,
            }
        };
        verified.facts = vec![Fact::Payment(Box::new(facts))];
        Ok(verified)
    }
}

fn id(object: Object<'_>, pointer: &str) -> Result<Option<ObjectId>, Unreadable> {
    object.id(pointer, ANY)
}

fn scale(object: Object<'_>) -> Result<Scale, Unreadable> {
    scale_of(Processor::Xendit, need(object.text("/currency")?)?)
}

fn start(object: Object<'_>, reference: &str) -> Result<PaymentFacts, Unreadable> {
    let mut facts = PaymentFacts::default();
    facts.references.extend(object.text(reference)?.and_then(PaymentReference::parse));
    facts.references.extend(object.reference());
    Ok(facts)
}

fn payment(data: Object<'_>) -> Result<PaymentFacts, Unreadable> {
    let own = need(id(data, "/payment_id")?)?;
    let amount = scale(data)?.decimal_amount(&need(data.number_text("/request_amount")?)?)?;
    let none = scale(data)?.amount(0)?;
    let (outcome, is_captured) = match need(data.text("/status")?)? {
        "SUCCEEDED" => (AttemptOutcome::Succeeded, true),
        "AUTHORIZED" => (AttemptOutcome::Succeeded, false),
        "PENDING" => (AttemptOutcome::Pending, false),
        "FAILED" | "CANCELED" | "EXPIRED" => (AttemptOutcome::Failed, false),
        _ => return Err(Unreadable::BadStatus),
    };
    let is_authorized = outcome == AttemptOutcome::Succeeded;
    let failure = if outcome == AttemptOutcome::Failed { Some(failure(data)?) } else { None };
    let intent = IntentFacts {
        requested: amount.into(),
        authorized: if is_authorized { amount } else { none }.into(),
        captured: if is_captured { amount } else { none }.into(),
        attempts: BTreeMap::from([(own.clone(), AttemptFacts { outcome, failure })]),
        ..Default::default()
    };
    let request = id(data, "/payment_request_id")?;
    let mut facts = start(data, "/reference_id")?;
    facts.objects.insert(own.clone());
    facts.objects.extend(request.clone());
    facts.intents.insert(request.unwrap_or(own), intent);
    Ok(facts)
}

/// A request to pay, and the id of its latest payment.
fn request(data: Object<'_>) -> Result<(PaymentFacts, Option<ObjectId>), Unreadable> {
    let own = need(id(data, "/payment_request_id")?)?;
    let amount = scale(data)?.decimal_amount(&need(data.number_text("/request_amount")?)?)?;
    let status = need(data.text("/status")?)?;
    let latest = id(data, "/latest_payment_id")?;
    let mut facts = start(data, "/reference_id")?;
    facts.objects.insert(own.clone());
    facts.objects.extend(latest.clone());
    let intent = IntentFacts {
        requested: amount.into(),
        action_required: status == "REQUIRES_ACTION",
        canceled: matches!(status, "CANCELED" | "EXPIRED"),
        ..Default::default()
    };
    facts.intents.insert(own, intent);
    Ok((facts, latest))
}

fn refund(data: Object<'_>) -> Result<PaymentFacts, Unreadable> {
    let own = need(id(data, "/id")?)?;
    let amount = scale(data)?.decimal_amount(&need(data.number_text("/amount")?)?)?;
    let rank = match need(data.text("/status")?)? {
        "PENDING" => RefundRank::Pending,
        "SUCCEEDED" => RefundRank::Succeeded,
        "CANCELLED" => RefundRank::Canceled,
        "FAILED" => RefundRank::Failed,
        _ => return Err(Unreadable::BadStatus),
    };
    let mut facts = start(data, "/reference_id")?;
    for pointer in ["/payment_id", "/payment_request_id"] {
        facts.objects.extend(id(data, pointer)?);
    }
    facts.objects.insert(own.clone());
    facts.refunds.insert(own, RefundFacts { rank, amount: amount.into() });
    Ok(facts)
}

fn invoice(root: Object<'_>) -> Result<PaymentFacts, Unreadable> {
    let own = need(id(root, "/id")?)?;
    let scale = scale(root)?;
    let asked = need(root.number_text("/amount")?)?;
    let (is_paid, is_expired) = match need(root.text("/status")?)? {
        "PENDING" => (false, false),
        "PAID" | "SETTLED" => (true, false),
        "EXPIRED" => (false, true),
        _ => return Err(Unreadable::BadStatus),
    };
    let paid = root.number_text("/paid_amount")?.filter(|_| is_paid);
    let session = SessionFacts {
        total: scale.decimal_amount(&paid.unwrap_or(asked))?.into(),
        completed: is_paid,
        paid: is_paid,
        expired: is_expired,
        ..Default::default()
    };
    let mut facts = start(root, "/external_id")?;
    facts.objects.insert(own.clone());
    facts.sessions.insert(own, session);
    Ok(facts)
}

/// Source: docs.xendit.co, failure codes of payments (from memory).
fn failure(data: Object<'_>) -> Result<FailureClass, Unreadable> {
    Ok(match data.text("/failure_code")?.unwrap_or_default() {
        "INSUFFICIENT_BALANCE" => FailureClass::InsufficientFunds,
        "CARD_DECLINED" | "DECLINED_BY_ISSUER" => FailureClass::Declined,
        "AUTHENTICATION_FAILED" => FailureClass::AuthenticationFailed,
        "EXPIRED_CARD" => FailureClass::Expired,
        "INVALID_CVV" | "INACTIVE_OR_UNAUTHORIZED_CARD" => FailureClass::IncorrectDetails,
        "FRAUD_RISK_BLOCKED" | "STOLEN_CARD" => FailureClass::SuspectedFraud,
        "PROCESSOR_ERROR" | "CHANNEL_UNAVAILABLE" | "ISSUER_UNAVAILABLE" => {
            FailureClass::ProcessingError
        }
        "USER_DECLINED_PAYMENT" => FailureClass::CanceledByPayer,
        "PAYMENT_EXPIRED" | "USER_DID_NOT_AUTHORIZE_THE_PAYMENT" => FailureClass::TimedOut,
        _ => FailureClass::Other,
    })
}
