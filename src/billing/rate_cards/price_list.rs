//! Price lists as files: CSV (RFC 4180) with a line of column names, read a line at a time.
//!
//! Columns are found by their names, in any order and any case; others are passed over. `prefix` and
//! `price` have to be there, `class` and `effective_from` may be missing or empty. A field may stand
//! in quotes and does not run over the end of its line. The whole list is read even when there is
//! something wrong in it, so that all of that is told at once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{BufRead, Read};

use chrono::{DateTime, NaiveDate, NaiveTime};
use csv::{ByteRecord, ReaderBuilder};
use entity::enums::MessageClass;
use entity::time::UnixMillis;

use super::model::{NewRate, RateFault, RateKey};
use crate::types::price::{InvalidPrice, PartPrice};

/// Lines of a list: the world's prefixes by class and network are some 60,000.
pub const LINES_MAX: usize = 200_000;
/// Octets of a line: four short columns, and as much as price lists write beside them.
const LINE_BYTES_MAX: usize = 4_096;
/// Faulty lines that are told one by one.
pub const FAULTS_SHOWN_MAX: usize = 100;

/// A line that is not a rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LineFault {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// The lines of a list that are not rates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultyLines {
    /// How many.
    pub count: usize,
    /// The first of them, at most [`FAULTS_SHOWN_MAX`].
    pub first: Vec<LineFault>,
}

impl FaultyLines {
    fn push(&mut self, line: usize, reason: impl std::fmt::Display) {
        self.count += 1;
        if self.first.len() < FAULTS_SHOWN_MAX {
            self.first.push(LineFault { line, reason: reason.to_string() });
        }
    }
}

/// Why a list is no price list.
#[derive(Debug, thiserror::Error)]
pub enum PriceListFault {
    /// Its first line does not name the columns, or names one twice.
    #[error(
        "the first line names the columns: prefix and price, and if wanted class and \
         effective_from, each once and with commas between them"
    )]
    Columns,
    /// It has no rates.
    #[error("there are no rates in it")]
    Empty,
    /// It has more than [`LINES_MAX`] lines.
    #[error("a price list has at most {LINES_MAX} lines")]
    TooManyLines,
    /// It is not text in UTF-8, or has a line of more than 4 KiB.
    #[error("line {0} is not text in UTF-8 of at most {LINE_BYTES_MAX} bytes")]
    NotText(usize),
    /// Lines of it are not rates.
    #[error("{} of its lines are not rates", .0.count)]
    Lines(FaultyLines),
    /// It cannot be read.
    #[error("it cannot be read")]
    Unreadable(#[source] std::io::Error),
}

/// What is wrong with a field.
#[derive(Debug, thiserror::Error)]
enum FieldFault {
    #[error(transparent)]
    Prefix(#[from] RateFault),
    #[error("a class is OTP, TRANSACTIONAL or MARKETING; empty or ALL: every class")]
    Class,
    #[error(
        "effective_from is a day (2026-11-22, which begins at midnight UTC) or a time as in RFC 3339"
    )]
    EffectiveFrom,
    #[error(transparent)]
    Price(#[from] InvalidPrice),
}

/// Reads a price list. What has no `effective_from` is in force from `now` on.
///
/// # Errors
/// [`PriceListFault`].
pub fn read(list: impl BufRead, now: UnixMillis) -> Result<Vec<NewRate>, PriceListFault> {
    let mut lines = Lines::new(list);
    let columns = lines.next_record()?.and_then(|names| Columns::find(&names));
    let columns = columns.ok_or(PriceListFault::Columns)?;
    let mut rates = Vec::new();
    let mut seen: HashMap<RateKey, usize> = HashMap::new();
    let mut faults = FaultyLines::default();
    while let Some(record) = lines.next_record()? {
        match columns.rate(&record, now) {
            Err(fault) => faults.push(lines.number, fault),
            Ok(rate) => match seen.entry(rate.key.clone()) {
                Entry::Occupied(entry) => {
                    let reason = format!("{}, in line {}", RateFault::Repeated, entry.get());
                    faults.push(lines.number, reason);
                }
                Entry::Vacant(entry) => {
                    entry.insert(lines.number);
                    rates.push(rate);
                }
            },
        }
    }
    if faults.count > 0 {
        return Err(PriceListFault::Lines(faults));
    }
    if rates.is_empty() { Err(PriceListFault::Empty) } else { Ok(rates) }
}

/// The lines of a list, each a record. The parser is given one line at a time: by itself it would
/// count an unclosed quote's lines as one, and those of CRLF otherwise than editors do.
pub(in crate::billing) struct Lines<R> {
    list: R,
    /// Of the line that was read last, from 1.
    number: usize,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(in crate::billing) const fn new(list: R) -> Self {
        Self { list, number: 0, buffer: Vec::new() }
    }

    /// The number of the line that was read last, from 1.
    pub(in crate::billing) const fn number(&self) -> usize {
        self.number
    }

    /// The next line that is not blank.
    pub(in crate::billing) fn next_record(&mut self) -> Result<Option<ByteRecord>, PriceListFault> {
        loop {
            self.buffer.clear();
            let mut line = (&mut self.list).take(LINE_BYTES_MAX as u64 + 1);
            let read = line.read_until(b'\n', &mut self.buffer);
            if read.map_err(PriceListFault::Unreadable)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.number > LINES_MAX {
                return Err(PriceListFault::TooManyLines);
            }
            let is_text = std::str::from_utf8(&self.buffer).is_ok();
            if self.buffer.len() > LINE_BYTES_MAX || !is_text {
                return Err(PriceListFault::NotText(self.number));
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(Some(self.parse()));
            }
        }
    }

    fn parse(&self) -> ByteRecord {
        let mut line = self.buffer.as_slice();
        if self.number == 1 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        let mut parser = ReaderBuilder::new();
        parser.has_headers(false).flexible(true).trim(csv::Trim::All);
        let mut record = ByteRecord::new();
        // Reading from memory cannot fail, and records of any length are taken.
        let _ = parser
            .buffer_capacity(line.len().max(1))
            .from_reader(line)
            .read_byte_record(&mut record);
        record
    }
}

/// Where the columns are.
struct Columns {
    prefix: usize,
    price: usize,
    class: Option<usize>,
    effective_from: Option<usize>,
}

impl Columns {
    fn find(names: &ByteRecord) -> Option<Self> {
        let place = |wanted: &str| -> Result<Option<usize>, ()> {
            let mut places = names
                .iter()
                .enumerate()
                .filter(|(_, name)| name.eq_ignore_ascii_case(wanted.as_bytes()));
            let first = places.next().map(|(place, _)| place);
            if places.next().is_some() { Err(()) } else { Ok(first) }
        };
        Some(Self {
            prefix: place("prefix").ok()??,
            price: place("price").ok()??,
            class: place("class").ok()?,
            effective_from: place("effective_from").ok()?,
        })
    }

    fn rate(&self, record: &ByteRecord, now: UnixMillis) -> Result<NewRate, FieldFault> {
        let field = |place: Option<usize>| {
            let bytes = place.and_then(|place| record.get(place)).unwrap_or_default();
            std::str::from_utf8(bytes).unwrap_or_default()
        };
        let key = RateKey {
            prefix: field(Some(self.prefix)).parse()?,
            class: class(field(self.class))?,
            effective_from: effective_from(field(self.effective_from), now)?,
        };
        Ok(NewRate { key, price: field(Some(self.price)).parse::<PartPrice>()? })
    }
}

fn class(text: &str) -> Result<Option<MessageClass>, FieldFault> {
    match text.to_ascii_uppercase().as_str() {
        "" | "ALL" => Ok(None),
        "OTP" => Ok(Some(MessageClass::Otp)),
        "TRANSACTIONAL" => Ok(Some(MessageClass::Transactional)),
        "MARKETING" => Ok(Some(MessageClass::Marketing)),
        _ => Err(FieldFault::Class),
    }
}

fn effective_from(text: &str, now: UnixMillis) -> Result<UnixMillis, FieldFault> {
    if text.is_empty() {
        return Ok(now);
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    let time = match day {
        Ok(day) => day.and_time(NaiveTime::MIN).and_utc().timestamp_millis(),
        Err(_) => {
            let time = DateTime::parse_from_rfc3339(text);
            time.map_err(|_| FieldFault::EffectiveFrom)?.timestamp_millis()
        }
    };
    Ok(UnixMillis(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_000);

    fn shown(list: &str) -> Vec<String> {
        match read(list.as_bytes(), NOW) {
            Ok(rates) => rates
                .iter()
                .map(|rate| format!("{} {}", rate.key.to_position(), rate.price))
                .collect(),
            Err(PriceListFault::Lines(faults)) => {
                faults.first.iter().map(|fault| fault.line.to_string()).collect()
            }
            Err(fault) => vec![fault.to_string()],
        }
    }

    #[test]
    fn columns_are_found_by_name_and_fields_are_read_as_written() {
        let plain = "prefix,class,effective_from,price\n+44,OTP,1970-01-02,0.0375\n+,,,1\n";
        let read = ["44/0/86400000 0.0375", "/-1/1000 1.00"];
        assert_eq!(shown(plain), read);
        let other = "\u{feff}\"Price\",country,PREFIX,effective_from,class\r\n\
            0.0375,\"UK, mobile\",44,1970-01-02T01:00:00+01:00,otp\r\n\r\n1,\"say \"\"all\"\"\",+,,ALL";
        assert_eq!(shown(other), read);
        assert_eq!(shown("price,prefix\n0.5,1"), ["1/-1/1000 0.50"]);
    }

    #[test]
    fn each_faulty_line_is_told_by_its_number() {
        let list = "prefix,class,effective_from,price\n44,,,0.01\n\n,,,0.01\n4x,,,0.01\n\
            45,SMS,,0.01\n46,,yesterday,0.01\n47,,,1e3\n48,,,\n49\n44,,,0.02\n+44,OTP,,0.02\n\"50,,,1\n";
        assert_eq!(shown(list), ["4", "5", "6", "7", "8", "9", "10", "11", "13"]);
    }

    #[test]
    fn what_is_no_list_is_refused_whole() {
        let columns = PriceListFault::Columns.to_string();
        for list in
            ["", "\n\n", "44,0.01\n", "prefix;price\n44;0.01\n", "prefix,price,PRICE\n44,1,2"]
        {
            assert_eq!(shown(list), [columns.as_str()], "{list}");
        }
        assert_eq!(shown("prefix,price\n"), [PriceListFault::Empty.to_string()]);
        let long = format!("prefix,price\n44,{}\n", "1".repeat(LINE_BYTES_MAX));
        assert_eq!(shown(&long), [PriceListFault::NotText(2).to_string()]);
        let binary = read(&b"prefix,price\n44,\xff\n"[..], NOW);
        assert!(matches!(binary, Err(PriceListFault::NotText(2))));
        let endless = format!("prefix,price\n{}", "\n".repeat(LINES_MAX));
        assert_eq!(shown(&endless), [PriceListFault::TooManyLines.to_string()]);
    }

    #[test]
    fn of_many_faults_the_first_hundred_are_shown() {
        let list = format!("prefix,price\n{}", "x,1\n".repeat(250));
        match read(list.as_bytes(), NOW) {
            Err(PriceListFault::Lines(faults)) => {
                assert_eq!((faults.count, faults.first.len()), (250, FAULTS_SHOWN_MAX));
            }
            other => panic!("{other:?}"),
        }
    }
}
