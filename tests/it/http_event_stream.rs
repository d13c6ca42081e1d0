//! GraphQL over SSE: events, ids, resuming, endings.

use std::time::Duration;

use futures::StreamExt;
use heliograph::http::Environment;
use serde_json::{Value, json};

use crate::http_support::{Toy, code, settings, soon};

/// An open event stream, read piece by piece.
struct Events {
    response: reqwest::Response,
    text: String,
}

impl Events {
    async fn open(toy: &Toy, document: &str, headers: &[(&str, &str)]) -> Self {
        let body = json!({ "query": document }).to_string();
        let mut request = toy
            .http
            .post(toy.url("/graphql"))
            .header("content-type", "application/json")
            .header("accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let content_type = response.headers()["content-type"].to_str().expect("text");
        assert_eq!(content_type, "text/event-stream; charset=utf-8");
        Self { response, text: String::new() }
    }

    /// The next block up to a blank line, or `None` at the stream's end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                return Some(block);
            }
            let chunk = soon(self.response.chunk()).await.expect("a whole stream")?;
            self.text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        }
    }

    /// The next event that is not a comment.
    async fn event(&mut self) -> Option<String> {
        loop {
            match self.block().await {
                Some(block) if block.starts_with(':') => {}
                other => return other,
            }
        }
    }

    /// The data of the next event, which is a `next`.
    async fn next(&mut self) -> Value {
        let event = self.event().await.expect("an event");
        assert!(event.starts_with("event: next\n"), "{event}");
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
        serde_json::from_str(data).expect("JSON")
    }
}

const COMPLETE: &str = "event: complete\ndata: ";

#[tokio::test]
async fn events_carry_their_cursor_whatever_is_selected() {
    let toy = Toy::start().await;
    let mut events = Events::open(&toy, "subscription {t: ticks(to: 2) {seq}}", &[]).await;
    let first = events.event().await.expect("an event");
    assert_eq!(first, "event: next\nid: c1\ndata: {\"data\":{\"t\":{\"seq\":1}}}");
    let second = events.event().await.expect("an event");
    assert!(second.contains("\nid: c2\n"));
    assert_eq!(events.event().await.as_deref(), Some(COMPLETE));
    assert_eq!(events.event().await, None);
    // A stream without cursors has no ids.
    let mut events = Events::open(&toy, "subscription {failing}", &[]).await;
    assert!(!events.event().await.expect("an event").contains("id:"));
}

#[tokio::test]
async fn last_event_id_goes_before_the_documents_cursor() {
    let toy = Toy::start().await;
    let last = [("last-event-id", "c41")];
    for document in [
        "subscription {ticks {seq}}",
        "subscription {ticks(after: \"c1\") {seq}}",
        "subscription A($x: String = \"c2\") {ticks(after: $x) {seq}}",
    ] {
        let mut events = Events::open(&toy, document, &last).await;
        assert_eq!(events.next().await, json!({"data": {"ticks": {"seq": 42}}}), "{document}");
    }
    let mut events =
        Events::open(&toy, "subscription {ticks {seq}}", &[("last-event-id", "x")]).await;
    assert_eq!(code(&events.next().await), "EVENT_CURSOR_EXPIRED");
    assert_eq!(events.event().await.as_deref(), Some(COMPLETE));
}

#[tokio::test]
async fn queries_and_faults_of_the_document_are_told_on_the_stream() {
    let toy = Toy::start().await;
    for (document, expected) in [
        ("{hello}", "no code"),
        ("mutation {logIn}", "no code"),
        ("{hello", "GRAPHQL_PARSE_FAILED"),
        ("{nothing}", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {nothing}", "GRAPHQL_VALIDATION_FAILED"),
        ("{items(first: 9999) {n}}", "QUERY_TOO_COMPLEX"),
        ("{panics}", "INTERNAL"),
    ] {
        let mut events = Events::open(&toy, document, &[]).await;
        assert_eq!(code(&events.next().await), expected, "{document}");
        assert_eq!(events.event().await.as_deref(), Some(COMPLETE));
        assert_eq!(events.event().await, None);
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_told_by_the_status() {
    let toy = Toy::start().await;
    let post = |body: &'static str| {
        let request = toy.http.post(toy.url("/graphql")).header("accept", "text/event-stream");
        request.header("content-type", "application/json").body(body)
    };
    let good = r#"{"query":"subscription {silence}"}"#;
    for (request, status) in [
        (post("{"), 400),
        (post("{}"), 400),
        (post(good).bearer_auth("wrong"), 401),
        (post(good).header("origin", "https://evil.test"), 403),
        (post(good).header("sec-fetch-site", "cross-site"), 403),
    ] {
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), status);
        let answer: Value = response.json().await.expect("JSON");
        assert_ne!(code(&answer), "no code");
    }
}

#[tokio::test]
async fn a_client_that_takes_both_gets_each_in_its_form() {
    let toy = Toy::start().await;
    let accept = "application/graphql-response+json, application/json, text/event-stream";
    for (document, expected) in [
        ("{hello}", "application/graphql-response+json; charset=utf-8"),
        ("subscription {ticks(to: 1) {seq}}", "text/event-stream; charset=utf-8"),
    ] {
        let request = toy.http.post(toy.url("/graphql")).header("accept", accept);
        let body = json!({ "query": document }).to_string();
        let request = request.header("content-type", "application/json").body(body);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.headers()["content-type"], expected);
    }
}

#[tokio::test]
async fn a_browsers_event_source_may_use_get() {
    let toy = Toy::start().await;
    let query = [("query", "subscription {ticks(to: 1) {seq}}")];
    let url = reqwest::Url::parse_with_params(&toy.url("/graphql"), query).expect("a URL");
    let response = toy.http.get(url).header("accept", "text/event-stream").send().await;
    let text = response.expect("an answer").text().await.expect("text");
    assert!(text.contains("id: c1\n") && text.ends_with("event: complete\ndata: \n\n"), "{text}");
}

#[tokio::test]
async fn silence_is_filled_with_comments() {
    let mut quick = settings(Environment::Development);
    quick.limits.event_stream_keep_alive = Duration::from_millis(10);
    let toy = Toy::start_with(quick).await;
    let mut events = Events::open(&toy, "subscription {silence}", &[]).await;
    for _ in 0..4 {
        assert_eq!(events.block().await.as_deref(), Some(":"));
    }
}

#[tokio::test]
async fn credentials_and_the_server_end_streams_without_complete() {
    for end in ["expiry", "revocation", "stop"] {
        let toy = Toy::start().await;
        let mut events = Events::open(&toy, "subscription {silence}", &[]).await;
        toy.await_alive(1).await;
        match end {
            "expiry" => toy.clock.advance(Duration::from_secs(600)),
            "revocation" => toy.revoked.cancel(),
            _ => toy.stop.cancel(),
        }
        assert_eq!(events.event().await, None, "{end}");
        toy.await_alive(0).await;
        if end == "stop" {
            soon(toy.served).await.expect("no panic").expect("no error");
        }
    }
}

#[tokio::test]
async fn a_vanished_client_leaves_no_stream_behind() {
    let toy = Toy::start().await;
    let events = Events::open(&toy, "subscription {silence}", &[]).await;
    toy.await_alive(1).await;
    drop(events);
    toy.await_alive(0).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_its_stream_back() {
    let toy = Toy::start().await;
    let events = Events::open(&toy, "subscription {ticks {seq}}", &[]).await;
    toy.await_alive(1).await;
    assert_eq!(toy.query("{hello}").await.0, 200);
    let mut bytes = events.response.bytes_stream();
    assert!(soon(bytes.next()).await.expect("a piece").is_ok());
}
