//! Stripe's events as Stripe writes and signs them: bodies of some two kilobytes out of templates,
//! with other ids and amounts for each payment.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What webhooks of the load are signed with.
pub const SECRET: &str = "whsec_of_the_load";

const CHARGE: &str = include_str!("charge.json");
const PAYMENT_INTENT: &str = include_str!("payment_intent.json");
const CHECKOUT_SESSION: &str = include_str!("checkout_session.json");
const REFUND: &str = include_str!("refund.json");

/// Cents of the smallest payment; others are some more.
const CENTS_MIN: u32 = 1_000;
/// Of how many amounts a payment has one.
const AMOUNTS: u32 = 9_000;
/// Cents of a payment's first refund; the next one is a cent more.
const REFUND_CENTS_MIN: u32 = 10;
/// Refunds of one payment: together less than the smallest payment.
pub const REFUNDS_MAX: u32 = 25;

/// What an event tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `payment_intent.created`, which says nothing to us.
    Ignored,
    /// `charge.succeeded`.
    Charged,
    /// `payment_intent.succeeded`.
    Succeeded,
    /// `checkout.session.completed`.
    Completed,
    /// `charge.refunded`, after the first refund.
    ChargeRefunded,
    /// `refund.created` of this refund, from 0.
    Refunded(u32),
}

/// An event about a payment.
#[derive(Clone, Copy, Debug)]
pub struct StripeEvent {
    /// Which payment, from 0.
    pub payment: u32,
    /// What it tells.
    pub kind: Kind,
}

/// What a payment comes to, in cents.
pub fn cents(payment: u32) -> u32 {
    CENTS_MIN + payment % AMOUNTS
}

/// What a refund of a payment comes to, in cents.
pub fn refund_cents(refund: u32) -> u32 {
    REFUND_CENTS_MIN + refund
}

impl StripeEvent {
    /// Its body. `id` is our payment's.
    pub fn body(self, id: &str) -> Vec<u8> {
        let (template, name, refund) = match self.kind {
            Kind::Ignored => (PAYMENT_INTENT, "payment_intent.created", None),
            Kind::Charged => (CHARGE, "charge.succeeded", None),
            Kind::Succeeded => (PAYMENT_INTENT, "payment_intent.succeeded", None),
            Kind::Completed => (CHECKOUT_SESSION, "checkout.session.completed", None),
            Kind::ChargeRefunded => (CHARGE, "charge.refunded", Some(0)),
            Kind::Refunded(refund) => (REFUND, "refund.created", Some(refund)),
        };
        // Letters between the numbers: no id reads as the number of a card.
        let event = format!("evt_Load{}{}", self.payment, self.letters());
        let (object, cents) = (format!("Load{}Z", self.payment), cents(self.payment).to_string());
        let refunded = refund.map_or(0, refund_cents).to_string();
        let refund = refund.unwrap_or_default().to_string();
        let mut body = String::with_capacity(template.len() + 400);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('@') {
            let (token, after) = after.split_once('@').expect("tokens are closed");
            body.push_str(before);
            body.push_str(match token {
                "EVENT" => &event,
                "NAME" => &object,
                "TYPE" => name,
                "PAYMENT" => id,
                "CENTS" => &cents,
                "REFUNDED" => &refunded,
                "REFUND" => &refund,
                other => unreachable!("no template has {other}"),
            });
            rest = after;
        }
        body.push_str(rest);
        body.into_bytes()
    }

    fn letters(self) -> String {
        match self.kind {
            Kind::Ignored => "I".to_owned(),
            Kind::Charged => "C".to_owned(),
            Kind::Succeeded => "S".to_owned(),
            Kind::Completed => "D".to_owned(),
            Kind::ChargeRefunded => "B".to_owned(),
            Kind::Refunded(refund) => format!("R{refund}"),
        }
    }
}

/// The value of `Stripe-Signature` for a body that is sent now.
pub fn signature(body: &[u8]) -> String {
    let time = (super::unix_us() / 1_000_000).to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("t={time},v1={}", data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes()))
}
