//! The GSM 7-bit default alphabet and its extension. Source: 3GPP TS 23.038, 6.2.1 and 6.2.1.1.
//! No national shift tables. One septet an octet, as SMPP carries it; nothing here packs.

/// The escape to the extension table.
pub const ESCAPE: u8 = 0x1B;

/// Septet to character; the escape stands at its place and is never encoded.
const ALPHABET: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1B}', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The septet after the escape, and its character.
const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{0C}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

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

/// Marks a character that the alphabet lacks, in [`LATIN`].
const ABSENT: u8 = 0xFF;
/// Set on an extension septet in [`LATIN`].
const ESCAPED_BIT: u8 = 0x80;

/// The inverse for U+0000 to U+00FF, which is all but ten Greek capitals and the euro sign.
const LATIN: [u8; 256] = {
    let mut table = [ABSENT; 256];
    let mut septet = 0;
    while septet < ALPHABET.len() {
        let char = ALPHABET[septet] as usize;
        if char < 256 && septet != ESCAPE as usize {
            table[char] = septet as u8;
        }
        septet += 1;
    }
    let mut index = 0;
    while index < EXTENSION.len() {
        let (septet, char) = EXTENSION[index];
        if (char as usize) < 256 {
            table[char as usize] = septet | ESCAPED_BIT;
        }
        index += 1;
    }
    table
};

/// The code of a character, or `None` if the alphabet lacks it.
#[inline]
pub fn encode(char: char) -> Option<Code> {
    if let Ok(latin) = u8::try_from(char) {
        return match LATIN[usize::from(latin)] {
            ABSENT => None,
            septet if septet & ESCAPED_BIT != 0 => Some(Code::Escaped(septet & !ESCAPED_BIT)),
            septet => Some(Code::Plain(septet)),
        };
    }
    let septet = match char {
        'Δ' => 0x10,
        'Φ' => 0x12,
        'Γ' => 0x13,
        'Λ' => 0x14,
        'Ω' => 0x15,
        'Π' => 0x16,
        'Ψ' => 0x17,
        'Σ' => 0x18,
        'Θ' => 0x19,
        'Ξ' => 0x1A,
        '€' => return Some(Code::Escaped(0x65)),
        _ => return None,
    };
    Some(Code::Plain(septet))
}

/// Reads septets, one an octet. An escape before a septet that the extension lacks is shown as the
/// plain septet; an escape before an escape, or at the end, as a space (TS 23.038, 6.2.1, notes).
/// An octet above 127 becomes U+FFFD.
pub fn decode_gsm7_unpacked(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut octets = octets.iter().copied();
    while let Some(octet) = octets.next() {
        text.push(match octet {
            ESCAPE => octets.next().map_or(' ', escaped),
            _ => plain(octet),
        });
    }
    text
}

fn escaped(octet: u8) -> char {
    let found = EXTENSION.iter().find(|(septet, _)| *septet == octet);
    match found {
        Some(&(_, char)) => char,
        None if octet == ESCAPE => ' ',
        None => plain(octet),
    }
}

fn plain(octet: u8) -> char {
    ALPHABET.get(usize::from(octet)).copied().unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabet_and_inverse_agree() {
        let mut coded = 0;
        for char in '\0'..=char::MAX {
            let Some(code) = encode(char) else { continue };
            coded += 1;
            match code {
                Code::Plain(septet) => assert_eq!(ALPHABET[usize::from(septet)], char),
                Code::Escaped(septet) => assert!(EXTENSION.contains(&(septet, char))),
            }
        }
        assert_eq!(coded, 127 + 10);
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
        for char in ['`', 'ç', '\t', '\0', '\u{1B}', 'α', '\u{A0}', '’', 'ő'] {
            assert_eq!(encode(char), None, "{char:?}");
        }
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
            assert_eq!(decode_gsm7_unpacked(octets), text);
        }
    }
}
