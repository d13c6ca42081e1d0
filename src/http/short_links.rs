//! `GET /l/{token}`, and `GET /{token}` on accounts' own hosts: leads on to where a short link of a
//! message leads. Sets no cookie, and takes nothing of where it leads from the request. `HEAD` answers
//! the same, and is no click. What a link is, and whose a host is, is not known here.
//!
//! `GET /link-domains/ask?domain=…` tells proxies that make certificates on demand which hosts are
//! accounts' own.

use std::sync::Arc;

use async_graphql::Executor;
use async_trait::async_trait;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use serde::Deserialize;

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
use super::site::Site;
use crate::types::host::without_port;

/// Points that following a link costs the address. Many phones share one.
const LINK_POINTS: u64 = 1;
/// And what was tried and is none, so that links cannot be guessed in numbers: 20 a second.
const GUESS_POINTS: u64 = 49;
/// Seconds after which to try again while the store does not answer.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("30");
/// Letters and digits of a link at the root: what else stands there is none.
const TOKEN_BYTES: usize = 12;

/// Where a link stands in an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkPath {
    /// Behind `/l/`: on any host.
    Prefixed,
    /// At the root: on hosts that are accounts' own, for it is shorter.
    Root,
}

/// A link that somebody follows.
#[derive(Clone, Copy, Debug)]
pub struct ShortLink<'a> {
    /// The host that was asked, in lower case and without a port, if it was named.
    pub host: Option<&'a str>,
    /// Where it stands.
    pub path: LinkPath,
    /// What it says.
    pub token: &'a str,
}

/// What there is to say of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// Where it leads.
    To(Arc<str>),
    /// It is none.
    Nowhere,
    /// There are no links on this host.
    NotHere,
}

/// Where short links lead.
#[async_trait]
pub trait ShortLinks: Send + Sync + 'static {
    /// Follows a link. With the headers of a request it is a click.
    async fn follow(
        &self,
        link: ShortLink<'_>,
        visitor: Option<&HeaderMap>,
        request_id: RequestId,
    ) -> Result<Followed, NotNow>;

    /// Whether a host is an account's own.
    async fn has_host(&self, host: &str, request_id: RequestId) -> Result<bool, NotNow>;
}

/// Leads on.
pub(super) async fn follow<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    Path(token): Path<String>,
    Site(host): Site,
    id: RequestId,
    peer: Peer,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let Some(links) = &edge.short_links else { return not_found(id).await };
    let link = ShortLink { host: host.as_deref(), path: LinkPath::Prefixed, token: &token };
    let visitor = (method == Method::GET).then_some(&headers);
    let meter = Meter::new(&edge.limiter, Payers::of(None, peer));
    lead_on(links.as_ref(), link, visitor, &meter, id).await
}

/// Leads on from `/{token}` of an account's own host; 404 for everything else that has no route.
pub(super) async fn follow_at_root<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    Site(host): Site,
    id: RequestId,
    peer: Peer,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let token = uri.path().strip_prefix('/').filter(|token| is_token(token));
    let (Some(links), Some(token), Some(host)) = (&edge.short_links, token, host) else {
        return not_found(id).await;
    };
    if method != Method::GET && method != Method::HEAD {
        return not_found(id).await;
    }
    let link = ShortLink { host: Some(&host), path: LinkPath::Root, token };
    let visitor = (method == Method::GET).then_some(&headers);
    let meter = Meter::new(&edge.limiter, Payers::of(None, peer));
    lead_on(links.as_ref(), link, visitor, &meter, id).await
}

fn is_token(text: &str) -> bool {
    text.len() == TOKEN_BYTES && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

async fn lead_on(
    links: &dyn ShortLinks,
    link: ShortLink<'_>,
    visitor: Option<&HeaderMap>,
    meter: &Meter,
    id: RequestId,
) -> Response {
    let refused = |fault| respond(&Answer::refused(fault, id), Media::Json);
    let mut response = match meter.file(LINK_POINTS) {
        Err(fault) => refused(fault),
        Ok(()) => match links.follow(link, visitor, id).await {
            Ok(Followed::To(url)) => redirect(&url),
            Ok(Followed::Nowhere) => match meter.file(GUESS_POINTS) {
                Ok(()) => page(StatusCode::NOT_FOUND, "This link leads nowhere."),
                Err(fault) => refused(fault),
            },
            Ok(Followed::NotHere) => return not_found(id).await,
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

/// What a proxy asks that makes certificates on demand.
#[derive(Deserialize)]
pub(super) struct Question {
    domain: String,
}

/// 200 if a host is an account's own, so that a certificate may be made for it; 404 if not.
pub(super) async fn ask<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    question: Result<Query<Question>, QueryRejection>,
    id: RequestId,
    peer: Peer,
) -> Response {
    let (Some(links), Ok(Query(question))) = (&edge.short_links, question) else {
        return not_found(id).await;
    };
    let meter = Meter::new(&edge.limiter, Payers::of(None, peer));
    if let Err(fault) = meter.file(LINK_POINTS) {
        return respond(&Answer::refused(fault, id), Media::Json);
    }
    match links.has_host(&without_port(&question.domain), id).await {
        Ok(true) => StatusCode::OK.into_response(),
        Ok(false) => not_found(id).await,
        Err(NotNow) => {
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, RETRY_AFTER_S)]).into_response()
        }
    }
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
