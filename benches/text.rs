//! The pure parts of the accept path: phone numbers, SMS text, and the search for card numbers.
//! `cargo bench --bench text`.
//!
//! The `phonenumber` crate's own parse stands beside ours, to show what the matching in
//! `types::phone` is for.

#![expect(missing_docs, reason = "criterion_group! makes undocumented functions")]

use std::hint::black_box;
use std::str::FromStr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use heliograph::types::card_detector;
use heliograph::types::phone::{self, PhoneNumber, Region};
use heliograph::types::sms_text::{Reference16, SegmentOptions, SmsText, segment};

/// One number each of twelve countries: what a mixed batch looks like.
const WORLD: [&str; 12] = [
    "+447400123456",
    "+12015550123",
    "+4915123456789",
    "+33612345678",
    "+8801812345678",
    "+919123456789",
    "+5511961234567",
    "+254712123456",
    "+2348021234567",
    "+6591234567",
    "+905012345678",
    "+61412345678",
];

fn numbers(criterion: &mut Criterion) {
    phone::warm_up();
    let mut group = criterion.benchmark_group("phone");
    let parse = |input: &str| PhoneNumber::parse(black_box(input), None);
    group.bench_function("parse/one country", |it| it.iter(|| parse(WORLD[0])));
    let mut next = 0;
    group.bench_function("parse/twelve countries", |it| {
        it.iter(|| {
            next = (next + 1) % WORLD.len();
            parse(WORLD[next])
        });
    });
    group.bench_function("parse/formatted", |it| it.iter(|| parse("+44 (0)7400 123-456")));
    let region = Region::from_str("GB").expect("a region");
    group.bench_function("parse/national", |it| {
        it.iter(|| PhoneNumber::parse(black_box("07400 123456"), Some(region)));
    });
    group.bench_function("parse/refused", |it| it.iter(|| parse("+12000000000")));
    let number = parse(WORLD[0]).expect("a number");
    group.bench_function("ensure_mobile", |it| {
        it.iter(|| black_box(&number).ensure_mobile(&[]));
    });
    group.bench_function("crate/one country", |it| {
        it.iter(|| phonenumber::parse(None, black_box(WORLD[0])).map(|it| it.is_valid()));
    });
    group.bench_function("crate/twelve countries", |it| {
        it.iter(|| {
            next = (next + 1) % WORLD.len();
            phonenumber::parse(None, black_box(WORLD[next])).map(|it| it.is_valid())
        });
    });
    group.finish();
}

fn texts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("text");
    let cases = [
        ("160 GSM", "Your code is 123456. Do not share it with anyone. ".repeat(4)[..160].into()),
        ("1520 GSM", "a".repeat(1520)),
        ("70 UCS-2", "я".repeat(70)),
        ("660 UCS-2", "я".repeat(660)),
    ];
    for (name, text) in cases {
        let text: String = text;
        group.bench_function(format!("new and count/{name}"), |it| {
            it.iter_batched(
                || text.clone(),
                |text| SmsText::new(black_box(text)),
                criterion::BatchSize::SmallInput,
            );
        });
        let sms = SmsText::new(text).expect("a text that fits");
        let options = SegmentOptions::with_reference(Reference16(7));
        group.bench_function(format!("segment/{name}"), |it| {
            it.iter(|| segment(black_box(&sms), options));
        });
    }
    group.finish();
}

fn cards(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("card_detector");
    let json = include_str!("../tests/it/payments/shapes/stripe_handled.json");
    let text = "Your parcel 12 of 34 arrives on 2026-11-22 at 10:26, call +254712000000. ";
    let cases = [
        ("ordinary JSON", json.to_owned()),
        ("ordinary text", text.repeat(500)),
        ("Cyrillic", "Ваш код 123456, никому его не говорите. ".repeat(500)),
        ("digits", "5318008 ".repeat(4_000)),
        ("base64", "SGVsaW9ncmFwaCBzZW5kcyB5b3VyIG1lc3NhZ2Vz".repeat(800)),
    ];
    for (name, input) in cases {
        assert_eq!(card_detector::find(input.as_bytes()), None, "{name}");
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_function(name, |it| {
            it.iter(|| card_detector::find(black_box(input.as_bytes())));
        });
    }
    group.finish();
}

criterion_group!(benches, numbers, texts, cards);
criterion_main!(benches);
