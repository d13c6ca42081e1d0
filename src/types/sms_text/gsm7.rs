//! GSM 7-bit text: characters to septets and back, by the default alphabet or by national language
//! shift tables. Source: 3GPP TS 23.038, 6.2.1. The tables themselves are in `tables`. One septet an
//! octet, as SMPP carries it; nothing here packs.

use entity::enums::NationalLanguage;

use super::tables::{self, Alphabet, Extension};

/// The escape to the extension table.
pub const ESCAPE: u8 = 0x1B;

/// How a character is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// One septet.
    Plain(u8),
    /// The escape, then this septet.
    Escaped(u8),
}

impl Code {
    /// How many septets it takes.
    pub const fn septets(self) -> usize {
        match self {
            Self::Plain(_) => 1,
            Self::Escaped(_) => 2,
        }
    }
}

/// Which national tables stand in the default ones' place, for a whole part (TS 23.038, 6.2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct ShiftTables {
    /// Whose table replaces the default alphabet. Spanish has none: the default then.
    pub locking: Option<NationalLanguage>,
    /// Whose table replaces the extension table, which is read after an escape.
    pub single: Option<NationalLanguage>,
}

impl ShiftTables {
    /// The default alphabet and its extension.
    pub const DEFAULT: Self = Self { locking: None, single: None };

    /// The code of a character, or `None` if the tables lack it.
    #[inline]
    pub fn encode(self, char: char) -> Option<Code> {
        self.table().encode(char)
    }

    /// Reads septets, one an octet. An escape before a septet that the extension lacks is shown as
    /// the plain septet; an escape before an escape, or at the end, as a space (TS 23.038, 6.2.1,
    /// notes). An octet above 127 becomes U+FFFD.
    pub fn decode_unpacked(self, octets: &[u8]) -> String {
        let table = self.table();
        let mut text = String::with_capacity(octets.len());
        let mut octets = octets.iter().copied();
        while let Some(octet) = octets.next() {
            text.push(match octet {
                ESCAPE => octets.next().map_or(' ', |octet| table.escaped(octet)),
                _ => table.plain(octet),
            });
        }
        text
    }

    fn table(self) -> &'static Table {
        use NationalLanguage::{Portuguese, Spanish, Turkish};
        let row = match self.locking {
            None | Some(Spanish) => &TABLES[0],
            Some(Turkish) => &TABLES[1],
            Some(Portuguese) => &TABLES[2],
        };
        match self.single {
            None => &row[0],
            Some(Turkish) => &row[1],
            Some(Spanish) => &row[2],
            Some(Portuguese) => &row[3],
        }
    }
}

/// The code of a character in the default alphabet, or `None` if that lacks it.
#[inline]
pub fn encode(char: char) -> Option<Code> {
    ShiftTables::DEFAULT.encode(char)
}

/// Stands for "the table lacks it": the escape is no character's code.
const ABSENT: u8 = ESCAPE;
/// Set on the code of a character that an escape precedes.
const ESCAPED_BIT: u8 = 0x80;
/// The most characters above U+00FF that two tables have together: the Greek capitals, the euro
/// sign, and six Turkish letters.
const BEYOND_LATIN_MAX: usize = 17;

/// An alphabet, its extension, and the way back from characters.
struct Table {
    alphabet: &'static Alphabet,
    extension: &'static Extension,
    /// Codes of U+0000 to U+00FF.
    latin: [u8; 256],
    /// Characters above, and their codes; the first `beyond_len` are in use.
    beyond: [(char, u8); BEYOND_LATIN_MAX],
    beyond_len: usize,
}

/// By locking shift table (default, Turkish, Portuguese), then by single shift table (default,
/// Turkish, Spanish, Portuguese).
static TABLES: [[Table; 4]; 3] =
    [row(&tables::DEFAULT), row(&tables::TURKISH_LOCKING), row(&tables::PORTUGUESE_LOCKING)];

const fn row(alphabet: &'static Alphabet) -> [Table; 4] {
    [
        Table::new(alphabet, tables::EXTENSION),
        Table::new(alphabet, tables::TURKISH_SINGLE),
        Table::new(alphabet, tables::SPANISH_SINGLE),
        Table::new(alphabet, tables::PORTUGUESE_SINGLE),
    ]
}

impl Table {
    const fn new(alphabet: &'static Alphabet, extension: &'static Extension) -> Self {
        let mut table = Self {
            alphabet,
            extension,
            latin: [ABSENT; 256],
            beyond: [('\0', ABSENT); BEYOND_LATIN_MAX],
            beyond_len: 0,
        };
        let mut index = 0;
        while index < extension.len() {
            let (septet, char) = extension[index];
            table.set(char, septet | ESCAPED_BIT);
            index += 1;
        }
        // Last, so that what both have is written without an escape.
        let mut septet = 0;
        while septet < alphabet.len() {
            if septet != ESCAPE as usize {
                table.set(alphabet[septet], septet as u8);
            }
            septet += 1;
        }
        table
    }

    const fn set(&mut self, char: char, code: u8) {
        if (char as usize) < self.latin.len() {
            self.latin[char as usize] = code;
            return;
        }
        let mut index = 0;
        while index < self.beyond_len && self.beyond[index].0 as u32 != char as u32 {
            index += 1;
        }
        self.beyond[index] = (char, code);
        if index == self.beyond_len {
            self.beyond_len += 1;
        }
    }

    #[inline]
    fn encode(&self, char: char) -> Option<Code> {
        let code = match u8::try_from(char) {
            Ok(latin) => self.latin[usize::from(latin)],
            Err(_) => self.beyond[..self.beyond_len].iter().find(|(known, _)| *known == char)?.1,
        };
        match code {
            ABSENT => None,
            code if code & ESCAPED_BIT != 0 => Some(Code::Escaped(code & !ESCAPED_BIT)),
            code => Some(Code::Plain(code)),
        }
    }

    fn escaped(&self, octet: u8) -> char {
        let found = self.extension.iter().find(|(septet, _)| *septet == octet);
        match found {
            Some(&(_, char)) => char,
            None if octet == ESCAPE => ' ',
            None => self.plain(octet),
        }
    }

    fn plain(&self, octet: u8) -> char {
        self.alphabet.get(usize::from(octet)).copied().unwrap_or(char::REPLACEMENT_CHARACTER)
    }
}

#[cfg(test)]
mod tests {
    use NationalLanguage::{Portuguese, Spanish, Turkish};

    use super::*;

    /// Every pair of tables.
    fn pairs() -> impl Iterator<Item = ShiftTables> {
        let locking = [None, Some(Turkish), Some(Portuguese)];
        locking.into_iter().flat_map(|locking| {
            [None, Some(Turkish), Some(Spanish), Some(Portuguese)]
                .map(|single| ShiftTables { locking, single })
        })
    }

    #[test]
    fn alphabet_and_inverse_agree_in_every_pair_of_tables() {
        let mut coded = Vec::new();
        for pair in pairs() {
            let table = pair.table();
            let mut count = 0;
            for char in '\0'..=char::MAX {
                let Some(code) = pair.encode(char) else { continue };
                count += 1;
                match code {
                    Code::Plain(septet) => assert_eq!(table.alphabet[usize::from(septet)], char),
                    Code::Escaped(septet) => {
                        assert!(table.extension.contains(&(septet, char)));
                        assert!(!table.alphabet.contains(&char), "{char} needs no escape");
                    }
                }
            }
            let own = table.alphabet.iter().filter(|char| **char != '\u{1B}');
            let further = table.extension.iter().map(|(_, char)| char);
            let all: std::collections::BTreeSet<_> = own.chain(further).collect();
            assert_eq!(count, all.len(), "{pair:?} writes all that it reads");
            coded.push(count);
        }
        // As many as the tables have characters, less those that both tables of a pair have.
        assert_eq!(coded, [137, 144, 146, 157, 136, 136, 144, 155, 132, 138, 132, 139]);
    }

    #[test]
    fn tables_have_no_character_twice() {
        for alphabet in [tables::DEFAULT, tables::TURKISH_LOCKING, tables::PORTUGUESE_LOCKING] {
            let all: std::collections::BTreeSet<_> = alphabet.iter().collect();
            assert_eq!(all.len(), 128);
        }
        for extension in [
            tables::EXTENSION,
            tables::TURKISH_SINGLE,
            tables::SPANISH_SINGLE,
            tables::PORTUGUESE_SINGLE,
        ] {
            assert!(extension.is_sorted_by(|(a, _), (b, _)| a < b));
            let all: std::collections::BTreeSet<_> =
                extension.iter().map(|(_, char)| char).collect();
            assert_eq!(all.len(), extension.len());
            assert!(tables::EXTENSION.iter().all(|entry| extension.contains(entry)));
        }
    }

    #[test]
    fn spot_checks_of_the_standard() {
        for (char, code) in [
            ('@', Code::Plain(0)),
            ('Ç', Code::Plain(9)),
            ('\n', Code::Plain(0x0A)),
            ('_', Code::Plain(0x11)),
            ('¤', Code::Plain(0x24)),
            ('¡', Code::Plain(0x40)),
            ('§', Code::Plain(0x5F)),
            ('¿', Code::Plain(0x60)),
            ('à', Code::Plain(0x7F)),
            ('[', Code::Escaped(0x3C)),
            ('€', Code::Escaped(0x65)),
        ] {
            assert_eq!(encode(char), Some(code), "{char}");
        }
        for char in ['`', 'ç', '\t', '\0', '\u{1B}', 'α', '\u{A0}', '’', 'ő', 'ş'] {
            assert_eq!(encode(char), None, "{char:?}");
        }
    }

    #[test]
    fn spot_checks_of_the_national_tables() {
        use Code::{Escaped, Plain};
        /// Tables, codes in them, and characters that they lack.
        type Row = (ShiftTables, &'static [(char, Code)], &'static str);
        let single = |language| ShiftTables { locking: None, single: Some(language) };
        let locking = |language| ShiftTables { locking: Some(language), single: None };
        let rows: [Row; 5] = [
            (
                single(Turkish),
                &[
                    ('Ğ', Escaped(0x47)),
                    ('İ', Escaped(0x49)),
                    ('Ş', Escaped(0x53)),
                    ('ç', Escaped(0x63)),
                    ('€', Escaped(0x65)),
                    ('ğ', Escaped(0x67)),
                    ('ı', Escaped(0x69)),
                    ('ş', Escaped(0x73)),
                    ('è', Plain(0x04)),
                    ('Ç', Plain(0x09)),
                    ('ü', Plain(0x7E)),
                ],
                "áãº`",
            ),
            (
                locking(Turkish),
                &[
                    ('€', Plain(0x04)),
                    ('ı', Plain(0x07)),
                    ('Ğ', Plain(0x0B)),
                    ('ğ', Plain(0x0C)),
                    ('Ş', Plain(0x1C)),
                    ('ş', Plain(0x1D)),
                    ('İ', Plain(0x40)),
                    ('ç', Plain(0x60)),
                    ('[', Escaped(0x3C)),
                ],
                "èìØøÆæ¡¿",
            ),
            (
                single(Spanish),
                &[
                    ('ç', Escaped(0x09)),
                    ('Á', Escaped(0x41)),
                    ('Í', Escaped(0x49)),
                    ('Ó', Escaped(0x4F)),
                    ('Ú', Escaped(0x55)),
                    ('á', Escaped(0x61)),
                    ('í', Escaped(0x69)),
                    ('ó', Escaped(0x6F)),
                    ('ú', Escaped(0x75)),
                    ('ñ', Plain(0x7D)),
                    ('¿', Plain(0x60)),
                ],
                "ãêşª",
            ),
            (
                single(Portuguese),
                &[
                    ('ê', Escaped(0x05)),
                    ('ç', Escaped(0x09)),
                    ('Ô', Escaped(0x0B)),
                    ('Á', Escaped(0x0E)),
                    ('á', Escaped(0x0F)),
                    ('Φ', Plain(0x12)),
                    ('Ê', Escaped(0x1F)),
                    ('À', Escaped(0x41)),
                    ('Ã', Escaped(0x5B)),
                    ('Â', Escaped(0x61)),
                    ('õ', Escaped(0x7C)),
                    ('â', Escaped(0x7F)),
                ],
                "ªº∞`ş",
            ),
            (
                locking(Portuguese),
                &[
                    ('ê', Plain(0x04)),
                    ('ú', Plain(0x06)),
                    ('ç', Plain(0x09)),
                    ('Á', Plain(0x0E)),
                    ('ª', Plain(0x12)),
                    ('∞', Plain(0x15)),
                    ('\\', Plain(0x17)),
                    ('€', Plain(0x18)),
                    ('|', Plain(0x1A)),
                    ('Â', Plain(0x1C)),
                    ('º', Plain(0x24)),
                    ('Í', Plain(0x40)),
                    ('Ã', Plain(0x5B)),
                    ('~', Plain(0x60)),
                    ('`', Plain(0x7D)),
                    ('{', Escaped(0x28)),
                ],
                "ÄÖÑäöñ¤Ω",
            ),
        ];
        for (tables, codes, absent) in rows {
            for (char, code) in codes {
                assert_eq!(tables.encode(*char), Some(*code), "{char} in {tables:?}");
            }
            for char in absent.chars() {
                assert_eq!(tables.encode(char), None, "{char} in {tables:?}");
            }
        }
        let both = ShiftTables { locking: Some(Portuguese), single: Some(Portuguese) };
        assert_eq!((both.encode('Ω'), both.encode('á')), (Some(Escaped(0x15)), Some(Plain(0x0F))));
        assert_eq!(locking(Spanish).encode('è'), Some(Plain(0x04)), "that table is void");
    }

    #[test]
    fn reads_odd_input() {
        for (octets, text) in [
            (&[0x1B, 0x65][..], "€"),
            (&[0x1B], " "),
            (&[0x1B, 0x1B, 0x41], " A"),
            (&[0x1B, 0x41], "A"),
            (&[0x80, 0x41], "\u{FFFD}A"),
            (&[0x1B, 0xFF], "\u{FFFD}"),
            (&[], ""),
        ] {
            assert_eq!(ShiftTables::DEFAULT.decode_unpacked(octets), text);
        }
        // What the single shift table lacks is looked up in the locking shift table.
        let turkish = ShiftTables { locking: Some(Turkish), single: Some(Turkish) };
        assert_eq!(turkish.decode_unpacked(&[0x1B, 0x1D, 0x1B, 0x73, 0x1D]), "şşş");
    }
}
