//! Reading paths out of Rust source without a parser: enough for `use` trees and for paths in
//! expressions, after comments and the text of literals are blanked.

/// The source with comments and the contents of literals as spaces, lines kept.
pub(super) fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => block_end(bytes, at),
            b'"' => quoted_end(bytes, at),
            b'r' if is_raw_string(bytes, at) => raw_end(bytes, at),
            b'\'' if char_end(bytes, at).is_some() => char_end(bytes, at).expect("just seen"),
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(code).expect("literals and comments are blanked whole")
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn block_end(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0;
    let mut at = at;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn quoted_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn is_raw_string(bytes: &[u8], at: usize) -> bool {
    let in_a_name = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    // `br"…"` ends a name by this measure; its `b` is no letter of one.
    let after_b = at > 0 && bytes[at - 1] == b'b';
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    (!in_a_name || after_b) && bytes.get(at + 1 + hashes) == Some(&b'"')
}

fn raw_end(bytes: &[u8], at: usize) -> usize {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let start = at + 2 + hashes;
    let found = bytes[start..].windows(close.len()).position(|window| window == close);
    found.map_or(bytes.len(), |length| start + length + close.len())
}

/// The end of a character literal; `None` for a lifetime.
fn char_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at + 1) == Some(&b'\\') {
        let close = bytes[at + 3..].iter().position(|byte| *byte == b'\'')?;
        return Some(at + 3 + close + 1);
    }
    // One character, of up to four bytes.
    let close = bytes[at + 2..].iter().take(4).position(|byte| *byte == b'\'')?;
    let inside = std::str::from_utf8(&bytes[at + 1..at + 2 + close]).ok()?;
    (inside.chars().count() == 1).then_some(at + 2 + close + 1)
}

/// Every path that begins with the word `root`, a `use` tree's branches each by itself, as the
/// segments after it: `use crate::{db::Db, events}` gives `[db, Db]` and `[events]`.
pub(super) fn paths_from(code: &str, root: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices(root) {
        let starts_word = !code[..at].ends_with(is_name_char);
        // `a::root` is a path from elsewhere; a leading `::root` names the crate of that name.
        let continues_path = code[..at]
            .strip_suffix("::")
            .is_some_and(|path| path.ends_with(|c| is_name_char(c) || c == '>'));
        let rest = code[at + root.len()..].trim_start();
        if starts_word
            && !continues_path
            && let Some(tree) = rest.strip_prefix("::")
        {
            read_tree(tree, &mut Vec::new(), &mut paths);
        }
    }
    paths
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Reads one branch of a tree, adds what it names to `paths`, and returns what follows it.
fn read_tree<'a>(text: &'a str, prefix: &mut Vec<String>, paths: &mut Vec<Vec<String>>) -> &'a str {
    let depth = prefix.len();
    let mut rest = text.trim_start();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            rest = read_group(group, prefix, paths);
            break;
        }
        let name: String = rest.chars().take_while(|c| is_name_char(*c)).collect();
        rest = rest[name.len()..].trim_start();
        if name.is_empty() {
            // `*`, or generic arguments after `::<`: the path ends here.
            paths.push(prefix.clone());
            rest = rest.strip_prefix('*').unwrap_or(rest);
            break;
        }
        prefix.push(name);
        match rest.strip_prefix("::") {
            Some(deeper) => rest = deeper.trim_start(),
            None => {
                paths.push(prefix.clone());
                break;
            }
        }
    }
    prefix.truncate(depth);
    rest
}

fn read_group<'a>(
    text: &'a str,
    prefix: &mut Vec<String>,
    paths: &mut Vec<Vec<String>>,
) -> &'a str {
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return after;
        }
        if rest.is_empty() {
            return rest;
        }
        rest = read_tree(rest, prefix, paths);
        // `as name`, `,`: on to the next branch.
        rest = rest.trim_start_matches(|c| c != ',' && c != '}');
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
}

#[test]
fn reads_use_trees_and_paths() {
    let code = code_only(
        "use crate::{db::{Db, Tx as T}, events::*, ctx};\n\
         // crate::comment::Thing\n\
         /* crate::block /* crate::nested */ */\n\
         let a = \"crate::text \\\" crate::more\"; let b = r#\"crate::raw\"#; let c = '\"';\n\
         fn f<'a>(x: &'a str) -> crate::error::Failed { crate::db::open::<u8>(x) }\n\
         use other::crate_name; mod my_crate { } pub(crate) fn g() {}",
    );
    let mut paths: Vec<String> =
        paths_from(&code, "crate").iter().map(|path| path.join("::")).collect();
    paths.sort();
    let expected =
        ["ctx", "db::Db", "db::Tx", "db::open", "error::Failed", "events"].map(str::to_owned);
    assert_eq!(paths, expected);
    assert_eq!(paths_from("use ::axum::Router; use x::axum::y;", "axum"), [["Router"]]);
}
