//! Which web pages may call: exact origins, and no request forged by another site. Programs, which
//! send neither `Origin` nor `Sec-Fetch-Site`, are not concerned.

use std::time::Duration;

use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, Method, StatusCode};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::fault::{ErrorCode, Fault};
use super::settings::EdgeSettings;

/// How long a browser may keep a preflight's answer. Chromium keeps it for 2 h at most.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);

/// CORS (Fetch standard, section 3.2) for the configured origins; no cookies.
pub(super) fn cors(settings: &EdgeSettings) -> CorsLayer {
    let last_event_id = HeaderName::from_static("last-event-id");
    let request_id = HeaderName::from_static("x-request-id");
    let rate_limit = HeaderName::from_static("ratelimit");
    let rate_limit_policy = HeaderName::from_static("ratelimit-policy");
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(settings.allowed_origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([ACCEPT, AUTHORIZATION, CONTENT_TYPE, last_event_id])
        .expose_headers([request_id, rate_limit, rate_limit_policy, RETRY_AFTER, WWW_AUTHENTICATE])
        .max_age(PREFLIGHT_AGE)
}

/// Refuses a request that a page of a foreign site sent.
///
/// # Errors
/// 403, if the origin is neither this server's own nor allowed.
pub(super) fn check(headers: &HeaderMap, settings: &EdgeSettings) -> Result<(), Fault> {
    let foreign = || {
        let message = "pages of this origin may not call this server";
        Err(Fault::new(ErrorCode::Forbidden, StatusCode::FORBIDDEN, message))
    };
    if let Some(origin) = headers.get(ORIGIN) {
        let allowed = settings.allowed_origins.contains(origin) || is_own(headers);
        return if allowed { Ok(()) } else { foreign() };
    }
    // A page's GET has no `Origin`, but says where it comes from (Fetch Metadata).
    match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => foreign(),
    }
}

/// Whether `Origin` names the host that the request went to.
fn is_own(headers: &HeaderMap) -> bool {
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = origin.and_then(|origin| origin.split_once("://")).map(|(_, it)| it);
    match (authority, host) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::http::settings::Environment;

    #[test]
    fn only_own_and_listed_origins_pass() {
        let mut settings = EdgeSettings::new(Environment::Production);
        settings.allowed_origins.push(HeaderValue::from_static("https://app.example.com"));
        for (origin, site, good) in [
            (None, None, true),
            (Some("https://app.example.com"), Some("cross-site"), true),
            (Some("https://sms.example.com"), Some("same-origin"), true),
            (Some("http://sms.example.com"), None, true),
            (Some("https://app.example.com.evil.test"), None, false),
            (Some("https://evil.test"), None, false),
            (Some("http://app.example.com"), None, false),
            (Some("null"), None, false),
            (None, Some("same-origin"), true),
            (None, Some("none"), true),
            (None, Some("same-site"), false),
            (None, Some("cross-site"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("sms.example.com"));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            assert_eq!(check(&headers, &settings).is_ok(), good, "{origin:?} {site:?}");
        }
    }
}
