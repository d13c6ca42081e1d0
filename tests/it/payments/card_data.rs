//! No card data comes through: card numbers are planted in every leaf, key and header of every
//! webhook of the corpus, and none is found in what is kept of it.
//!
//! With `HELIOGRAPH_STRIPE_SHAPES` naming a file of Stripe's example objects (`fixtures3.json` of
//! github.com/stripe/openapi, MIT), those are taken as well, each under every handled type.

use heliograph::payments::processor::{Processor, Refusal};
use heliograph::types::card_detector;
use serde_json::{Map, Value, json};

use super::corpus::corpus;
use super::signer::{NOW_S, SECRET, deliver, receive_signed, sign};
use super::vectors::places;

/// Test card numbers of several schemes, and of the lengths 12, 14, 15, 16 and 19.
const CARDS: [&str; 6] = [
    "4242424242424242",
    "5555555555554444",
    "378282246310005",
    "36227206271667",
    "676770000005",
    "6205500000000000004",
];

/// How many forms are tried in each place of each webhook.
const FORMS_A_PLACE: usize = 5;

/// Forms that a leaf may take, of one card number.
fn forms(card: &str, leaf: &Value) -> Vec<Value> {
    let grouped: Vec<&str> = (0..card.len()).step_by(4).map(|at| chunk(card, at)).collect();
    let mut forms = vec![
        json!(card),
        json!(grouped.join(" ")),
        json!(grouped.join("-")),
        json!(format!("card {card}")),
        json!(data_encoding::BASE64.encode(card.as_bytes())),
        json!(data_encoding::HEXLOWER.encode(card.as_bytes())),
        json!(card.parse::<u64>().expect("a number")),
        json!([card]),
        json!({ "id": card }),
        json!({ card: card }),
    ];
    // As the processor's ids look: its prefix, and a card number behind it.
    if let Some((prefix, _)) = leaf.as_str().and_then(|text| text.rsplit_once(['_', '-'])) {
        forms.push(json!(format!("{prefix}_{card}")));
        forms.push(json!(format!("{prefix}_{}", grouped.join("_"))));
        forms.push(json!(format!("{prefix}-{card}")));
    }
    forms
}

fn chunk(card: &str, at: usize) -> &str {
    &card[at..card.len().min(at + 4)]
}

/// Whether a card number can be seen: by the detector, or digit for digit with all else left out.
fn shows_card(text: &str, card: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    card_detector::find(text.as_bytes()).is_some() || digits.contains(card)
}

/// What is kept of a webhook, as it would be stored: a refusal keeps nothing but its reason.
fn kept(processor: Processor, event: &Value) -> String {
    match receive_signed(processor, event.to_string().as_bytes(), SECRET) {
        Ok(verified) => serde_json::to_string(&verified).expect("facts are written"),
        Err(Refusal::Unreadable(reason)) => format!("{reason:?} {reason}"),
        Err(refusal) => panic!("{processor:?}: {refusal}"),
    }
}

/// Card numbers in every leaf in turn, in every key in turn, and in all leaves at once.
fn plant(event: &Value, mut visit: impl FnMut(&Value, &str)) {
    for (turn, place) in places(event).into_iter().enumerate() {
        let leaf = event.pointer(&place).expect("a place").clone();
        let card = CARDS[turn % CARDS.len()];
        if leaf.is_object() {
            let mut planted = event.clone();
            let at = planted.pointer_mut(&place).and_then(Value::as_object_mut).expect("an object");
            at.insert(card.to_owned(), json!("x"));
            visit(&planted, card);
            continue;
        }
        // Another five of the forms in each place: all of them everywhere takes minutes.
        let forms = forms(card, &leaf);
        for form in forms.iter().cycle().skip(turn).take(FORMS_A_PLACE).cloned() {
            let mut planted = event.clone();
            *planted.pointer_mut(&place).expect("a place") = form;
            visit(&planted, card);
        }
    }
    let free_text = |text: &str| text.contains([' ', '@']) || text.parse::<i64>().is_ok();
    visit(&everywhere(event, CARDS[0], &free_text), CARDS[0]);
    visit(&everywhere(event, CARDS[1], &|_| true), CARDS[1]);
}

/// All texts that are chosen replaced at once, and a key more in every object.
fn everywhere(value: &Value, card: &str, chosen: &dyn Fn(&str) -> bool) -> Value {
    match value {
        Value::String(text) if chosen(text) => json!(card),
        Value::Array(items) => items.iter().map(|it| everywhere(it, card, chosen)).collect(),
        Value::Object(members) => {
            let planted = |(key, it): (&String, &Value)| {
                [(key.clone(), everywhere(it, card, chosen)), (card.to_owned(), json!(card))]
            };
            Value::Object(members.iter().flat_map(planted).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

#[test]
fn no_card_number_planted_in_a_body_is_kept() {
    for processor in Processor::ALL {
        let mut planted_count = 0;
        let mut with_facts = 0;
        for event in corpus(processor) {
            let before = kept(processor, &event);
            assert!(CARDS.iter().all(|card| !shows_card(&before, card)), "{before}");
            plant(&event, |planted, card| {
                let kept = kept(processor, planted);
                assert!(!shows_card(&kept, card), "{processor:?}: {kept}\nof {planted}");
                planted_count += 1;
                with_facts += usize::from(kept.contains("\"PAYMENT\""));
            });
        }
        // Most plantings leave a webhook that proves something: the proof is not by refusal alone.
        assert!(planted_count > 100 && with_facts * 5 > planted_count, "{with_facts}");
    }
}

#[test]
fn a_projection_that_keeps_everything_is_caught() {
    for processor in Processor::ALL {
        let mut missed = 0;
        let mut planted_count = 0;
        for event in corpus(processor) {
            plant(&event, |planted, card| {
                planted_count += 1;
                let caught = shows_card(&planted.to_string(), card);
                // Within `ws_CO_…` digits may join others'.
                missed += usize::from(!caught);
            });
        }
        assert_eq!(missed, 0, "{processor:?}: {missed} of {planted_count}");
    }
}

#[test]
fn no_card_number_planted_in_a_header_or_the_path_is_kept() {
    for processor in Processor::ALL {
        for event in corpus(processor) {
            let body = event.to_string();
            let good = sign(processor, body.as_bytes(), SECRET, NOW_S);
            let names = good.headers.keys().cloned().chain([
                http::HeaderName::from_static("user-agent"),
                http::HeaderName::from_static("idempotency-key"),
                http::HeaderName::from_static("x-4242424242424242"),
            ]);
            for name in names.collect::<Vec<_>>() {
                for card in CARDS {
                    let mut planted = good.clone();
                    planted.headers.insert(name.clone(), card.parse().expect("a value"));
                    let outcome = deliver(processor, body.as_bytes(), &planted);
                    let kept = match outcome {
                        Ok(verified) => serde_json::to_string(&verified).expect("JSON"),
                        Err(refusal) => format!("{refusal:?} {refusal}"),
                    };
                    assert!(!shows_card(&kept, card), "{processor:?} {name}: {kept}");
                }
            }
            let mut planted = good.clone();
            planted.path_token = Some(CARDS[0].to_owned());
            let kept = format!("{:?}", deliver(processor, body.as_bytes(), &planted));
            assert!(!shows_card(&kept, CARDS[0]), "{kept}");
        }
    }
}

#[test]
fn nor_in_stripes_own_example_objects() {
    let Some(path) = std::env::var_os("HELIOGRAPH_STRIPE_SHAPES") else {
        return; // Said at the top of the file.
    };
    let text = std::fs::read_to_string(path).expect("HELIOGRAPH_STRIPE_SHAPES names a file");
    let shapes: Value = serde_json::from_str(&text).expect("JSON");
    let resources = shapes["resources"].as_object().expect("objects by their names");
    let handled = corpus(Processor::Stripe);
    for (name, resource) in resources {
        // Under the types of its own object, and under one that is ignored.
        let types = handled.iter().map(|event| &event["type"]).filter(|event_type| {
            let event_type = event_type.as_str().unwrap_or_default();
            let object = event_type.rsplit_once('.').map_or("", |(object, _)| object);
            let object = if object == "charge.dispute" { "dispute" } else { object };
            object == name || event_type == "account.updated"
        });
        for event_type in types {
            let event = json!({
                "id": "evt_1Shapes", "object": "event", "created": NOW_S, "livemode": false,
                "type": event_type, "data": { "object": resource },
            });
            plant(&event, |planted, card| {
                let kept = kept(Processor::Stripe, planted);
                assert!(!shows_card(&kept, card), "{name}: {kept}");
            });
        }
    }
}
