//! Paystack's webhooks: HMAC-SHA512 of the body under the secret API key, in hex. There is no time
//! in the signature, so an old webhook can be repeated: what counts is that an event is stored
//! once. Source: paystack.com/docs/payments/webhooks; the shapes of refunds and disputes are from
//! memory.

pub(super) mod api;

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Object, need};
use super::facts::{
    AttemptFacts, AttemptOutcome, BalanceTransactionFacts, DisputeFacts, DisputeRank, EventId,
    Fact, FailureClass, IdForm, IntentFacts, ObjectId, PaymentFacts, PaymentReference, RefundFacts,
    RefundRank, Scale, mac_as_id, scale_of,
};
use super::processor::{
    Delivery, Event, EventType, Processor, Refusal, Trust, Unreadable, Verified, WebhookProcessor,
};
use super::signature::{Algorithm, single_header, verify_any};

/// Paystack.
pub(super) struct Paystack;

const EVENT_TYPES: &[&str] = &[
    "charge.dispute.create",
    "charge.dispute.remind",
    "charge.dispute.resolve",
    "charge.success",
    "refund.failed",
    "refund.pending",
    "refund.processed",
    "refund.processing",
];

/// Numbers, and references with the marks that Paystack takes in ours.
const ANY: IdForm = IdForm { prefixes: &[""], marks: "-.=_" };
const EVENT: IdForm = IdForm { prefixes: &["charge.", "refund."], marks: "-.=_:" };

impl WebhookProcessor for Paystack {
    fn verify(&self, body: &[u8], delivery: &Delivery<'_>) -> Result<Trust, Refusal> {
        let signature = single_header(delivery.headers, "x-paystack-signature")?;
        verify_any(Algorithm::HmacSha512, &delivery.secrets, &[body], &[signature])?;
        Ok(Trust { hint_only: false, livemode: None })
    }

    fn project(&self, event: &Event<'_>) -> Result<Verified, Unreadable> {
        let root = event.document.root();
        let event_type = EventType::among(EVENT_TYPES, need(root.text("/event")?)?);
        let mut verified = Verified {
            event_id: mac_as_id(event.delivery.secrets.first(), event.body),
            event_type,
            created_at: None,
            livemode: None,
            facts: Vec::new(),
            hint_only: event.trust.hint_only,
        };
        if event_type == EventType::UNKNOWN {
            return Ok(verified);
        }
        let data = need(root.object("/data")?)?;
        verified.livemode = data.text("/domain")?.map(|domain| domain == "live");
        let name = event_type.as_str();
        let (own, facts) = match name.rsplit_once('.') {
            Some(("charge.dispute", _)) => dispute(data)?,
            Some(("refund", _)) => refund(data)?,
            _ => charge(data)?,
        };
        // An event has no id: its type and its object's tell it from others. Only a dispute is
        // reminded of more than once.
        if name != "charge.dispute.remind" {
            verified.event_id = EventId::parse(EVENT, &format!("{name}:{}", own.as_str()))?;
        }
        verified.facts = vec![Fact::Payment(Box::new(facts))];
        Ok(verified)
    }
}

fn id(object: Object<'_>, pointer: &str) -> Result<Option<ObjectId>, Unreadable> {
    object.text_or_number(pointer)?.map(|text| ObjectId::parse(ANY, &text)).transpose()
}

fn scale(object: Object<'_>) -> Result<Scale, Unreadable> {
    scale_of(Processor::Paystack, need(object.text("/currency")?)?)
}

/// Our reference of the payment: we give Paystack our own id.
fn references(reference: Option<&ObjectId>, object: Object<'_>) -> BTreeSet<PaymentReference> {
    let own = reference.and_then(|it| PaymentReference::parse(it.as_str()));
    own.into_iter().chain(object.reference()).collect()
}

/// Keyed by our reference, since refunds and disputes name no other id of the payment.
fn charge(data: Object<'_>) -> Result<(ObjectId, PaymentFacts), Unreadable> {
    if need(data.text("/status")?)? != "success" {
        return Err(Unreadable::BadStatus);
    }
    transaction(data)
}

/// A transaction as the API shows it, whatever became of it. Source:
/// paystack.com/docs/payments/verify-payments (statuses).
fn transaction(data: Object<'_>) -> Result<(ObjectId, PaymentFacts), Unreadable> {
    let own = need(id(data, "/id")?)?;
    let reference = need(id(data, "/reference")?)?;
    let amount = scale(data)?.amount(need(data.integer("/amount")?)?)?;
    let none = scale(data)?.amount(0)?;
    let outcome = match need(data.text("/status")?)? {
        "success" | "reversed" => Some(AttemptOutcome::Succeeded),
        "ongoing" | "pending" | "processing" | "queued" => Some(AttemptOutcome::Pending),
        "failed" => Some(AttemptOutcome::Failed),
        // The payer has not tried, and still may.
        "abandoned" => None,
        _ => return Err(Unreadable::BadStatus),
    };
    let is_collected = outcome == Some(AttemptOutcome::Succeeded);
    let failure = (outcome == Some(AttemptOutcome::Failed)).then_some(FailureClass::Other);
    let attempt = outcome.map(|outcome| (own.clone(), AttemptFacts { outcome, failure }));
    let collected = if is_collected { amount } else { none };
    let intent = IntentFacts {
        requested: amount.into(),
        authorized: collected.into(),
        captured: collected.into(),
        attempts: attempt.into_iter().collect(),
        ..Default::default()
    };
    let fee = match data.integer("/fees")?.filter(|_| is_collected) {
        Some(fee) => Some(scale(data)?.amount(fee)?),
        None => None,
    };
    // Paystack's books have no ids of their own for what it keeps.
    let line = fee.and_then(|fee| BalanceTransactionFacts::of_charge(own.clone(), amount, fee));
    let line = line.map(|line| (own.clone(), Some(line)));
    let facts = PaymentFacts {
        references: references(Some(&reference), data),
        objects: BTreeSet::from([own.clone(), reference.clone()]),
        customers: customer(data)?,
        balance_transactions: line.into_iter().collect(),
        intents: BTreeMap::from([(reference, intent)]),
        ..Default::default()
    };
    Ok((own, facts))
}

fn customer(data: Object<'_>) -> Result<BTreeSet<ObjectId>, Unreadable> {
    Ok(id(data, "/customer/customer_code")?.into_iter().collect())
}

/// Written as a number, in some events as its digits.
fn written_amount(data: Object<'_>, pointer: &str) -> Result<Option<i64>, Unreadable> {
    match data.text_or_number(pointer)? {
        Some(text) => text.parse().map(Some).map_err(|_| Unreadable::BadAmount),
        None => Ok(None),
    }
}

fn refund(data: Object<'_>) -> Result<(ObjectId, PaymentFacts), Unreadable> {
    let reference = need(id(data, "/transaction_reference")?)?;
    // One that is not processed yet may have no reference of its own.
    let own = match (id(data, "/id")?, id(data, "/refund_reference")?) {
        (Some(own), _) | (None, Some(own)) => own,
        (None, None) => reference.clone(),
    };
    let refund = refund_facts(data)?;
    let facts = PaymentFacts {
        references: references(Some(&reference), data),
        objects: BTreeSet::from([reference]),
        refunds: BTreeMap::from([(own.clone(), refund)]),
        ..Default::default()
    };
    Ok((own, facts))
}

/// A refund as the API lists it, by its id.
fn read_refund(data: Object<'_>) -> Result<(ObjectId, RefundFacts), Unreadable> {
    Ok((need(id(data, "/id")?)?, refund_facts(data)?))
}

fn refund_facts(data: Object<'_>) -> Result<RefundFacts, Unreadable> {
    let amount = scale(data)?.amount(need(written_amount(data, "/amount")?)?)?;
    let rank = match need(data.text("/status")?)? {
        "pending" | "processing" => RefundRank::Pending,
        "needs-attention" => RefundRank::ActionRequired,
        "processed" => RefundRank::Succeeded,
        "failed" => RefundRank::Failed,
        _ => return Err(Unreadable::BadStatus),
    };
    Ok(RefundFacts { rank, amount: amount.into() })
}

/// Paystack takes the money when a dispute ends against us.
fn dispute(data: Object<'_>) -> Result<(ObjectId, PaymentFacts), Unreadable> {
    let own = need(id(data, "/id")?)?;
    let reference = need(id(data, "/transaction/reference")?)?;
    let transaction = need(data.object("/transaction")?)?;
    let scale = match data.text("/currency")? {
        Some(currency) => scale_of(Processor::Paystack, currency)?,
        None => scale(transaction)?,
    };
    let amount = match written_amount(data, "/refund_amount")? {
        Some(amount) => scale.amount(amount)?,
        None => scale.amount(need(transaction.integer("/amount")?)?)?,
    };
    let none = scale.amount(0)?;
    let rank = match (need(data.text("/status")?)?, data.text("/resolution")?) {
        ("resolved", Some("declined")) => DisputeRank::Won,
        ("resolved", Some("merchant-accepted" | "auto-accepted")) => DisputeRank::Lost,
        ("resolved" | "archived", _) => DisputeRank::Closed,
        ("pending", _) => DisputeRank::UnderReview,
        ("awaiting-merchant-feedback" | "awaiting-bank-feedback", _) => DisputeRank::NeedsResponse,
        _ => return Err(Unreadable::BadStatus),
    };
    let dispute = DisputeFacts {
        rank,
        amount: amount.into(),
        withdrawn: if rank == DisputeRank::Lost { amount } else { none }.into(),
        reinstated: none.into(),
    };
    let facts = PaymentFacts {
        references: references(Some(&reference), data),
        objects: BTreeSet::from([own.clone(), reference]),
        disputes: BTreeMap::from([(own.clone(), dispute)]),
        ..Default::default()
    };
    Ok((own, facts))
}
