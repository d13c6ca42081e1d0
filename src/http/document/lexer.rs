//! Counts tokens and nesting in a document's text, in one pass and without recursion, so that what
//! reaches the recursive parser is bounded. It need not be exact on text that is not GraphQL: the
//! parser refuses that.

use crate::http::fault::Fault;

/// Brackets open at once, of all three kinds: selections (16 fields deep at most) and the lists and
/// objects of an argument together. The parser gives up at 64 selections by itself, but descends
/// into a value's lists without a bound.
const NESTING_MAX: usize = 48;

/// Length of one name, in bytes. Names come back in errors and in paths.
const NAME_BYTES_MAX: usize = 128;

/// Refuses `source` if it has more than `tokens_max` tokens or is nested too deep.
pub(super) fn check(source: &str, tokens_max: usize) -> Result<(), Fault> {
    let mut rest = source.as_bytes();
    let mut tokens = 0;
    let mut nesting = 0_usize;
    while let Some(length) = skip_ignored(rest) {
        rest = &rest[length..];
        let (kind, length) = token(rest);
        match kind {
            Kind::Open => nesting += 1,
            Kind::Close => nesting = nesting.saturating_sub(1),
            Kind::Name if length > NAME_BYTES_MAX => {
                return Err(Fault::too_complex("a name is longer than 128 characters"));
            }
            Kind::Name | Kind::Other => {}
        }
        tokens += 1;
        if tokens > tokens_max {
            let message = format!("the document has more than {tokens_max} tokens");
            return Err(Fault::too_complex(message));
        }
        if nesting > NESTING_MAX {
            return Err(Fault::too_complex("the document is nested too deep"));
        }
        rest = &rest[length..];
    }
    Ok(())
}

enum Kind {
    Open,
    Close,
    Name,
    Other,
}

/// Length of white space, commas and comments before the next token; `None` at the end.
fn skip_ignored(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => at += 1,
            // The byte order mark, in UTF-8.
            0xEF if text[at..].starts_with(b"\xEF\xBB\xBF") => at += 3,
            b'#' => {
                let end = text[at..].iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                at += end?;
            }
            _ => return Some(at),
        }
    }
}

/// Kind and length of the token at the start of `text`, which is not empty.
fn token(text: &[u8]) -> (Kind, usize) {
    match text[0] {
        b'{' | b'[' | b'(' => (Kind::Open, 1),
        b'}' | b']' | b')' => (Kind::Close, 1),
        b'.' if text.starts_with(b"...") => (Kind::Other, 3),
        b'"' if text.starts_with(b"\"\"\"") => (Kind::Other, block_string(text)),
        b'"' => (Kind::Other, string(text)),
        b'_' | b'a'..=b'z' | b'A'..=b'Z' => (Kind::Name, run(text, is_name)),
        b'-' | b'0'..=b'9' => (Kind::Other, run(text, is_number)),
        // A punctuator, or a byte that GraphQL does not know.
        _ => (Kind::Other, 1),
    }
}

fn run(text: &[u8], belongs: fn(&u8) -> bool) -> usize {
    text.iter().position(|byte| !belongs(byte)).unwrap_or(text.len())
}

fn is_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

fn is_number(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.' | b'_')
}

/// Length of a string, its quotes included; an unclosed one ends with its line.
fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\n' | b'\r' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Length of a block string, its quotes included; an unclosed one ends with the text.
fn block_string(text: &[u8]) -> usize {
    let mut at = 3;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(b"\\\"\"\"") {
            at += 4;
        } else if rest.starts_with(b"\"\"\"") {
            return at + 3;
        } else {
            at += 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::check;

    fn count(source: &str) -> usize {
        (0..100).find(|max| check(source, *max).is_ok()).expect("fewer than 100 tokens")
    }

    #[test]
    fn counts_tokens_as_the_specification_does() {
        for (source, tokens) in [
            ("", 0),
            (" ,\t\r\n# { [ (\n", 0),
            ("\u{feff}{a}", 3),
            ("{ a ...F @b(c: $d) }", 13),
            ("{a(b:\"{[(\\\"{\")}", 8),
            ("{a(b:\"\"\"{[(\\\"\"\"{\"\"\")}", 8),
            ("{a(b:-1.5e+10)}", 8),
            ("{a(b:\"open\n)}", 8),
            ("\"\"\"open {", 1),
            ("\"\\", 1),
            ("#", 0),
            ("é", 2),
        ] {
            assert_eq!(count(source), tokens, "{source:?}");
        }
    }

    #[test]
    fn names_have_a_length() {
        assert!(check(&format!("{{{}}}", "a".repeat(128)), 10).is_ok());
        assert!(check(&format!("{{{}}}", "a".repeat(129)), 10).is_err());
    }
}
