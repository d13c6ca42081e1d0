//! `GET /l/{token}`: leads on to where a short link of a message leads. Sets no cookie, and takes
//! nothing of where it leads from the request. `HEAD` answers the same, and is no click. What a link
//! is is not known here.

use std::sync::Arc;

use async_graphql::Executor;
use async_trait::async_trait;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::Edge;
use super::answer::Answer;
use super::budget::Payers;
use super::graphql::respond;
use super::layers::not_found;
use super::limiter::Meter;
use super::negotiate::Media;
use super::peer::Peer;
use super::preference_page::NotNow;
use super::request_id::RequestId;

/// Points that following a link costs the address. Many phones share one.
const LINK_POINTS: u64 = 1;
/// And what was tried and is none, so that links cannot be guessed in numbers: 20 a second.
const GUESS_POINTS: u64 = 49;
/// Seconds after which to try again while the store does not answer.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("30");

/// Where short links lead.
#[async_trait]
pub trait ShortLinks: Send + Sync + 'static {
    /// The address; none if there is no such link. With the headers of a request it is a click.
    async fn follow(
        &self,
        token: &str,
        visitor: Option<&HeaderMap>,
        request_id: RequestId,
    ) -> Result<Option<Arc<str>>, NotNow>;
}

/// Leads on.
pub(super) async fn follow<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    Path(token): Path<String>,
    id: RequestId,
    peer: Peer,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let Some(links) = &edge.short_links else { return not_found(id).await };
    let visitor = (method == Method::GET).then_some(&headers);
    let meter = Meter::new(&edge.limiter, Payers::of(None, peer));
    let refused = |fault| respond(&Answer::refused(fault, id), Media::Json);
    let mut response = match meter.file(LINK_POINTS) {
        Err(fault) => refused(fault),
        Ok(()) => match links.follow(&token, visitor, id).await {
            Ok(Some(url)) => redirect(&url),
            Ok(None) => match meter.file(GUESS_POINTS) {
                Ok(()) => page(StatusCode::NOT_FOUND, "This link leads nowhere."),
                Err(fault) => refused(fault),
            },
            Err(NotNow) => {
                let text = "This link cannot be followed at the moment. Please try again.";
                let mut response = page(StatusCode::SERVICE_UNAVAILABLE, text);
                response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_S);
                response
            }
        },
    };
    response.headers_mut().insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    response
}

fn redirect(url: &str) -> Response {
    match HeaderValue::from_str(url) {
        Ok(location) => (StatusCode::FOUND, [(LOCATION, location)]).into_response(),
        // What is kept was checked to be visible ASCII.
        Err(_) => page(StatusCode::NOT_FOUND, "This link leads nowhere."),
    }
}

fn page(status: StatusCode, text: &str) -> Response {
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{text}</title><p>{text}</p></html>"
    );
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    (status, [(CONTENT_TYPE, kind)], body).into_response()
}
