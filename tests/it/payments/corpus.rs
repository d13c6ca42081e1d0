//! The corpus: webhooks of every type, with the fields that the processors document.

use heliograph::payments::processor::{EventType, Processor};
use serde_json::Value;

use super::signer::{SECRET, receive_signed};

const STRIPE_HANDLED: &str = include_str!("shapes/stripe_handled.json");
const STRIPE_IGNORED: &str = include_str!("shapes/stripe_ignored.json");
const PAYSTACK: &str = include_str!("shapes/paystack.json");
const PAYMONGO: &str = include_str!("shapes/paymongo.json");
const XENDIT: &str = include_str!("shapes/xendit.json");
const MPESA: &str = include_str!("shapes/mpesa.json");

fn events(text: &str) -> Vec<Value> {
    serde_json::from_str(text).expect("a list of events")
}

/// The webhooks of a processor.
pub(super) fn corpus(processor: Processor) -> Vec<Value> {
    match processor {
        Processor::Stripe => [events(STRIPE_HANDLED), events(STRIPE_IGNORED)].concat(),
        Processor::Paystack => events(PAYSTACK),
        Processor::PayMongo => events(PAYMONGO),
        Processor::Xendit => events(XENDIT),
        Processor::MPesa => events(MPESA),
    }
}

/// One that says that money came.
pub(super) fn paid(processor: Processor) -> Value {
    let text = match processor {
        Processor::Stripe => "\"payment_intent.succeeded\"",
        Processor::Paystack => "\"charge.success\"",
        Processor::PayMongo => "\"payment.paid\"",
        Processor::Xendit => "\"payment.capture\"",
        Processor::MPesa => "MpesaReceiptNumber",
    };
    let mut events = corpus(processor).into_iter();
    events.find(|event| event.to_string().contains(text)).expect("a payment that was made")
}

/// What every webhook of the corpus proves. The snapshot is read, when it changes, for what must
/// not be there.
#[test]
fn what_each_webhook_proves() {
    for processor in Processor::ALL {
        let proven: Vec<Value> = corpus(processor)
            .iter()
            .map(|event| {
                let verified = receive_signed(processor, event.to_string().as_bytes(), SECRET);
                let verified = verified.unwrap_or_else(|fault| panic!("{fault}: {event}"));
                serde_json::to_value(verified).expect("facts are written")
            })
            .filter(|verified| verified["event_type"] != "unknown")
            .collect();
        let name = format!("{processor:?}").to_lowercase();
        insta::assert_json_snapshot!(name, proven);
    }
}

#[test]
fn every_type_on_stripes_list_has_a_shape_and_the_others_prove_nothing() {
    let handled = events(STRIPE_HANDLED);
    for event in &handled {
        let verified = receive_signed(Processor::Stripe, event.to_string().as_bytes(), SECRET)
            .expect("a webhook");
        assert_eq!(verified.event_type.as_str(), event["type"]);
        assert!(!verified.facts.is_empty(), "{event}");
    }
    let source = include_str!("../../../src/payments/stripe/mod.rs");
    let listed = source.lines().filter(|line| {
        let entry = line.trim().strip_prefix('"').and_then(|it| it.strip_suffix("\","));
        entry.is_some_and(|entry| entry.contains('.'))
    });
    assert_eq!(listed.count(), handled.len());
    let ignored = events(STRIPE_IGNORED);
    assert!(ignored.len() >= 20);
    for event in ignored {
        let verified = receive_signed(Processor::Stripe, event.to_string().as_bytes(), SECRET)
            .expect("a webhook");
        assert_eq!(verified.event_type, EventType::UNKNOWN);
        assert!(verified.facts.is_empty(), "{event}");
    }
}
