//! Which parts of Stripe's objects become facts.

use std::collections::{BTreeMap, BTreeSet};

use crate::payments::document::{Object, need};
use crate::payments::facts::{
    AttemptFacts, AttemptOutcome, BalanceTransactionFacts, BalanceTransactionKind, DisputeFacts,
    DisputeRank, Fact, FailureClass, IdForm, IntentFacts, MethodState, Money, ObjectId,
    PaymentFacts, PayoutFacts, PayoutRank, RefundFacts, RefundRank, SavedMethod, SavedMethodFacts,
    Scale, SessionFacts, scale_of,
};
use crate::payments::processor::{Processor, Unreadable};

const fn form(prefixes: &'static [&'static str]) -> IdForm {
    IdForm { prefixes, marks: "_" }
}

const INTENT: IdForm = form(&["pi_"]);
/// Payments without a card are `py_`.
const CHARGE: IdForm = form(&["ch_", "py_"]);
const SESSION: IdForm = form(&["cs_"]);
const REFUND: IdForm = form(&["re_", "pyr_"]);
const DISPUTE: IdForm = form(&["dp_", "du_", "pdp_"]);
const BALANCE_TRANSACTION: IdForm = form(&["txn_"]);
const PAYOUT: IdForm = form(&["po_"]);
const CUSTOMER: IdForm = form(&["cus_"]);
const METHOD: IdForm = form(&["pm_", "card_", "src_", "ba_"]);
const SETUP: IdForm = form(&["seti_"]);

fn payment(facts: PaymentFacts) -> Fact {
    Fact::Payment(Box::new(facts))
}

fn scale(object: Object<'_>) -> Result<Scale, Unreadable> {
    scale_of(Processor::Stripe, need(object.text("/currency")?)?)
}

fn amount(object: Object<'_>, scale: Scale, pointer: &str) -> Result<Option<Money>, Unreadable> {
    object.integer(pointer)?.map(|units| scale.amount(units)).transpose()
}

/// What is common to all objects of a payment. `own` are the object's own ids.
fn start(object: Object<'_>, own: &[&ObjectId]) -> Result<PaymentFacts, Unreadable> {
    let mut facts = PaymentFacts { references: references(object), ..Default::default() };
    facts.objects.extend(own.iter().map(|id| (*id).clone()));
    facts.objects.extend(object.id("/payment_intent", INTENT)?);
    facts.customers.extend(object.id("/customer", CUSTOMER)?);
    Ok(facts)
}

fn references(object: Object<'_>) -> BTreeSet<crate::payments::facts::PaymentReference> {
    object.reference().into_iter().collect()
}

/// `change` is the last part of the event's type.
pub(super) fn payment_intent(object: Object<'_>, change: &str) -> Result<Fact, Unreadable> {
    let id = need(object.id("/id", INTENT)?)?;
    let scale = scale(object)?;
    let none = scale.amount(0)?;
    let capturable = amount(object, scale, "/amount_capturable")?.unwrap_or(none);
    let requested = scale.amount(need(object.integer("/amount")?)?)?;
    // Stripe always says what was received; what stands in for it may not, and an intent that
    // succeeded without saying so has received all of it.
    let captured = match amount(object, scale, "/amount_received")? {
        Some(received) => received,
        None if object.text("/status")? == Some("succeeded") => requested,
        None => none,
    };
    let authorized = Money {
        amount_micros: capturable.amount_micros.saturating_add(captured.amount_micros),
        ..captured
    };
    let charge = match object.id("/latest_charge", CHARGE)? {
        Some(charge) => Some(charge),
        None => object.id("/last_payment_error/charge", CHARGE)?,
    };
    let (outcome, failure) = match change {
        "succeeded" => (Some(AttemptOutcome::Succeeded), None),
        "processing" => (Some(AttemptOutcome::Pending), None),
        "payment_failed" => (Some(AttemptOutcome::Failed), failure(object, "/last_payment_error")?),
        _ => (None, None),
    };
    let attempt = charge.clone().unwrap_or_else(|| id.clone());
    let intent = IntentFacts {
        requested: requested.into(),
        authorized: authorized.into(),
        captured: captured.into(),
        action_required: change == "requires_action",
        canceled: change == "canceled",
        attempts: outcome
            .map(|outcome| (attempt, AttemptFacts { outcome, failure }))
            .into_iter()
            .collect(),
        ..Default::default()
    };
    let mut facts = start(object, &[&id])?;
    facts.objects.extend(charge);
    if change == "succeeded" && object.text("/setup_future_usage")? == Some("off_session") {
        let customer = object.id("/customer", CUSTOMER)?;
        let method = object.id("/payment_method", METHOD)?;
        let saved = customer.zip(method);
        facts
            .saved_methods
            .extend(saved.map(|(customer, method)| SavedMethod { customer, method }));
    }
    facts.intents.insert(id, intent);
    Ok(payment(facts))
}

pub(super) fn charge(object: Object<'_>) -> Result<Vec<Fact>, Unreadable> {
    let id = need(object.id("/id", CHARGE)?)?;
    let scale = scale(object)?;
    let requested = scale.amount(need(object.integer("/amount")?)?)?;
    let none = scale.amount(0)?;
    let outcome = match need(object.text("/status")?)? {
        "succeeded" => AttemptOutcome::Succeeded,
        "pending" => AttemptOutcome::Pending,
        "failed" => AttemptOutcome::Failed,
        _ => return Err(Unreadable::BadStatus),
    };
    let has_succeeded = outcome == AttemptOutcome::Succeeded;
    // Versions of the API before 2020 have only `captured`.
    let captured = match amount(object, scale, "/amount_captured")? {
        Some(captured) => captured,
        None if object.truth("/captured")? == Some(true) => requested,
        None => none,
    };
    let failure = if outcome == AttemptOutcome::Failed { failure(object, "")? } else { None };
    let intent = IntentFacts {
        requested: requested.into(),
        authorized: if has_succeeded { requested } else { none }.into(),
        captured: if has_succeeded { captured } else { none }.into(),
        refunded: amount(object, scale, "/amount_refunded")?.unwrap_or(none).into(),
        attempts: BTreeMap::from([(id.clone(), AttemptFacts { outcome, failure })]),
        ..Default::default()
    };
    let mut facts = start(object, &[&id])?;
    let key = object.id("/payment_intent", INTENT)?.unwrap_or(id);
    facts.intents.insert(key, intent);
    let mut others = Vec::new();
    note_balance_transaction(&mut facts, object, "/balance_transaction", &mut others)?;
    note_balance_transaction(&mut facts, object, "/failure_balance_transaction", &mut others)?;
    // Only versions of the API before 2022-11-15 list them.
    for listed in object.objects("/refunds/data")? {
        let (id, refund) = read_refund(listed)?;
        facts.objects.insert(id.clone());
        facts.refunds.insert(id, refund);
    }
    others.insert(0, payment(facts));
    Ok(others)
}

fn read_refund(object: Object<'_>) -> Result<(ObjectId, RefundFacts), Unreadable> {
    let id = need(object.id("/id", REFUND)?)?;
    let amount = scale(object)?.amount(need(object.integer("/amount")?)?)?;
    // Old refunds have no status; they had all succeeded.
    let rank = match object.text("/status")?.unwrap_or("succeeded") {
        "pending" => RefundRank::Pending,
        "requires_action" => RefundRank::ActionRequired,
        "succeeded" => RefundRank::Succeeded,
        "canceled" => RefundRank::Canceled,
        "failed" => RefundRank::Failed,
        _ => return Err(Unreadable::BadStatus),
    };
    Ok((id, RefundFacts { rank, amount: amount.into() }))
}

pub(super) fn refund(object: Object<'_>) -> Result<Fact, Unreadable> {
    let (id, refund) = read_refund(object)?;
    let mut facts = start(object, &[&id])?;
    facts.objects.extend(object.id("/charge", CHARGE)?);
    for pointer in ["/balance_transaction", "/failure_balance_transaction"] {
        let line = object.id(pointer, BALANCE_TRANSACTION)?;
        facts.balance_transactions.extend(line.map(|id| (id, None)));
    }
    facts.refunds.insert(id, refund);
    Ok(payment(facts))
}

/// `change` is the last part of the event's type.
pub(super) fn dispute(object: Object<'_>, change: &str) -> Result<Vec<Fact>, Unreadable> {
    let id = need(object.id("/id", DISPUTE)?)?;
    let scale = scale(object)?;
    let disputed = scale.amount(need(object.integer("/amount")?)?)?;
    let none = scale.amount(0)?;
    let rank = match need(object.text("/status")?)? {
        "warning_needs_response" => DisputeRank::WarningNeedsResponse,
        "warning_under_review" => DisputeRank::WarningUnderReview,
        "warning_closed" => DisputeRank::WarningClosed,
        "needs_response" => DisputeRank::NeedsResponse,
        "under_review" => DisputeRank::UnderReview,
        "charge_refunded" | "prevented" => DisputeRank::Closed,
        "lost" => DisputeRank::Lost,
        "won" => DisputeRank::Won,
        _ => return Err(Unreadable::BadStatus),
    };
    let mut facts = start(object, &[&id])?;
    facts.objects.extend(object.id("/charge", CHARGE)?);
    let mut others = Vec::new();
    let (mut gives_back, mut takes) = (change == "funds_reinstated", change == "funds_withdrawn");
    for line in object.objects("/balance_transactions")? {
        let line = balance_transaction(line)?;
        takes |= line.gross_micros < 0;
        gives_back |= line.gross_micros > 0;
        facts.balance_transactions.insert(line.id.clone(), Some(line.clone()));
        others.push(Fact::BalanceTransaction(line));
    }
    // What came back was taken before, also where that event was lost.
    let (takes, gives_back) =
        (!rank.is_warning() && (takes || gives_back), !rank.is_warning() && gives_back);
    let dispute = DisputeFacts {
        rank,
        amount: disputed.into(),
        withdrawn: if takes { disputed } else { none }.into(),
        reinstated: if gives_back { disputed } else { none }.into(),
    };
    facts.disputes.insert(id, dispute);
    others.insert(0, payment(facts));
    Ok(others)
}

/// A line of Stripe's books that is named by its id, or stands there whole.
fn note_balance_transaction(
    facts: &mut PaymentFacts,
    object: Object<'_>,
    pointer: &str,
    others: &mut Vec<Fact>,
) -> Result<(), Unreadable> {
    let Some(id) = object.id(pointer, BALANCE_TRANSACTION)? else { return Ok(()) };
    let whole = match object.text(pointer) {
        Ok(_) => None,
        Err(_) => object.object(pointer)?.map(balance_transaction).transpose()?,
    };
    others.extend(whole.clone().map(Fact::BalanceTransaction));
    facts.balance_transactions.insert(id, whole);
    Ok(())
}

pub(super) fn balance_transaction(
    object: Object<'_>,
) -> Result<BalanceTransactionFacts, Unreadable> {
    let scale = scale(object)?;
    let kind = match object.text("/reporting_category")?.unwrap_or_default() {
        "charge" => BalanceTransactionKind::Charge,
        "refund" => BalanceTransactionKind::Refund,
        "refund_failure" | "charge_failure" => BalanceTransactionKind::RefundFailure,
        "dispute" => BalanceTransactionKind::Dispute,
        "dispute_reversal" => BalanceTransactionKind::DisputeReversal,
        "payout" => BalanceTransactionKind::Payout,
        "payout_reversal" => BalanceTransactionKind::PayoutReversal,
        "fee" => BalanceTransactionKind::Fee,
        _ => BalanceTransactionKind::Other,
    };
    let gross = scale.signed_amount(need(object.integer("/amount")?)?)?;
    Ok(BalanceTransactionFacts {
        id: need(object.id("/id", BALANCE_TRANSACTION)?)?,
        kind,
        currency: gross.currency,
        gross_micros: gross.amount_micros,
        fee_micros: scale.signed_amount(need(object.integer("/fee")?)?)?.amount_micros,
        net_micros: scale.signed_amount(need(object.integer("/net")?)?)?.amount_micros,
    })
}

/// `change` is the last part of the event's type.
pub(super) fn checkout_session(object: Object<'_>, change: &str) -> Result<Fact, Unreadable> {
    let id = need(object.id("/id", SESSION)?)?;
    let total = match object.integer("/amount_total")? {
        Some(units) => scale(object)?.amount(units)?.into(),
        None => Default::default(),
    };
    let session = SessionFacts {
        total,
        has_intent: object.id("/payment_intent", INTENT)?.is_some(),
        completed: object.text("/status")? == Some("complete") || change == "completed",
        // `no_payment_required` is no payment either.
        paid: object.text("/payment_status")? == Some("paid"),
        failed: change == "async_payment_failed",
        expired: object.text("/status")? == Some("expired") || change == "expired",
    };
    let mut facts = start(object, &[&id])?;
    facts.objects.extend(object.id("/setup_intent", SETUP)?);
    let reference = object.text("/client_reference_id").ok().flatten();
    facts.references.extend(reference.and_then(crate::payments::facts::PaymentReference::parse));
    facts.sessions.insert(id, session);
    Ok(payment(facts))
}

pub(super) fn payout(object: Object<'_>) -> Result<PayoutFacts, Unreadable> {
    let rank = match need(object.text("/status")?)? {
        "pending" => PayoutRank::Pending,
        "in_transit" => PayoutRank::InTransit,
        "paid" => PayoutRank::Paid,
        "canceled" => PayoutRank::Canceled,
        "failed" => PayoutRank::Failed,
        _ => return Err(Unreadable::BadStatus),
    };
    Ok(PayoutFacts {
        id: need(object.id("/id", PAYOUT)?)?,
        rank,
        // Negative where Stripe collects what we owe.
        amount: scale(object)?.signed_amount(need(object.integer("/amount")?)?)?,
        arrives_at: object.seconds("/arrival_date")?,
        balance_transaction: object.id("/balance_transaction", BALANCE_TRANSACTION)?,
    })
}

/// Nothing where the set-up kept no means of payment.
pub(super) fn setup_intent(object: Object<'_>) -> Result<Option<Fact>, Unreadable> {
    let setup = need(object.id("/id", SETUP)?)?;
    let Some(method) = object.id("/payment_method", METHOD)? else { return Ok(None) };
    Ok(Some(Fact::SavedMethod(SavedMethodFacts {
        references: references(object),
        setup: Some(setup),
        customer: object.id("/customer", CUSTOMER)?,
        method,
        state: MethodState::Attached,
    })))
}

pub(super) fn payment_method(object: Object<'_>, state: MethodState) -> Result<Fact, Unreadable> {
    Ok(Fact::SavedMethod(SavedMethodFacts {
        references: references(object),
        setup: None,
        customer: object.id("/customer", CUSTOMER)?,
        method: need(object.id("/id", METHOD)?)?,
        state,
    }))
}

/// The class of a failure. A charge has `failure_code`, an intent's error `code`; the bank's own
/// reason stands beside it. Source: docs.stripe.com/declines/codes.
fn failure(object: Object<'_>, at: &str) -> Result<Option<FailureClass>, Unreadable> {
    let bank = match object.text(&format!("{at}/decline_code"))? {
        Some(reason) => Some(reason),
        None => object.text(&format!("{at}/outcome/reason"))?,
    };
    let code = match object.text(&format!("{at}/code"))? {
        Some(code) => Some(code),
        None => object.text(&format!("{at}/failure_code"))?,
    };
    let class = bank.and_then(class_of).or_else(|| code.and_then(class_of));
    Ok(Some(class.unwrap_or(FailureClass::Other)))
}

fn class_of(reason: &str) -> Option<FailureClass> {
    Some(match reason {
        "insufficient_funds" | "card_velocity_exceeded" | "withdrawal_count_limit_exceeded" => {
            FailureClass::InsufficientFunds
        }
        "authentication_required"
        | "authentication_not_handled"
        | "payment_intent_authentication_failure"
        | "offline_pin_required"
        | "online_or_offline_pin_required" => FailureClass::AuthenticationFailed,
        "expired_card" => FailureClass::Expired,
        "incorrect_number"
        | "invalid_number"
        | "incorrect_cvc"
        | "invalid_cvc"
        | "incorrect_zip"
        | "incorrect_address"
        | "incorrect_pin"
        | "invalid_pin"
        | "invalid_account"
        | "invalid_expiry_month"
        | "invalid_expiry_year" => FailureClass::IncorrectDetails,
        "fraudulent" | "lost_card" | "stolen_card" | "pickup_card" | "merchant_blacklist"
        | "highest_risk_level" | "security_violation" => FailureClass::SuspectedFraud,
        "processing_error"
        | "issuer_not_available"
        | "try_again_later"
        | "reenter_transaction"
        | "approve_with_id" => FailureClass::ProcessingError,
        "payment_method_customer_decline" => FailureClass::CanceledByPayer,
        "payment_intent_payment_attempt_expired" => FailureClass::TimedOut,
        "card_declined"
        | "generic_decline"
        | "do_not_honor"
        | "transaction_not_allowed"
        | "call_issuer"
        | "payment_method_provider_decline" => FailureClass::Declined,
        _ => return None,
    })
}
