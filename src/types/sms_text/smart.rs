//! Smart encoding: typographic signs that alone would force UCS-2, replaced by what the GSM
//! alphabet has. Opt-in, and it reports what it changed. It never touches letters.

/// One kind of replacement that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// What stood there.
    pub from: char,
    /// What stands there now; empty if the sign was invisible.
    pub to: &'static str,
    /// How often.
    pub times: u32,
}

/// The text with typographic quotes, dashes, ellipses, no-break and odd-width spaces and
/// zero-width signs replaced, and each kind of replacement once, in order of first appearance.
/// Idempotent.
///
/// A zero-width joiner inside an emoji goes as well only when the text could be GSM without it:
/// otherwise nothing would be won, so a text with any other character outside the alphabet is
/// given back as it was.
pub fn smart_encoding(text: &str) -> (String, Vec<Replacement>) {
    let helps =
        text.chars().all(|char| replacement(char).is_some() || super::gsm7::encode(char).is_some());
    if !helps {
        return (text.to_owned(), Vec::new());
    }
    let mut out = String::with_capacity(text.len());
    let mut made: Vec<Replacement> = Vec::new();
    for char in text.chars() {
        let Some(to) = replacement(char) else {
            out.push(char);
            continue;
        };
        out.push_str(to);
        match made.iter_mut().find(|known| known.from == char) {
            Some(known) => known.times += 1,
            None => made.push(Replacement { from: char, to, times: 1 }),
        }
    }
    (out, made)
}

/// Only signs that the GSM alphabet lacks.
fn replacement(char: char) -> Option<&'static str> {
    Some(match char {
        '‘' | '’' | '‚' | '‛' | '′' | '`' | '´' | '‹' | '›' => "'",
        '“' | '”' | '„' | '‟' | '″' | '«' | '»' => "\"",
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => "-",
        '…' => "...",
        '\t' => " ",
        '\u{00A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => " ",
        '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' => "",
        '\u{2028}' | '\u{2029}' => "\n",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_reports() {
        let (text, made) = smart_encoding("“It’s\u{A0}5–6”… it’s\u{200B}!");
        assert_eq!(text, "\"It's 5-6\"... it's!");
        let kinds: Vec<_> = made.iter().map(|it| (it.from, it.to, it.times)).collect();
        assert_eq!(
            kinds,
            [
                ('“', "\"", 1),
                ('’', "'", 2),
                ('\u{A0}', " ", 1),
                ('–', "-", 1),
                ('”', "\"", 1),
                ('…', "...", 1),
                ('\u{200B}', "", 1),
            ]
        );
        assert_eq!(smart_encoding(&text), (text.clone(), Vec::new()));
    }

    #[test]
    fn leaves_what_it_cannot_help() {
        for text in ["Привет — “мир”", "👩‍💻…", "plain", ""] {
            assert_eq!(smart_encoding(text), (text.to_owned(), Vec::new()), "{text}");
        }
    }

    #[test]
    fn replacements_are_needed_and_encodable() {
        for char in '\0'..=char::MAX {
            let Some(to) = replacement(char) else { continue };
            assert_eq!(super::super::gsm7::encode(char), None, "{char:?} needs none");
            assert!(to.chars().all(|it| super::super::gsm7::encode(it).is_some()), "{char:?}");
        }
    }
}
