//! Records of a CSV file (RFC 4180, and what else programs write) out of parts of it, with their
//! lines, in memory that does not grow with the file. Not here: what the fields mean.

use std::ops::Range;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// Bytes of one record without its quotes: far beyond any contact. What is larger, as after a quote
/// that is never closed, is skipped to its end.
pub(super) const RECORD_BYTES_MAX: usize = 64 * 1024;
/// Columns of one record: attributes, the number and tags are at most 102.
pub(super) const COLUMNS_MAX: usize = 1_000;
/// Bytes from which the delimiter is guessed.
const SAMPLE_BYTES: usize = 16 * 1024;
/// What separates fields, the most usual first.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// How fields of a file are separated, and where its first record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// Bytes before the first record: a line that names the delimiter.
    pub(super) skipped: usize,
}

impl Dialect {
    /// From the file's beginning: by its first line `sep=;`, as spreadsheets write it, else the
    /// delimiter that stands most often in the first line outside quotes.
    pub(super) fn detect(beginning: &[u8]) -> Self {
        let sample = &beginning[..beginning.len().min(SAMPLE_BYTES)];
        if let Some([delimiter, rest @ ..]) = sample.strip_prefix(b"sep=")
            && matches!(rest, [b'\r' | b'\n', ..])
            && delimiter.is_ascii()
            && !delimiter.is_ascii_alphanumeric()
            && *delimiter != b'"'
        {
            let ended = if rest.starts_with(b"\r\n") { 2 } else { 1 };
            return Self { delimiter: *delimiter, skipped: 5 + ended };
        }
        let (mut counts, mut quoted) = ([0_usize; DELIMITERS.len()], false);
        let mut is_blank = true;
        for byte in sample {
            match byte {
                b'"' => quoted = !quoted,
                b'\r' | b'\n' if !quoted && is_blank => continue,
                b'\r' | b'\n' if !quoted => break,
                _ if quoted => {}
                _ => {
                    if let Some(place) = DELIMITERS.iter().position(|it| it == byte) {
                        counts[place] += 1;
                    }
                }
            }
            is_blank = false;
        }
        let most = counts.iter().copied().max().unwrap_or_default();
        let place = counts.iter().position(|count| *count == most).unwrap_or_default();
        Self { delimiter: DELIMITERS[place], skipped: 0 }
    }
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A record that began in this line: [`Records::fields`].
    Record(u64),
    /// A record that began in this line, and is larger than any may be.
    TooLarge(u64),
    /// More of the file is needed.
    NeedsInput,
    /// The file has ended.
    End,
}

/// Reads records out of what it is fed.
pub(super) struct Records {
    core: Reader,
    input: Vec<u8>,
    /// Where in `input` to go on.
    at: usize,
    /// Where in the file `input` begins.
    base: u64,
    is_closed: bool,
    output: Vec<u8>,
    ends: Vec<usize>,
    state: State,
}

/// The record that is being read.
#[derive(Clone, Copy, Default)]
struct State {
    in_record: bool,
    line: u64,
    written: usize,
    fields: usize,
    is_too_large: bool,
}

impl Records {
    /// Goes on at a byte of the file, where a record begins in this line.
    pub(super) fn at(delimiter: u8, byte: u64, line: u64) -> Self {
        let mut core = ReaderBuilder::new().delimiter(delimiter).build();
        core.set_line(line);
        Self {
            core,
            input: Vec::new(),
            at: 0,
            base: byte,
            is_closed: false,
            output: vec![0; RECORD_BYTES_MAX],
            ends: vec![0; COLUMNS_MAX],
            state: State::default(),
        }
    }

    /// Takes what follows in the file.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.input.drain(..self.at);
        self.base += self.at as u64;
        self.at = 0;
        self.input.extend_from_slice(bytes);
    }

    /// Nothing follows.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Where the next record begins: the byte in the file, and the line.
    pub(super) fn position(&self) -> (u64, u64) {
        (self.base + self.at as u64, self.core.line())
    }

    /// The fields of the record that [`Step::Record`] told of.
    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let ends = &self.ends[..self.state.fields];
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(ends).map(|(start, end)| &self.output[Range { start, end: *end }])
    }

    /// The next record.
    pub(super) fn step(&mut self) -> Step {
        loop {
            if !self.state.in_record && !self.starts_record() {
                return if self.is_closed { Step::End } else { Step::NeedsInput };
            }
            let input = &self.input[self.at..];
            // An empty input says that nothing follows.
            if input.is_empty() && !self.is_closed {
                return Step::NeedsInput;
            }
            let state = &mut self.state;
            let (result, read, written, fields) = self.core.read_record(
                input,
                &mut self.output[state.written..],
                &mut self.ends[state.fields..],
            );
            self.at += read;
            state.written += written;
            state.fields += fields;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    state.is_too_large = true;
                    state.written = 0;
                }
                ReadRecordResult::OutputEndsFull => {
                    state.is_too_large = true;
                    state.fields = 0;
                }
                ReadRecordResult::Record => {
                    state.in_record = false;
                    return match state.is_too_large {
                        true => Step::TooLarge(state.line),
                        false => Step::Record(state.line),
                    };
                }
                ReadRecordResult::End => {
                    state.in_record = false;
                    return Step::End;
                }
            }
        }
    }

    /// Passes the ends of lines before a record; whether one begins.
    fn starts_record(&mut self) -> bool {
        while let Some(byte @ (b'\r' | b'\n')) = self.input.get(self.at) {
            self.at += 1;
            if *byte == b'\n' {
                self.core.set_line(self.core.line() + 1);
            }
        }
        let begins = self.at < self.input.len();
        if begins {
            self.state = State { in_record: true, line: self.core.line(), ..State::default() };
        }
        begins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All records as text with their lines, with the file cut into parts of `size` bytes.
    fn read(file: &[u8], size: usize) -> Vec<(u64, Vec<String>)> {
        let dialect = Dialect::detect(file);
        let mut records = Records::at(dialect.delimiter, dialect.skipped as u64, 1);
        let mut parts = file[dialect.skipped..].chunks(size);
        let mut found = Vec::new();
        loop {
            match records.step() {
                Step::NeedsInput => match parts.next() {
                    Some(part) => records.feed(part),
                    None => records.close(),
                },
                Step::Record(line) => {
                    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
                    found.push((line, records.fields().map(text).collect()));
                }
                Step::TooLarge(line) => found.push((line, vec!["too large".to_owned()])),
                Step::End => return found,
            }
        }
    }

    fn rows(rows: &[(u64, &[&str])]) -> Vec<(u64, Vec<String>)> {
        let owned = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect();
        rows.iter().map(|(line, fields)| (*line, owned(fields))).collect()
    }

    #[test]
    fn records_are_the_same_however_the_file_is_cut() {
        for (file, expected) in [
            ("a,b\n1,2\n", rows(&[(1, &["a", "b"]), (2, &["1", "2"])])),
            (
                "a;b\r\n\"x;\r\ny\";2\r\n3;4",
                rows(&[(1, &["a", "b"]), (2, &["x;\r\ny", "2"]), (4, &["3", "4"])]),
            ),
            (
                "\n\r\na\tb\n\n1\t\"say \"\"hi\"\"\"",
                rows(&[(3, &["a", "b"]), (5, &["1", "say \"hi\""])]),
            ),
            ("sep=|\r\na|b\n1|2", rows(&[(1, &["a", "b"]), (2, &["1", "2"])])),
            ("a,b\r1,2\r", rows(&[(1, &["a", "b"]), (1, &["1", "2"])])),
            ("a\n\"never closed,\n1", rows(&[(1, &["a"]), (2, &["never closed,\n1"])])),
            ("a,\u{0},\n", rows(&[(1, &["a", "\u{0}", ""])])),
            ("", Vec::new()),
            ("\r\n\r\n", Vec::new()),
        ] {
            for size in [1, 2, 3, 7, 1_000] {
                assert_eq!(read(file.as_bytes(), size), expected, "{file:?} in parts of {size}");
            }
        }
    }

    #[test]
    fn what_is_too_large_is_one_row_and_the_others_are_read() {
        let wide = vec!["x"; 10_000].join(",");
        let giant = "y".repeat(RECORD_BYTES_MAX + 1);
        let file = format!("a,b\n{wide}\n1,2\n\"{giant}\n{giant}\",3\n4,5\n");
        let expected = rows(&[
            (1, &["a", "b"]),
            (2, &["too large"]),
            (3, &["1", "2"]),
            (4, &["too large"]),
            (6, &["4", "5"]),
        ]);
        for size in [977, 1 << 20] {
            assert_eq!(read(file.as_bytes(), size), expected);
        }
        let full = "z".repeat(RECORD_BYTES_MAX - 1);
        assert_eq!(read(full.as_bytes(), 4_096), rows(&[(1, &[full.as_str()])]));
    }

    #[test]
    fn reading_goes_on_where_it_ended() {
        let file = b"a,b\r\n1,\"2\n2\"\r\n3,4\r\n5,6";
        let mut places = Vec::new();
        let mut records = Records::at(b',', 0, 1);
        records.feed(file);
        records.close();
        while let Step::Record(line) = records.step() {
            places.push((line, records.position()));
        }
        assert_eq!(places.len(), 4);
        for pair in places.windows(2) {
            let (byte, line) = pair[0].1;
            let mut records = Records::at(b',', byte, line);
            records.feed(&file[usize::try_from(byte).unwrap()..]);
            records.close();
            assert_eq!(records.step(), Step::Record(pair[1].0));
            assert_eq!(records.position(), pair[1].1);
        }
    }

    #[test]
    fn the_delimiter_is_the_most_usual_of_the_first_line() {
        for (file, delimiter) in [
            ("number", b','),
            ("number;a,b;c", b';'),
            ("\"a,b,c,d\";e;f\n,,,,,", b';'),
            ("\r\na\tb", b'\t'),
            ("a,b;c", b','),
            ("sep=x\n", b','),
            ("sep=;", b';'),
        ] {
            assert_eq!(Dialect::detect(file.as_bytes()).delimiter, delimiter, "{file:?}");
        }
    }
}
