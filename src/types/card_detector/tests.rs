//! The detector against published test cards in every encoding, and against what only looks like
//! a card number.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;

/// Test cards that processors publish (Stripe, Adyen, Worldpay, Paystack, PayPal).
const CARDS: &[(&str, Scheme)] = &[
    ("4242424242424242", Scheme::Visa),
    ("4000056655665556", Scheme::Visa),
    ("4988438843884305", Scheme::Visa),
    ("5555555555554444", Scheme::Mastercard),
    ("5105105105105100", Scheme::Mastercard),
    ("2223003122003222", Scheme::Mastercard),
    ("378282246310005", Scheme::AmericanExpress),
    ("371449635398431", Scheme::AmericanExpress),
    ("6011111111111117", Scheme::Discover),
    ("6011000990139424", Scheme::Discover),
    ("6555900000604105", Scheme::Discover),
    ("3056930009020004", Scheme::DinersClub),
    ("36227206271667", Scheme::DinersClub),
    ("30569309025904", Scheme::DinersClub),
    ("3566002020360505", Scheme::Jcb),
    ("3530111333300000", Scheme::Jcb),
    ("6200000000000005", Scheme::UnionPay),
    ("6205500000000000004", Scheme::UnionPay),
    ("6759649826438453", Scheme::Maestro),
    ("6771798021000008", Scheme::Maestro),
    // Made up: nobody publishes one of twelve digits.
    ("676770000005", Scheme::Maestro),
    ("5060666666666666666", Scheme::Verve),
];

/// The ways that people and programs group digits.
fn groupings(number: &str) -> Vec<String> {
    let chunked = |size: usize, separator: &str| {
        let digits: Vec<char> = number.chars().collect();
        let chunks: Vec<String> = digits.chunks(size).map(|it| it.iter().collect()).collect();
        chunks.join(separator)
    };
    vec![
        number.to_owned(),
        chunked(4, " "),
        chunked(4, "-"),
        chunked(4, "."),
        chunked(4, " - "),
        chunked(4, "+"),
        chunked(4, "\u{a0}"),
        chunked(4, "\u{2013}"),
        chunked(4, "\u{200b}"),
        chunked(1, " "),
        chunked(1, "_"),
    ]
}

type Encoded = (&'static str, fn(&str) -> String);

fn each_byte(text: &str, form: impl Fn(u8) -> String) -> String {
    text.bytes().map(form).collect()
}

fn hex(text: &str) -> String {
    each_byte(text, |byte| format!("{byte:02x}"))
}

/// Every encoding, and nested ones.
const ENCODINGS: &[Encoded] = &[
    ("plain", str::to_owned),
    ("percent", |text| each_byte(text, |byte| format!("%{byte:02X}"))),
    ("percent twice", |text| each_byte(text, |byte| format!("%25{byte:02x}"))),
    ("\\u", |text| each_unit(text, |unit| format!("\\u{unit:04x}"))),
    ("\\u of one digit", |text| text.replacen('0', "\\u0030", 1)),
    ("\\x", |text| each_byte(text, |byte| format!("\\x{byte:02x}"))),
    ("\\u{}", |text| text.chars().map(|it| format!("\\u{{{:x}}}", u32::from(it))).collect()),
    ("decimal reference", |text| text.chars().map(|it| format!("&#{};", u32::from(it))).collect()),
    ("hex reference", |text| text.chars().map(|it| format!("&#x{:X};", u32::from(it))).collect()),
    ("hex", hex),
    ("hex, capitals", |text| hex(text).to_uppercase()),
    ("hex, misaligned", |text| format!("f{}", hex(text))),
    ("base64", |text| STANDARD.encode(text)),
    ("base64, in text", |text| STANDARD.encode(format!("{{\"number\":\"{text}\"}}"))),
    ("base64, for addresses", |text| URL_SAFE_NO_PAD.encode(format!("?{text}?"))),
    ("base64, misaligned", |text| format!("ab{}", STANDARD.encode(text))),
    ("base64 twice", |text| STANDARD.encode(STANDARD.encode(text))),
    ("base64, percent", |text| STANDARD.encode(text).replace('N', "%4E").replace('=', "%3D")),
    ("UTF-16", |text| each_byte(text, |byte| format!("{}\0", char::from(byte)))),
    ("full width", |text| other_digits(text, 0xFF10)),
    ("Arabic-Indic", |text| other_digits(text, 0x660)),
    ("Devanagari, percent", |text| {
        each_byte(&other_digits(text, 0x966), |byte| format!("%{byte:02X}"))
    }),
    ("mathematical", |text| other_digits(text, 0x1D7CE)),
];

fn each_unit(text: &str, form: impl Fn(u16) -> String) -> String {
    text.encode_utf16().map(form).collect()
}

fn other_digits(text: &str, zero: u32) -> String {
    let other = |digit: char| char::from_u32(zero + digit.to_digit(10)?);
    text.chars().map(|it| other(it).unwrap_or(it)).collect()
}

#[test]
fn finds_every_card_in_every_grouping_and_encoding() {
    for (number, scheme) in CARDS {
        for (name, encode) in ENCODINGS {
            for grouped in groupings(number) {
                // As bytes one by one, UTF-16 is only what ASCII makes of it.
                if !grouped.is_ascii() && *name == "UTF-16" {
                    continue;
                }
                let encoded = encode(&grouped);
                for text in [
                    encoded.clone(),
                    format!("{{\"id\":7,\"note\":\"card {encoded}, valid 12/30\"}}"),
                    format!("x={encoded};"),
                ] {
                    let found = find(text.as_bytes());
                    let found = found.unwrap_or_else(|| panic!("{name}: {text:?} passed"));
                    // What is left of a number when one digit is escaped may be another number.
                    let is_whole = *name != "\\u of one digit";
                    assert!(!is_whole || found.scheme == *scheme, "{name}: {text:?} {found:?}");
                    assert!(text.is_char_boundary(found.place.start), "{name}: {text:?}");
                    assert!(find_in_any_window(text.as_bytes()).is_some(), "{name}: {text:?}");
                }
            }
        }
    }
}

#[test]
fn says_where_and_how() {
    for (text, encoding, place) in [
        ("pay 4242 4242 4242 4242 now", Encoding::Plain, "4242 4242 4242 4242"),
        ("pay 4242%204242%204242%204242 now", Encoding::Escaped, "4242%204242%204242%204242"),
        ("\"\\u0034242424242424242\"", Encoding::Escaped, "\\u0034242424242424242"),
        ("n=NDI0MjQyNDI0MjQyNDI0Mg==", Encoding::Base64, "NDI0MjQyNDI0MjQyNDI0Mg"),
        ("0x34323432343234323432343234323432.", Encoding::Hex, "34323432343234323432343234323432"),
    ] {
        let found = find(text.as_bytes()).unwrap_or_else(|| panic!("{text:?} passed"));
        assert_eq!((found.encoding, &text[found.place]), (encoding, place));
    }
}

#[test]
fn lets_pass_what_only_looks_like_a_card() {
    for text in [
        // One digit off; no issuer; the wrong length for the issuer.
        "4242424242424241",
        "7242424242424242",
        "0000000000000000",
        "42424242424242",
        "37828224631000",
        // IMEI, IMEISV, ICCID; Luhn-valid.
        "IMEI 490154203237518",
        "356938035643809",
        "353879234252633 / 990000862471854",
        "ICCID 8991101200003204510",
        "89014103211118510720",
        "8944500102198304826",
        // E.164, as lists, with and without the plus sign; German ones have 13 digits.
        "+447400123456, +12015550123 +4915123456789,+33612345678",
        "447400123456 12015550123 4915123456789 33612345678 5511961234567",
        "[\"254712123456\",\"2348021234567\",\"639051234567\",\"6281234567890\"]",
        "4915112345678\n4915112345679\n4915112345670\n4915112345671\n4915112345672",
        "tel:+49-151-12345678 +49 (0)151 12345678",
        // Times.
        "1763807206 1763807206123 1763807206123456 1763807206123456789",
        "2026-11-22 10:26:46.123456789 20261122102646 2026/11/22 10.26.46",
        "22/11/2026-22/12/2026",
        // Identifiers.
        "550e8400-e29b-41d4-a716-446655440000 019ac4f2-0000-7000-8000-000000000000",
        "ev_01kbz4n3fjfz8r7d9v1p2q3s4t msg_00000000000000000000000000",
        "ws_CO_10122023133400273768130105",
        "MAC d41d8cd98f00b204e9800998ecf8427e",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        // Numbers.
        "52.5200065999999 13.4049539999999",
        "[40.71277600000001,-74.00597400000003]",
        "0.5555555555554444",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19",
        "192.168.100.101 255.255.255.255",
        "100%4242 \\u004 &#52 %zz \\x",
        "",
    ] {
        assert_eq!(find(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn uuids_and_digests_hide_nothing_that_is_all_digits() {
    let uuid = "55005678-1234-4123-8123-4242424242424242";
    assert!(find(uuid.as_bytes()).is_some());
    let sha = format!("{:0>64}", "4242424242424242");
    assert_eq!(find(sha.as_bytes()), None);
    assert!(find_in_any_window(sha.as_bytes()).is_some());
    assert!(find(b"deadbeef 4242424242424242").is_some());
}

#[test]
fn only_any_window_finds_a_card_within_a_longer_run() {
    for text in ["14242424242424242", "42424242424242421230123", "0.4242424242424242"] {
        assert_eq!(find(text.as_bytes()), None, "{text}");
        assert!(find_in_any_window(text.as_bytes()).is_some(), "{text}");
    }
}

#[test]
fn hostile_input_ends_soon() {
    let mut text = String::new();
    for _ in 0..5_000 {
        write!(text, "%25255c%5c\\u005c&#38;#52;NDI0MjQy 1 2 3 4-").expect("a string grows");
    }
    let mut nested = "4".repeat(50_000);
    for _ in 0..3 {
        nested = STANDARD.encode(nested);
    }
    for hostile in [
        text,
        nested,
        "1 ".repeat(100_000),
        "я".repeat(500_000),
        "٣ я".repeat(100_000),
        "\\u{".repeat(50_000),
        "&#".repeat(90_000),
    ] {
        assert_eq!(find(hostile.as_bytes()), None);
    }
}

#[test]
fn any_bytes_are_taken() {
    let mut state = 7_u64;
    for length in 0..600 {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8
            })
            .collect();
        assert_eq!(find(&bytes), None);
    }
}
