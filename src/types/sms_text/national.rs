//! National language shift tables: which of them a text may be written with, and how a user data
//! header names them. Sources: 3GPP TS 23.038, 6.2.1.2; TS 23.040, 9.2.3.24.15 and .16.

use entity::enums::NationalLanguage;

use super::gsm7::ShiftTables;
use NationalLanguage::{Portuguese, Spanish, Turkish};

/// National language single shift: one octet, the language (TS 23.040, 9.2.3.24.15).
pub(super) const SINGLE_SHIFT: u8 = 0x24;
/// National language locking shift: one octet, the language (TS 23.040, 9.2.3.24.16).
pub(super) const LOCKING_SHIFT: u8 = 0x25;

/// A set of languages whose tables may be used. Stored as a number, in which bit n stands for the
/// language n + 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct NationalLanguages(i16);

impl NationalLanguages {
    /// The default alphabet alone.
    pub const NONE: Self = Self(0);

    /// The stored number.
    pub const fn bits(self) -> i16 {
        self.0
    }

    /// The set with this number; bits that stand for no language are dropped.
    pub fn from_bits(bits: i16) -> Self {
        NationalLanguage::ALL
            .iter()
            .copied()
            .filter(|language| bits & bit(*language) != 0)
            .collect()
    }

    /// Whether it has the language.
    pub const fn contains(self, language: NationalLanguage) -> bool {
        self.0 & bit(language) != 0
    }

    /// Whether it has none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its languages, in the order of their identifiers.
    pub fn iter(self) -> impl Iterator<Item = NationalLanguage> {
        NationalLanguage::ALL.iter().copied().filter(move |language| self.contains(*language))
    }

    /// The tables that a text may be written with, what is preferred first.
    pub(super) fn tables(self) -> impl Iterator<Item = ShiftTables> {
        let may = move |tables: &ShiftTables| tables.language().is_some_and(|it| self.contains(it));
        PREFERENCE.into_iter().filter(may)
    }
}

const fn bit(language: NationalLanguage) -> i16 {
    1 << (language.code() - 1)
}

impl FromIterator<NationalLanguage> for NationalLanguages {
    fn from_iter<I: IntoIterator<Item = NationalLanguage>>(languages: I) -> Self {
        Self(languages.into_iter().fold(0, |bits, language| bits | bit(language)))
    }
}

/// Among tables that make equally few parts, the first is taken: a single shift table alone, which
/// spoils nothing but its own letters on a phone that does not know it; then a locking one; then
/// both. Among languages, the order of their identifiers.
const PREFERENCE: [ShiftTables; 7] = [
    single(Turkish),
    single(Spanish),
    single(Portuguese),
    locking(Turkish),
    locking(Portuguese),
    both(Turkish),
    both(Portuguese),
];

const fn single(language: NationalLanguage) -> ShiftTables {
    ShiftTables { locking: None, single: Some(language) }
}

const fn locking(language: NationalLanguage) -> ShiftTables {
    ShiftTables { locking: Some(language), single: None }
}

const fn both(language: NationalLanguage) -> ShiftTables {
    ShiftTables { locking: Some(language), single: Some(language) }
}

impl ShiftTables {
    /// The tables that a user data header names, given without its length octet. A language that is
    /// not known is passed over, as TS 23.038, 6.2.1.2.4, asks.
    pub fn of_header(header: &[u8]) -> Self {
        let mut tables = Self::DEFAULT;
        for (identifier, data) in elements(header) {
            let &[language] = data else { continue };
            let language = NationalLanguage::from_code(language.into());
            match identifier {
                SINGLE_SHIFT => tables.single = language,
                LOCKING_SHIFT => tables.locking = language,
                _ => {}
            }
        }
        tables
    }

    /// The language of its tables, if there is any: a text is written with those of one language.
    pub fn language(self) -> Option<NationalLanguage> {
        self.single.or(self.locking)
    }
}

/// The information elements of a user data header, given without its length octet: identifier and
/// data (TS 23.040, 9.2.3.24). Ends before an element that runs over the header's end.
pub fn elements(mut header: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let [identifier, length, rest @ ..] = header else { return None };
        let (data, after) = rest.split_at_checked(usize::from(*length))?;
        header = after;
        Some((*identifier, data))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_a_number() {
        for (languages, bits) in [
            (&[][..], 0),
            (&[Turkish], 1),
            (&[Spanish], 2),
            (&[Portuguese, Turkish, Turkish], 5),
            (NationalLanguage::ALL, 7),
        ] {
            let set: NationalLanguages = languages.iter().copied().collect();
            assert_eq!((set.bits(), NationalLanguages::from_bits(bits)), (bits, set));
            let listed: Vec<_> = set.iter().collect();
            assert!(listed.is_sorted() && languages.iter().all(|it| listed.contains(it)));
        }
        assert_eq!(NationalLanguages::from_bits(0x7FF8), NationalLanguages::NONE);
    }

    #[test]
    fn a_set_allows_its_own_tables_alone() {
        let tables = |languages: &[NationalLanguage]| -> Vec<ShiftTables> {
            languages.iter().copied().collect::<NationalLanguages>().tables().collect()
        };
        assert_eq!(tables(&[]), []);
        assert_eq!(tables(&[Spanish]), [single(Spanish)]);
        assert_eq!(tables(&[Turkish]), [single(Turkish), locking(Turkish), both(Turkish)]);
        assert_eq!(tables(NationalLanguage::ALL), PREFERENCE);
    }

    #[test]
    fn headers_name_their_tables() {
        let table: [(&[u8], ShiftTables); 8] = [
            (&[0x24, 1, 1], single(Turkish)),
            (&[0x25, 1, 3], locking(Portuguese)),
            (&[0x08, 4, 0, 7, 2, 1, 0x24, 1, 3, 0x25, 1, 3], both(Portuguese)),
            (&[0x25, 1, 1, 0x24, 1, 2], ShiftTables { locking: Some(Turkish), ..single(Spanish) }),
            // Hindi, a reserved language, no language.
            (&[0x24, 1, 6, 0x25, 1, 0x80], ShiftTables::DEFAULT),
            (&[0x24, 0], ShiftTables::DEFAULT),
            // An element that runs over the header's end.
            (&[0x24, 1, 1, 0x25, 9, 1], single(Turkish)),
            (&[], ShiftTables::DEFAULT),
        ];
        for (header, tables) in table {
            assert_eq!(ShiftTables::of_header(header), tables, "{header:02x?}");
        }
    }
}
