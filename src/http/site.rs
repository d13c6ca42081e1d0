//! The host that a request was sent to.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use crate::types::host::without_port;

/// Marks a request that a trusted proxy brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByProxy;

/// The host that a request was sent to, in lower case and without a port: as the client says, or as
/// a trusted proxy says (the last of `X-Forwarded-Host`, which is the nearest one's). Absent where
/// nobody says. It proves nothing: whoever asks may name any host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Site(pub(super) Option<String>);

impl<S: Sync> FromRequestParts<S> for Site {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let forwarded = parts.extensions.get::<ByProxy>().and_then(|_| forwarded(&parts.headers));
        // The authority of a whole address goes before the header (RFC 9112, 3.2.2).
        let named = || match parts.uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => parts.headers.get(HOST).and_then(text),
        };
        let host = forwarded.or_else(named).map(without_port);
        Ok(Self(host.filter(|host| !host.is_empty())))
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

fn forwarded(headers: &HeaderMap) -> Option<&str> {
    let last = headers.get_all("x-forwarded-host").iter().next_back().and_then(text)?;
    let last = last.rsplit(',').next().unwrap_or_default().trim();
    (!last.is_empty()).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn site(uri: &str, headers: &[(&'static str, &'static str)], by_proxy: bool) -> Site {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        if by_proxy {
            parts.extensions.insert(ByProxy);
        }
        Site::from_request_parts(&mut parts, &()).await.unwrap()
    }

    #[tokio::test]
    async fn a_forwarded_host_counts_from_a_trusted_proxy_alone() {
        let forwarded = ("x-forwarded-host", "GO.example:443");
        let host = ("host", "proxy.internal:8080");
        for (uri, headers, by_proxy, expected) in [
            ("/x", &[host] as &[_], false, Some("proxy.internal")),
            ("/x", &[host, forwarded], false, Some("proxy.internal")),
            ("/x", &[host, forwarded], true, Some("go.example")),
            (
                "/x",
                &[host, ("x-forwarded-host", "evil.example, go.example")],
                true,
                Some("go.example"),
            ),
            (
                "/x",
                &[host, ("x-forwarded-host", "evil.example"), ("x-forwarded-host", "go.example")],
                true,
                Some("go.example"),
            ),
            ("/x", &[host, ("x-forwarded-host", " ")], true, Some("proxy.internal")),
            ("/x", &[host], true, Some("proxy.internal")),
            ("http://go.example/x", &[host], false, Some("go.example")),
            ("/x", &[], false, None),
            ("/x", &[("host", "")], false, None),
        ] {
            let found = site(uri, headers, by_proxy).await;
            assert_eq!(found.0.as_deref(), expected, "{uri} {headers:?} {by_proxy}");
        }
    }
}
