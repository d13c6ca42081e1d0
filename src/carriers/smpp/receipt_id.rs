//! The forms that one message id can take: carriers write an id in one way in their answer and in
//! another in their receipt. Pure; which form a carrier uses is set by the operator or learned by
//! `messages::dispatch`.

use serde::{Deserialize, Serialize};

/// Digits of the longest number that is converted between decimal and hexadecimal: 128 bits.
const HEX_DIGITS_MAX: usize = 32;

/// How a receipt writes the id that the answer gave, the most literal first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptIdForm {
    /// As the answer wrote it.
    AsWritten,
    /// In other capitals.
    AnyCase,
    /// With leading zeros that the answer had not; capitals do not count.
    ZeroPadded,
    /// In decimal, where the answer had hexadecimal.
    Decimal,
    /// In hexadecimal, where the answer had decimal.
    Hexadecimal,
}

impl ReceiptIdForm {
    /// All forms, the most literal first.
    pub const ALL: [Self; 5] =
        [Self::AsWritten, Self::AnyCase, Self::ZeroPadded, Self::Decimal, Self::Hexadecimal];

    /// The stable name, as a metric's label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AsWritten => "as_written",
            Self::AnyCase => "any_case",
            Self::ZeroPadded => "zero_padded",
            Self::Decimal => "decimal",
            Self::Hexadecimal => "hexadecimal",
        }
    }

    /// The ids that the answer may have given, if the receipt writes `raw` in this form: without
    /// repeats, the most literal first; empty if `raw` is not of this form.
    pub fn ids(self, raw: &str) -> Vec<String> {
        let raw = raw.trim();
        let in_any_case = |id: &str| vec![id.to_owned(), id.to_uppercase(), id.to_lowercase()];
        let is_short = !raw.is_empty() && raw.len() <= HEX_DIGITS_MAX;
        let mut ids = match self {
            Self::AsWritten => vec![raw.to_owned()],
            Self::AnyCase => in_any_case(raw),
            Self::ZeroPadded => in_any_case(raw.trim_start_matches('0')),
            Self::Decimal if is_short && raw.bytes().all(|octet| octet.is_ascii_digit()) => raw
                .parse::<u128>()
                .map(|value| {
                    // Carriers pad to eight digits, or not.
                    [
                        format!("{value:X}"),
                        format!("{value:x}"),
                        format!("{value:08X}"),
                        format!("{value:08x}"),
                    ]
                    .to_vec()
                })
                .unwrap_or_default(),
            Self::Hexadecimal if is_short && raw.bytes().all(|octet| octet.is_ascii_hexdigit()) => {
                u128::from_str_radix(raw, 16)
                    .map(|value| vec![value.to_string(), format!("{value:010}")])
                    .unwrap_or_default()
            }
            Self::Decimal | Self::Hexadecimal => Vec::new(),
        };
        ids.retain(|id| !id.is_empty());
        without_repeats(ids)
    }
}

/// The ids that one id may also be written as, in any form, most literal first, without repeats.
/// Symmetric enough to be used on one side only: look the receipt's candidates up among the stored
/// ids of the same carrier account.
pub fn candidate_ids(raw: &str) -> Vec<String> {
    without_repeats(ReceiptIdForm::ALL.into_iter().flat_map(|form| form.ids(raw)).collect())
}

fn without_repeats(ids: Vec<String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::with_capacity(ids.len());
    for id in ids {
        if !distinct.contains(&id) {
            distinct.push(id);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReceiptIdForm::{AnyCase, AsWritten, Decimal, Hexadecimal, ZeroPadded};

    /// `(form, the receipt's id, an id that the answer gave)`
    #[test]
    fn each_form_finds_the_id_of_the_answer() {
        for (form, raw, answered) in [
            (AsWritten, "a1-B2", "a1-B2"),
            (AnyCase, "a1-B2", "A1-B2"),
            (AnyCase, "A1", "a1"),
            (ZeroPadded, "000123", "123"),
            (ZeroPadded, "00ab", "AB"),
            (Decimal, "439041101", "1A2B3C4D"),
            (Decimal, "439041101", "1a2b3c4d"),
            (Decimal, "170605645", "0A2B3C4D"),
            (Hexadecimal, "1A2B3C4D", "439041101"),
            (Hexadecimal, "0A2B3C4D", "0170605645"),
        ] {
            assert!(form.ids(raw).iter().any(|id| id == answered), "{form:?} {raw} → {answered}");
            assert!(candidate_ids(raw).iter().any(|id| id == answered), "{raw} → {answered}");
        }
    }

    #[test]
    fn a_form_takes_nothing_of_another() {
        for (form, raw, answered) in [
            (AsWritten, "a1", "A1"),
            (AnyCase, "0123", "123"),
            (ZeroPadded, "123", "7B"),
            (Decimal, "10", "16"),
            (Hexadecimal, "10", "A"),
        ] {
            assert!(!form.ids(raw).iter().any(|id| id == answered), "{form:?} {raw} → {answered}");
        }
        for form in [Decimal, Hexadecimal] {
            assert!(form.ids("not-a-number").is_empty());
            assert!(form.ids(&"9".repeat(64)).is_empty());
        }
        assert!(ReceiptIdForm::ALL.iter().all(|form| form.ids(" ").is_empty()));
    }

    #[test]
    fn an_id_is_tried_in_its_other_forms() {
        let cases: [(&str, &[&str]); 7] = [
            ("", &[]),
            ("a1b2-c3", &["a1b2-c3", "A1B2-C3"]),
            ("0012", &["0012", "12", "C", "c", "0000000C", "0000000c", "18", "0000000018"]),
            ("255", &["255", "FF", "ff", "000000FF", "000000ff", "597", "0000000597"]),
            ("00ff", &["00ff", "00FF", "ff", "FF", "255", "0000000255"]),
            ("zz", &["zz", "ZZ"]),
            ("000", &["000", "0", "00000000", "0000000000"]),
        ];
        for (raw, expected) in cases {
            assert_eq!(candidate_ids(raw), expected, "{raw}");
        }
        // Too long to be a number: only its letters' case and zeros vary.
        assert_eq!(candidate_ids(&"9".repeat(64)).len(), 1);
        // A decimal receipt for a padded hexadecimal answer, the most common disagreement.
        assert!(candidate_ids("439041101").contains(&"1A2B3C4D".to_owned()));
        assert!(candidate_ids("0A2B3C4D").contains(&"170605645".to_owned()));
    }
}
