//! Stripe's signature scheme against a second implementation of it, and against known answers.

use heliograph::payments::processor::{Processor, Refusal, Unreadable};
use proptest::prelude::*;

use super::corpus::paid;
use super::signer::{NOW_S, OLD_SECRET, Request, SECRET, deliver, hmac_sha256};

fn with_header(header: &str, body: &[u8]) -> Result<(), Refusal> {
    let mut request = Request::default();
    request.add("stripe-signature", header);
    deliver(Processor::Stripe, body, &request).map(|_| ())
}

fn v1(secret: &str, time_s: i64, body: &[u8]) -> String {
    hmac_sha256(secret, &[time_s.to_string().as_bytes(), b".", body])
}

#[test]
fn the_two_implementations_of_hmac_agree_with_known_answers() {
    // Computed with Python's hmac and hashlib.
    assert_eq!(
        v1("whsec_known", 1_763_807_000, b"{\"id\":\"evt_1\"}"),
        "e5813ad9e83487d8ad1181270e29143b71a475bb95298393efa5b95012be22d3"
    );
}

#[test]
fn any_of_several_signatures_may_match_in_any_order() {
    let body = paid(Processor::Stripe).to_string();
    let good = v1(SECRET, NOW_S, body.as_bytes());
    let old = v1(OLD_SECRET, NOW_S, body.as_bytes());
    let wrong = v1("other", NOW_S, body.as_bytes());
    for header in [
        format!("t={NOW_S},v1={good},v1={wrong}"),
        format!("t={NOW_S},v1={wrong},v1={good}"),
        format!("t={NOW_S},v1={wrong},v1={old}"),
        format!("v1={good},t={NOW_S}"),
        format!("t={NOW_S},v0={wrong},v1={good},v2={wrong}"),
        format!("t={NOW_S}, v1={good}"),
        format!("t={NOW_S},v1=,v1=zz,v1={good},scheme"),
        format!("t={NOW_S},v1={}", good.to_uppercase()),
    ] {
        assert_eq!(with_header(&header, body.as_bytes()), Ok(()), "{header}");
    }
    for header in [
        format!("t={NOW_S},v1={wrong}"),
        format!("t={NOW_S},v0={good}"),
        format!("t={NOW_S},v2={good}"),
        format!("t={NOW_S},V1={good}"),
        format!("v1={good}"),
        format!("t=,v1={good}"),
        format!("t={NOW_S},t={NOW_S},v1={good}"),
        format!("t=0{NOW_S},v1={good}"),
        format!("t=+{NOW_S},v1={good}"),
        format!("t={NOW_S},v1={}", &good[..62]),
        format!("t={NOW_S},v1={good}00"),
        format!("t={NOW_S},v1={}v1={good}", "v1=00,".repeat(16)),
    ] {
        let refused = with_header(&header, body.as_bytes());
        assert_eq!(refused, Err(Refusal::BadSignature), "{header}");
    }
}

/// An element of the header, and whether it is a good signature.
fn element(body: &'static str) -> impl Strategy<Value = (String, bool)> {
    let good = |secret| (format!("v1={}", v1(secret, NOW_S, body.as_bytes())), true);
    let bad = |text: String| (text, false);
    prop_oneof![
        Just(good(SECRET)),
        Just(good(OLD_SECRET)),
        Just(bad(format!("v1={}", v1("other", NOW_S, body.as_bytes())))),
        Just(bad(format!("v0={}", v1(SECRET, NOW_S, body.as_bytes())))),
        Just(bad(format!("v1={}", v1(SECRET, NOW_S - 1, body.as_bytes())))),
        Just(bad(format!("v1={}", v1(SECRET, NOW_S, b"{}")))),
        "[a-z0-9]{0,3}=[0-9a-f]{0,70}".prop_map(bad),
    ]
}

proptest! {
    /// The rule, said another way: good if and only if one element is.
    #[test]
    fn the_verifier_agrees_with_the_rule(
        elements in proptest::collection::vec(element("{\"id\":\"evt_1\",\"type\":\"x\"}"), 0..6),
        time_at in 0..7_usize,
    ) {
        // A chance `t=` would be a second time.
        let elements: Vec<_> = elements.into_iter().filter(|(it, _)| !it.starts_with("t=")).collect();
        let mut header: Vec<String> = elements.iter().map(|(text, _)| text.clone()).collect();
        header.insert(time_at.min(header.len()), format!("t={NOW_S}"));
        let expected = elements.iter().any(|(_, is_good)| *is_good);
        let verified = with_header(&header.join(","), b"{\"id\":\"evt_1\",\"type\":\"x\"}");
        prop_assert_eq!(verified.is_ok(), expected, "{:?}", header);
        if !expected {
            prop_assert_eq!(verified, Err(Refusal::BadSignature));
        }
    }

    #[test]
    fn any_header_is_survived(header in "[ -~]{0,200}", body in "[ -~]{0,50}") {
        let refused = with_header(&header, body.as_bytes());
        prop_assert!(refused.is_err());
        prop_assert_ne!(refused, Err(Refusal::Unreadable(Unreadable::NotJson)));
    }
}
