//! CSV as it is written here (RFC 4180, UTF-8 with a byte order mark, so that spreadsheets read it),
//! and what spreadsheets must not take for a formula.
//!
//! Source of the signs: OWASP, CSV Injection. A spreadsheet shows the apostrophe before a text as no
//! part of it, and reading takes it off again.

/// Before the header.
pub(super) const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Signs that make a formula of a text, at its beginning.
const FORMULA_SIGNS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// A field of free text.
pub(super) fn text_field(text: &str, out: &mut String) {
    let needs_quotes = text.contains(['"', ',', ';', '\r', '\n', '\t'])
        || text.starts_with(char::is_whitespace)
        || text.ends_with(char::is_whitespace);
    if needs_quotes {
        out.push('"');
    }
    for cell in cells(text) {
        if reads_as_formula(cell) {
            out.push('\'');
        }
        match needs_quotes {
            true => out.push_str(&cell.replace('"', "\"\"")),
            false => out.push_str(cell),
        }
    }
    if needs_quotes {
        out.push('"');
    }
}

/// The text of a field without the apostrophes that [`text_field`] put into it.
pub(super) fn without_guard(text: &str) -> String {
    let bare = |cell| str::strip_prefix(cell, '\'').filter(|rest| reads_as_formula(rest));
    cells(text).map(|cell| bare(cell).unwrap_or(cell)).collect()
}

/// What a spreadsheet may take for cells: where a semicolon or a tab is the sign of a list, it cuts
/// the text there, quotes or not.
fn cells(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive([';', '\t'])
}

/// Whether a text is a formula, or one that was guarded already.
fn reads_as_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA_SIGNS)
}

/// A record of fields that are known to hold no sign that matters, and of texts.
pub(super) fn end_record(out: &mut String) {
    // After each field stands a comma.
    out.pop();
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_texts_and_come_back_as_they_were() {
        for (text, written) in [
            ("Ulm", "Ulm"),
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""),
            ("＝1", "'＝1"),
            ("'=1", "''=1"),
            ("'s", "'s"),
            ("''s", "''s"),
            ("''=1", "'''=1"),
            ("a\"b", "\"a\"\"b\""),
            ("a;b", "\"a;b\""),
            ("a;=1", "\"a;'=1\""),
            ("a;'=1", "\"a;''=1\""),
            ("a\t=1;;@x", "\"a\t'=1;;'@x\""),
            ("", ""),
        ] {
            let mut out = String::new();
            text_field(text, &mut out);
            assert_eq!(out, written, "{text}");
            let mut reader = csv::ReaderBuilder::new();
            let mut reader = reader.has_headers(false).from_reader(out.as_bytes());
            let field = reader.records().next().map(|record| record.unwrap()[0].to_owned());
            assert_eq!(without_guard(&field.unwrap_or_default()), text);
        }
    }
}
