//! The official audits and clients against a whole node: its own schema, keys and event log.

use heliograph::authz::Actor;
use heliograph::identity::{NewAccount, create_account};
use heliograph::types::cursor::{Cursor, CursorKind};
use serde_json::{Value, json};

use crate::support::{Served, both_stores};
use crate::third_party_node::run_script;

/// Each of the messages makes three events: queued, sent, delivered.
const MESSAGES: usize = 200;
const BATCH: usize = 20;

const DOCUMENT: &str = "subscription($after: Cursor) \
    {messageEvents(after: $after) {cursor seq ... on MessageStatusChanged {status message {id to}}}}";

async fn test_key(served: &Served) -> String {
    let new = NewAccount {
        name: "Acme".to_owned(),
        owner_email: "owner@example.com".to_owned(),
        default_region: None,
    };
    let made = create_account(&served.ctx_as(Actor::CommandLine), new).await.unwrap();
    made.test_api_key.text.expose().to_owned()
}

async fn send_all(served: &Served, key: &str) {
    let mutation = "mutation($input: SendMessagesInput!) \
        {sendMessages(input: $input) {results {message {id} error {message}} userErrors {message}}}";
    for batch in 0..MESSAGES / BATCH {
        let number = |n| format!("+999100{:07}", batch * BATCH + n);
        let message = |n| json!({"to": number(n), "from": "Acme", "text": "Hello"});
        let messages: Vec<Value> = (0..BATCH).map(message).collect();
        let input = json!({"idempotencyKey": format!("batch {batch}"), "messages": messages});
        let answer = served.graphql(Some(key), mutation, json!({"input": input})).await;
        let results = answer["data"]["sendMessages"]["results"].as_array().unwrap();
        assert!(results.iter().all(|result| result["error"].is_null()), "{answer}");
    }
}

async fn follow(served: &Served, script: &str, resume: &str) {
    let key = test_key(served).await;
    let url = format!("{}/graphql", served.url);
    let from_the_start = Cursor::encode(CursorKind::Events, &0i64.to_be_bytes());
    let variables = json!({"after": from_the_start}).to_string();
    let environment = [
        ("URL", url.as_str()),
        ("TOKEN", key.as_str()),
        ("DOCUMENT", DOCUMENT),
        ("VARIABLES", variables.as_str()),
        ("EVENTS", "600"),
        ("CUTS", "10"),
        ("RESUME", resume),
    ];
    // While the client comes and goes, the events come into being.
    let (lines, ()) =
        tokio::join!(run_script("graphql", script, &environment), send_all(served, &key));
    let gapless =
        json!({"received": 600, "cuts": 10, "missed": 0, "repeated": 0, "first": 1, "last": 600});
    assert_eq!(lines, [gapless]);
}

both_stores! {
    async fn the_graphql_http_audits_pass(house: TestHouse) {
        let served = house.serve().await;
        let key = test_key(&served).await;
        let url = format!("{}/graphql", served.url);
        let environment = [("URL", url.as_str()), ("TOKEN", key.as_str())];
        let audits = run_script("graphql", "audit.mjs", &environment).await;
        assert!(audits.len() > 50, "{} audits ran", audits.len());
        let errors: Vec<_> = audits.iter().filter(|audit| audit["status"] == "error").collect();
        assert!(errors.is_empty(), "{errors:?}");
        served.stop().await;
    }

    async fn the_graphql_sse_client_misses_and_repeats_nothing(house: TestHouse) {
        let served = house.serve().await;
        follow(&served, "follow-sse.mjs", "header").await;
        served.stop().await;
    }

    async fn the_graphql_ws_client_misses_and_repeats_nothing(house: TestHouse) {
        let served = house.serve().await;
        follow(&served, "follow-ws.mjs", "variable").await;
        served.stop().await;
    }
}
