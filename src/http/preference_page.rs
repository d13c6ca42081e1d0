//! `GET` and `POST /p/{link}`: the preference page of a number's owner, by a signed link, in plain HTML
//! without scripts. `GET` changes nothing, since programs open the links of messages; `POST` does what
//! the form says and leads back. What a link is and what a change does is not known here.

mod render;
mod texts;

use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::Executor;
use async_trait::async_trait;
use axum::extract::{Form, Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};

use self::texts::Texts;
use super::Edge;
use super::answer::Answer;
use super::budget::Payers;
use super::graphql::respond;
use super::layers::not_found;
use super::limiter::Meter;
use super::negotiate::Media;
use super::peer::Peer;
use super::request_id::RequestId;

/// Points that a page costs the address: so links cannot be guessed in numbers.
const PAGE_POINTS: u64 = 50;
/// Bytes of a form: a hundred choices, each named twice.
pub(super) const FORM_BYTES_MAX: usize = 32 * 1024;
/// What stands behind a link once its form was sent.
const DONE: &str = "done";

/// What people choose by links.
#[async_trait]
pub trait PreferencePages: Send + Sync + 'static {
    /// What the page of a link shows; none if there is no such link.
    async fn show(
        &self,
        link: &str,
        request_id: RequestId,
    ) -> Result<Option<PreferencePage>, NotNow>;

    /// Does what a form says; `false` if there is no such link. `wording` is what was shown.
    async fn change(
        &self,
        link: &str,
        form: PreferenceForm,
        wording: &str,
        peer: Option<IpAddr>,
        request_id: RequestId,
    ) -> Result<bool, NotNow>;
}

/// The store does not answer; it was logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotNow;

/// What a page shows.
#[derive(Clone, Debug)]
pub struct PreferencePage {
    /// Who writes.
    pub account_name: String,
    /// Of the number.
    pub last_digits: String,
    /// Whether nothing at all is written to the number.
    pub is_unsubscribed: bool,
    /// Whether its owner may take that back.
    pub may_resume: bool,
    /// What can be chosen.
    pub choices: Vec<PreferenceChoice>,
}

/// Something that can be wanted or not.
#[derive(Clone, Debug)]
pub struct PreferenceChoice {
    /// As forms name it.
    pub key: String,
    /// As people read it.
    pub name: String,
    /// A sender; else a topic.
    pub is_sender: bool,
    /// Whether it is wanted.
    pub is_wanted: bool,
}

/// What a form says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreferenceForm {
    /// Nothing more.
    Unsubscribe,
    /// To be written to again.
    Resume,
    /// Of what was shown, just this; keys.
    Choose {
        /// What was shown.
        shown: Vec<String>,
        /// What of it is wanted.
        wanted: Vec<String>,
    },
}

impl PreferenceForm {
    fn read(fields: Vec<(String, String)>) -> Option<Self> {
        let (mut action, mut shown, mut wanted) = (None, Vec::new(), Vec::new());
        for (name, value) in fields {
            match name.as_str() {
                "action" => action = Some(value),
                "shown" => shown.push(value),
                "wanted" => wanted.push(value),
                _ => return None,
            }
        }
        match action?.as_str() {
            "unsubscribe" => Some(Self::Unsubscribe),
            "resume" => Some(Self::Resume),
            "save" => Some(Self::Choose { shown, wanted }),
            _ => None,
        }
    }
}

/// Shows the page.
pub(super) async fn show<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    Path(link): Path<String>,
    RawQuery(query): RawQuery,
    id: RequestId,
    peer: Peer,
    headers: HeaderMap,
) -> Response {
    let Some(pages) = &edge.preferences else { return not_found(id).await };
    let texts = Texts::accepted(&headers);
    let meter = Meter::new(&edge.limiter, Payers::of(None, peer));
    let mut response = match meter.file(PAGE_POINTS) {
        Err(fault) => respond(&Answer::refused(fault, id), Media::Json),
        Ok(()) => match pages.show(&link, id).await {
            Ok(Some(page)) => {
                let is_done = query.as_deref() == Some(DONE);
                html(StatusCode::OK, render::page(texts, &page, is_done))
            }
            Ok(None) => html(StatusCode::NOT_FOUND, render::notice(texts, texts.unknown_link)),
            Err(NotNow) => unavailable(texts),
        },
    };
    meter.tell(response.headers_mut());
    response
}

/// Does what the form says, and leads back to the page.
pub(super) async fn change<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    Path(link): Path<String>,
    id: RequestId,
    peer: Peer,
    headers: HeaderMap,
    form: Result<Form<Vec<(String, String)>>, axum::extract::rejection::FormRejection>,
) -> Response {
    let Some(pages) = &edge.preferences else { return not_found(id).await };
    let texts = Texts::accepted(&headers);
    let meter = Meter::new(&edge.limiter, Payers::of(None, peer));
    let mut response = match meter.file(PAGE_POINTS) {
        Err(fault) => respond(&Answer::refused(fault, id), Media::Json),
        Ok(()) => {
            let form = form.map_err(|rejection| rejection.status()).and_then(|Form(fields)| {
                PreferenceForm::read(fields).ok_or(StatusCode::UNPROCESSABLE_ENTITY)
            });
            match form {
                Ok(form) => changed(pages.as_ref(), &link, form, texts, peer, id).await,
                Err(status) => html(status, render::notice(texts, texts.bad_form)),
            }
        }
    };
    meter.tell(response.headers_mut());
    response
}

async fn changed(
    pages: &dyn PreferencePages,
    link: &str,
    form: PreferenceForm,
    texts: &Texts,
    peer: Peer,
    id: RequestId,
) -> Response {
    let wording = match form {
        PreferenceForm::Unsubscribe => texts.unsubscribe,
        PreferenceForm::Resume => texts.resume,
        PreferenceForm::Choose { .. } => texts.choose,
    };
    match pages.change(link, form, wording, peer.0, id).await {
        // Relative to the page (RFC 3986, section 5.2): it may be served below a path.
        Ok(true) => Redirect::to(&format!("?{DONE}")).into_response(),
        Ok(false) => html(StatusCode::NOT_FOUND, render::notice(texts, texts.unknown_link)),
        Err(NotNow) => unavailable(texts),
    }
}

fn unavailable(texts: &Texts) -> Response {
    html(StatusCode::SERVICE_UNAVAILABLE, render::notice(texts, texts.not_now))
}

fn html(status: StatusCode, text: String) -> Response {
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept-language"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex, nofollow"));
    if let Ok(policy) = HeaderValue::from_str(&render::POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}
