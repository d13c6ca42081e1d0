//! `PUT` or `POST /uploads/{link}` and `GET /downloads/{link}`: files by signed links, which are all
//! that their bearers show. What a link is for, and what becomes of the bytes, is not known here.
//!
//! A body is handed on as it comes, and a file is sent as it is made: neither is ever whole in
//! memory. `Content-Encoding` is refused: nothing is unpacked here, so nothing can swell.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::Executor;
use async_trait::async_trait;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;

use super::Edge;
use super::answer::Answer;
use super::budget::Payers;
use super::fault::{ErrorCode, Fault};
use super::graphql::respond;
use super::layers::not_found;
use super::limiter::Meter;
use super::negotiate::Media;
use super::peer::Peer;
use super::request_id::RequestId;

/// Points that a file costs the address: so links cannot be guessed in numbers.
const FILE_POINTS: u64 = 100;
/// How long nothing of a body may come, before it counts as broken off.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Takes files in, and gives files out.
#[async_trait]
pub trait Transfers: Send + Sync + 'static {
    /// Begins to take in the file that a link is for; `length` is how large it is said to be.
    async fn upload(
        &self,
        link: &str,
        length: Option<u64>,
        request_id: RequestId,
    ) -> Result<Box<dyn Receiving>, TransferRefusal>;

    /// The file that a link is to.
    async fn download(
        &self,
        link: &str,
        request_id: RequestId,
    ) -> Result<Download, TransferRefusal>;
}

/// A file on its way in.
#[async_trait]
pub trait Receiving: Send {
    /// Takes what follows. After a refusal it is to be given up.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), TransferRefusal>;

    /// It is whole; what it was for is committed when this says so.
    async fn finish(self: Box<Self>) -> Result<(), TransferRefusal>;

    /// It will not become whole.
    async fn give_up(self: Box<Self>);
}

/// A file on its way out: CSV.
pub struct Download {
    /// Its name, without a path: letters, digits, hyphens, underscores and dots.
    pub name: String,
    /// What is in it.
    pub bytes: BoxStream<'static, Result<Bytes, BrokenOff>>,
}

/// A file that cannot be read to its end; it was logged why.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the file cannot be read to its end")]
pub struct BrokenOff;

/// Why a file is not taken in or given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferRefusal {
    /// The link is none: 404.
    NotFound,
    /// Its time is over: 410.
    Gone(String),
    /// It was used, or is being used: 409.
    Conflict(String),
    /// Larger than so many bytes: 413.
    TooLarge(usize),
    /// Not what the link is for: 422.
    Unfit(String),
    /// Not now: 503.
    Unavailable,
}

impl TransferRefusal {
    fn fault(self) -> Fault {
        let bad = |status, message: String| Fault::new(ErrorCode::BadRequest, status, message);
        match self {
            Self::NotFound => bad(StatusCode::NOT_FOUND, "there is nothing here".to_owned()),
            Self::Gone(message) => bad(StatusCode::GONE, message),
            Self::Conflict(message) => bad(StatusCode::CONFLICT, message),
            Self::Unfit(message) => bad(StatusCode::UNPROCESSABLE_ENTITY, message),
            Self::TooLarge(bytes_max) => Fault::too_large("file", bytes_max),
            Self::Unavailable => Fault::new(
                ErrorCode::Unavailable,
                StatusCode::SERVICE_UNAVAILABLE,
                "the service is not available at this moment: try again",
            ),
        }
    }
}

/// Takes a file in: 202 when it is whole and kept.
pub(super) async fn upload<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    Path(link): Path<String>,
    id: RequestId,
    peer: Peer,
    request: Request,
) -> Response {
    let Some(transfers) = &edge.transfers else { return not_found(id).await };
    let meter = Meter::new(&edge.limiter, Payers::of(None, peer));
    let received = match meter.file(FILE_POINTS) {
        // A task of its own: this one ends with the connection, and what came is to be given up.
        Ok(()) => match tokio::spawn(receive(Arc::clone(transfers), link, id, request)).await {
            Ok(received) => received,
            Err(_panic) => Err(Fault::internal()),
        },
        Err(fault) => Err(fault),
    };
    let mut response = match received {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(fault) => respond(&Answer::refused(fault, id), Media::Json),
    };
    meter.tell(response.headers_mut());
    response
}

async fn receive(
    transfers: Arc<dyn Transfers>,
    link: String,
    id: RequestId,
    request: Request,
) -> Result<(), Fault> {
    let (parts, body) = request.into_parts();
    if has_encoding(&parts.headers) {
        let message = "send the file without Content-Encoding";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Fault::new(ErrorCode::BadRequest, status, message));
    }
    let length = parts.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let mut receiving =
        transfers.upload(&link, length, id).await.map_err(TransferRefusal::fault)?;
    match pass_on(body, receiving.as_mut()).await {
        Ok(()) => receiving.finish().await.map_err(TransferRefusal::fault),
        Err(fault) => {
            receiving.give_up().await;
            Err(fault)
        }
    }
}

async fn pass_on(mut body: Body, receiving: &mut dyn Receiving) -> Result<(), Fault> {
    loop {
        let frame = match tokio::time::timeout(PAUSE_MAX, body.frame()).await {
            Ok(None) => return Ok(()),
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_))) => return Err(Fault::bad_request("the body broke off")),
            Err(_elapsed) => {
                let (code, status) = (ErrorCode::BadRequest, StatusCode::REQUEST_TIMEOUT);
                return Err(Fault::new(code, status, "the body came to a halt"));
            }
        };
        if let Ok(bytes) = frame.into_data() {
            receiving.write(&bytes).await.map_err(TransferRefusal::fault)?;
        }
    }
}

fn has_encoding(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity")
}

/// Gives a file out.
pub(super) async fn download<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    Path(link): Path<String>,
    id: RequestId,
    peer: Peer,
) -> Response {
    let Some(transfers) = &edge.transfers else { return not_found(id).await };
    let meter = Meter::new(&edge.limiter, Payers::of(None, peer));
    let found = match meter.file(FILE_POINTS) {
        Ok(()) => transfers.download(&link, id).await.map_err(TransferRefusal::fault),
        Err(fault) => Err(fault),
    };
    let mut response = match found {
        Ok(download) => sent(download),
        Err(fault) => respond(&Answer::refused(fault, id), Media::Json),
    };
    meter.tell(response.headers_mut());
    response
}

fn sent(download: Download) -> Response {
    let disposition = format!("attachment; filename=\"{}\"", download.name);
    let mut response = Response::new(Body::from_stream(download.bytes.into_stream()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}
