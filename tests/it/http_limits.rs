//! Every limit on a document, one below and one above, on POST, event streams and WebSockets alike.

use serde_json::{Value, json};

use crate::http_socket::Socket;
use crate::http_support::{Toy, code};

/// The code of the answer on each of the three transports.
async fn codes(toy: &Toy, body: &Value) -> [String; 3] {
    let answer: Value = {
        let response = toy.post(body.to_string()).send().await.expect("an answer");
        response.json().await.expect("JSON")
    };
    let post = code(&answer).to_owned();
    let request = toy.http.post(toy.url("/graphql")).header("accept", "text/event-stream");
    let request = request.header("content-type", "application/json").body(body.to_string());
    let text = request.send().await.expect("an answer").text().await.expect("text");
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("an event");
    let stream = code(&serde_json::from_str(data).expect("JSON")).to_owned();
    let mut socket = Socket::ready(toy).await;
    socket.send(json!({"type": "subscribe", "id": "a", "payload": body})).await;
    let message = socket.message().await;
    let socket = match message["type"].as_str() {
        Some("error") => code(&json!({ "errors": message["payload"] })).to_owned(),
        _ => code(&message["payload"]).to_owned(),
    };
    [post, stream, socket]
}

async fn check(toy: &Toy, document: String, expected: &str) {
    let shown = &document[..document.len().min(100)];
    let codes = codes(toy, &json!({ "query": document })).await;
    assert_eq!(codes, [expected; 3], "{shown}");
}

#[tokio::test]
async fn documents_have_a_size_and_a_number_of_tokens() {
    let toy = Toy::start().await;
    let sized = |length: usize| format!("{{hello}}{}", " ".repeat(length - 7));
    check(&toy, sized(16 * 1024), "no code").await;
    check(&toy, sized(16 * 1024 + 1), "PAYLOAD_TOO_LARGE").await;
    // `{hello`, the list's items, and `(name:[` before and `])}` after them.
    let tokens = |count: usize| format!("{{hello(name:[{}])}}", "1 ".repeat(count - 9));
    check(&toy, tokens(2_000), "GRAPHQL_VALIDATION_FAILED").await;
    check(&toy, tokens(2_001), "QUERY_TOO_COMPLEX").await;
    let many = |count: usize| format!("{{{}}}", "hello ".repeat(count));
    check(&toy, many(5), "no code").await;
}

#[tokio::test]
async fn depth_is_counted_through_fragments() {
    let toy = Toy::start().await;
    let deep = |levels: usize| {
        let nested = "{nested".repeat(levels - 1);
        format!("{nested}{{hello}}{}", "}".repeat(levels - 1))
    };
    check(&toy, deep(16), "no code").await;
    check(&toy, deep(17), "QUERY_TOO_COMPLEX").await;
    let split = |levels: usize| {
        let inner = deep(levels - 8);
        let outer = "{nested".repeat(8);
        format!("{outer} {{...F}}{} fragment F on Query {inner}", "}".repeat(8))
    };
    check(&toy, split(16), "no code").await;
    check(&toy, split(17), "QUERY_TOO_COMPLEX").await;
}

#[tokio::test]
async fn aliases_are_counted_also_of_typename_and_in_fragments() {
    let toy = Toy::start().await;
    let aliases = |count: usize| {
        let list: Vec<String> = (0..count).map(|n| format!("a{n}: __typename")).collect();
        format!("{{nested {{{}}}}}", list.join(" "))
    };
    check(&toy, aliases(30), "no code").await;
    check(&toy, aliases(31), "QUERY_TOO_COMPLEX").await;
    check(&toy, aliases(300), "QUERY_TOO_COMPLEX").await;
    let doubled = |more: &str| {
        let list: Vec<String> = (0..15).map(|n| format!("a{n}: hello")).collect();
        format!(
            "{{nested {{...F}} nested {{nested {{...F}}}} {more}}} fragment F on Query {{{}}}",
            list.join(" ")
        )
    };
    check(&toy, doubled("hello"), "no code").await;
    check(&toy, doubled("x: hello"), "QUERY_TOO_COMPLEX").await;
}

#[tokio::test]
async fn directives_root_fields_and_sensitive_mutations_are_counted() {
    let toy = Toy::start().await;
    let directives = |count: usize| {
        let list = "hello @include(if: true) ".repeat(count);
        format!("{{nested {{{list}}}}}")
    };
    check(&toy, directives(20), "no code").await;
    check(&toy, directives(21), "QUERY_TOO_COMPLEX").await;
    let roots = |count: usize| format!("{{{}}}", "hello ".repeat(count));
    check(&toy, roots(10), "no code").await;
    check(&toy, roots(11), "QUERY_TOO_COMPLEX").await;
    check(&toy, "mutation {logIn rename(to: \"x\")}".to_owned(), "no code").await;
    check(&toy, "mutation {logIn b: logIn}".to_owned(), "QUERY_TOO_COMPLEX").await;
    let hidden = "mutation {logIn ...F} fragment F on Mutation {b: logIn}";
    check(&toy, hidden.to_owned(), "QUERY_TOO_COMPLEX").await;
}

#[tokio::test]
async fn complexity_multiplies_lists() {
    let toy = Toy::start().await;
    check(&toy, "{items(first: 5000) {n}}".to_owned(), "no code").await;
    check(&toy, "{items(first: 5001) {n}}".to_owned(), "QUERY_TOO_COMPLEX").await;
}

#[tokio::test]
async fn bodies_have_a_size() {
    let toy = Toy::start().await;
    let sized = |length: usize| {
        let bare = json!({"query": "{hello}", "pad": ""}).to_string().len();
        json!({"query": "{hello}", "pad": "x".repeat(length - bare)}).to_string()
    };
    for (length, status) in [(256 * 1024, 200), (256 * 1024 + 1, 413), (20 * 1024 * 1024, 413)] {
        let body = sized(length);
        let whole = toy.post(body.clone()).send().await.expect("an answer");
        assert_eq!(whole.status().as_u16(), status, "{length}");
        // In chunks, with no length told.
        let chunks: Vec<_> = body.as_bytes().chunks(60_000).map(<[u8]>::to_vec).collect();
        let chunks = futures::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>));
        let chunked = toy.post(reqwest::Body::wrap_stream(chunks)).send().await;
        let chunked = chunked.expect("an answer");
        assert_eq!(chunked.status().as_u16(), status, "{length}");
        if status == 413 {
            assert_eq!(code(&chunked.json().await.expect("JSON")), "PAYLOAD_TOO_LARGE");
        }
    }
}

#[tokio::test]
async fn errors_are_few_and_quote_little() {
    let toy = Toy::start().await;
    let unknown: Vec<String> = (0..200).map(|n| format!("unknown{n}")).collect();
    let document = format!("{{nested {{{}}}}}", unknown.join(" "));
    let (_, answer) = toy.query(&document).await;
    assert_eq!(answer["errors"].as_array().expect("errors").len(), 20);
    let value = "x".repeat(10_000);
    let (_, answer) = toy.query(&format!("{{number(of: \"{value}\")}}")).await;
    assert_eq!(code(&answer), "GRAPHQL_VALIDATION_FAILED");
    assert!(answer.to_string().len() < 1_000, "{answer}");
    let name = "x".repeat(129);
    check(&toy, format!("{{{name}}}"), "QUERY_TOO_COMPLEX").await;
}

#[tokio::test]
async fn bombs_cost_nothing() {
    let toy = Toy::start().await;
    check(&toy, "{a".repeat(900), "QUERY_TOO_COMPLEX").await;
    check(&toy, format!("{{number(of: {}", "[".repeat(16_000)), "QUERY_TOO_COMPLEX").await;
    let mut doubling = "{...F0}".to_owned();
    for n in 0..60 {
        doubling.push_str(&format!(" fragment F{n} on Query {{...F{m} ...F{m}}}", m = n + 1));
    }
    doubling.push_str(" fragment F60 on Query {hello}");
    check(&toy, doubling, "QUERY_TOO_COMPLEX").await;
    let cycle = "{...A} fragment A on Query {nested {...A}}";
    check(&toy, cycle.to_owned(), "GRAPHQL_VALIDATION_FAILED").await;
    // Variables nested deeper than JSON is read.
    let body = format!("{{\"query\":\"{{hello}}\",\"variables\":{{\"a\":{}", "[".repeat(100_000));
    let response = toy.post(body).send().await.expect("an answer");
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn the_usual_introspection_query_fits() {
    let toy = Toy::start().await;
    let document = include_str!("../third_party/graphql/introspection.graphql");
    check(&toy, document.to_owned(), "no code").await;
}
