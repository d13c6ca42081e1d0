//! What the simulated SMSC took: so that a test can ask afterwards what arrived and whether
//! anything was submitted twice. Never message text: a keyed hash stands for the content.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};

use entity::time::UnixMillis;
use serde::Serialize;

use super::config::SmscConfig;
use super::wire::{Segment, Submit};

/// Distinct submissions that are counted: 4 million at 16 octets each and the table's slack stay
/// under 150 MiB. Beyond it new ones are only counted as `uncounted`.
pub const DISTINCT_MAX: usize = 4_000_000;

/// One submission that was taken.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct JournalEntry {
    /// When.
    pub at_ms: UnixMillis,
    /// Who submitted it.
    pub system_id: String,
    /// Over which connection, counted from 1.
    pub connection: u64,
    /// The id that it was given, as the answer wrote it.
    pub message_id: String,
    /// Source address.
    pub from: String,
    /// Destination address.
    pub to: String,
    /// `user_message_reference`.
    pub reference: Option<u16>,
    /// Which part of which message.
    pub segment: Option<Segment>,
    /// Octets of content, with the user data header.
    pub octets: usize,
    /// Keyed hash of the content.
    pub content: String,
    /// 1 the first time that source, destination, reference and content were seen together.
    pub occurrence: u32,
    /// What became of the answer.
    pub answer: AnswerFate,
}

/// What became of the answer to a submission that was taken.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum AnswerFate {
    /// It was sent, or will be when its delay is over.
    Answered,
    /// It never comes.
    Lost,
    /// The connection was dropped in its place.
    Dropped,
}

/// Counts over everything that was taken, also what no longer has an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JournalSummary {
    /// Submissions taken.
    pub taken: u64,
    /// Different ones.
    pub distinct: u64,
    /// Submissions that had been taken before.
    pub repeated: u64,
    /// Submissions past [`DISTINCT_MAX`], not compared with the earlier ones.
    pub uncounted: u64,
}

/// The circumstances of a submission that was taken.
pub(super) struct Taken<'a> {
    pub at: UnixMillis,
    pub system_id: &'a str,
    pub connection: u64,
    pub message_id: &'a str,
    pub answer: AnswerFate,
}

/// The journal in memory and its file.
pub(super) struct Journal {
    entries: VecDeque<JournalEntry>,
    entries_max: usize,
    seen: HashMap<u64, u32>,
    summary: JournalSummary,
    file: Option<File>,
    lines: Vec<u8>,
    key: u64,
}

impl Journal {
    /// Opens the file, if one is set.
    ///
    /// # Errors
    /// If the file cannot be opened for appending.
    pub(super) fn open(config: &SmscConfig, key: u64) -> io::Result<Self> {
        let file = match &config.journal_file {
            Some(path) => Some(OpenOptions::new().create(true).append(true).open(path)?),
            None => None,
        };
        Ok(Self {
            entries: VecDeque::new(),
            entries_max: config.journal_entries_max,
            seen: HashMap::new(),
            summary: JournalSummary::default(),
            file,
            lines: Vec::new(),
            key,
        })
    }

    /// Whether anybody will read it.
    pub(super) fn is_kept(&self) -> bool {
        self.entries_max > 0 || self.file.is_some()
    }

    /// Notes a submission that was taken.
    pub(super) fn note(&mut self, taken: &Taken<'_>, submit: &Submit<'_>) {
        let mut hasher = DefaultHasher::new();
        (self.key, submit.content).hash(&mut hasher);
        let content = hasher.finish();
        (submit.source.digits, submit.destination.digits, submit.reference).hash(&mut hasher);
        let occurrence = self.count(hasher.finish());
        let entry = JournalEntry {
            at_ms: taken.at,
            system_id: taken.system_id.to_owned(),
            connection: taken.connection,
            message_id: taken.message_id.to_owned(),
            from: submit.source.digits.to_text(),
            to: submit.destination.digits.to_text(),
            reference: submit.reference,
            segment: submit.segment,
            octets: submit.content.len(),
            content: format!("{content:016x}"),
            occurrence,
            answer: taken.answer,
        };
        if self.file.is_some() {
            serde_json::to_writer(&mut self.lines, &entry)
                .expect("an entry has only strings and numbers");
            self.lines.push(b'\n');
        }
        if self.entries_max > 0 {
            if self.entries.len() == self.entries_max {
                self.entries.pop_front();
            }
            self.entries.push_back(entry);
        }
    }

    fn count(&mut self, key: u64) -> u32 {
        self.summary.taken += 1;
        let room = self.seen.len() < DISTINCT_MAX;
        match self.seen.entry(key) {
            Entry::Occupied(mut times) => {
                self.summary.repeated += 1;
                *times.get_mut() += 1;
                *times.get()
            }
            Entry::Vacant(vacant) if room => {
                self.summary.distinct += 1;
                *vacant.insert(1)
            }
            Entry::Vacant(_) => {
                self.summary.uncounted += 1;
                1
            }
        }
    }

    /// Hands the new lines to the operating system. Called before the answers of the same batch
    /// are written, so that whatever was answered is in the file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.file
            && !self.lines.is_empty()
        {
            file.write_all(&self.lines)?;
            self.lines.clear();
        }
        Ok(())
    }

    /// The kept entries, oldest first.
    pub(super) fn entries(&self) -> Vec<JournalEntry> {
        self.entries.iter().cloned().collect()
    }

    /// The counts.
    pub(super) fn summary(&self) -> JournalSummary {
        self.summary
    }
}
