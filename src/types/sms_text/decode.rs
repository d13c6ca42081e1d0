//! Octets of an inbound message to text. Never fails: what cannot be read becomes U+FFFD, since a
//! carrier delivers such a message again and again until it is taken.

/// Reads UTF-16 big-endian, which phones send under the name of UCS-2. A lone surrogate, or an odd
/// octet at the end, becomes U+FFFD.
pub fn decode_ucs2_be(octets: &[u8]) -> String {
    let (pairs, rest) = octets.as_chunks::<2>();
    let units = pairs.iter().map(|&pair| u16::from_be_bytes(pair));
    let mut text: String =
        char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

/// Reads ISO 8859-1 (SMPP `data_coding` 3).
pub fn decode_latin1(octets: &[u8]) -> String {
    octets.iter().map(|&octet| char::from(octet)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ucs2() {
        for (octets, text) in [
            (&[0x04, 0x1F, 0x00, 0x21][..], "П!"),
            (&[0xD8, 0x3D, 0xDE, 0x00], "😀"),
            (&[0xD8, 0x3D], "\u{FFFD}"),
            (&[0xDE, 0x00, 0x00, 0x41], "\u{FFFD}A"),
            (&[0x00, 0x41, 0x00], "A\u{FFFD}"),
            (&[], ""),
        ] {
            assert_eq!(decode_ucs2_be(octets), text);
        }
    }

    #[test]
    fn reads_latin1() {
        assert_eq!(decode_latin1(&[0x41, 0xE9, 0xFF]), "Aéÿ");
    }
}
