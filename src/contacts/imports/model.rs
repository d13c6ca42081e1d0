//! Pure types of imports: how a file is to be read, which column is what, and what a row says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use encoding_rs::WINDOWS_1252;
use entity::contact_attribute;
use entity::enums::{AttributeKind, ImportFailure};
use entity::ids::{AttributeId, ListId};
use serde::{Deserialize, Serialize};

use super::super::csv_text::without_guard;
use super::super::model::{AttributeValue, fits_key, valid_tag};
use super::super::store::parse_number;
use super::super::{TAGS_MAX, TIME_ZONE_KEY};
use super::fault::{RowFault, RowFaultCode};
use crate::types::money::Micros;
use crate::types::phone::{PhoneNumber, Region};

/// How the headers of columns of numbers are written, where none is named.
const NUMBER_HEADERS: [&str; 10] = [
    "number",
    "phone",
    "phone_number",
    "mobile",
    "mobile_number",
    "mobile_phone",
    "msisdn",
    "cell",
    "tel",
    "telephone",
];
/// How the header of a column of tags is written.
const TAGS_HEADER: &str = "tags";
/// What separates tags in a field.
const TAG_SEPARATORS: [char; 3] = [';', '|', ','];

/// How a file is to be read, and where its contacts go. Stored as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportOptions {
    /// Which column is what; none: by the headers.
    pub columns: Vec<ImportColumn>,
    /// Whether the first row holds headers.
    pub has_header: bool,
    /// What octets beyond ASCII mean, where the file is not UTF-16.
    pub encoding: FileEncoding,
    /// The region of national numbers; none: the account's.
    pub default_region: Option<String>,
    /// Lists that the contacts are put on.
    pub list_ids: Vec<ListId>,
    /// Tags that the contacts get.
    pub tags: Vec<String>,
    /// What becomes of contacts that the account has.
    pub on_duplicate: OnDuplicate,
}

/// What octets beyond ASCII mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileEncoding {
    /// A field is UTF-8 if it can be, else Windows-1252.
    #[default]
    Detected,
    /// A field that is not UTF-8 has a fault.
    Utf8,
    /// All fields are Windows-1252.
    Windows1252,
}

/// What becomes of contacts that the account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// They get the values and tags of the file beside those that they have; of two rows of one
    /// number the later one counts.
    #[default]
    Update,
    /// They keep what they have, and are put on the lists; of two rows of one number the first counts.
    Keep,
}

/// A column, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportColumn {
    /// Which one.
    pub column: ColumnRef,
    /// What it holds.
    pub target: ColumnTarget,
}

/// Which column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnRef {
    /// By its header, without regard to case and blanks around it.
    Header(String),
    /// By its place, from 0.
    Position(usize),
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnTarget {
    /// Phone numbers.
    Number,
    /// Tags, separated by semicolons, commas or vertical bars.
    Tags,
    /// Values of the attribute with this key.
    Attribute(String),
}

/// Why a file cannot be imported, and what of it is to blame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlanFault(pub(super) ImportFailure, pub(super) Option<String>);

/// What the columns of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// By place.
    columns: Vec<Planned>,
    /// Fields of a row; none: as many as there are.
    width: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Planned {
    place: usize,
    /// As faults name it.
    name: String,
    target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Number,
    Tags,
    Attribute(AttributeId, AttributeKind),
    /// The attribute that says where a contact lives.
    TimeZone(AttributeId),
}

/// What values of an attribute are read as.
fn target_of(attribute: &contact_attribute::Model) -> Target {
    match attribute.kind {
        AttributeKind::Text if attribute.key == TIME_ZONE_KEY => Target::TimeZone(attribute.id),
        kind => Target::Attribute(attribute.id, kind),
    }
}

impl Plan {
    /// Which column is what, by the options and the headers, if there are any.
    ///
    /// # Errors
    /// [`PlanFault`].
    pub(super) fn make(
        options: &ImportOptions,
        headers: Option<&[String]>,
        attributes: &HashMap<String, contact_attribute::Model>,
    ) -> Result<Self, PlanFault> {
        let mut columns: Vec<Planned> = match (options.columns.as_slice(), headers) {
            ([], Some(headers)) => by_headers(headers, attributes),
            ([], None) => Vec::new(),
            (named, headers) => named
                .iter()
                .map(|column| planned(column, headers, attributes))
                .collect::<Result<_, _>>()?,
        };
        columns.sort_by_key(|column| column.place);
        if !columns.iter().any(|column| column.target == Target::Number) {
            return Err(PlanFault(ImportFailure::NoNumberColumn, None));
        }
        let (mut places, mut targets) = (BTreeSet::new(), Vec::new());
        for column in &columns {
            if !places.insert(column.place) || targets.contains(&column.target) {
                let name = Some(cut(&column.name));
                return Err(PlanFault(ImportFailure::AmbiguousColumn, name));
            }
            targets.push(column.target);
        }
        Ok(Self { columns, width: headers.map(<[_]>::len) })
    }

    /// What a row says; none if it is blank.
    ///
    /// # Errors
    /// The first fault of it.
    pub(super) fn row<'a>(
        &self,
        line: u64,
        fields: impl Iterator<Item = &'a [u8]>,
        reading: &Reading,
    ) -> Result<Option<Row>, RowFault> {
        let fields: Vec<&[u8]> = fields.collect();
        let is_blank = |field: &&[u8]| field.iter().all(u8::is_ascii_whitespace);
        if fields.iter().all(is_blank) {
            return Ok(None);
        }
        let fault = |code, column: &str, value: &str| RowFault {
            line,
            column: cut(column),
            code,
            value: cut(value),
        };
        // A delimiter at the end of a row is usual, and harmless.
        let beyond = self.width.and_then(|width| fields.get(width..));
        if beyond.is_some_and(|fields| !fields.iter().all(is_blank)) {
            return Err(fault(RowFaultCode::TooManyFields, "", ""));
        }
        let (mut number, mut values, mut tags) = (None, BTreeMap::new(), reading.tags.clone());
        for column in &self.columns {
            let field = fields.get(column.place).copied().unwrap_or_default();
            let Some(text) = reading.text(field) else {
                return Err(fault(RowFaultCode::InvalidEncoding, &column.name, ""));
            };
            let text = without_guard(text.trim());
            let text = text.as_str();
            let refused = |code| fault(code, &column.name, text);
            if text.is_empty() {
                continue;
            }
            match column.target {
                Target::Number => {
                    let parsed = parse_number(text, reading.region);
                    number = Some(parsed.ok_or_else(|| refused(RowFaultCode::InvalidNumber))?);
                }
                Target::Tags => {
                    let named = text.split(TAG_SEPARATORS).filter(|tag| !tag.trim().is_empty());
                    for tag in named {
                        let tag = valid_tag(tag);
                        tags.insert(tag.ok_or_else(|| refused(RowFaultCode::InvalidTag))?);
                    }
                    if tags.len() > TAGS_MAX {
                        return Err(refused(RowFaultCode::TooManyTags));
                    }
                }
                Target::TimeZone(id) => {
                    let zone = AttributeValue::Text(text.to_owned());
                    if !fits_key(TIME_ZONE_KEY, &zone) {
                        return Err(refused(RowFaultCode::InvalidValue));
                    }
                    values.insert(id, zone);
                }
                Target::Attribute(id, kind) => {
                    let value = value_of(kind, text).filter(AttributeValue::is_valid);
                    values.insert(id, value.ok_or_else(|| refused(RowFaultCode::InvalidValue))?);
                }
            }
        }
        let number = number.ok_or_else(|| {
            let column = self.columns.iter().find(|column| column.target == Target::Number);
            fault(RowFaultCode::MissingNumber, column.map_or("", |column| &column.name), "")
        })?;
        Ok(Some(Row { line, number, values, tags }))
    }
}

/// What is needed to read rows, beside the plan.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) region: Option<Region>,
    pub(super) encoding: FileEncoding,
    /// Tags of all contacts of the file.
    pub(super) tags: BTreeSet<String>,
}

impl Reading {
    /// A field as text; none if its octets mean nothing.
    pub(super) fn text(&self, field: &[u8]) -> Option<String> {
        let utf8 = std::str::from_utf8(field).ok().map(str::to_owned);
        let text = match self.encoding {
            FileEncoding::Utf8 => utf8?,
            FileEncoding::Windows1252 => in_windows_1252(field),
            FileEncoding::Detected => utf8.unwrap_or_else(|| in_windows_1252(field)),
        };
        // What could not be decoded when the file came.
        (!text.contains(char::REPLACEMENT_CHARACTER)).then_some(text)
    }
}

fn in_windows_1252(field: &[u8]) -> String {
    WINDOWS_1252.decode_without_bom_handling(field).0.into_owned()
}

/// What a row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) line: u64,
    pub(super) number: PhoneNumber,
    pub(super) values: BTreeMap<AttributeId, AttributeValue>,
    pub(super) tags: BTreeSet<String>,
}

fn by_headers(
    headers: &[String],
    attributes: &HashMap<String, contact_attribute::Model>,
) -> Vec<Planned> {
    let target = |header: &str| {
        let key = header.trim().to_lowercase().replace([' ', '-'], "_");
        match attributes.get(&key) {
            Some(attribute) => Some(target_of(attribute)),
            None if NUMBER_HEADERS.contains(&key.as_str()) => Some(Target::Number),
            None if key == TAGS_HEADER => Some(Target::Tags),
            None => None,
        }
    };
    let planned = |(place, header): (usize, &String)| {
        Some(Planned { place, name: header.trim().to_owned(), target: target(header)? })
    };
    headers.iter().enumerate().filter_map(planned).collect()
}

fn planned(
    column: &ImportColumn,
    headers: Option<&[String]>,
    attributes: &HashMap<String, contact_attribute::Model>,
) -> Result<Planned, PlanFault> {
    let unknown = |name: &str| PlanFault(ImportFailure::UnknownColumn, Some(cut(name)));
    let (place, name) = match &column.column {
        ColumnRef::Header(wanted) => {
            let same =
                |header: &String| header.trim().to_lowercase() == wanted.trim().to_lowercase();
            let place = headers.and_then(|headers| headers.iter().position(same));
            (place.ok_or_else(|| unknown(wanted))?, wanted.trim().to_owned())
        }
        ColumnRef::Position(place) => {
            let name = (place + 1).to_string();
            if headers.is_some_and(|headers| *place >= headers.len()) {
                return Err(unknown(&name));
            }
            (*place, name)
        }
    };
    let target = match &column.target {
        ColumnTarget::Number => Target::Number,
        ColumnTarget::Tags => Target::Tags,
        ColumnTarget::Attribute(key) => {
            let attribute = attributes
                .get(key)
                .ok_or_else(|| PlanFault(ImportFailure::UnknownAttribute, Some(cut(key))))?;
            target_of(attribute)
        }
    };
    Ok(Planned { place, name, target })
}

fn value_of(kind: AttributeKind, text: &str) -> Option<AttributeValue> {
    match kind {
        AttributeKind::Text => Some(AttributeValue::Text(text.to_owned())),
        AttributeKind::Number => text.parse::<Micros>().ok().map(AttributeValue::Number),
        AttributeKind::Boolean => match text.to_lowercase().as_str() {
            "true" | "yes" | "y" | "1" => Some(AttributeValue::Boolean(true)),
            "false" | "no" | "n" | "0" => Some(AttributeValue::Boolean(false)),
            _ => None,
        },
        AttributeKind::Date => {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
            let day = day.filter(|_| text.len() == 10)?;
            let days = day.signed_duration_since(NaiveDate::default()).num_days();
            i32::try_from(days).ok().map(AttributeValue::Date)
        }
    }
}

/// The beginning of a text, without signs that belong into no line: NUL cannot even be stored.
pub(super) fn cut(text: &str) -> String {
    const CHARS_MAX: usize = 100;
    text.chars().filter(|it| !it.is_control()).take(CHARS_MAX).collect()
}
