//! The official audits and clients against the edge.

use serde_json::{Value, json};

use crate::http_support::{TOKEN, Toy};
use crate::third_party_node::run_script;

const DOCUMENT: &str = "subscription($after: String) {ticks(after: $after) {cursor seq}}";

/// Audits whose recommendation we do not follow: they want 400 for a document that does not fit the
/// schema, we say 422, so that a client can tell it from a document that cannot be read.
const WARNINGS: [&str; 1] = ["86EE"];

#[tokio::test]
async fn graphql_http_audits_pass() {
    let toy = Toy::start().await;
    let environment = [("URL", &*toy.url("/graphql")), ("TOKEN", TOKEN)];
    let audits = run_script("graphql", "audit.mjs", &environment).await;
    assert!(audits.len() > 50, "{} audits ran", audits.len());
    let mut warnings = Vec::new();
    for audit in audits.iter().filter(|audit| audit["status"] != "ok") {
        println!("{} {} {}: {}", audit["status"], audit["id"], audit["name"], audit["reason"]);
        warnings.push(audit["id"].as_str().expect("an id"));
    }
    assert!(audits.iter().all(|audit| audit["status"] != "error"));
    assert_eq!(warnings, WARNINGS);
}

async fn follow(script: &str, resume: &str, document: &str) -> Value {
    let toy = Toy::start().await;
    let url = toy.url("/graphql");
    let environment = [
        ("URL", url.as_str()),
        ("TOKEN", TOKEN),
        ("DOCUMENT", document),
        ("EVENTS", "550"),
        ("CUTS", "10"),
        ("RESUME", resume),
    ];
    let mut lines = run_script("graphql", script, &environment).await;
    // Nothing of the cut connections is left behind.
    toy.await_alive(0).await;
    lines.remove(0)
}

fn gapless() -> Value {
    json!({"received": 550, "cuts": 10, "missed": 0, "repeated": 0, "first": 1, "last": 550})
}

#[tokio::test]
async fn the_graphql_ws_client_resumes_after_ten_cuts() {
    assert_eq!(follow("follow-ws.mjs", "variable", DOCUMENT).await, gapless());
}

#[tokio::test]
async fn the_graphql_sse_client_resumes_after_ten_cuts() {
    assert_eq!(follow("follow-sse.mjs", "variable", DOCUMENT).await, gapless());
}

#[tokio::test]
async fn last_event_id_resumes_whether_the_document_takes_a_cursor_or_not() {
    assert_eq!(follow("follow-sse.mjs", "header", DOCUMENT).await, gapless());
    let plain = "subscription {ticks {cursor seq}}";
    assert_eq!(follow("follow-sse.mjs", "header", plain).await, gapless());
    let literal = "subscription {ticks(after: \"c0\") {cursor seq}}";
    assert_eq!(follow("follow-sse.mjs", "header", literal).await, gapless());
}
