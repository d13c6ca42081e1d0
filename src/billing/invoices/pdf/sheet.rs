//! Draws rows of text on pages of A4. The font has one width for all its characters, so columns of
//! figures line up without measuring, and a text is cut where its column ends.
//!
//! The font, DejaVu Sans Mono, has Latin, Greek, Cyrillic and Arabic letters; what it lacks is drawn
//! as an empty box.

use std::sync::LazyLock;

use krilla::Document;
use krilla::geom::Point;
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::surface::Surface;
use krilla::text::{Font, TextDirection};

/// Points (1/72 inch) of A4.
const PAGE_WIDTH: f32 = 595.0;
/// Points of A4.
const PAGE_HEIGHT: f32 = 842.0;
/// Points left free on each side.
const MARGIN: f32 = 50.0;
/// Points of a letter's height.
const SIZE: f32 = 8.0;
/// Points of a heading's letter.
const TITLE_SIZE: f32 = 16.0;
/// Points from one row to the next.
const ROW_HEIGHT: f32 = 12.0;
/// The width of a character, as a part of its height: 1,233 of 2,048 units.
const CHAR_WIDTH: f32 = 1_233.0 / 2_048.0;
/// Where the columns end, in characters.
const TEXT_END: usize = 50;
const QUANTITY_END: usize = 65;
const PRICE_END: usize = 82;
const AMOUNT_END: usize = 102;

static FONT: LazyLock<Option<Font>> = LazyLock::new(|| {
    let bytes: &'static [u8] = include_bytes!("../../../../assets/fonts/DejaVuSansMono.ttf");
    Font::new(bytes.into(), 0)
});

/// Why there is no PDF: a fault of ours.
#[derive(Debug, thiserror::Error)]
pub(in crate::billing::invoices) enum DrawError {
    /// The font that is compiled in cannot be read.
    #[error("the font cannot be read")]
    Font,
    /// The page's size makes no page.
    #[error("there is no page of that size")]
    Page,
    /// The library's own.
    #[error("the file cannot be written: {0}")]
    Write(String),
}

/// A line of the table.
#[derive(Clone, Debug, Default)]
pub(in crate::billing::invoices) struct Cells {
    pub(in crate::billing::invoices) text: String,
    pub(in crate::billing::invoices) quantity: String,
    pub(in crate::billing::invoices) price: String,
    pub(in crate::billing::invoices) amount: String,
}

/// A row of the page.
#[derive(Clone, Debug)]
pub(in crate::billing::invoices) enum Row {
    Blank,
    Rule,
    Title(String),
    Text(String),
    Cells(Cells),
}

impl Row {
    pub(in crate::billing::invoices) const fn blank() -> Self {
        Self::Blank
    }

    pub(in crate::billing::invoices) const fn rule() -> Self {
        Self::Rule
    }

    pub(in crate::billing::invoices) const fn title(text: String) -> Self {
        Self::Title(text)
    }

    pub(in crate::billing::invoices) const fn text(text: String) -> Self {
        Self::Text(text)
    }

    pub(in crate::billing::invoices) const fn cells(cells: Cells) -> Self {
        Self::Cells(cells)
    }

    /// A sum below the table.
    pub(in crate::billing::invoices) fn sum(text: String, amount: String) -> Self {
        Self::Cells(Cells { text, amount, ..Cells::default() })
    }
}

/// The file of these rows.
pub(in crate::billing::invoices) fn draw(title: &str, rows: &[Row]) -> Result<Vec<u8>, DrawError> {
    let font = FONT.as_ref().ok_or(DrawError::Font)?;
    let mut document = Document::new();
    document.set_metadata(Metadata::new().title(title.to_owned()));
    let rows_a_page = ((PAGE_HEIGHT - 2.0 * MARGIN) / ROW_HEIGHT) as usize - 1;
    let pages = rows.len().div_ceil(rows_a_page).max(1);
    for (number, rows) in (1..).zip(rows.chunks(rows_a_page)) {
        let settings = PageSettings::from_wh(PAGE_WIDTH, PAGE_HEIGHT).ok_or(DrawError::Page)?;
        let mut page = document.start_page_with(settings);
        {
            // The surface is written to its page when it is dropped.
            let mut sheet = Sheet { surface: page.surface(), font };
            for (place, row) in (0u16..).zip(rows) {
                sheet.row(MARGIN + ROW_HEIGHT * f32::from(place + 1), row);
            }
            let foot = format!("{title}  {number}/{pages}");
            sheet.left(PAGE_HEIGHT - MARGIN / 2.0, SIZE, &foot);
        }
        page.finish();
    }
    document.finish().map_err(|error| DrawError::Write(format!("{error:?}")))
}

struct Sheet<'a> {
    surface: Surface<'a>,
    font: &'a Font,
}

impl Sheet<'_> {
    fn row(&mut self, y: f32, row: &Row) {
        match row {
            Row::Blank => {}
            Row::Rule => self.left(y, SIZE, &"─".repeat(AMOUNT_END)),
            Row::Title(text) => self.left(y, TITLE_SIZE, text),
            Row::Text(text) => self.left(y, SIZE, &cut(text, AMOUNT_END)),
            Row::Cells(cells) => {
                self.left(y, SIZE, &cut(&cells.text, TEXT_END));
                self.right(y, QUANTITY_END, &cells.quantity);
                self.right(y, PRICE_END, &cells.price);
                self.right(y, AMOUNT_END, &cells.amount);
            }
        }
    }

    fn left(&mut self, y: f32, size: f32, text: &str) {
        self.put(MARGIN, y, size, text);
    }

    fn right(&mut self, y: f32, end: usize, text: &str) {
        let before = end.saturating_sub(text.chars().count());
        // Columns end before a thousand characters: exact in 32 bits.
        self.put(MARGIN + before as f32 * CHAR_WIDTH * SIZE, y, SIZE, text);
    }

    fn put(&mut self, x: f32, y: f32, size: f32, text: &str) {
        if !text.is_empty() {
            let font = self.font.clone();
            self.surface.draw_text(
                Point::from_xy(x, y),
                font,
                size,
                text,
                false,
                TextDirection::Auto,
            );
        }
    }
}

/// A text, cut where its column ends.
fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(chars_max - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_its_column_ends() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("äöüß", 4), "äöüß");
    }

    #[test]
    fn many_rows_make_several_pages() {
        let rows = vec![Row::text("row".to_owned()); 200];
        let bytes = draw("INV-1", &rows).expect("is drawn");
        assert!(bytes.starts_with(b"%PDF-"));
        let text = pdf_extract::extract_text_from_mem(&bytes).expect("is read");
        assert!(text.contains("INV-1  4/4") && !text.contains("5/5"), "{text}");
        assert_eq!(text.matches("row").count(), 200);
    }
}
