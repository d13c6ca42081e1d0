//! From a text to the octets of its parts, exactly as a carrier takes them.

use std::fmt;

use thiserror::Error;

use super::national::{LOCKING_SHIFT, SINGLE_SHIFT};
use super::{Encoding, PARTS_MAX, SmsText, gsm7, layout, offending_characters};

/// Concatenation with a 16-bit reference (3GPP TS 23.040, 9.2.3.24.8).
const CONCATENATION_16: u8 = 0x08;

/// Which alphabet to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum EncodingChoice {
    /// GSM where every character is in it, else UCS-2.
    #[default]
    Auto,
    /// GSM or an error.
    Gsm7,
    /// UCS-2 even where GSM would do.
    Ucs2,
}

/// What the parts of one message have in common, so that the phone finds them. The next one for
/// the same recipient must be another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Reference16(pub u16);

/// How to cut and encode.
#[derive(Clone, Copy, Debug)]
pub struct SegmentOptions {
    /// The alphabet.
    pub encoding: EncodingChoice,
    /// Written into each part of several.
    pub reference: Reference16,
    /// At most this many; never above [`PARTS_MAX`].
    pub parts_max: u8,
}

impl SegmentOptions {
    /// Automatic alphabet, up to [`PARTS_MAX`] parts.
    pub const fn with_reference(reference: Reference16) -> Self {
        Self { encoding: EncodingChoice::Auto, reference, parts_max: PARTS_MAX }
    }
}

/// The parts of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Of all parts.
    pub encoding: Encoding,
    /// In order, at least one.
    pub segments: Vec<Segment>,
}

impl Segments {
    /// How many parts.
    pub fn parts(&self) -> u8 {
        u8::try_from(self.segments.len()).expect("at most PARTS_MAX")
    }
}

/// One part. `Debug` shows no content.
#[derive(Clone, PartialEq, Eq)]
pub struct Segment {
    /// The header, if any, and the text: GSM one septet an octet, UCS-2 big-endian.
    pub octets: Vec<u8>,
    /// Whether the octets start with a user data header.
    pub has_header: bool,
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Segment({} octets, has_header {})", self.octets.len(), self.has_header)
    }
}

/// Why a text cannot be cut as wanted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SegmentError {
    /// It makes more parts than allowed.
    #[error("the text makes {parts} parts, {parts_max} are allowed")]
    TooManyParts {
        /// How many it makes.
        parts: u16,
        /// How many may be.
        parts_max: u8,
    },
    /// GSM was asked for, and the alphabet lacks these (distinct, at most 20).
    #[error("the text has characters that are not in the GSM alphabet")]
    NotInAlphabet(Vec<char>),
}

/// Cuts and encodes a text.
///
/// # Errors
/// [`SegmentError`]; none with [`SegmentOptions::with_reference`], as a [`SmsText`] was counted.
pub fn segment(text: &SmsText, options: SegmentOptions) -> Result<Segments, SegmentError> {
    let count = match (options.encoding, text.count().encoding) {
        (EncodingChoice::Auto, _)
        | (EncodingChoice::Gsm7, Encoding::Gsm7(_))
        | (EncodingChoice::Ucs2, Encoding::Ucs2) => text.count(),
        (EncodingChoice::Gsm7, Encoding::Ucs2) => {
            return Err(SegmentError::NotInAlphabet(offending_characters(text.as_str())));
        }
        (EncodingChoice::Ucs2, Encoding::Gsm7(_)) => {
            layout::count_in(text.as_str(), Encoding::Ucs2)
        }
    };
    let parts_max = options.parts_max.min(PARTS_MAX);
    if count.parts > u16::from(parts_max) {
        return Err(SegmentError::TooManyParts { parts: count.parts, parts_max });
    }
    let pieces = layout::pieces(text.as_str(), count);
    let total = u8::try_from(pieces.len()).expect("at most PARTS_MAX");
    let segments = (1..=total)
        .zip(pieces)
        .map(|(number, piece)| {
            let place = Place { reference: options.reference, total, number };
            encode_piece(piece, count.encoding, place)
        })
        .collect();
    Ok(Segments { encoding: count.encoding, segments })
}

/// Which part of which message.
#[derive(Clone, Copy)]
struct Place {
    reference: Reference16,
    total: u8,
    number: u8,
}

/// Appends the user data header, if there is anything to say in it.
fn put_header(octets: &mut Vec<u8>, encoding: Encoding, place: Place) {
    let is_concatenated = place.total > 1;
    let Some(length) = encoding.header_octets(is_concatenated).checked_sub(1) else { return };
    octets.push(u8::try_from(length).expect("three elements of at most six octets"));
    if is_concatenated {
        let [high, low] = place.reference.0.to_be_bytes();
        octets.extend([CONCATENATION_16, 4, high, low, place.total, place.number]);
    }
    if let Encoding::Gsm7(tables) = encoding {
        for (element, language) in [(SINGLE_SHIFT, tables.single), (LOCKING_SHIFT, tables.locking)]
        {
            if let Some(language) = language {
                let [_, identifier] = language.code().to_be_bytes();
                octets.extend([element, 1, identifier]);
            }
        }
    }
}

fn encode_piece(piece: &str, encoding: Encoding, place: Place) -> Segment {
    // A character takes at most two octets in either alphabet, save the pairs of UTF-16, whose
    // four octets are four in UTF-8 as well.
    let header_octets = encoding.header_octets(place.total > 1);
    let mut octets = Vec::with_capacity(header_octets + piece.len() * 2);
    put_header(&mut octets, encoding, place);
    match encoding {
        Encoding::Gsm7(tables) => {
            for code in piece.chars().filter_map(|char| tables.encode(char)) {
                match code {
                    gsm7::Code::Plain(septet) => octets.push(septet),
                    gsm7::Code::Escaped(septet) => octets.extend([gsm7::ESCAPE, septet]),
                }
            }
        }
        Encoding::Ucs2 => {
            for unit in piece.encode_utf16() {
                octets.extend(unit.to_be_bytes());
            }
        }
    }
    Segment { octets, has_header: header_octets > 0 }
}
