//! JSON over HTTP with the processors that no crate speaks for. Answers are read by pointer as
//! webhooks are, at most so many bytes of them, and wiped.

use std::time::Duration;

use reqwest::{Method, StatusCode, redirect};
use serde::Serialize;
use zeroize::Zeroize;

use super::ApiError;
use crate::payments::document::Document;
use crate::payments::facts::ObjectId;
use crate::types::secret::SecretText;

/// Longest wait for one answer: processors answer within seconds, and a person may be waiting.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(20);
/// Bytes read of an answer: an object has a few thousand, a list some hundred thousand.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What a request shows who asks.
pub(in crate::payments) enum Credential<'a> {
    Bearer(&'a SecretText),
    Basic(&'a SecretText, &'a SecretText),
}

/// A processor's address.
pub(in crate::payments) struct JsonApi {
    client: reqwest::Client,
    base_url: String,
}

impl JsonApi {
    /// `base_url` ends with a slash.
    ///
    /// # Errors
    /// [`ApiError::Misconfigured`].
    pub(in crate::payments) fn new(base_url: &str) -> Result<Self, ApiError> {
        // A processor does not redirect, and what does must not get the key.
        let client = reqwest::Client::builder()
            .timeout(ANSWER_TIME_MAX)
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|_| ApiError::Misconfigured)?;
        Ok(Self { client, base_url: base_url.to_owned() })
    }

    /// The document at a path; `None` if there is none.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(in crate::payments) async fn get(
        &self,
        credential: Credential<'_>,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Option<Document>, ApiError> {
        let mut request = self.request(Method::GET, credential, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match answer(request).await {
            Ok(document) => Ok(Some(document)),
            Err(ApiError::Refused(404)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The answer to a posted document.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(in crate::payments) async fn post(
        &self,
        credential: Credential<'_>,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Document, ApiError> {
        answer(self.request(Method::POST, credential, path).json(body)).await
    }

    fn request(
        &self,
        method: Method,
        credential: Credential<'_>,
        path: &str,
    ) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base_url));
        match credential {
            Credential::Bearer(token) => request.bearer_auth(token.expose()),
            Credential::Basic(user, password) => {
                request.basic_auth(user.expose(), Some(password.expose()))
            }
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Document, ApiError> {
    let mut response = request.send().await.map_err(|_| ApiError::Unreachable)?;
    match response.status() {
        status if status.is_success() => {}
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::CONFLICT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS => return Err(ApiError::Unreachable),
        status if status.is_server_error() => return Err(ApiError::Unreachable),
        status => return Err(ApiError::Refused(status.as_u16())),
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| ApiError::Unreachable)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            bytes.zeroize();
            return Err(crate::payments::processor::Unreadable::NotJson.into());
        }
        bytes.extend_from_slice(&chunk);
    }
    let document = Document::parse_any(&bytes);
    bytes.zeroize();
    Ok(document?)
}

/// An id as a segment of a path. Its characters need no encoding; dots alone would lead elsewhere.
///
/// # Errors
/// Nothing but dots.
pub(in crate::payments) fn segment(id: &ObjectId) -> Result<&str, ApiError> {
    let id = id.as_str();
    if id.bytes().all(|byte| byte == b'.') { Err(ApiError::Refused(404)) } else { Ok(id) }
}
