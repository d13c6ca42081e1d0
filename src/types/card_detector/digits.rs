//! Looks for card numbers among plain ASCII digits, in one pass.

use std::ops::Range;

use super::issuers::{DIGITS_MAX, DIGITS_MIN, Scheme, scheme_of};

/// Which stretches of digits are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Windows {
    /// Those that begin and end with a group of digits.
    WholeGroups,
    /// All.
    Any,
}

/// Separators in a row that still join two groups: a dash between blanks. NULs do not count.
const SEPARATORS_MAX: usize = 3;
/// Digits of a group beside a full stop, up to which the full stop separates groups; in longer
/// ones it is a decimal point.
const DOTTED_GROUP_DIGITS_MAX: usize = 6;

/// Nothing, a blank, a dash: what people and programs put between groups. NUL makes UTF-16 of
/// ASCII readable. Not the comma and not the line feed, which stand between numbers.
const fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'_' | b'+' | b'\t' | 0)
}

/// The last digits of a row of groups.
struct Row {
    /// Values of the last 19, the newest last.
    digits: [u8; DIGITS_MAX],
    /// Where each stands.
    at: [usize; DIGITS_MAX],
    /// Whether a group begins with it.
    begins: [bool; DIGITS_MAX],
    count: usize,
}

impl Row {
    fn push(&mut self, digit: u8, at: usize, begins: bool) {
        if self.count == DIGITS_MAX {
            self.digits.copy_within(1.., 0);
            self.at.copy_within(1.., 0);
            self.begins.copy_within(1.., 0);
            self.count -= 1;
        }
        self.digits[self.count] = digit;
        self.at[self.count] = at;
        self.begins[self.count] = begins;
        self.count += 1;
    }

    /// A card number that ends with the newest digit.
    fn find(&self, windows: Windows) -> Option<(Scheme, Range<usize>)> {
        let starts = 0..(self.count + 1).saturating_sub(DIGITS_MIN);
        starts.filter(|start| windows == Windows::Any || self.begins[*start]).find_map(|start| {
            let scheme = scheme_of(&self.digits[start..self.count])?;
            Some((scheme, self.at[start]..self.at[self.count - 1] + 1))
        })
    }
}

/// The first card number in `input`, with its place.
pub(super) fn find(input: &[u8], windows: Windows) -> Option<(Scheme, Range<usize>)> {
    let mut row =
        Row { digits: [0; DIGITS_MAX], at: [0; DIGITS_MAX], begins: [false; DIGITS_MAX], count: 0 };
    let mut rest = 0;
    // The digits behind a decimal point are no group of their own.
    let mut is_fraction = false;
    while let Some(skipped) = input[rest..].iter().position(u8::is_ascii_digit) {
        let start = rest + skipped;
        let end = start + input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        for at in start..end {
            row.push(input[at] - b'0', at, at == start && !is_fraction);
            let is_over = at + 1 == end;
            if (is_over || windows == Windows::Any)
                && let Some(found) = row.find(windows)
                && (windows == Windows::Any || !is_in_identifier(input, &found.1))
            {
                return Some(found);
            }
        }
        rest = end;
        let joint = joint_after(input, start, end);
        is_fraction = joint == Joint::DecimalPoint;
        if joint != Joint::Separator && !(is_fraction && windows == Windows::Any) {
            row.count = 0;
        }
    }
    None
}

/// What stands between a group and the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    Separator,
    DecimalPoint,
    Break,
}

fn joint_after(input: &[u8], start: usize, end: usize) -> Joint {
    let between = input[end..].iter().take_while(|byte| is_separator(**byte)).count();
    let next = &input[end + between..];
    let next_digits = next.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let separators = &input[end..end + between];
    let visible = separators.iter().filter(|byte| **byte != 0).count();
    if between == 0 || visible > SEPARATORS_MAX || next_digits == 0 {
        return Joint::Break;
    }
    match separators {
        b"." if end - start > DOTTED_GROUP_DIGITS_MAX || next_digits > DOTTED_GROUP_DIGITS_MAX => {
            Joint::DecimalPoint
        }
        // `+` is a blank in a form; beside a blank it begins another phone number.
        _ if visible > 1 && separators.contains(&b'+') => Joint::Break,
        _ => Joint::Separator,
    }
}

/// The hex digits of MD5, SHA-1 and SHA-256, and of HMACs with them.
const DIGEST_CHARS: [usize; 3] = [32, 40, 64];
/// `8-4-4-4-12`
const UUID_CHARS: usize = 36;

/// Whether the place is within a UUID or a digest in hex: with a letter in it, so that no row of
/// digits hides behind the form.
fn is_in_identifier(input: &[u8], place: &Range<usize>) -> bool {
    let belongs = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
    let before = input[..place.start].iter().rev().take(UUID_CHARS * 2);
    let after = input[place.end..].iter().take(UUID_CHARS * 2);
    let start = place.start - before.take_while(|byte| belongs(byte)).count();
    let end = place.end + after.take_while(|byte| belongs(byte)).count();
    let token = &input[start..end];
    if !token.iter().any(u8::is_ascii_alphabetic) {
        return false;
    }
    let dashes = token.iter().filter(|byte| **byte == b'-').count();
    let is_uuid = token.len() == UUID_CHARS
        && dashes == 4
        && [8, 13, 18, 23].iter().all(|at| token[*at] == b'-');
    is_uuid || (dashes == 0 && DIGEST_CHARS.contains(&token.len()))
}
