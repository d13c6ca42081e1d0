//! Texts with merge fields: `Hello {{first_name|there}}`. Pure.
//!
//! A field is an attribute's key between two braces on each side, with an optional fallback behind a
//! bar: what stands there where a contact has no value. A field without a fallback stands for
//! nothing then. Two opening braces that begin no field are refused rather than sent.
//!
//! `{{link https://shop.example/sale}}` stands for a short link that leads there, `{{preferences}}` for
//! the recipient's preference page: a field that is no attribute, whose value is given with the others.

use std::collections::HashMap;

use crate::contacts::{AttributeValue, PREFERENCES_KEY};
use crate::links;

/// Characters of a template: its fields may make less or more of it, and each text is measured.
pub const TEMPLATE_CHARS_MAX: usize = 3_000;
/// Fields of a template.
pub const FIELDS_MAX: usize = 50;
/// Links of a template: more no message has room for.
pub const LINKS_MAX: usize = 20;
/// How a link begins. No attribute's key has a blank.
const LINK: &str = "link ";

/// Why a text is no template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFault {
    /// There is nothing in it.
    #[error("the text is empty")]
    Empty,
    /// It is too long.
    #[error("a text has at most {TEMPLATE_CHARS_MAX} characters")]
    TooLong,
    /// It holds a NUL.
    #[error("a text holds no NUL character")]
    Nul,
    /// A field that is not closed, or whose name is no attribute's key.
    #[error("a merge field is written {{{{key}}}} or {{{{key|fallback}}}}")]
    Malformed,
    /// A link that leads to no address of the web.
    #[error(
        "a link is written {{{{link https://shop.example/sale}}}}: http or https, without a user, at \
         most {max} visible ASCII characters",
        max = links::URL_CHARS_MAX
    )]
    InvalidLink,
    /// A preference page that could be missing.
    #[error("{{{{{PREFERENCES_KEY}}}}} takes no fallback: every recipient has a preference page")]
    PreferencesFallback,
    /// Too many links.
    #[error("a text has at most {LINKS_MAX} links")]
    TooManyLinks,
    /// Too many fields.
    #[error("a text has at most {FIELDS_MAX} merge fields")]
    TooManyFields,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field { key: String, fallback: String },
    Link(String),
}

/// A text with merge fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// [`TemplateFault`].
    pub fn parse(text: &str) -> Result<Self, TemplateFault> {
        if text.trim().is_empty() {
            return Err(TemplateFault::Empty);
        }
        if text.chars().count() > TEMPLATE_CHARS_MAX {
            return Err(TemplateFault::TooLong);
        }
        if text.contains('\0') {
            return Err(TemplateFault::Nul);
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let (field, after) = behind.split_once("}}").ok_or(TemplateFault::Malformed)?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(parse_field(field)?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        let template = Self(pieces);
        if template.fields().count() > FIELDS_MAX {
            return Err(TemplateFault::TooManyFields);
        }
        if template.links().count() > LINKS_MAX {
            return Err(TemplateFault::TooManyLinks);
        }
        Ok(template)
    }

    /// The attributes that it names, in order, as often as they stand there.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.fields().filter(|key| *key != PREFERENCES_KEY)
    }

    /// Whether the recipient's preference page stands in it.
    pub fn has_preferences(&self) -> bool {
        self.fields().any(|key| key == PREFERENCES_KEY)
    }

    fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Field { key, .. } => Some(key.as_str()),
            Piece::Text(_) | Piece::Link(_) => None,
        })
    }

    /// Where its links lead, in order, as often as they stand there.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Link(url) => Some(url.as_str()),
            Piece::Text(_) | Piece::Field { .. } => None,
        })
    }

    /// The text for a contact of whom this is known, its preference page among it, with these short
    /// links in the place of [`links`](Self::links).
    pub fn render(&self, values: &HashMap<String, AttributeValue>, short: &[String]) -> String {
        let mut text = String::new();
        let mut short = short.iter();
        for piece in &self.0 {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Link(url) => text.push_str(short.next().unwrap_or(url)),
                Piece::Field { key, fallback } => match values.get(key.as_str()) {
                    Some(value) => text.push_str(&show(value)),
                    None => text.push_str(fallback),
                },
            }
        }
        text
    }
}

fn parse_field(field: &str) -> Result<Piece, TemplateFault> {
    if let Some(url) = field.trim_start().strip_prefix(LINK) {
        let url = url.trim();
        return match links::is_target(url) {
            true => Ok(Piece::Link(url.to_owned())),
            false => Err(TemplateFault::InvalidLink),
        };
    }
    let (key, fallback) = field.split_once('|').unwrap_or((field, ""));
    let key = key.trim();
    let mut bytes = key.bytes();
    let is_key = bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !is_key || key.len() > crate::contacts::KEY_CHARS_MAX || fallback.contains("{{") {
        return Err(TemplateFault::Malformed);
    }
    if key == PREFERENCES_KEY && field.contains('|') {
        return Err(TemplateFault::PreferencesFallback);
    }
    Ok(Piece::Field { key: key.to_owned(), fallback: fallback.to_owned() })
}

/// A value as people read it: numbers without trailing zeros, days as 2026-12-31.
fn show(value: &AttributeValue) -> String {
    match value {
        AttributeValue::Text(text) => text.clone(),
        AttributeValue::Number(number) => {
            let text = number.to_string();
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
        AttributeValue::Boolean(truth) => if *truth { "yes" } else { "no" }.to_owned(),
        AttributeValue::Date(day) => {
            let epoch = jiff::civil::Date::constant(1970, 1, 1);
            let date = jiff::Span::new().try_days(*day).and_then(|days| epoch.checked_add(days));
            date.map(|date| date.to_string()).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::money::Micros;

    fn rendered(text: &str, values: &[(&str, AttributeValue)]) -> String {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        Template::parse(text).unwrap().render(&values, &["s/1".to_owned(), "s/2".to_owned()])
    }

    #[test]
    fn fields_take_values_or_their_fallback() {
        let values = [
            ("name", AttributeValue::Text("Ada".to_owned())),
            ("points", AttributeValue::Number(Micros(12_500_000))),
            ("whole", AttributeValue::Number(Micros(100_000_000))),
            ("vip", AttributeValue::Boolean(true)),
            ("born", AttributeValue::Date(-3_186)),
        ];
        for (text, shown) in [
            ("Hi {{name|there}}!", "Hi Ada!"),
            ("Hi {{ name }}{{name}}", "Hi AdaAda"),
            ("Hi {{first_name|dear friend}}!", "Hi dear friend!"),
            ("Hi {{first_name}}!", "Hi !"),
            ("{{points}} {{whole}} {{vip}} {{born}}", "12.5 100 yes 1961-04-12"),
            ("one { brace } and }}", "one { brace } and }}"),
            ("{{none|a|b}}", "a|b"),
            ("{{link https://a.example/?x=1|2}}, {{ link http://b.example }}.", "s/1, s/2."),
            ("https://a.example stays", "https://a.example stays"),
            ("{{link|x}}", "x"),
        ] {
            assert_eq!(rendered(text, &values), shown, "{text}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let long = "x".repeat(TEMPLATE_CHARS_MAX + 1);
        let many = "{{a}}".repeat(FIELDS_MAX + 1);
        let links = "{{link https://a.example}}".repeat(LINKS_MAX + 1);
        for (text, fault) in [
            ("", TemplateFault::Empty),
            (" \n", TemplateFault::Empty),
            (long.as_str(), TemplateFault::TooLong),
            ("a\0", TemplateFault::Nul),
            ("Hi {{name", TemplateFault::Malformed),
            ("Hi {{First}}", TemplateFault::Malformed),
            ("Hi {{}}", TemplateFault::Malformed),
            ("Hi {{a|{{b}}}}", TemplateFault::Malformed),
            (many.as_str(), TemplateFault::TooManyFields),
            (links.as_str(), TemplateFault::TooManyLinks),
            ("{{link }}", TemplateFault::InvalidLink),
            ("{{link javascript:alert(1)}}", TemplateFault::InvalidLink),
            ("{{link https://a.example/{{name}}}}", TemplateFault::InvalidLink),
            ("{{preferences|none}}", TemplateFault::PreferencesFallback),
            ("{{ preferences |}}", TemplateFault::PreferencesFallback),
        ] {
            assert_eq!(Template::parse(text), Err(fault), "{text}");
        }
        assert!(Template::parse(&"x".repeat(TEMPLATE_CHARS_MAX)).is_ok());
        assert!(Template::parse(&"{{a}}".repeat(FIELDS_MAX)).is_ok());
        let pages = "{{preferences}}".repeat(FIELDS_MAX + 1);
        assert_eq!(Template::parse(&pages), Err(TemplateFault::TooManyFields));
    }

    #[test]
    fn the_preference_page_is_a_field_and_no_attribute() {
        let template = Template::parse("{{name}}: {{ preferences }}, {{preferences}}").unwrap();
        assert_eq!(template.keys().collect::<Vec<_>>(), ["name"]);
        assert!(template.has_preferences());
        assert!(!Template::parse("{{preferences_url}}").unwrap().has_preferences());
        let page = AttributeValue::Text("p/1".to_owned());
        assert_eq!(rendered("Stop: {{preferences}}.", &[(PREFERENCES_KEY, page)]), "Stop: p/1.");
    }
}
