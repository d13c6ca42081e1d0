//! Texts with national language shift tables: what is chosen, cut and written.

use entity::enums::NationalLanguage::{self, Portuguese, Spanish, Turkish};

use super::*;

const ALL: &[NationalLanguage] = NationalLanguage::ALL;

fn text_with(text: &str, languages: &[NationalLanguage]) -> SmsText {
    let languages = languages.iter().copied().collect();
    SmsText::with_languages(text.to_owned(), languages).expect("a text that fits")
}

fn cut(text: &SmsText) -> Segments {
    segment(text, SegmentOptions::with_reference(REFERENCE)).unwrap()
}

fn gsm(locking: Option<NationalLanguage>, single: Option<NationalLanguage>) -> Encoding {
    Encoding::Gsm7(ShiftTables { locking, single })
}

/// Reads the parts as a phone does: by their own headers.
fn read(segments: &Segments) -> String {
    let read_part = |(index, part): (usize, &Segment)| {
        let (header, body) = match part.octets.split_first() {
            Some((length, rest)) if part.has_header => rest.split_at(usize::from(*length)),
            _ => (&[][..], part.octets.as_slice()),
        };
        let place = elements(header).find(|(element, _)| *element == 8);
        let expected = [0xA1, 0xB2, segments.parts(), index as u8 + 1];
        let expected = (segments.parts() > 1).then_some((8, &expected[..]));
        assert_eq!(place, expected);
        match segments.encoding {
            Encoding::Gsm7(tables) => {
                assert_eq!(ShiftTables::of_header(header), tables);
                tables.decode_unpacked(body)
            }
            Encoding::Ucs2 => decode_ucs2_be(body),
        }
    };
    segments.segments.iter().enumerate().map(read_part).collect()
}

/// Octets on the air: the header, filled up to a multiple of seven bits, and packed septets.
fn octets_packed(part: &Segment) -> usize {
    let header = if part.has_header { usize::from(part.octets[0]) + 1 } else { 0 };
    let septets = (header * 8).div_ceil(7) + part.octets.len() - header;
    (septets * 7).div_ceil(8)
}

#[test]
fn capacities_are_those_of_the_header() {
    let table = [
        (Encoding::GSM7, 160, 152),
        (gsm(None, Some(Turkish)), 155, 148),
        (gsm(Some(Turkish), None), 155, 148),
        (gsm(Some(Turkish), Some(Turkish)), 152, 145),
        (Encoding::Ucs2, 70, 66),
    ];
    for (encoding, single, part) in table {
        assert_eq!(
            (encoding.single_units(), encoding.part_units()),
            (single, part),
            "{encoding:?}"
        );
    }
}

#[test]
fn national_tables_are_taken_where_they_save_a_part() {
    let single = |language| gsm(None, Some(language));
    let locking = |language| gsm(Some(language), None);
    let table: [(String, &[NationalLanguage], Encoding, u16); 22] = [
        // Nothing is allowed, or nothing is won.
        ("ş".repeat(71), &[], Encoding::Ucs2, 2),
        ("ş".repeat(70), ALL, Encoding::Ucs2, 1),
        ("ş".repeat(71), &[Spanish, Portuguese], Encoding::Ucs2, 2),
        ("a".repeat(161), ALL, Encoding::GSM7, 2),
        ("ş".repeat(71) + "я", ALL, Encoding::Ucs2, 2),
        // Two septets a letter behind an escape, one by a locking table.
        ("ş".repeat(71), &[Turkish], single(Turkish), 1),
        ("ş".repeat(77), &[Turkish], single(Turkish), 1),
        ("ş".repeat(78), &[Turkish], locking(Turkish), 1),
        ("ş".repeat(155), &[Turkish], locking(Turkish), 1),
        ("ş".repeat(156), &[Turkish], locking(Turkish), 2),
        ("ş".repeat(296), &[Turkish], locking(Turkish), 2),
        ("ş".repeat(297), &[Turkish], locking(Turkish), 3),
        ("ş".to_owned() + &"a".repeat(153), &[Turkish], single(Turkish), 1),
        ("ş".to_owned() + &"a".repeat(154), &[Turkish], locking(Turkish), 1),
        ("ş".to_owned() + &"a".repeat(294), &[Turkish], single(Turkish), 2),
        // The locking table lacks è, the single one has ş beside it.
        ("ş".repeat(100) + "è", &[Turkish], Encoding::Ucs2, 2),
        ("ş".repeat(70) + "è", &[Turkish], single(Turkish), 1),
        // Of two languages that do, the first identifier; of two tables, the single one.
        ("ó".repeat(71), ALL, single(Spanish), 1),
        ("ç".repeat(71), ALL, single(Turkish), 1),
        ("ó".repeat(78), ALL, locking(Portuguese), 1),
        // Portuguese alone needs both for the one and the other.
        ("º".repeat(140) + "Ω", ALL, gsm(Some(Portuguese), Some(Portuguese)), 1),
        // What is too long for UCS-2 may fit.
        ("ş".repeat(1480), &[Turkish], locking(Turkish), 10),
    ];
    for (text, languages, encoding, parts) in table {
        let sms = text_with(&text, languages);
        let shown = format!("{}… × {} {languages:?}", &text[..2], text.chars().count());
        assert_eq!(sms.count(), Count { encoding, parts }, "{shown}");
        let segments = cut(&sms);
        assert_eq!((segments.encoding, u16::from(segments.parts())), (encoding, parts), "{shown}");
        assert_eq!(read(&segments), text, "{shown}");
    }
    let too_long = SmsText::with_languages("ş".repeat(1481), ALL.iter().copied().collect());
    assert_eq!(too_long, Err(SmsTextError::TooLong));
}

#[test]
fn the_language_alone_leads_to_the_same_choice() {
    for text in ["ó".repeat(78), "ç".repeat(71), "º".repeat(140) + "Ω", "ğ".repeat(400)] {
        let chosen = text_with(&text, ALL);
        let Encoding::Gsm7(tables) = chosen.count().encoding else { panic!("{text}") };
        assert_eq!(text_with(&text, &[tables.language().unwrap()]), chosen);
    }
}

#[test]
fn exact_octets_of_the_header() {
    let one = cut(&text_with(&("ş".to_owned() + &"a".repeat(100)), &[Turkish]));
    assert_eq!(one.segments[0].octets[..7], [3, 0x24, 1, 1, 0x1B, 0x73, 0x61]);
    assert!(one.segments[0].has_header);
    let locked = cut(&text_with(&"ã".repeat(300), &[Portuguese]));
    assert_eq!(
        locked.segments[2].octets[..12],
        [9, 8, 4, 0xA1, 0xB2, 3, 3, 0x25, 1, 3, 0x7B, 0x7B]
    );
    let both = cut(&text_with(&("º".repeat(140) + "Ω"), &[Portuguese]));
    assert_eq!(both.segments[0].octets[..8], [6, 0x24, 1, 3, 0x25, 1, 3, 0x24]);
    assert_eq!(both.segments[0].octets[147..], [0x1B, 0x15]);
    assert_eq!(both.encoding.data_coding(), 0);
}

#[test]
fn an_escape_pair_is_never_split() {
    // 147 septets, a pair across the end of a part of 148, and a rest.
    let text = format!("{}ş{}", "a".repeat(147), "b".repeat(20));
    let segments = cut(&text_with(&text, &[Turkish]));
    assert_eq!((segments.encoding, segments.parts()), (gsm(None, Some(Turkish)), 2));
    let septets: Vec<_> = segments.segments.iter().map(|part| part.octets.len() - 10).collect();
    assert_eq!(septets, [147, 22]);
    assert_eq!(read(&segments), text);
}

#[test]
fn another_alphabet_can_still_be_asked_for() {
    let text = text_with(&"ş".repeat(71), &[Turkish]);
    let options = SegmentOptions::with_reference(REFERENCE);
    let asked = |encoding| segment(&text, SegmentOptions { encoding, ..options }).unwrap();
    assert_eq!(asked(EncodingChoice::Ucs2).parts(), 2);
    assert_eq!(asked(EncodingChoice::Gsm7), cut(&text));
}

/// Texts of letters that some table has, and now and then of one that none has.
fn national_text() -> impl Strategy<Value = String> {
    let of = |letters: &'static str, max| {
        let letters: Vec<char> = letters.chars().collect();
        prop::collection::vec(prop::sample::select(letters), 1..max)
            .prop_map(|letters| letters.into_iter().collect::<String>())
    };
    prop_oneof![
        of("abc ABC.,€[]ĞğİıŞşÇçÖöÜü", 900),
        of("abc ABC.,€{}áéíóúÁÉÍÓÚñÑ¿¡ç", 900),
        of("abc ABC.,€^~`ãõâêôáíóúàçÃÕÂÊÔÁÍÓÚÀÇªº∞ΦΓΩ", 900),
        of("aşãóя", 400),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_give_the_text_back_and_are_no_more_than_without(
        text in national_text(), bits in 0..8_i16,
    ) {
        let languages = NationalLanguages::from_bits(bits);
        let Ok(sms) = SmsText::with_languages(text.clone(), languages) else { return Ok(()) };
        let segments = cut(&sms);
        prop_assert_eq!(segments.encoding, sms.count().encoding);
        prop_assert_eq!(u16::from(segments.parts()), sms.count().parts);
        prop_assert_eq!(read(&segments), text.clone());
        if let Encoding::Gsm7(tables) = segments.encoding {
            prop_assert!(segments.segments.iter().all(|part| octets_packed(part) <= 140));
            prop_assert!(tables.language().is_none_or(|it| languages.contains(it)));
        }
        if let Ok(without) = SmsText::new(text) {
            prop_assert!(sms.count() == without.count() || sms.count().parts < without.count().parts);
        }
    }
}
