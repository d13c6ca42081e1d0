//! What an upload is kept as: bytes of an encoding in which delimiters, quotes and ends of lines are
//! single octets. UTF-16 becomes UTF-8; UTF-8 loses its byte order mark; all else stays as it is.

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE};

/// Bytes by which a file is known.
const BEGINNING_BYTES: usize = 4;

/// A file that is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// gzip (RFC 1952): how large it is inside is not known before it is unpacked.
    #[error("the file is compressed with gzip: upload it as it was before")]
    Gzip,
    /// ZIP, as are the workbooks of spreadsheets.
    #[error("the file is a ZIP archive or a workbook: save it as CSV and upload that")]
    Zip,
    /// Another known kind.
    #[error("the file is a workbook, a PDF or otherwise no CSV: save it as CSV and upload that")]
    Other,
}

/// How files begin that are taken for CSV by mistake.
const NO_TEXT: &[(&[u8], NotText)] = &[
    (b"\x1f\x8b", NotText::Gzip),
    (b"PK\x03\x04", NotText::Zip),
    (b"\xd0\xcf\x11\xe0", NotText::Other),
    (b"%PDF", NotText::Other),
    (b"\x28\xb5\x2f\xfd", NotText::Other),
    (b"BZh", NotText::Other),
    (b"\xfd7zX", NotText::Other),
];

/// Makes of an upload what is kept of it, part by part.
pub(super) enum Transcoder {
    /// Too little is known.
    Beginning(Vec<u8>),
    /// Kept as it is.
    Plain,
    /// UTF-16 becomes UTF-8; what is malformed becomes U+FFFD.
    Utf16(Box<Decoder>),
}

impl Transcoder {
    /// Before the first byte.
    pub(super) const fn new() -> Self {
        Self::Beginning(Vec::new())
    }

    /// Appends to `kept` what is known to be kept now that `bytes` came.
    ///
    /// # Errors
    /// [`NotText`].
    pub(super) fn take(&mut self, bytes: &[u8], kept: &mut Vec<u8>) -> Result<(), NotText> {
        match self {
            Self::Beginning(beginning) => {
                beginning.extend_from_slice(bytes);
                if beginning.len() >= BEGINNING_BYTES { self.begin(kept, false) } else { Ok(()) }
            }
            Self::Plain => {
                kept.extend_from_slice(bytes);
                Ok(())
            }
            Self::Utf16(decoder) => {
                decode(decoder, bytes, kept, false);
                Ok(())
            }
        }
    }

    /// Appends the rest.
    ///
    /// # Errors
    /// [`NotText`].
    pub(super) fn finish(&mut self, kept: &mut Vec<u8>) -> Result<(), NotText> {
        match self {
            Self::Beginning(_) => self.begin(kept, true),
            Self::Plain => Ok(()),
            Self::Utf16(decoder) => {
                decode(decoder, &[], kept, true);
                Ok(())
            }
        }
    }

    fn begin(&mut self, kept: &mut Vec<u8>, is_last: bool) -> Result<(), NotText> {
        let Self::Beginning(beginning) = self else { return Ok(()) };
        let beginning = std::mem::take(beginning);
        if let Some((_, fault)) = NO_TEXT.iter().find(|(magic, _)| beginning.starts_with(magic)) {
            return Err(*fault);
        }
        let utf16 = match beginning.as_slice() {
            [0xff, 0xfe, ..] => Some(UTF_16LE),
            [0xfe, 0xff, ..] => Some(UTF_16BE),
            // Without a mark, but of letters, digits and signs.
            [1..=255, 0, 1..=255, 0, ..] => Some(UTF_16LE),
            [0, 1..=255, 0, 1..=255, ..] => Some(UTF_16BE),
            _ => None,
        };
        let Some(encoding) = utf16 else {
            *self = Self::Plain;
            kept.extend_from_slice(beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&beginning));
            return Ok(());
        };
        let mut decoder = Box::new(encoding.new_decoder_with_bom_removal());
        decode(&mut decoder, &beginning, kept, is_last);
        *self = Self::Utf16(decoder);
        Ok(())
    }
}

fn decode(decoder: &mut Decoder, mut bytes: &[u8], kept: &mut Vec<u8>, is_last: bool) {
    let mut buffer = [0; 4_096];
    loop {
        let (result, read, written, _) = decoder.decode_to_utf8(bytes, &mut buffer, is_last);
        kept.extend_from_slice(&buffer[..written]);
        bytes = &bytes[read..];
        if result == CoderResult::InputEmpty {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(file: &[u8], size: usize) -> Result<Vec<u8>, NotText> {
        let (mut transcoder, mut kept) = (Transcoder::new(), Vec::new());
        for part in file.chunks(size) {
            transcoder.take(part, &mut kept)?;
        }
        transcoder.finish(&mut kept)?;
        Ok(kept)
    }

    fn utf16(text: &str, is_big: bool) -> Vec<u8> {
        let octets = |unit: u16| if is_big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        text.encode_utf16().flat_map(octets).collect()
    }

    #[test]
    fn every_encoding_is_kept_as_octets_that_can_be_split() {
        let text = "name,größe\n😀,1\n";
        let latin = b"name,gr\xf6\xdfe\n";
        let plain = "number,city\n+49,Ülm\n";
        for size in [1, 2, 3, 5, 1_000] {
            assert_eq!(kept(text.as_bytes(), size).unwrap(), text.as_bytes());
            let marked = format!("\u{feff}{text}");
            assert_eq!(kept(marked.as_bytes(), size).unwrap(), text.as_bytes(), "{size}");
            for is_big in [true, false] {
                assert_eq!(kept(&utf16(&marked, is_big), size).unwrap(), text.as_bytes());
                assert_eq!(kept(&utf16(plain, is_big), size).unwrap(), plain.as_bytes());
            }
            assert_eq!(kept(latin, size).unwrap(), latin);
        }
        assert_eq!(kept(b"", 1).unwrap(), b"");
        assert_eq!(kept(b"\xef\xbb\xbf", 1).unwrap(), b"");
        assert_eq!(kept(b"ab", 1).unwrap(), b"ab");
        let broken = [utf16("\u{feff}a", false), vec![0x00, 0xd8], utf16("b", false)].concat();
        assert_eq!(kept(&broken, 3).unwrap(), "a\u{fffd}b".as_bytes());
    }

    #[test]
    fn what_is_no_text_is_known_by_its_beginning() {
        for (file, fault) in [
            (&b"\x1f\x8b\x08\x00\x00"[..], NotText::Gzip),
            (b"PK\x03\x04\x14", NotText::Zip),
            (b"\xd0\xcf\x11\xe0\xa1", NotText::Other),
            (b"%PDF-1.7", NotText::Other),
        ] {
            for size in [1, 100] {
                assert_eq!(kept(file, size), Err(fault));
            }
        }
        assert_eq!(kept(b"PK", 1).unwrap(), b"PK");
    }
}
