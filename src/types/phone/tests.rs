//! Tables and properties of `phone`, with the `phonenumber` crate as the oracle.

use std::str::FromStr;

use phonenumber::metadata::DATABASE;
use proptest::prelude::*;

use super::*;

fn region(text: &str) -> Option<Region> {
    Some(Region::from_str(text).expect("a region"))
}

fn parsed(input: &str, default_region: Option<Region>) -> Result<String, PhoneNumberError> {
    PhoneNumber::parse(input, default_region).map(|number| number.e164().to_owned())
}

#[test]
fn reads_what_people_write() {
    let table = [
        ("+447400123456", None, "+447400123456"),
        ("  +44 7400 123456 ", None, "+447400123456"),
        ("+44 (0)7400 123456", None, "+447400123456"),
        ("\u{FF0B}44\u{00A0}7400\u{2011}123456", None, "+447400123456"),
        ("\u{202A}+44 7400 123456\u{202C}", None, "+447400123456"),
        ("tel:+44-7400-123456", None, "+447400123456"),
        ("07400 123456", region("GB"), "+447400123456"),
        ("0044 7400 123456", region("GB"), "+447400123456"),
        ("447400123456", region("GB"), "+447400123456"),
        ("+1 (201) 555-0123", None, "+12015550123"),
        ("1 201 555 0123", region("US"), "+12015550123"),
        ("011 44 7400 123456", region("US"), "+447400123456"),
        ("201.555.0123", region("us"), "+12015550123"),
        ("+٤٤ ٧٤٠٠ ١٢٣٤٥٦", None, "+447400123456"),
        ("+４４７４００１２３４５６", None, "+447400123456"),
        // Italy keeps its leading zero abroad.
        ("02 3661 8300", region("IT"), "+390236618300"),
        ("+39 02 3661 8300", None, "+390236618300"),
        // Argentina: 0, area code, 15, number at home; 9, area code, number abroad.
        ("011 15 2345 6789", region("AR"), "+5491123456789"),
        // Brazil: zero and a carrier code in front.
        ("0 15 21 99999 9999", region("BR"), "+5521999999999"),
        // San Marino's short form grows its area code.
        ("886377", region("SM"), "+3780549886377"),
        // A Belarusian freephone number that starts with its own trunk prefix.
        ("+375 800 123 4567", None, "+3758001234567"),
        ("+8801712345678", None, "+8801712345678"),
        ("01712-345678", region("BD"), "+8801712345678"),
    ];
    for (input, default_region, wanted) in table {
        assert_eq!(parsed(input, default_region).as_deref(), Ok(wanted), "{input}");
    }
}

#[test]
fn refuses_with_the_reason() {
    use PhoneNumberError::*;
    let long = "0".repeat(INPUT_BYTES_MAX + 1);
    let table = [
        ("", None, Empty),
        (" \t\n", None, Empty),
        ("hello", None, Unparsable),
        ("+44 7400 12345x", None, Unparsable),
        ("+", None, Unparsable),
        ("++447400123456", None, Unparsable),
        ("44+7400123456", None, Unparsable),
        ("+447400123456;ext=1", None, Unparsable),
        ("+44\u{0}7400123456", None, Unparsable),
        (&long, None, Unparsable),
        ("07400 123456", None, MissingRegion),
        ("447400123456", None, MissingRegion),
        ("+0447400123456", None, UnassignedCountryCode),
        ("+210123456789", None, UnassignedCountryCode),
        ("+9990000000000", None, UnassignedCountryCode),
        ("+999", None, UnassignedCountryCode),
        ("+44", None, ImpossibleLength),
        ("+44740012345678", None, ImpossibleLength),
        ("+1201555012", None, ImpossibleLength),
        ("+44740012345678901234567", None, ImpossibleLength),
        ("+4474001234567890123456789", None, ImpossibleLength),
        ("+447", None, ImpossibleLength),
        // The right length, and no such range.
        ("+12000000000", None, Invalid),
        ("0000000000", region("US"), Invalid),
    ];
    for (input, default_region, wanted) in table {
        assert_eq!(parsed(input, default_region), Err(wanted), "{input}");
    }
}

#[test]
fn only_phones_pass() {
    use PhoneNumberError::*;
    let table = [
        ("+447400123456", NumberKind::Mobile, Ok(())),
        ("+12015550123", NumberKind::FixedLineOrMobile, Ok(())),
        ("+442079460018", NumberKind::FixedLine, Err(FixedLine)),
        ("+390236618300", NumberKind::FixedLine, Err(FixedLine)),
        ("+448001234567", NumberKind::TollFree, Err(Premium)),
        ("+449012345678", NumberKind::PremiumRate, Err(Premium)),
        ("+18002345678", NumberKind::TollFree, Err(Premium)),
        ("+80012345678", NumberKind::TollFree, Err(Premium)),
    ];
    for (input, kind, wanted) in table {
        let number = PhoneNumber::parse(input, None).expect(input);
        assert_eq!(number.kind(), kind, "{input}");
        assert_eq!(number.ensure_mobile(&[]), wanted, "{input}");
        assert_eq!(number.ensure_mobile(&[kind]), Ok(()), "{input}");
    }
}

#[test]
fn tells_code_and_region() {
    for (input, code, wanted) in [
        ("+447400123456", 44, Some("GB")),
        ("+12015550123", 1, Some("US")),
        ("+12423591234", 1, Some("BS")),
        ("+15062345678", 1, Some("CA")),
        ("+77710009998", 7, Some("KZ")),
        ("+79123456789", 7, Some("RU")),
        ("+80012345678", 800, None),
    ] {
        let number = PhoneNumber::parse(input, None).expect(input);
        assert_eq!(number.calling_code(), Some(code), "{input}");
        assert_eq!(number.region().map(|it| it.to_string()).as_deref(), wanted, "{input}");
    }
}

#[test]
fn test_recipients_have_their_own_door() {
    for input in ["+9990000000000", "+999 100 000 0000", "+999100000000000"] {
        let number = PhoneNumber::parse_test(input).expect(input);
        assert!(number.is_test());
        assert_eq!(number.kind(), NumberKind::Test);
        assert_eq!(number.calling_code(), Some(TEST_CALLING_CODE));
        assert_eq!(number.region(), None);
        assert_eq!(number.ensure_mobile(&[]), Ok(()));
        assert_eq!(PhoneNumber::parse(input, None), Err(PhoneNumberError::UnassignedCountryCode));
    }
    for input in ["+999000000000", "+9990000000000000", "9990000000000", "+447400123456"] {
        assert_eq!(
            PhoneNumber::parse_test(input),
            Err(PhoneNumberError::NotATestNumber),
            "{input}"
        );
    }
    assert!(!PhoneNumber::parse("+447400123456", None).unwrap().is_test());
}

#[test]
fn shows_two_digits_at_most() {
    let number = PhoneNumber::parse("+447400123456", None).unwrap();
    assert_eq!(number.masked(), "+••••••••••56");
    assert_eq!(format!("{number:?}"), "PhoneNumber(+••••••••••56)");
    assert_eq!(number.digits(), "447400123456");
}

#[test]
fn restores_by_shape_alone() {
    assert_eq!(PhoneNumber::restore("+12000000000").unwrap().kind(), NumberKind::Unknown);
    for shape in ["", "+", "447400123456", "+44 7400", "+1234", "+1234567890123456", "+44７400123"]
    {
        assert_eq!(PhoneNumber::restore(shape), Err(PhoneNumberError::Unparsable), "{shape}");
    }
}

#[test]
fn regions_are_known_or_refused() {
    assert_eq!(Region::from_str("gb").unwrap().as_str(), "GB");
    for text in ["", "G", "GBR", "ZZ", "1A", "é"] {
        assert_eq!(Region::from_str(text), Err(UnknownRegion), "{text}");
    }
}

use super::region::UnknownRegion;

/// Every region's own examples: the answers against what the metadata calls them.
#[test]
fn every_region_knows_its_own_examples() {
    let (mut seen, mut elsewhere) = (0, 0);
    for code in 1..1000u16 {
        for metadata in DATABASE.by_code(&code).unwrap_or_default() {
            let all = metadata.descriptors();
            let region = Region::from_str(metadata.id()).ok();
            for (kind, descriptor) in [
                (NumberKind::Mobile, all.mobile()),
                (NumberKind::FixedLine, all.fixed_line()),
                (NumberKind::TollFree, all.toll_free()),
                (NumberKind::PremiumRate, all.premium_rate()),
            ] {
                let Some(example) = descriptor.and_then(|it| it.example()) else { continue };
                let e164 = format!("+{code}{example}");
                let number = PhoneNumber::parse(&e164, None)
                    .unwrap_or_else(|error| panic!("{} {kind:?} {e164}: {error}", metadata.id()));
                assert_eq!(number.e164(), e164);
                let either = NumberKind::FixedLineOrMobile;
                let same_line = matches!(kind, NumberKind::Mobile | NumberKind::FixedLine)
                    && number.kind() == either;
                assert!(number.kind() == kind || same_line, "{e164} is {:?}", number.kind());
                assert_eq!(number.calling_code(), Some(code));
                // Some examples are numbers of the code's main region as well (freephone, the
                // Vatican's mobiles): there the crate has the say, where it has one.
                if number.region() != region {
                    let theirs = phonenumber::parse(None, &e164).ok();
                    if let Some(theirs) = theirs.and_then(|it| it.country().id()) {
                        let ours = number.region().map(|it| it.to_string());
                        assert_eq!(ours.as_deref(), Some(theirs.as_ref()), "{e164}");
                    }
                    elsewhere += 1;
                }
                if let Some(region) = region {
                    let home = PhoneNumber::parse(example, Some(region));
                    assert_eq!(home, Ok(number), "{e164} in national form");
                    let _ = PhoneNumber::parse(&format!("00{code}{example}"), Some(region));
                }
                seen += 1;
            }
        }
    }
    assert!(elsewhere * 5 < seen, "{elsewhere} of {seen} examples are another region's");
    assert!(seen > 700, "only {seen} examples: the metadata is not what it was");
}

/// What the crate says: the number as it would write it, if it calls it valid.
fn oracle(input: &str) -> Option<String> {
    let number = phonenumber::parse(None, input).ok()?;
    number.is_valid().then(|| number.format().mode(phonenumber::Mode::E164).to_string())
}

/// The digits of a plausible number: a real calling code and digits of its usual starts.
fn plausible() -> impl Strategy<Value = String> {
    let codes = vec![
        "1", "7", "20", "27", "30", "31", "33", "34", "39", "40", "44", "49", "52", "54", "55",
        "61", "62", "63", "81", "82", "86", "90", "91", "92", "98", "212", "221", "234", "254",
        "255", "350", "351", "353", "358", "370", "375", "378", "380", "420", "598", "599", "800",
        "852", "880", "886", "960", "966", "971", "972", "998", "999", "210", "0",
    ];
    (prop::sample::select(codes), "[0-9]{1,14}").prop_map(|(code, rest)| format!("+{code}{rest}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing panics, and what is accepted is a fixed point.
    #[test]
    fn parsing_is_total_and_idempotent(input in "\\PC{0,30}", region_index in 0usize..4) {
        let regions = [None, region("GB"), region("US"), region("AR")];
        if let Ok(number) = PhoneNumber::parse(&input, regions[region_index]) {
            prop_assert_eq!(PhoneNumber::parse(number.e164(), None), Ok(number));
        }
    }

    /// Against the crate, where it leaves the number as it is: what it calls valid, we accept,
    /// unless its pattern, not being anchored, matched only a start; and what we accept as it is
    /// matches in full.
    #[test]
    fn agrees_with_the_crate(input in plausible()) {
        let ours = PhoneNumber::parse(&input, None);
        let theirs = oracle(&input);
        match ours {
            Ok(ours) => {
                prop_assert!(matches_in_full(ours.e164()), "{} accepted", ours.e164());
                if let Some(theirs) = theirs {
                    prop_assert_eq!(ours.e164(), theirs);
                }
            }
            // Germany has national numbers that make more than E.164's fifteen digits.
            Err(_) if theirs.as_deref() == Some(&input) && input.len() <= DIGITS_MAX + 1 => {
                prop_assert!(!matches_in_full(&input), "{} refused", input);
            }
            Err(_) => {}
        }
    }
}

/// The metadata read the slow, plain way: some region of the code has a general range and one of
/// its kinds that match the whole national number.
fn matches_in_full(e164: &str) -> bool {
    let (code, national) = split_calling_code(&e164[1..]).expect("a calling code");
    let full = |descriptor: &phonenumber::metadata::Descriptor| {
        let pattern = format!("^(?:{})$", descriptor.national_number().as_str());
        let lengths = descriptor.possible_length();
        (lengths.is_empty() || lengths.contains(&(national.len() as u16)))
            && regex::RegexBuilder::new(&pattern)
                .ignore_whitespace(true)
                .build()
                .expect("metadata patterns compile")
                .is_match(national)
    };
    DATABASE.by_code(&code).unwrap_or_default().into_iter().any(|metadata| {
        let all = metadata.descriptors();
        let kinds = [
            all.mobile(),
            all.fixed_line(),
            all.toll_free(),
            all.premium_rate(),
            all.shared_cost(),
            all.voip(),
            all.personal_number(),
            all.pager(),
            all.uan(),
            all.voicemail(),
        ];
        full(all.general()) && kinds.into_iter().flatten().any(full)
    })
}
