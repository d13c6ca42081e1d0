//! Our verifier of Stripe's signatures against that of the `async-stripe-webhook` crate: over random
//! secrets, bodies, times and headers both say the same.
//!
//! Where they differ by design is not generated here and stands in `the_differences`: the crate
//! takes the last of several times, and refuses a header with an element that is no pair; ours
//! refuses a second time, skips such elements, trims blanks, and reads sixteen signatures at most.

use heliograph::payments::processor::{Processor, Refusal};
use proptest::prelude::*;
use stripe_webhook::{Webhook, WebhookError};

use super::signer::{NOW_S, Request, deliver_under, hmac_sha256};

/// What a verifier says of a signature.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
    Stale,
}

fn ours(secrets: &[String; 2], header: &str, body: &str) -> Verdict {
    let mut request = Request::default();
    request.add("stripe-signature", header);
    let [current, other] = secrets;
    match deliver_under(Processor::Stripe, body.as_bytes(), &request, current, Some(other.as_str()))
    {
        // Signed, whatever it says.
        Ok(_) | Err(Refusal::Unreadable(_)) => Verdict::Good,
        Err(Refusal::BadSignature) => Verdict::Bad,
        Err(Refusal::Stale) => Verdict::Stale,
    }
}

/// The crate takes one secret at a time.
fn theirs(secrets: &[String; 2], header: &str, body: &str) -> Verdict {
    let verdicts = secrets.iter().map(|secret| {
        match Webhook::construct_event_with_timestamp(body, header, secret, NOW_S) {
            Ok(_) | Err(WebhookError::BadParse(_)) => Verdict::Good,
            Err(WebhookError::BadTimestamp(_)) => Verdict::Stale,
            Err(WebhookError::BadSignature | WebhookError::BadHeader(_)) => Verdict::Bad,
            Err(WebhookError::BadKey) => panic!("HMAC takes keys of every length"),
        }
    });
    verdicts.reduce(|a, b| if a == Verdict::Bad { b } else { a }).expect("two verdicts")
}

/// What an element of a header is made of.
#[derive(Clone, Debug)]
enum Element {
    /// A signature with one of the secrets, or another one, for the time of the header.
    Signed(usize),
    /// In capitals.
    Capitals(usize),
    /// For another time.
    OtherTime(usize),
    /// Cut short by so many characters.
    Cut(usize, usize),
    /// Of another scheme.
    OtherScheme(usize),
    Noise(String, String),
}

impl Element {
    fn text(&self, secrets: &[String; 3], time: i64, body: &str) -> String {
        let sign = |which: &usize, time: i64| {
            hmac_sha256(&secrets[*which], &[time.to_string().as_bytes(), b".", body.as_bytes()])
        };
        match self {
            Self::Signed(which) => format!("v1={}", sign(which, time)),
            Self::Capitals(which) => format!("v1={}", sign(which, time).to_uppercase()),
            Self::OtherTime(which) => format!("v1={}", sign(which, time - 1)),
            Self::Cut(which, by) => format!("v1={}", &sign(which, time)[..64 - by]),
            Self::OtherScheme(which) => format!("v0={}", sign(which, time)),
            Self::Noise(name, value) => format!("{name}={value}"),
        }
    }
}

fn element() -> impl Strategy<Value = Element> {
    let which = || 0..3_usize;
    prop_oneof![
        3 => which().prop_map(Element::Signed),
        1 => which().prop_map(Element::Capitals),
        1 => which().prop_map(Element::OtherTime),
        1 => (which(), 1..64_usize).prop_map(|(which, by)| Element::Cut(which, by)),
        1 => which().prop_map(Element::OtherScheme),
        1 => ("(v1|v2|V1|s|scheme)", "[0-9a-zA-Z=]{0,70}")
            .prop_map(|(name, value)| Element::Noise(name, value)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_verifier_agrees_with_the_crate(
        secrets in ["[!-~]{1,80}", "[!-~]{1,80}", "[!-~]{1,80}"],
        body in prop_oneof!["\\PC{0,200}", r#"\{"id":"evt_[a-z]{1,9}","type":"[a-z.]{1,9}"\}"#],
        age_s in prop_oneof![-302..302_i64, -2_000_000_000..2_000_000_000_i64],
        elements in proptest::collection::vec(element(), 0..10),
        time_at in 0..10_usize,
        has_time in proptest::bool::weighted(0.95),
        is_tampered in proptest::bool::weighted(0.1),
    ) {
        let time = NOW_S - age_s;
        prop_assume!(time >= 0);
        let mut header: Vec<_> =
            elements.iter().map(|element| element.text(&secrets, time, &body)).collect();
        if has_time {
            header.insert(time_at.min(header.len()), format!("t={time}"));
        }
        let header = header.join(",");
        let body = if is_tampered { format!("{body} ") } else { body };
        let [current, other, _] = secrets;
        let secrets = [current, other];
        let (ours, theirs) = (ours(&secrets, &header, &body), theirs(&secrets, &header, &body));
        prop_assert_eq!(ours, theirs, "{:?} {:?}", header, body);
    }
}

#[test]
fn the_crate_s_own_headers_are_taken() {
    let secrets = ["whsec_one".to_owned(), "whsec_two".to_owned()];
    for (age_s, verdict) in [
        (0, Verdict::Good),
        (300, Verdict::Good),
        (-300, Verdict::Good),
        (301, Verdict::Stale),
        (-301, Verdict::Stale),
    ] {
        for secret in &secrets {
            let header = Webhook::generate_test_header("{}", secret, Some(NOW_S - age_s));
            assert_eq!(ours(&secrets, &header, "{}"), verdict, "{age_s}");
        }
    }
}

#[test]
fn the_differences() {
    let secrets = ["whsec_one".to_owned(), "whsec_two".to_owned()];
    let good = hmac_sha256(&secrets[0], &[NOW_S.to_string().as_bytes(), b".", b"{}"]);
    for (header, our_verdict, their_verdict) in [
        (format!("t=1,t={NOW_S},v1={good}"), Verdict::Bad, Verdict::Good),
        (format!("t=+{NOW_S},v1={good}"), Verdict::Bad, Verdict::Good),
        (format!("t={NOW_S},v1={good},pairless"), Verdict::Good, Verdict::Bad),
        (format!("t={NOW_S}, v1={good}"), Verdict::Good, Verdict::Bad),
        (format!("t={NOW_S},{}v1={good}", "v1=00,".repeat(16)), Verdict::Bad, Verdict::Good),
    ] {
        assert_eq!(ours(&secrets, &header, "{}"), our_verdict, "{header}");
        assert_eq!(theirs(&secrets, &header, "{}"), their_verdict, "{header}");
    }
}
