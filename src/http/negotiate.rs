//! `Accept` and `Content-Type` (RFC 9110, sections 12.5.1 and 8.3; GraphQL over HTTP, section 4).

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};

/// A media type of one whole answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Media {
    /// `application/graphql-response+json`: the status tells what happened.
    GraphqlResponse,
    /// `application/json`: the legacy one, 200 for every well-formed request.
    Json,
}

impl Media {
    /// As a `Content-Type`.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// What a client takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Acceptable {
    /// As one answer, in the client's preferred type.
    pub(super) single: Option<Media>,
    /// As an event stream.
    pub(super) event_stream: bool,
}

/// Reads `Accept`. Without one, and for `*/*`, it is JSON. Among types of the same quality the one
/// that stands first wins; event streams have to be named.
pub(super) fn accept(headers: &HeaderMap) -> Acceptable {
    let mut acceptable = Acceptable { single: None, event_stream: false };
    if !headers.contains_key(ACCEPT) {
        return Acceptable { single: Some(Media::Json), event_stream: false };
    }
    let mut best = 0;
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in values.flat_map(|value| value.split(',')) {
        let (name, quality) = media_range(range);
        let media = match name.as_str() {
            "application/graphql-response+json" => Media::GraphqlResponse,
            "application/json" | "application/*" | "*/*" => Media::Json,
            "text/event-stream" => {
                acceptable.event_stream |= quality > 0;
                continue;
            }
            _ => continue,
        };
        if quality > best {
            best = quality;
            acceptable.single = Some(media);
        }
    }
    acceptable
}

/// The lower-case name of a media range and its quality in thousandths. A charset other than UTF-8
/// makes it unacceptable, as answers are in UTF-8.
fn media_range(range: &str) -> (String, u16) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let mut quality = 1_000;
    for (key, value) in parts.filter_map(|part| part.split_once('=')) {
        if key.eq_ignore_ascii_case("q") {
            let parsed = value.parse::<f32>().unwrap_or(0.0).clamp(0.0, 1.0);
            quality = (parsed * 1_000.0) as u16;
        } else if key.eq_ignore_ascii_case("charset") && !is_utf8(value) {
            return (name, 0);
        }
    }
    (name, quality)
}

/// Whether the body is JSON in UTF-8, uncompressed. Nothing else is taken: the forms that a page
/// may post across sites without asking first (`text/plain`, `multipart/form-data`,
/// `application/x-www-form-urlencoded`) must not reach a mutation.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    let mut parameters = parts.filter_map(|part| part.split_once('='));
    let utf8 =
        parameters.all(|(key, value)| !key.eq_ignore_ascii_case("charset") || is_utf8(value));
    let plain = headers
        .get(CONTENT_ENCODING)
        .is_none_or(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    is_json && utf8 && plain
}

fn is_utf8(charset: &str) -> bool {
    let charset = charset.trim_matches('"');
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn negotiates() {
        use Media::{GraphqlResponse, Json};
        for (value, single, event_stream) in [
            (None, Some(Json), false),
            (Some("*/*"), Some(Json), false),
            (Some("application/*"), Some(Json), false),
            (Some("application/json"), Some(Json), false),
            (Some("application/json; charset=utf-8"), Some(Json), false),
            (Some("application/json; charset=latin1"), None, false),
            (Some("Application/GraphQL-Response+JSON"), Some(GraphqlResponse), false),
            (Some("application/graphql-response+json, */*"), Some(GraphqlResponse), false),
            (Some("*/*;q=0.1,application/graphql-response+json"), Some(GraphqlResponse), false),
            (Some("application/graphql-response+json;q=0.5, application/json"), Some(Json), false),
            (Some("application/json;q=0"), None, false),
            (Some("text/event-stream"), None, true),
            (Some("text/event-stream, application/json;q=0.9"), Some(Json), true),
            (Some("text/html"), None, false),
            (Some(""), None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(ACCEPT, HeaderValue::from_static(value));
            }
            assert_eq!(accept(&headers), Acceptable { single, event_stream }, "{value:?}");
        }
    }

    #[test]
    fn takes_json_only() {
        for (value, good) in [
            ("application/json", true),
            ("Application/JSON; charset=UTF-8", true),
            ("application/json; charset=\"utf-8\"", true),
            ("application/json; charset=utf-16", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
            ("application/graphql", false),
        ] {
            let mut headers = HeaderMap::new();
            assert!(!is_json(&headers));
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(value));
            assert_eq!(is_json(&headers), good, "{value}");
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            assert!(!is_json(&headers));
        }
    }
}
