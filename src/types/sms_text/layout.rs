//! Where a text is cut into parts. Counts and cuts, and makes no octets: `segment` does.
//!
//! A cut never falls inside a character (so neither inside an escape pair nor a surrogate pair).
//! Nor does it inside a grapheme (a flag, a family emoji, a letter with its accents), unless that
//! would cost one more part or the grapheme is longer than a part.

use unicode_segmentation::GraphemeCursor;

use super::gsm7::{Code, ShiftTables};
use super::{Count, Encoding, NationalLanguages};

/// Where cuts may fall.
#[derive(Clone, Copy)]
enum Cut {
    BetweenCharacters,
    BetweenGraphemes,
}

/// Alphabet and parts of a text. Does not allocate.
///
/// The default GSM alphabet where the text is in it. Else UCS-2, unless the tables of one of the
/// `languages` make fewer parts: most phones and carriers know UCS-2 better.
pub(super) fn count(text: &str, languages: NationalLanguages) -> Count {
    if let Some(count) = count_gsm7(text, ShiftTables::DEFAULT) {
        return count;
    }
    let ucs2 = count_in(text, Encoding::Ucs2);
    if ucs2.parts == 1 {
        return ucs2;
    }
    let national = languages.tables().filter_map(|tables| count_gsm7(text, tables));
    // The first of those with the fewest parts.
    match national.min_by_key(|count| count.parts) {
        Some(national) if national.parts < ucs2.parts => national,
        _ => ucs2,
    }
}

/// The same in a given alphabet, whether the text is in it or not.
pub(super) fn count_in(text: &str, encoding: Encoding) -> Count {
    let units = text.chars().map(|char| encoding.units(char)).sum();
    count_units(text, encoding, units)
}

fn count_units(text: &str, encoding: Encoding, units: usize) -> Count {
    if units <= encoding.single_units() {
        return Count { encoding, parts: 1 };
    }
    let parts = Pieces::new(text, encoding, Cut::BetweenCharacters).count();
    Count { encoding, parts: u16::try_from(parts).unwrap_or(u16::MAX) }
}

/// The pieces of the text, one a part; together they are the text, and as many as `count` says.
pub(super) fn pieces(text: &str, count: Count) -> Vec<&str> {
    if count.parts == 1 {
        return vec![text];
    }
    let whole: Vec<&str> = Pieces::new(text, count.encoding, Cut::BetweenGraphemes).collect();
    if whole.len() == usize::from(count.parts) {
        return whole;
    }
    Pieces::new(text, count.encoding, Cut::BetweenCharacters).collect()
}

/// The text in GSM with these tables; `None` if they lack one of its characters.
fn count_gsm7(text: &str, tables: ShiftTables) -> Option<Count> {
    let septets = text.chars().map(|char| tables.encode(char).map(Code::septets));
    let septets = septets.sum::<Option<usize>>()?;
    Some(count_units(text, Encoding::Gsm7(tables), septets))
}

/// Cuts greedily: each piece is as long as a part takes.
struct Pieces<'a> {
    rest: &'a str,
    encoding: Encoding,
    cut: Cut,
}

impl<'a> Pieces<'a> {
    fn new(text: &'a str, encoding: Encoding, cut: Cut) -> Self {
        Self { rest: text, encoding, cut }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let fits = fitting(self.rest, self.encoding);
        let end = match self.cut {
            Cut::BetweenCharacters => fits,
            Cut::BetweenGraphemes => grapheme_end(self.rest, fits).unwrap_or(fits),
        };
        let (piece, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(piece)
    }
}

/// The longest start of `text`, in bytes, that fits one part. At least one character does.
fn fitting(text: &str, encoding: Encoding) -> usize {
    let mut left = encoding.part_units();
    for (index, char) in text.char_indices() {
        let units = encoding.units(char);
        if units > left {
            return index;
        }
        left -= units;
    }
    text.len()
}

/// The last grapheme boundary at or before `end`, if there is one after the start.
fn grapheme_end(text: &str, end: usize) -> Option<usize> {
    let mut cursor = GraphemeCursor::new(end, text.len(), true);
    let whole = "the whole text is given as one chunk";
    if cursor.is_boundary(text, 0).expect(whole) {
        return Some(end);
    }
    cursor.prev_boundary(text, 0).expect(whole).filter(|&boundary| boundary > 0)
}
