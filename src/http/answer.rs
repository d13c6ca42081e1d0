//! The one shape of a GraphQL answer on every transport. Every error gets a code of the closed list
//! and the request's id; what is ours is logged here, once, and shown as `INTERNAL` without a word
//! of why.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::sync::Arc;

use async_graphql::{PathSegment, Pos, Response, ServerError, Value};
use http::StatusCode;
use serde::Serialize;

use super::fault::{ErrorCode, Fault};
use super::request_id::RequestId;

/// Length of an error's text, in bytes: the library quotes names and values of the client's.
const MESSAGE_BYTES_MAX: usize = 300;

/// An answer as it is written out.
#[derive(Serialize)]
pub(super) struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<AnswerError>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: BTreeMap<String, Value>,
    #[serde(skip)]
    outcome: Outcome,
}

/// Whether anything was executed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// Yes, perhaps with errors at fields.
    Executed,
    /// No; the status says why.
    Refused(StatusCode, ErrorCode),
}

#[derive(Serialize)]
pub(super) struct AnswerError {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Pos>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<PathSegment>,
    extensions: ErrorExtensions,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorExtensions {
    code: &'static str,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// What the making of an answer needs to know of its operation.
#[derive(Clone, Copy)]
pub(super) struct View {
    pub(super) request_id: RequestId,
    pub(super) errors_max: usize,
    pub(super) suggestions: Suggestions,
    /// Whether one root field is all there is, so that no other can have taken effect.
    pub(super) single_root_field: bool,
}

/// Whether the library's "Did you mean" may be shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Suggestions {
    Shown,
    Hidden,
}

impl Answer {
    /// The answer to a request that the edge refused.
    pub(super) fn refused(fault: Fault, request_id: RequestId) -> Self {
        let outcome = Outcome::Refused(fault.status, fault.code);
        let error = AnswerError {
            message: shorten(fault.message.into_owned()),
            locations: fault.locations,
            path: Vec::new(),
            extensions: extensions(fault.code, request_id, fault.retry_after_ms),
        };
        Self { data: None, errors: vec![error], extensions: BTreeMap::new(), outcome }
    }

    /// The answer made of what the executor returned.
    pub(super) fn executed(response: Response, view: &View) -> Self {
        let Response { data, extensions, errors, .. } = response;
        let outcome = outcome(&data, &errors, view);
        let errors = errors
            .into_iter()
            .take(view.errors_max)
            .map(|error| answer_error(error, outcome, view))
            .collect();
        let data = match outcome {
            Outcome::Executed => Some(data),
            Outcome::Refused(..) => None,
        };
        Self { data, errors, extensions, outcome }
    }

    /// With `cost { requested, remaining }`: points that the operation cost, and points that its
    /// caller may spend now.
    pub(super) fn with_cost(mut self, cost: Option<(u64, u64)>) -> Self {
        if let Some((requested, remaining)) = cost {
            let cost = async_graphql::value!({ "requested": requested, "remaining": remaining });
            self.extensions.insert("cost".to_owned(), cost);
        }
        self
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether there is a result at all: without one, a subscription did not start.
    pub(super) fn has_result(&self) -> bool {
        !matches!(self.data, None | Some(Value::Null)) || self.errors.is_empty()
    }

    pub(super) fn errors(&self) -> &[AnswerError] {
        &self.errors
    }

    /// The longest wait that an error asks for, in milliseconds.
    pub(super) fn retry_after_ms(&self) -> Option<u64> {
        self.errors.iter().filter_map(|error| error.extensions.retry_after_ms).max()
    }

    /// Takes the hidden field `key` out of the only root field's object.
    pub(super) fn take_hidden(&mut self, key: &str) -> Option<String> {
        let Some(Value::Object(root)) = &mut self.data else { return None };
        let Some(Value::Object(event)) = root.values_mut().next() else { return None };
        match event.shift_remove(key) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// As JSON.
    pub(super) fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an answer holds only what JSON can say")
    }
}

/// Tells a refusal by the library from a field's error: the library's have no path, as they came
/// before the first field. A coercion error at the only root field counts as a refusal too: the
/// library coerces variables late, where the specification does it before executing.
fn outcome(data: &Value, errors: &[ServerError], view: &View) -> Outcome {
    let nothing = errors.is_empty() || *data != Value::Null;
    let before_execution = errors.iter().all(|error| error.path.is_empty());
    let coercion =
        view.single_root_field && errors.iter().all(|it| it.path.len() <= 1 && is_coercion(it));
    if nothing || !(before_execution || coercion) {
        return Outcome::Executed;
    }
    let code = errors.first().map_or(ErrorCode::GraphqlValidationFailed, |error| {
        declared_code(error).unwrap_or_else(|| validation_code(error))
    });
    let status = match code {
        ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::BadRequest | ErrorCode::GraphqlParseFailed => StatusCode::BAD_REQUEST,
        ErrorCode::GraphqlValidationFailed
        | ErrorCode::InvalidId
        | ErrorCode::QueryTooComplex
        | ErrorCode::EventCursorExpired => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Outcome::Refused(status, code)
}

fn answer_error(error: ServerError, outcome: Outcome, view: &View) -> AnswerError {
    let code = match (declared_code(&error), outcome) {
        (Some(code), _) => code,
        (None, Outcome::Refused(..)) => validation_code(&error),
        (None, Outcome::Executed) if is_coercion(&error) => ErrorCode::GraphqlValidationFailed,
        (None, Outcome::Executed) => ErrorCode::Internal,
    };
    let retry_after_ms = retry_after_ms(&error);
    let message = match code {
        ErrorCode::Internal => {
            log_internal(&error, view.request_id);
            "internal error".to_owned()
        }
        ErrorCode::GraphqlValidationFailed => shorten(suggest(error.message, view.suggestions)),
        _ => shorten(error.message),
    };
    AnswerError {
        message,
        locations: error.locations,
        path: error.path,
        extensions: extensions(code, view.request_id, retry_after_ms),
    }
}

fn extensions(
    code: ErrorCode,
    request_id: RequestId,
    retry_after_ms: Option<u64>,
) -> ErrorExtensions {
    ErrorExtensions { code: code.as_str(), request_id: request_id.to_string(), retry_after_ms }
}

/// The code that a resolver gave the error, if it is one of ours.
fn declared_code(error: &ServerError) -> Option<ErrorCode> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => ErrorCode::parse(code),
        _ => None,
    }
}

fn retry_after_ms(error: &ServerError) -> Option<u64> {
    match error.extensions.as_ref()?.get("retryAfterMs")? {
        Value::Number(number) => number.as_u64(),
        _ => None,
    }
}

/// The code of an error that the library raised before executing. Its texts are the only sign; a
/// test holds them to the version in use.
fn validation_code(error: &ServerError) -> ErrorCode {
    match error.message.as_str() {
        "Query is too complex." | "Query is nested too deep." => ErrorCode::QueryTooComplex,
        _ => ErrorCode::GraphqlValidationFailed,
    }
}

/// Whether the library raised the error while coercing an argument, which it does at the field.
fn is_coercion(error: &ServerError) -> bool {
    let raised_by_library = error.source.is_none() && error.extensions.is_none()
        || declared_code(error) == Some(ErrorCode::InvalidId);
    let text = error.message.as_str();
    raised_by_library
        && (text.starts_with("Failed to parse \"") || text.starts_with("Expected input type \""))
}

/// A resolver that wants its whole chain of causes logged wraps it as `Arc<dyn Error + Send + Sync>`
/// in `async_graphql::Error::new_with_source`.
fn log_internal(error: &ServerError, request_id: RequestId) {
    let mut causes = Vec::new();
    let source = error.source::<Arc<dyn StdError + Send + Sync>>();
    let mut next = source.and_then(|source| source.source());
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    tracing::error!(
        request.id = %request_id,
        graphql.path = %path_text(&error.path),
        error = %error.message,
        error.causes = ?causes,
        "a resolver failed",
    );
}

fn path_text(path: &[PathSegment]) -> String {
    let parts: Vec<String> = path
        .iter()
        .map(|segment| match segment {
            PathSegment::Field(name) => name.clone(),
            PathSegment::Index(index) => index.to_string(),
        })
        .collect();
    parts.join(".")
}

fn suggest(message: String, suggestions: Suggestions) -> String {
    match suggestions {
        Suggestions::Shown => message,
        Suggestions::Hidden => match message.find(" Did you mean") {
            Some(at) => message[..at].to_owned(),
            None => message,
        },
    }
}

fn shorten(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message.push('…');
    }
    message
}
