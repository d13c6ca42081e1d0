//! Tables at every boundary, and properties of cutting. Without national tables: those have tests
//! of their own in `national`.

mod national;

use proptest::prelude::*;

use super::*;

const REFERENCE: Reference16 = Reference16(0xA1B2);

fn counted(text: &str) -> (Encoding, u16) {
    let count = SmsText::new(text.to_owned()).expect("a text that fits").count();
    (count.encoding, count.parts)
}

fn parts_of(text: &str, encoding: EncodingChoice) -> Result<Segments, SegmentError> {
    let text = SmsText::new(text.to_owned()).expect("a text that fits");
    segment(&text, SegmentOptions { encoding, ..SegmentOptions::with_reference(REFERENCE) })
}

/// The octets without their header, which is checked on the way.
fn bodies(segments: &Segments) -> Vec<&[u8]> {
    let total = segments.parts();
    segments
        .segments
        .iter()
        .enumerate()
        .map(|(index, part)| {
            assert_eq!(part.has_header, total > 1);
            if !part.has_header {
                return part.octets.as_slice();
            }
            let (header, body) = part.octets.split_at(7);
            assert_eq!(header, [6, 8, 4, 0xA1, 0xB2, total, index as u8 + 1]);
            body
        })
        .collect()
}

fn reassembled(segments: &Segments) -> String {
    // Part by part: a pair that was split would show as U+FFFD.
    bodies(segments)
        .into_iter()
        .map(|body| match segments.encoding {
            Encoding::Gsm7(tables) => tables.decode_unpacked(body),
            Encoding::Ucs2 => decode_ucs2_be(body),
        })
        .collect()
}

/// Octets on the air: septets are packed, eight in seven octets, after the header's own.
fn octets_on_air(segments: &Segments, part: &Segment) -> usize {
    let header = if part.has_header { 7 } else { 0 };
    let body = part.octets.len() - header;
    match segments.encoding {
        Encoding::Gsm7(_) => ((header * 8).div_ceil(7) * 7 + body * 7).div_ceil(8),
        Encoding::Ucs2 => header + body,
    }
}

#[test]
fn counts_at_every_boundary() {
    use Encoding::Ucs2;
    const GSM7: Encoding = Encoding::GSM7;
    let table = [
        ("a", 1, GSM7, 1),
        ("a", 160, GSM7, 1),
        ("a", 161, GSM7, 2),
        ("a", 304, GSM7, 2),
        ("a", 305, GSM7, 3),
        ("a", 456, GSM7, 3),
        ("a", 457, GSM7, 4),
        ("a", 1520, GSM7, 10),
        ("€", 80, GSM7, 1),
        ("€", 81, GSM7, 2),
        ("€", 152, GSM7, 2),
        ("€", 153, GSM7, 3),
        ("€", 760, GSM7, 10),
        ("\u{0C}", 1, GSM7, 0),
        ("я", 1, Ucs2, 1),
        ("я", 70, Ucs2, 1),
        ("я", 71, Ucs2, 2),
        ("я", 132, Ucs2, 2),
        ("я", 133, Ucs2, 3),
        ("я", 660, Ucs2, 10),
        ("😀", 35, Ucs2, 1),
        ("😀", 36, Ucs2, 2),
        ("😀", 66, Ucs2, 2),
        ("😀", 67, Ucs2, 3),
        ("😀", 330, Ucs2, 10),
    ];
    for (unit, times, encoding, parts) in table {
        let text = unit.repeat(times);
        if parts == 0 {
            assert_eq!(SmsText::new(text), Err(SmsTextError::Empty));
            continue;
        }
        assert_eq!(counted(&text), (encoding, parts), "{unit} × {times}");
        let segments = parts_of(&text, EncodingChoice::Auto).unwrap();
        assert_eq!(u16::from(segments.parts()), parts, "{unit} × {times}");
        assert_eq!(reassembled(&segments), text);
    }
    for (unit, times) in [("a", 1521), ("€", 761), ("я", 661), ("😀", 331), ("я", 100_000)] {
        assert_eq!(SmsText::new(unit.repeat(times)), Err(SmsTextError::TooLong), "{unit}");
    }
}

#[test]
fn refuses_blank_and_nul() {
    for text in ["", " ", "\n\t ", "\u{3000}"] {
        assert_eq!(SmsText::new(text.to_owned()), Err(SmsTextError::Empty));
    }
    assert_eq!(SmsText::new("a\0b".to_owned()), Err(SmsTextError::Nul));
}

#[test]
fn one_wrong_character_changes_the_alphabet() {
    assert_eq!(counted("it's"), (Encoding::GSM7, 1));
    assert_eq!(counted("it’s"), (Encoding::Ucs2, 1));
    let text = "a".repeat(100);
    assert_eq!(counted(&text), (Encoding::GSM7, 1));
    assert_eq!(counted(&format!("{text}`")), (Encoding::Ucs2, 2));
}

#[test]
fn never_splits_an_escape_pair() {
    let text = format!("{}€{}", "a".repeat(151), "b".repeat(20));
    let segments = parts_of(&text, EncodingChoice::Auto).unwrap();
    let lengths: Vec<_> = bodies(&segments).iter().map(|body| body.len()).collect();
    assert_eq!(lengths, [151, 22]);
    // A pair at each cut costs a part more than the plain sum says: 2 × 152 septets in 3 parts.
    let text = format!("{}€{}€", "a".repeat(151), "b".repeat(149));
    assert_eq!(counted(&text), (Encoding::GSM7, 3));
}

#[test]
fn never_splits_a_surrogate_pair() {
    let text = format!("{}😀{}", "я".repeat(65), "я".repeat(20));
    let segments = parts_of(&text, EncodingChoice::Auto).unwrap();
    let lengths: Vec<_> = bodies(&segments).iter().map(|body| body.len() / 2).collect();
    assert_eq!(lengths, [65, 22]);
}

#[test]
fn prefers_whole_graphemes() {
    // A family of 11 code units across the cut moves to the next part as a whole.
    let family = "👨‍👩‍👧‍👦";
    let text = format!("{}{family}{}", "я".repeat(60), "я".repeat(20));
    let segments = parts_of(&text, EncodingChoice::Auto).unwrap();
    let lengths: Vec<_> = bodies(&segments).iter().map(|body| body.len() / 2).collect();
    assert_eq!(lengths, [60, 31]);
}

#[test]
fn whole_graphemes_never_cost_a_part() {
    // 132 units fill two parts to the last; keeping the family whole would need a third.
    let family = "👨‍👩‍👧‍👦";
    let text = format!("{}{family}{}", "я".repeat(60), "я".repeat(61));
    let segments = parts_of(&text, EncodingChoice::Auto).unwrap();
    assert_eq!(segments.parts(), 2);
    assert_eq!(reassembled(&segments), text);
}

#[test]
fn a_grapheme_longer_than_a_part_is_cut() {
    let text = format!("e{}", "\u{0301}".repeat(300));
    let segments = parts_of(&text, EncodingChoice::Auto).unwrap();
    assert_eq!(segments.parts(), 5);
    assert_eq!(reassembled(&segments), text);
}

#[test]
fn exact_octets() {
    let single = parts_of("A@€", EncodingChoice::Auto).unwrap();
    assert_eq!(single.segments[0].octets, [0x41, 0x00, 0x1B, 0x65]);
    assert_eq!((single.encoding.data_coding(), single.segments[0].has_header), (0, false));
    let wide = parts_of("A😀", EncodingChoice::Ucs2).unwrap();
    assert_eq!(wide.segments[0].octets, [0x00, 0x41, 0xD8, 0x3D, 0xDE, 0x00]);
    assert_eq!(wide.encoding.data_coding(), 8);
    let long = parts_of(&"A".repeat(161), EncodingChoice::Auto).unwrap();
    assert_eq!(long.segments[1].octets[..8], [6, 8, 4, 0xA1, 0xB2, 2, 2, 0x41]);
    assert_eq!(long.segments[1].octets.len(), 7 + 9);
}

#[test]
fn the_alphabet_can_be_asked_for() {
    assert_eq!(
        parts_of("ça va — ça", EncodingChoice::Gsm7),
        Err(SegmentError::NotInAlphabet(vec!['ç', '—']))
    );
    assert_eq!(parts_of(&"a".repeat(71), EncodingChoice::Ucs2).unwrap().parts(), 2);
    assert_eq!(
        parts_of(&"a".repeat(661), EncodingChoice::Ucs2),
        Err(SegmentError::TooManyParts { parts: 11, parts_max: 10 })
    );
}

#[test]
fn fewer_parts_can_be_asked_for() {
    let text = SmsText::new("a".repeat(161)).unwrap();
    let options = SegmentOptions { parts_max: 1, ..SegmentOptions::with_reference(REFERENCE) };
    let wanted = SegmentError::TooManyParts { parts: 2, parts_max: 1 };
    assert_eq!(segment(&text, options), Err(wanted));
}

#[test]
fn names_what_forces_ucs2() {
    assert_eq!(offending_characters("naïve café’s ’ ï €"), ['ï', '’']);
    let many: String = ('а'..='я').collect();
    assert_eq!(offending_characters(&many).len(), OFFENDING_MAX);
    assert!(offending_characters("plain").is_empty());
}

#[test]
fn shows_no_content() {
    let text = SmsText::new("secret".to_owned()).unwrap();
    let segments = segment(&text, SegmentOptions::with_reference(REFERENCE)).unwrap();
    assert!(!format!("{text:?} {segments:?}").contains("secret"));
    assert!(!format!("{segments:?}").contains("115"));
}

/// Texts that are long enough to be cut, of one alphabet or mixed, with emoji and accents.
fn long_text() -> impl Strategy<Value = String> {
    let gsm = "[a-zA-Z0-9 @£€^{}\\\\~|é\n]{1,700}";
    let wide = prop::collection::vec(
        prop::sample::select(vec!["я", "a", "😀", "e\u{301}", "👨‍👩‍👧‍👦", "🇳🇱", "ض", "\r\n", "ก็"]),
        1..200,
    );
    prop_oneof![gsm, wide.prop_map(|pieces| pieces.concat()), "\\PC{1,300}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_give_the_text_back(text in long_text()) {
        let Ok(sms) = SmsText::new(text.clone()) else { return Ok(()) };
        let segments = segment(&sms, SegmentOptions::with_reference(REFERENCE)).unwrap();
        prop_assert_eq!(u16::from(segments.parts()), sms.count().parts);
        prop_assert_eq!(segments.encoding, sms.count().encoding);
        prop_assert_eq!(reassembled(&segments), text);
        for part in &segments.segments {
            prop_assert!(octets_on_air(&segments, part) <= 140);
        }
    }

    #[test]
    fn any_text_is_taken_or_refused(text in any::<String>()) {
        let _ = SmsText::new(text.clone());
        let (smart, _) = smart_encoding(&text);
        prop_assert_eq!(smart_encoding(&smart).0, smart);
    }

    #[test]
    fn any_octets_decode(octets in any::<Vec<u8>>()) {
        let _ = ShiftTables::DEFAULT.decode_unpacked(&octets);
        let _ = decode_ucs2_be(&octets);
        prop_assert_eq!(decode_latin1(&octets).chars().count(), octets.len());
    }
}
