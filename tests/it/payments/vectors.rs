//! The shared suite: the same good and bad webhooks for every processor.

use heliograph::payments::processor::{EndpointSecrets, Processor, Refusal, Unreadable};
use heliograph::payments::raw_body::{RAW_BODY_BYTES_MAX, RawBody};
use heliograph::types::secret::SecretText;
use serde_json::{Value, json};

use super::corpus::{corpus, paid};
use super::signer::{
    NOW_S, OLD_SECRET, Request, SECRET, deliver, receive_signed, sign, signature_header,
    signs_body, signs_time,
};

/// Every processor, with a webhook that says that money came.
fn each() -> impl Iterator<Item = (Processor, Vec<u8>)> {
    Processor::ALL.into_iter().map(|processor| (processor, paid(processor).to_string().into()))
}

#[test]
fn either_secret_is_taken_and_no_other() {
    for (processor, body) in each() {
        let current = receive_signed(processor, &body, SECRET).expect("a good webhook");
        assert!(!current.facts.is_empty(), "{processor:?}");
        assert_eq!(receive_signed(processor, &body, OLD_SECRET), Ok(current), "{processor:?}");
        for wrong in ["whsec_other", "", "whsec_curren", "whsec_current "] {
            let refused = receive_signed(processor, &body, wrong);
            assert_eq!(refused, Err(Refusal::BadSignature), "{processor:?} {wrong:?}");
        }
    }
    let empty = SecretText::new(String::new());
    assert!(EndpointSecrets::new(&empty, None).is_none());
    assert!(EndpointSecrets::new(&SecretText::new("a".to_owned()), Some(&empty)).is_none());
}

#[test]
fn statically_authenticated_webhooks_are_hints() {
    for (processor, body) in each() {
        let verified = receive_signed(processor, &body, SECRET).expect("a good webhook");
        assert_eq!(verified.hint_only, !signs_body(processor), "{processor:?}");
    }
}

#[test]
fn any_flipped_bit_of_a_signed_body_is_refused() {
    for (processor, body) in each().filter(|(processor, _)| signs_body(*processor)) {
        let request = sign(processor, &body, SECRET, NOW_S);
        for at in 0..body.len() {
            let mut flipped = body.clone();
            flipped[at] ^= 1 << (at % 8);
            let refused = deliver(processor, &flipped, &request);
            assert_eq!(refused, Err(Refusal::BadSignature), "{processor:?} at {at}");
        }
    }
}

#[test]
fn any_flipped_bit_of_the_signature_is_refused() {
    for (processor, body) in each() {
        let good = sign(processor, &body, SECRET, NOW_S);
        let text = match signature_header(processor) {
            // The empty `te=` is nobody's signature.
            Some(name) => good.headers[name].to_str().expect("ASCII").replace("te=,", ""),
            None => good.path_token.clone().expect("a token"),
        };
        for at in 0..text.len() {
            let mut flipped = text.clone().into_bytes();
            flipped[at] ^= 1;
            let flipped = String::from_utf8(flipped).expect("ASCII");
            let mut request = Request::default();
            match signature_header(processor) {
                Some(name) => request.add(name, &flipped),
                None => request.path_token = Some(flipped.clone()),
            }
            let refused = deliver(processor, &body, &request);
            assert_eq!(refused, Err(Refusal::BadSignature), "{processor:?} {flipped}");
        }
    }
}

#[test]
fn no_signature_an_empty_one_or_two_headers_are_refused() {
    for (processor, body) in each() {
        let good = sign(processor, &body, SECRET, NOW_S);
        let mut requests = vec![Request::default()];
        match signature_header(processor) {
            Some(name) => {
                let mut empty = Request::default();
                empty.add(name, "");
                let mut junk = Request::default();
                junk.add(name, "t=,v1=,te=,li=,,=,\t");
                let value = good.headers[name].to_str().expect("ASCII").to_owned();
                // The same header twice, also if both are good.
                let mut twice = good.clone();
                twice.add(name, &value);
                let mut second_is_bad = good.clone();
                second_is_bad.add(name, "t=1,v1=00");
                requests.extend([empty, junk, twice, second_is_bad]);
            }
            None => requests.push(Request { path_token: Some(String::new()), ..good }),
        }
        for request in requests {
            let refused = deliver(processor, &body, &request);
            assert_eq!(refused, Err(Refusal::BadSignature), "{processor:?}");
        }
    }
}

#[test]
fn a_signed_time_is_near() {
    for (processor, body) in each().filter(|(processor, _)| signs_time(*processor)) {
        for (time_s, is_taken) in [
            (NOW_S - 300, true),
            (NOW_S + 300, true),
            (NOW_S - 301, false),
            (NOW_S + 301, false),
            (0, false),
            (999_999_999_999, false),
        ] {
            let verified = deliver(processor, &body, &sign(processor, &body, SECRET, time_s));
            let refusal = verified.err();
            assert_eq!(refusal, (!is_taken).then_some(Refusal::Stale), "{processor:?} {time_s}");
        }
        // A time that is no time is part of what was signed, and still refused.
        for time_s in [-1, 1_000_000_000_000] {
            let refused = deliver(processor, &body, &sign(processor, &body, SECRET, time_s));
            assert_eq!(refused, Err(Refusal::BadSignature), "{processor:?} {time_s}");
        }
        // An old time with a wrong signature says only that the signature is wrong.
        let refused = deliver(processor, &body, &sign(processor, &body, "other", 0));
        assert_eq!(refused, Err(Refusal::BadSignature), "{processor:?}");
    }
}

#[test]
fn json_that_was_written_anew_is_not_what_was_signed() {
    for (processor, body) in each().filter(|(processor, _)| signs_body(*processor)) {
        let request = sign(processor, &body, SECRET, NOW_S);
        let value: Value = serde_json::from_slice(&body).expect("JSON");
        let anew = serde_json::to_vec_pretty(&value).expect("JSON");
        assert_eq!(deliver(processor, &anew, &request), Err(Refusal::BadSignature));
        for edge in [&b" "[..], b"\n", b"\xEF\xBB\xBF"] {
            let padded = [edge, &body].concat();
            assert_eq!(deliver(processor, &padded, &request), Err(Refusal::BadSignature));
        }
    }
}

#[test]
fn what_is_signed_and_not_json_is_unreadable() {
    let nested = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat();
    for (processor, body) in each() {
        for bad in [
            Vec::new(),
            b"\0".to_vec(),
            b"not json".to_vec(),
            b"\"text\"".to_vec(),
            b"[]".to_vec(),
            b"null".to_vec(),
            b"{}{}".to_vec(),
            b"{\"a\":\xFF}".to_vec(),
            b"{\"a\":\"\xFF\"}".to_vec(),
            b"{\"a\":\"\0\"}".to_vec(),
            b"{\"a\":1e999}".to_vec(),
            b"{\"a\":\"\\ud800\"}".to_vec(),
            body[..body.len() - 1].to_vec(),
            [b"\xEF\xBB\xBF", &body[..]].concat(),
            [&body[..], b"\0"].concat(),
            format!("{{\"a\":{}}}", nested(500)).into_bytes(),
            nested(RAW_BODY_BYTES_MAX / 2).into_bytes(),
        ] {
            let refused = receive_signed(processor, &bad, SECRET);
            let unreadable = Err(Refusal::Unreadable(Unreadable::NotJson));
            assert_eq!(refused, unreadable, "{processor:?} {:?}", String::from_utf8_lossy(&bad));
        }
        // An object that lacks everything.
        let refused = receive_signed(processor, b"{}", SECRET);
        assert_eq!(refused, Err(Refusal::Unreadable(Unreadable::Missing)), "{processor:?}");
        assert_eq!(refused.map_err(Refusal::http_status), Err(200));
    }
}

#[test]
fn a_body_that_is_too_long_is_no_body() {
    assert!(RawBody::new(vec![b'{'; RAW_BODY_BYTES_MAX + 1]).is_err());
}

/// Where a processor's webhook says how much.
fn amount_pointer(processor: Processor) -> &'static str {
    match processor {
        Processor::Stripe => "/data/object/amount_received",
        Processor::Paystack => "/data/amount",
        Processor::PayMongo => "/data/attributes/data/attributes/amount",
        Processor::Xendit => "/data/request_amount",
        Processor::MPesa => "/Body/stkCallback/CallbackMetadata/Item/0/Value",
    }
}

#[test]
fn an_amount_is_a_number_within_limits_or_the_webhook_is_unreadable() {
    for (processor, _) in each() {
        for (amount, is_taken) in [
            (json!(0), true),
            (json!(7), true),
            (json!(99_999_999_999_i64), true),
            (json!(100_000_000_000_i64), false),
            (json!(4_242_424_242_424_242_i64), false),
            (json!(i64::MAX), false),
            (json!(u64::MAX), false),
            (json!(-1), false),
            (json!(i64::MIN), false),
            (json!(1e30), false),
            (json!("2500"), false),
            (json!("4242424242424242"), false),
            (json!(""), false),
            (json!(true), false),
            (json!([2500]), false),
            (json!({"amount": 2500}), false),
        ] {
            let mut event = paid(processor);
            *event.pointer_mut(amount_pointer(processor)).expect("an amount") = amount.clone();
            let verified = receive_signed(processor, event.to_string().as_bytes(), SECRET);
            assert_eq!(verified.is_ok(), is_taken, "{processor:?} {amount}: {verified:?}");
            if let Err(refusal) = verified {
                assert_eq!(refusal.http_status(), 200, "{processor:?} {amount}");
            }
        }
        // Fractions belong to those who write main units.
        let mut event = paid(processor);
        *event.pointer_mut(amount_pointer(processor)).expect("an amount") = json!(2500.5);
        let verified = receive_signed(processor, event.to_string().as_bytes(), SECRET);
        assert_eq!(verified.is_ok(), !signs_body(processor), "{processor:?}");
    }
}

/// Every place of a document, as a JSON pointer.
pub(super) fn places(value: &Value) -> Vec<String> {
    let inner = |(key, value): (String, &Value)| {
        let key = key.replace('~', "~0").replace('/', "~1");
        let deeper = places(value).into_iter().map(move |rest| format!("/{key}{rest}"));
        deeper.collect::<Vec<_>>()
    };
    let mut found = vec![String::new()];
    match value {
        Value::Array(items) => {
            found.extend(items.iter().enumerate().flat_map(|(at, it)| inner((at.to_string(), it))));
        }
        Value::Object(members) => {
            found.extend(members.iter().flat_map(|(key, it)| inner((key.clone(), it))));
        }
        _ => {}
    }
    found
}

#[test]
fn no_wrong_type_in_any_place_invents_money_or_breaks_the_reader() {
    for processor in Processor::ALL {
        for event in corpus(processor) {
            let body = event.to_string();
            let good = receive_signed(processor, body.as_bytes(), SECRET).expect("a good webhook");
            for place in places(&event) {
                for other in [
                    json!(null),
                    json!(false),
                    json!(-3),
                    json!(1.5),
                    json!("x"),
                    json!([]),
                    json!([1]),
                    json!({}),
                ] {
                    let mut mutated = event.clone();
                    *mutated.pointer_mut(&place).expect("a place") = other.clone();
                    let body = mutated.to_string();
                    match receive_signed(processor, body.as_bytes(), SECRET) {
                        Ok(verified) => {
                            let allowed = money(&good.facts);
                            let is_new = |micros: &i64| !allowed.contains(micros);
                            let invented: Vec<i64> =
                                money(&verified.facts).into_iter().filter(is_new).collect();
                            // A place that holds an amount in main units takes 1.5 for one.
                            let is_amount =
                                other == json!(1.5) && invented.iter().all(|it| *it == 1_500_000);
                            assert!(
                                invented.is_empty() || is_amount,
                                "{processor:?} {place} {other}: {invented:?}"
                            );
                        }
                        Err(Refusal::Unreadable(_)) => {}
                        Err(refusal) => panic!("{processor:?} {place} {other}: {refusal}"),
                    }
                }
            }
        }
    }
}

/// Every positive amount in the facts.
fn money(facts: &[heliograph::payments::facts::Fact]) -> Vec<i64> {
    fn collect(value: &Value, found: &mut Vec<i64>) {
        match value {
            Value::Number(number) => found.extend(number.as_i64().filter(|micros| *micros > 0)),
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            Value::Object(members) => members.values().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::to_value(facts).expect("facts are written"), &mut found);
    found
}

#[test]
fn an_event_keeps_its_id_when_it_is_repeated_and_shares_it_with_no_other() {
    for processor in Processor::ALL {
        let mut seen: Vec<(String, String)> = Vec::new();
        for event in corpus(processor) {
            let body = event.to_string();
            let id =
                |secret| receive_signed(processor, body.as_bytes(), secret).map(|it| it.event_id);
            let own = id(SECRET).expect("a good webhook");
            assert_eq!(id(OLD_SECRET), Ok(own.clone()));
            seen.push((own.as_str().to_owned(), body));
        }
        if processor == Processor::Xendit {
            continue; // Its ids come with the request, which is the same for all here.
        }
        let count = seen.len();
        seen.sort();
        seen.dedup_by(|a, b| a.0 == b.0);
        let expected = if processor == Processor::MPesa { 2 } else { count };
        assert_eq!(seen.len(), expected, "{processor:?}");
    }
}

#[test]
fn a_paymongo_test_event_cannot_be_relabelled_as_live() {
    let mut event = paid(Processor::PayMongo);
    event["data"]["attributes"]["livemode"] = json!(false);
    let body = event.to_string();
    let live = sign(Processor::PayMongo, body.as_bytes(), SECRET, NOW_S);
    let relabelled = deliver(Processor::PayMongo, body.as_bytes(), &live);
    assert_eq!(relabelled, Err(Refusal::Unreadable(Unreadable::OtherMode)));
    let header = live.headers["paymongo-signature"].to_str().expect("ASCII");
    let mut test = Request::default();
    test.add("paymongo-signature", &header.replace("te=,li=", "te="));
    let verified = deliver(Processor::PayMongo, body.as_bytes(), &test).expect("a test event");
    assert_eq!(verified.livemode, Some(false));
}

#[test]
fn either_of_paymongos_signatures_may_match_in_both_orders() {
    let body = paid(Processor::PayMongo).to_string();
    let good = sign(Processor::PayMongo, body.as_bytes(), SECRET, NOW_S);
    let header = good.headers["paymongo-signature"].to_str().expect("ASCII").to_owned();
    let (time, live) = header.split_once(",te=,li=").expect("its form");
    let other = "0".repeat(64);
    for header in [format!("{time},te={other},li={live}"), format!("li={live},te={other},{time}")] {
        let mut request = Request::default();
        request.add("paymongo-signature", &header);
        assert!(deliver(Processor::PayMongo, body.as_bytes(), &request).is_ok(), "{header}");
    }
}
