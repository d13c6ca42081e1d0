//! The edge beside GraphQL: probes, keys, GraphiQL, headers, CORS, draining.

use heliograph::http::Environment;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http_support::{Toy, code, settings, soon};

async fn get(toy: &Toy, path: &str) -> reqwest::Response {
    toy.http.get(toy.url(path)).send().await.expect("an answer")
}

#[tokio::test]
async fn probes_and_keys_answer() {
    let toy = Toy::start().await;
    for (path, content_type, body) in [
        ("/healthz", "application/json; charset=utf-8", "{\"status\":\"ok\"}"),
        ("/readyz", "application/json; charset=utf-8", "{\"status\":\"ready\"}"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "toy_metric 1\n"),
        ("/.well-known/jwks.json", "application/jwk-set+json", "{\"keys\":[]}"),
    ] {
        let response = get(&toy, path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], content_type);
        assert_eq!(response.text().await.expect("text"), body);
    }
    let unready = Toy::start_with(settings(Environment::Production)).await;
    assert_eq!(get(&unready, "/readyz").await.status(), 503);
    assert_eq!(get(&unready, "/healthz").await.status(), 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_in_json() {
    let toy = Toy::start().await;
    let response = get(&toy, "/nothing").await;
    assert_eq!(response.status(), 404);
    assert_eq!(code(&response.json::<Value>().await.expect("JSON")), "BAD_REQUEST");
    let response = toy.http.post(toy.url("/healthz")).send().await.expect("an answer");
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET,HEAD");
    assert_eq!(code(&response.json::<Value>().await.expect("JSON")), "BAD_REQUEST");
}

#[tokio::test]
async fn every_answer_has_an_id_and_the_security_headers() {
    let toy = Toy::start().await;
    for path in ["/healthz", "/nothing", "/graphql", "/graphiql"] {
        let response = get(&toy, path).await;
        let headers = response.headers();
        assert!(headers["x-request-id"].to_str().expect("text").starts_with("req_"));
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'"));
        assert!(policy.contains("frame-ancestors 'none'"));
    }
}

#[tokio::test]
async fn graphiql_is_whole_and_only_in_development() {
    let toy = Toy::start().await;
    let page = get(&toy, "/graphiql").await.text().await.expect("text");
    let attributes = page.split(['"']).filter(|it| it.starts_with("/graphiql/"));
    let files: Vec<&str> = attributes.collect();
    assert_eq!(files.len(), 7, "{files:?}");
    for file in files {
        let response = get(&toy, file).await;
        assert_eq!(response.status(), 200, "{file}");
        assert!(!response.bytes().await.expect("bytes").is_empty());
    }
    assert!(!page.contains("://"), "nothing from elsewhere");
    assert!(get(&toy, "/").await.url().path().ends_with("/graphiql"));
    let production = Toy::start_with(settings(Environment::Production)).await;
    for path in ["/", "/graphiql", "/graphiql/start.js"] {
        assert_eq!(get(&production, path).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn cors_is_for_listed_origins() {
    let toy = Toy::start().await;
    let preflight = async |origin: &str| {
        let request = toy.http.request(reqwest::Method::OPTIONS, toy.url("/graphql"));
        let request = request.header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        let wanted = "authorization,content-type,last-event-id";
        let request = request.header("access-control-request-headers", wanted);
        request.send().await.expect("an answer")
    };
    let allowed = preflight("https://app.example.com").await;
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://app.example.com");
    let names = allowed.headers()["access-control-allow-headers"].to_str().expect("text");
    for name in ["authorization", "content-type", "last-event-id"] {
        assert!(names.contains(name), "{names}");
    }
    let foreign = preflight("https://evil.test").await;
    assert!(!foreign.headers().contains_key("access-control-allow-origin"));
    let post = toy.post(r#"{"query":"{hello}"}"#).header("origin", "https://evil.test");
    let response = post.send().await.expect("an answer");
    assert_eq!(response.status(), 403);
    assert!(!response.headers().contains_key("access-control-allow-origin"));
    assert_eq!(code(&response.json().await.expect("JSON")), "FORBIDDEN");
    let post = toy.post(r#"{"query":"{hello}"}"#).header("origin", "https://app.example.com");
    let response = post.send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example.com");
    assert!(response.headers().contains_key("access-control-expose-headers"));
}

#[tokio::test]
async fn a_stop_lets_running_requests_end_and_takes_no_new_ones() {
    let toy = Toy::start().await;
    // A request whose body is not complete yet.
    let mut stream = TcpStream::connect(toy.address).await.expect("a connection");
    let body = r#"{"query":"{hello}"}"#;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    // The server has begun with the request when it asks for the body.
    let mut first = [0; 12];
    soon(stream.read_exact(&mut first)).await.expect("an interim answer");
    assert_eq!(&first, b"HTTP/1.1 100");
    toy.stop.cancel();
    stream.write_all(body.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.expect("an answer");
    assert!(answer.contains("HTTP/1.1 200 OK") && answer.contains("Hello world"), "{answer}");
    soon(toy.served).await.expect("no panic").expect("no error");
    assert!(TcpStream::connect(toy.address).await.is_err());
}
