//! PayMongo's webhooks: `Paymongo-Signature: t=…,te=…,li=…`, HMAC-SHA256 over `t.body`, in `te`
//! for test mode and in `li` for live mode. Source: docs.paymongo.com (webhooks, and the list of
//! events); refunds, fees and the parts of a checkout session are from memory.

pub(super) mod api;

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Object, need};
use super::facts::{
    AttemptFacts, AttemptOutcome, BalanceTransactionFacts, BalanceTransactionKind, EventId, Fact,
    FailureClass, IdForm, IntentFacts, ObjectId, PaymentFacts, RefundFacts, RefundRank,
    SessionFacts, scale_of,
};
use super::processor::{
    Delivery, Event, EventType, Processor, Refusal, Trust, Unreadable, Verified, WebhookProcessor,
};
use super::signature::{Algorithm, is_near, signed_time, single_header, verify_any};

/// PayMongo.
pub(super) struct PayMongo;

const EVENT_TYPES: &[&str] = &[
    "checkout_session.payment.paid",
    "link.payment.paid",
    "payment.failed",
    "payment.paid",
    "payment.refund.updated",
    "payment.refunded",
];

const fn form(prefixes: &'static [&'static str]) -> IdForm {
    IdForm { prefixes, marks: "_" }
}

const EVENT: IdForm = form(&["evt_"]);
const PAYMENT: IdForm = form(&["pay_"]);
const INTENT: IdForm = form(&["pi_"]);
const SESSION: IdForm = form(&["cs_", "link_"]);
const REFUND: IdForm = form(&["ref_"]);
const BALANCE_TRANSACTION: IdForm = form(&["bal_txn_"]);

impl WebhookProcessor for PayMongo {
    fn verify(&self, body: &[u8], delivery: &Delivery<'_>) -> Result<Trust, Refusal> {
        let header = single_header(delivery.headers, "paymongo-signature")?;
        let mut elements = BTreeMap::new();
        for element in header.split(',') {
            let (name, value) = element.trim().split_once('=').ok_or(Refusal::BadSignature)?;
            if elements.insert(name, value).is_some() {
                return Err(Refusal::BadSignature);
            }
        }
        let time = *elements.get("t").ok_or(Refusal::BadSignature)?;
        let signed_at = signed_time(time)?;
        let signed = [time.as_bytes(), b".", body];
        let is_good = |name: &str| {
            let signature = elements.get(name).copied().filter(|value| !value.is_empty());
            verify_any(Algorithm::HmacSha256, &delivery.secrets, &signed, signature.as_slice())
        };
        let (live, test) = (is_good("li").is_ok(), is_good("te").is_ok());
        if !live && !test {
            return Err(Refusal::BadSignature);
        }
        is_near(signed_at, delivery.now)?;
        Ok(Trust { hint_only: false, livemode: Some(live) })
    }

    fn project(&self, event: &Event<'_>) -> Result<Verified, Unreadable> {
        let data = need(event.document.root().object("/data")?)?;
        let attributes = need(data.object("/attributes")?)?;
        let event_type = EventType::among(EVENT_TYPES, need(attributes.text("/type")?)?);
        // The signature does not cover which of `te` and `li` it stands in.
        let livemode = need(attributes.truth("/livemode")?)?;
        if event.trust.livemode != Some(livemode) {
            return Err(Unreadable::OtherMode);
        }
        let mut verified = Verified {
            event_id: EventId::parse(EVENT, need(data.text("/id")?)?)?,
            event_type,
            created_at: attributes.seconds("/created_at")?,
            livemode: Some(livemode),
            facts: Vec::new(),
            hint_only: event.trust.hint_only,
        };
        if event_type != EventType::UNKNOWN {
            let facts = resource(need(attributes.object("/data")?)?)?;
            verified.facts = vec![Fact::Payment(Box::new(facts))];
        }
        Ok(verified)
    }
}

/// Every object has `id`, `type` and `attributes`.
fn resource(object: Object<'_>) -> Result<PaymentFacts, Unreadable> {
    let mut facts = PaymentFacts::default();
    let attributes = need(object.object("/attributes")?)?;
    facts.references.extend(attributes.reference());
    match need(object.text("/type")?)? {
        "payment" => payment(&mut facts, object)?,
        "refund" => refund(&mut facts, object)?,
        "payment_intent" => {
            let id = need(object.id("/id", INTENT)?)?;
            for paid in attributes.objects("/payments")? {
                payment(&mut facts, paid)?;
            }
            facts.objects.insert(id.clone());
            facts.intents.entry(id).or_default();
        }
        "checkout_session" | "link" => {
            let id = need(object.id("/id", SESSION)?)?;
            for paid in attributes.objects("/payments")? {
                // In links the payment stands one level deeper.
                payment(&mut facts, paid.object("/data")?.unwrap_or(paid))?;
            }
            facts.objects.insert(id.clone());
            let session = SessionFacts {
                has_intent: true,
                completed: true,
                paid: true,
                ..Default::default()
            };
            facts.sessions.insert(id, session);
        }
        _ => return Err(Unreadable::WrongType),
    }
    Ok(facts)
}

fn payment(facts: &mut PaymentFacts, object: Object<'_>) -> Result<(), Unreadable> {
    let id = need(object.id("/id", PAYMENT)?)?;
    let attributes = need(object.object("/attributes")?)?;
    let scale = scale_of(Processor::PayMongo, need(attributes.text("/currency")?)?)?;
    let amount = scale.amount(need(attributes.integer("/amount")?)?)?;
    let none = scale.amount(0)?;
    let outcome = match need(attributes.text("/status")?)? {
        "pending" => AttemptOutcome::Pending,
        "failed" => AttemptOutcome::Failed,
        // Some events show what became of it since.
        "paid" | "refunded" | "partially_refunded" => AttemptOutcome::Succeeded,
        _ => return Err(Unreadable::BadStatus),
    };
    let collected = if outcome == AttemptOutcome::Succeeded { amount } else { none };
    let failure = (outcome == AttemptOutcome::Failed).then_some(FailureClass::Other);
    let intent = IntentFacts {
        requested: amount.into(),
        authorized: collected.into(),
        captured: collected.into(),
        attempts: BTreeMap::from([(id.clone(), AttemptFacts { outcome, failure })]),
        ..Default::default()
    };
    let intent_id = attributes.id("/payment_intent_id", INTENT)?;
    facts.references.extend(attributes.reference());
    facts.objects.insert(id.clone());
    facts.objects.extend(intent_id.clone());
    facts.intents.insert(intent_id.unwrap_or_else(|| id.clone()), intent);
    if let Some(line) = attributes.id("/balance_transaction_id", BALANCE_TRANSACTION)? {
        let fee = attributes.integer("/fee")?.map(|fee| scale.signed_amount(fee)).transpose()?;
        let net = attributes.integer("/net_amount")?;
        let net = net.map(|net| scale.signed_amount(net)).transpose()?;
        let whole = fee.zip(net).map(|(fee, net)| BalanceTransactionFacts {
            id: line.clone(),
            kind: BalanceTransactionKind::Charge,
            currency: amount.currency,
            gross_micros: amount.amount_micros,
            fee_micros: fee.amount_micros,
            net_micros: net.amount_micros,
        });
        facts.balance_transactions.insert(line, whole);
    }
    for listed in attributes.objects("/refunds")? {
        refund(facts, listed)?;
    }
    Ok(())
}

fn refund(facts: &mut PaymentFacts, object: Object<'_>) -> Result<(), Unreadable> {
    let id = need(object.id("/id", REFUND)?)?;
    let attributes = need(object.object("/attributes")?)?;
    let scale = scale_of(Processor::PayMongo, need(attributes.text("/currency")?)?)?;
    let amount = scale.amount(need(attributes.integer("/amount")?)?)?;
    let rank = match need(attributes.text("/status")?)? {
        "pending" | "processing" => RefundRank::Pending,
        "succeeded" => RefundRank::Succeeded,
        "failed" => RefundRank::Failed,
        _ => return Err(Unreadable::BadStatus),
    };
    let payment: Option<ObjectId> = attributes.id("/payment_id", PAYMENT)?;
    facts.objects.extend(payment.into_iter().chain(BTreeSet::from([id.clone()])));
    facts.refunds.insert(id, RefundFacts { rank, amount: amount.into() });
    Ok(())
}
