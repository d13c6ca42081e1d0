//! What the edge itself refuses, and the closed list of error codes. Not business errors, which are
//! `userErrors` in payloads.

use std::borrow::Cow;

use async_graphql::Pos;
use http::StatusCode;

/// The values of `extensions.code`; a client may rely on there being no others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorCode {
    /// The request is not GraphQL over HTTP.
    BadRequest,
    /// The document is not GraphQL.
    GraphqlParseFailed,
    /// The document or its variables do not fit the schema.
    GraphqlValidationFailed,
    /// An id of the wrong form or prefix.
    InvalidId,
    /// No credential, or not a good one.
    Unauthenticated,
    /// A good credential that does not allow this.
    Forbidden,
    /// Too often; `retryAfterMs` says when again.
    RateLimited,
    /// Above one of the limits on a document's shape or cost.
    QueryTooComplex,
    /// Above one of the limits on size.
    PayloadTooLarge,
    /// The cursor is older than the event log: read the state anew, then follow from now.
    EventCursorExpired,
    /// Not now; trying again later may help.
    Unavailable,
    /// A fault of ours, logged under the request's id.
    Internal,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 12] = [
        Self::BadRequest,
        Self::GraphqlParseFailed,
        Self::GraphqlValidationFailed,
        Self::InvalidId,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::RateLimited,
        Self::QueryTooComplex,
        Self::PayloadTooLarge,
        Self::EventCursorExpired,
        Self::Unavailable,
        Self::Internal,
    ];

    /// As it stands in an answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::GraphqlParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::GraphqlValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::InvalidId => "INVALID_ID",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::RateLimited => "RATE_LIMITED",
            Self::QueryTooComplex => "QUERY_TOO_COMPLEX",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::EventCursorExpired => "EVENT_CURSOR_EXPIRED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    /// The code written as `text`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

/// A request that the edge refuses: one error, and the status that tells it.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) code: ErrorCode,
    /// The status; legacy answers show 200 for faults inside the document, see `Answer::status`.
    pub(super) status: StatusCode,
    pub(super) message: Cow<'static, str>,
    pub(super) locations: Vec<Pos>,
    pub(super) retry_after_ms: Option<u64>,
}

impl Fault {
    pub(super) fn new(
        code: ErrorCode,
        status: StatusCode,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let message = message.into();
        Self { code, status, message, locations: Vec::new(), retry_after_ms: None }
    }

    /// 400: not a GraphQL request.
    pub(super) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::BadRequest, StatusCode::BAD_REQUEST, message)
    }

    /// 422: the document does not fit.
    pub(super) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(ErrorCode::GraphqlValidationFailed, status, message)
    }

    /// 422: the document is above a limit.
    pub(super) fn too_complex(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::QueryTooComplex, StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// 413: larger than `bytes_max`.
    pub(super) fn too_large(what: &str, bytes_max: usize) -> Self {
        let message = format!("the {what} is larger than {bytes_max} bytes");
        Self::new(ErrorCode::PayloadTooLarge, StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    /// 500: ours.
    pub(super) fn internal() -> Self {
        Self::new(ErrorCode::Internal, StatusCode::INTERNAL_SERVER_ERROR, "internal error")
    }

    pub(super) fn at(mut self, locations: Vec<Pos>) -> Self {
        self.locations = locations;
        self
    }

    pub(super) fn retry_after_ms(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }
}
