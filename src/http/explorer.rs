//! GraphiQL, from the program itself and only in development: no content delivery network, no
//! request to anybody else, and a policy that holds the page to that. Its files are vendored, see
//! `assets/graphiql/README.md`.

use axum::Router;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};

/// Scripts, requests and fonts from here alone. `'unsafe-inline'` for styles only: the editor sizes
/// its parts by style attributes.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    font-src 'self' data:; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

macro_rules! asset {
    ($name:literal, $type:expr) => {
        file($type, include_bytes!(concat!("../../assets/graphiql/", $name)))
    };
}

/// `/graphiql`, its files, and `/` leading to it.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/graphiql") }))
        .route("/graphiql", asset!("index.html", HTML))
        .route("/graphiql/start.js", asset!("start.js", SCRIPT))
        .route("/graphiql/start.css", asset!("start.css", STYLE))
        .route("/graphiql/react.js", asset!("react.production.min.js", SCRIPT))
        .route("/graphiql/react-dom.js", asset!("react-dom.production.min.js", SCRIPT))
        .route("/graphiql/graphiql.js", asset!("graphiql.min.js", SCRIPT))
        .route("/graphiql/graphiql.css", asset!("graphiql.min.css", STYLE))
        .route("/graphiql/graphql-sse.js", asset!("graphql-sse.min.js", SCRIPT))
}

fn file<S: Clone + Send + Sync + 'static>(
    content_type: &'static str,
    bytes: &'static [u8],
) -> MethodRouter<S> {
    get(move || async move {
        let headers = [
            (CONTENT_TYPE, content_type),
            (CONTENT_SECURITY_POLICY, POLICY),
            (CACHE_CONTROL, "no-cache"),
        ];
        let response: Response = (headers, bytes).into_response();
        response
    })
}
