//! Who is calling: what the edge reads from a request and what it wants to know back. Not the check
//! itself, which identity implements behind [`Authenticate`]; never an authorization.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use entity::ids::AccountId;
use entity::time::UnixMillis;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::fault::{ErrorCode, Fault};
use super::files::{File, FileRefusal};
use super::request_id::RequestId;
use crate::sys::Clock;

/// What a request offers as proof of who sent it. Has no `Debug`: it holds secrets.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// A token or API key (RFC 6750).
    Bearer(&'a str),
    /// Nothing.
    None,
}

/// Checks credentials. Implemented by the composition root over identity.
#[async_trait]
pub trait Authenticate: Send + Sync + 'static {
    /// The caller that `credential` proves; for [`Credential::None`] the anonymous caller, if there
    /// may be one. `peer` is the address of the other end of the connection.
    ///
    /// # Errors
    /// As [`AuthenticationFailure`] says; its variants become statuses and close codes.
    async fn authenticate(
        &self,
        credential: Credential<'_>,
        peer: Option<IpAddr>,
        request_id: RequestId,
    ) -> Result<Caller, AuthenticationFailure>;
}

/// Why no caller could be made of a credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthenticationFailure {
    /// Wrong, expired, revoked, or absent where one is needed: 401.
    Refused,
    /// Too many attempts: 429 and `Retry-After`.
    RateLimited {
        /// Milliseconds until the next attempt may succeed.
        retry_after_ms: u64,
    },
    /// The check itself could not be made: 503.
    Unavailable,
}

/// A caller whose credential was good at the time of asking.
#[derive(Clone)]
pub struct Caller {
    /// Puts what resolvers need (the `Ctx`) into each request of this caller.
    pub context: Arc<dyn RequestContext>,
    /// When the credential expires; open streams end then.
    pub expires_at: Option<UnixMillis>,
    /// Canceled when the credential is revoked; open streams end then.
    pub revoked: CancellationToken,
    /// Whether this is anybody in particular.
    pub standing: Standing,
    /// Who pays for what this caller asks for; nobody known: the address does.
    pub tenant: Option<Tenant>,
}

/// A credential and its account, as far as limits need to tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// The API key or the log-in.
    pub credential: Uuid,
    /// Its account.
    pub account: AccountId,
}

/// Whether a caller is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Proven by a credential.
    Known,
    /// Nobody in particular.
    Anonymous,
}

/// Fills the data of each request of one caller. One caller on a WebSocket makes many requests.
pub trait RequestContext: Send + Sync + 'static {
    /// `request` with what its resolvers need, by `request.data(…)`.
    fn attach(
        &self,
        request: async_graphql::Request,
        request_id: RequestId,
    ) -> async_graphql::Request;

    /// An invoice as a PDF, if this caller may read it; `id` as it stands in the path.
    ///
    /// The future ends in [`FileRefusal::NotFound`] where there are no files.
    fn invoice_pdf<'a>(
        &'a self,
        _id: &'a str,
        _request_id: RequestId,
    ) -> BoxFuture<'a, Result<File, FileRefusal>> {
        Box::pin(std::future::ready(Err(FileRefusal::NotFound)))
    }

    /// An account's certificate of withholding tax of a year as a PDF, if this caller may read it;
    /// both as they stand in the path.
    ///
    /// The future ends in [`FileRefusal::NotFound`] where there are no files.
    fn certificate_pdf<'a>(
        &'a self,
        _account_id: &'a str,
        _year: &'a str,
        _request_id: RequestId,
    ) -> BoxFuture<'a, Result<File, FileRefusal>> {
        Box::pin(std::future::ready(Err(FileRefusal::NotFound)))
    }
}

impl AuthenticationFailure {
    /// The same as an answer over HTTP.
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::Refused => Fault::new(
                ErrorCode::Unauthenticated,
                StatusCode::UNAUTHORIZED,
                "the credential is missing, wrong, expired or revoked",
            ),
            Self::RateLimited { retry_after_ms } => Fault::new(
                ErrorCode::RateLimited,
                StatusCode::TOO_MANY_REQUESTS,
                "too many attempts, try again later",
            )
            .retry_after_ms(retry_after_ms),
            Self::Unavailable => Fault::new(
                ErrorCode::Unavailable,
                StatusCode::SERVICE_UNAVAILABLE,
                "the credential cannot be checked now, try again later",
            ),
        }
    }
}

/// The credential in `headers`.
///
/// # Errors
/// If there is an `Authorization` that is not one well-formed `Bearer` (RFC 6750, section 2.1).
pub(super) fn credential(headers: &HeaderMap) -> Result<Credential<'_>, AuthenticationFailure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(Credential::None);
    };
    if values.next().is_some() {
        return Err(AuthenticationFailure::Refused);
    }
    let value = value.to_str().map_err(|_| AuthenticationFailure::Refused)?;
    bearer(value).map(Credential::Bearer).ok_or(AuthenticationFailure::Refused)
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110, section 11.1).
pub(super) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim_matches(' ');
    let well_formed = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && well_formed).then_some(token)
}

/// Why a stream that could go on has to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ending {
    CredentialExpired,
    CredentialRevoked,
    ServerStops,
}

/// Waits until a stream of `caller` has to end.
pub(super) async fn ending(caller: Caller, clock: Clock, stop: CancellationToken) -> Ending {
    let expiry = async {
        match caller.expires_at {
            // Boxed: a stream of a credential that never expires is not to hold room for it.
            Some(deadline) => Box::pin(clock.sleep_until(deadline)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = expiry => Ending::CredentialExpired,
        () = caller.revoked.cancelled() => Ending::CredentialRevoked,
        () = stop.cancelled() => Ending::ServerStops,
    }
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn reads_bearer_tokens_and_nothing_else() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("BEARER a.b-c_d~e+f/g=", Some("a.b-c_d~e+f/g=")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer a b", None),
            ("Basic abc", None),
            ("abc", None),
            ("", None),
            ("Bearer a\tb", None),
        ] {
            assert_eq!(bearer(value), token, "{value:?}");
        }
    }
}
