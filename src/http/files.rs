//! `GET /invoices/{id}/pdf` and `GET /accounts/{id}/withholding-certificates/{year}/pdf`: a document
//! as a file, for whoever may read it in the contract. The
//! caller is found out as for an operation; what may be read is the caller's context's to say.

use std::sync::Arc;

use async_graphql::Executor;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::Edge;
use super::answer::Answer;
use super::auth::{self, Caller};
use super::budget::Payers;
use super::fault::{ErrorCode, Fault};
use super::graphql::{authenticate, refused_credential, respond};
use super::limiter::Meter;
use super::negotiate::Media;
use super::origin;
use super::peer::Peer;
use super::request_id::RequestId;

/// Points that a PDF costs: it takes a processor as long as a large query.
const PDF_POINTS: u64 = 100;

/// A file for a caller.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name, without a path: letters, digits, hyphens and dots.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// Why there is no file for a caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FileRefusal {
    /// There is none that the caller may see: 404.
    NotFound,
    /// Nobody in particular asks: 401.
    Unauthenticated,
    /// The caller may not read such files: 403.
    Forbidden,
    /// Not now: 503.
    Unavailable,
    /// A fault of ours, which was logged: 500.
    Internal,
}

impl FileRefusal {
    fn fault(self) -> Fault {
        let (code, status, message) = match self {
            Self::NotFound => {
                (ErrorCode::BadRequest, StatusCode::NOT_FOUND, "there is nothing here")
            }
            Self::Unauthenticated => (
                ErrorCode::Unauthenticated,
                StatusCode::UNAUTHORIZED,
                "sign in, or send an API key, to do this",
            ),
            Self::Forbidden => (
                ErrorCode::Forbidden,
                StatusCode::FORBIDDEN,
                "your role or key does not allow this",
            ),
            Self::Unavailable => (
                ErrorCode::Unavailable,
                StatusCode::SERVICE_UNAVAILABLE,
                "the service is not available at this moment: try again",
            ),
            Self::Internal => return Fault::internal(),
        };
        Fault::new(code, status, message)
    }
}

/// An invoice, statement or credit note as a PDF.
pub(super) async fn invoice_pdf<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    Path(id): Path<String>,
    request_id: RequestId,
    peer: Peer,
    headers: HeaderMap,
) -> Response {
    file(&edge, Wanted::Invoice(&id), request_id, peer, &headers).await
}

/// An account's certificate of withholding tax as a PDF.
pub(super) async fn certificate_pdf<E: Executor>(
    State(edge): State<Arc<Edge<E>>>,
    Path((account_id, year)): Path<(String, String)>,
    request_id: RequestId,
    peer: Peer,
    headers: HeaderMap,
) -> Response {
    let wanted = Wanted::Certificate { account_id: &account_id, year: &year };
    file(&edge, wanted, request_id, peer, &headers).await
}

/// Which file, as it stands in the path.
#[derive(Clone, Copy, Debug)]
enum Wanted<'a> {
    Invoice(&'a str),
    Certificate { account_id: &'a str, year: &'a str },
}

async fn file<E: Executor>(
    edge: &Edge<E>,
    wanted: Wanted<'_>,
    request_id: RequestId,
    peer: Peer,
    headers: &HeaderMap,
) -> Response {
    let refuse = |fault| respond(&Answer::refused(fault, request_id), Media::GraphqlResponse);
    let caller = match caller(edge, request_id, peer, headers).await {
        Ok(caller) => caller,
        Err(fault) => {
            let meter = Meter::new(&edge.limiter, Payers::of(None, peer));
            let mut response = refuse(refused_credential(fault, &meter));
            meter.tell(response.headers_mut());
            return response;
        }
    };
    let meter = Meter::new(&edge.limiter, Payers::of(caller.tenant, peer));
    let found = match meter.file(PDF_POINTS) {
        Ok(()) => find(edge, &caller, wanted, request_id).await,
        Err(fault) => Err(fault),
    };
    let mut response = found.map_or_else(refuse, sent);
    meter.tell(response.headers_mut());
    response
}

async fn caller<E>(
    edge: &Edge<E>,
    request_id: RequestId,
    peer: Peer,
    headers: &HeaderMap,
) -> Result<Caller, Fault> {
    origin::check(headers, &edge.settings)?;
    let credential = auth::credential(headers).map_err(|failure| failure.fault())?;
    authenticate(edge, credential, peer, request_id).await
}

async fn find<E>(
    edge: &Edge<E>,
    caller: &Caller,
    wanted: Wanted<'_>,
    request_id: RequestId,
) -> Result<File, Fault> {
    let file = match wanted {
        Wanted::Invoice(id) => caller.context.invoice_pdf(id, request_id),
        Wanted::Certificate { account_id, year } => {
            caller.context.certificate_pdf(account_id, year, request_id)
        }
    };
    match tokio::time::timeout(edge.settings.limits.operation_time_max, file).await {
        Ok(found) => found.map_err(FileRefusal::fault),
        Err(_elapsed) => Err(FileRefusal::Unavailable.fault()),
    }
}

fn sent(file: File) -> Response {
    let disposition = format!("attachment; filename=\"{}\"", file.name);
    let mut response = Response::new(Body::from(file.bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/pdf"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}
