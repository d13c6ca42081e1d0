//! A webhook's JSON, read by pointer (RFC 6901). What is missing or `null` is `None`; what is
//! there and of another type is a fault, so a processor's change of shape is noticed and not
//! taken for nothing. Its strings are wiped when it is dropped.

use entity::time::UnixMillis;
use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::facts::{IdForm, ObjectId, PAYMENT_METADATA_KEY, PaymentReference};
use super::processor::Unreadable;

/// 2000-01-01 and 2100-01-01 UTC, in seconds: every time that a processor means lies between.
const TIMES_S: std::ops::Range<i64> = 946_684_800..4_102_444_800;

/// What has to be there.
///
/// # Errors
///
/// It is not.
pub(super) fn need<T>(value: Option<T>) -> Result<T, Unreadable> {
    value.ok_or(Unreadable::Missing)
}

/// A parsed body.
pub(super) struct Document(Value);

impl Document {
    /// Parses the bytes. (serde_json refuses a byte order mark, more than 127 levels, a number
    /// beyond a double, and anything behind the value.)
    ///
    /// # Errors
    ///
    /// What is not a JSON object.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| Unreadable::NotJson)?;
        let document = Self(value);
        if document.0.is_object() { Ok(document) } else { Err(Unreadable::NotJson) }
    }

    /// Parses the answer of an API, which may be a list: then `""` points to it.
    ///
    /// # Errors
    ///
    /// What is neither a JSON object nor a list.
    pub(super) fn parse_any(bytes: &[u8]) -> Result<Self, Unreadable> {
        let value: Value = serde_json::from_slice(bytes).map_err(|_| Unreadable::NotJson)?;
        let document = Self(value);
        let is_container = document.0.is_object() || document.0.is_array();
        if is_container { Ok(document) } else { Err(Unreadable::NotJson) }
    }

    /// The whole of it.
    pub(super) fn root(&self) -> Object<'_> {
        Object(&self.0)
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => {
            for (mut key, mut value) in std::mem::take::<Map<_, _>>(members) {
                key.zeroize();
                wipe(&mut value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A part of a document.
#[derive(Clone, Copy)]
pub(super) struct Object<'a>(&'a Value);

impl<'a> Object<'a> {
    fn value(self, pointer: &str) -> Option<&'a Value> {
        self.0.pointer(pointer).filter(|value| !value.is_null())
    }

    /// The object at the pointer.
    pub(super) fn object(self, pointer: &str) -> Result<Option<Self>, Unreadable> {
        match self.value(pointer) {
            Some(value) if value.is_object() => Ok(Some(Self(value))),
            Some(_) => Err(Unreadable::WrongType),
            None => Ok(None),
        }
    }

    /// The text at the pointer.
    pub(super) fn text(self, pointer: &str) -> Result<Option<&'a str>, Unreadable> {
        match self.value(pointer) {
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Unreadable::WrongType),
            None => Ok(None),
        }
    }

    /// The text at the pointer, or of the number there: ids that some senders write either way.
    pub(super) fn text_or_number(self, pointer: &str) -> Result<Option<String>, Unreadable> {
        match self.value(pointer) {
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(number)) if number.is_u64() => Ok(Some(number.to_string())),
            Some(_) => Err(Unreadable::WrongType),
            None => Ok(None),
        }
    }

    /// The id at the pointer, also where the processor put the whole object in its place.
    pub(super) fn id_or_object(self, pointer: &str) -> Result<Option<&'a str>, Unreadable> {
        match self.value(pointer) {
            Some(Value::Object(_)) => self.text(&format!("{pointer}/id")),
            _ => self.text(pointer),
        }
    }

    /// The id of an object, at the pointer.
    pub(super) fn id(self, pointer: &str, form: IdForm) -> Result<Option<ObjectId>, Unreadable> {
        self.id_or_object(pointer)?.map(|text| ObjectId::parse(form, text)).transpose()
    }

    /// Our payment's id in the metadata. What is not of our form is somebody else's.
    pub(super) fn reference(self) -> Option<PaymentReference> {
        let metadata = self.value("/metadata")?;
        PaymentReference::parse(metadata.get(PAYMENT_METADATA_KEY)?.as_str()?)
    }

    /// The time at the pointer, in whole seconds.
    pub(super) fn seconds(self, pointer: &str) -> Result<Option<UnixMillis>, Unreadable> {
        match self.integer(pointer)? {
            Some(seconds) if TIMES_S.contains(&seconds) => Ok(Some(UnixMillis(seconds * 1000))),
            Some(_) => Err(Unreadable::BadTime),
            None => Ok(None),
        }
    }

    /// The time at the pointer, in RFC 3339.
    pub(super) fn date_time(self, pointer: &str) -> Result<Option<UnixMillis>, Unreadable> {
        let Some(text) = self.text(pointer)? else { return Ok(None) };
        let time = chrono::DateTime::parse_from_rfc3339(text).map_err(|_| Unreadable::BadTime)?;
        if !TIMES_S.contains(&time.timestamp()) {
            return Err(Unreadable::BadTime);
        }
        Ok(Some(UnixMillis(time.timestamp_millis())))
    }

    /// The whole number at the pointer. Not a float, and not digits in a text.
    pub(super) fn integer(self, pointer: &str) -> Result<Option<i64>, Unreadable> {
        match self.value(pointer) {
            Some(value) => value.as_i64().map(Some).ok_or(Unreadable::WrongType),
            None => Ok(None),
        }
    }

    /// The number at the pointer as it was written, for decimal amounts.
    pub(super) fn number_text(self, pointer: &str) -> Result<Option<String>, Unreadable> {
        match self.value(pointer) {
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => Err(Unreadable::WrongType),
            None => Ok(None),
        }
    }

    /// The truth value at the pointer.
    pub(super) fn truth(self, pointer: &str) -> Result<Option<bool>, Unreadable> {
        match self.value(pointer) {
            Some(value) => value.as_bool().map(Some).ok_or(Unreadable::WrongType),
            None => Ok(None),
        }
    }

    /// The objects of the list at the pointer; none if there is no list.
    pub(super) fn objects(self, pointer: &str) -> Result<Vec<Self>, Unreadable> {
        match self.value(pointer) {
            Some(Value::Array(items)) if items.iter().all(Value::is_object) => {
                Ok(items.iter().map(Self).collect())
            }
            Some(_) => Err(Unreadable::WrongType),
            None => Ok(Vec::new()),
        }
    }
}
