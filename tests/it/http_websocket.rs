//! GraphQL over WebSocket: the protocol's messages and close codes, endings, limits of a socket.

use std::time::Duration;

use heliograph::http::Environment;
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::http_socket::Socket;
use crate::http_support::{TOKEN, Toy, code, settings, soon};

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

#[tokio::test]
async fn a_subscription_from_start_to_end() {
    let toy = Toy::start().await;
    let mut socket = Socket::ready(&toy).await;
    socket.subscribe("a", "subscription {t: ticks(to: 2) {seq}}").await;
    for seq in [1, 2] {
        let payload = json!({"data": {"t": {"seq": seq}}});
        let next = json!({"type": "next", "id": "a", "payload": payload});
        assert_eq!(socket.message().await, next);
    }
    assert_eq!(socket.message().await, json!({"type": "complete", "id": "a"}));
    // The id is free again, and queries and mutations run as well.
    socket.subscribe("a", "{hello}").await;
    assert_eq!(socket.message().await["payload"]["data"], json!({"hello": "Hello world"}));
    assert_eq!(socket.message().await["type"], "complete");
    socket.subscribe("b", "mutation {logIn}").await;
    assert_eq!(socket.message().await["payload"]["data"], json!({"logIn": 1}));
}

#[tokio::test]
async fn completing_stops_the_stream_at_once_and_frees_the_id() {
    let toy = Toy::start().await;
    let mut socket = Socket::ready(&toy).await;
    socket.subscribe("a", "subscription {silence}").await;
    toy.await_alive(1).await;
    socket.complete("a").await;
    toy.await_alive(0).await;
    socket.complete("unknown").await;
    socket.subscribe("a", "{hello}").await;
    assert_eq!(socket.message().await["type"], "next");
}

#[tokio::test]
async fn a_vanished_client_leaves_no_stream_behind() {
    let toy = Toy::start().await;
    let mut socket = Socket::ready(&toy).await;
    socket.subscribe("a", "subscription {silence}").await;
    toy.await_alive(1).await;
    drop(socket);
    toy.await_alive(0).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_its_own_stream_only() {
    let toy = Toy::start().await;
    let mut idle = Socket::ready(&toy).await;
    // An endless stream as fast as it can: it waits for the socket, not in memory.
    idle.subscribe("a", "subscription {ticks {seq cursor}}").await;
    toy.await_alive(1).await;
    let mut other = Socket::ready(&toy).await;
    other.subscribe("b", "{hello}").await;
    assert_eq!(other.message().await["payload"]["data"]["hello"], "Hello world");
    // What was not read is still there, in order.
    for seq in 1..=1_000 {
        assert_eq!(idle.message().await["payload"]["data"]["ticks"]["seq"], seq);
    }
}

#[tokio::test]
async fn what_fails_before_the_first_result_is_an_error_message() {
    let toy = Toy::start().await;
    let mut socket = Socket::ready(&toy).await;
    for (document, expected) in [
        ("{nothing}", "GRAPHQL_VALIDATION_FAILED"),
        ("{hello", "GRAPHQL_PARSE_FAILED"),
        ("{items(first: 9999) {n}}", "QUERY_TOO_COMPLEX"),
        ("subscription {ticks(after: \"old\") {seq}}", "EVENT_CURSOR_EXPIRED"),
        ("subscription {ticks(to: 1) {seq} silence}", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {...F} fragment F on Ticks {silence}", "GRAPHQL_VALIDATION_FAILED"),
        ("{panics}", "INTERNAL"),
    ] {
        socket.subscribe("a", document).await;
        let message = socket.message().await;
        assert_eq!(
            (&message["type"], &message["id"]),
            (&json!("error"), &json!("a")),
            "{document}"
        );
        let errors = json!({ "errors": message["payload"] });
        assert_eq!(code(&errors), expected, "{message}");
        assert!(errors["errors"][0]["extensions"]["requestId"].is_string());
    }
    // A field's error is a result.
    socket.subscribe("a", "{requiredFailure}").await;
    let message = socket.message().await;
    assert_eq!(message["type"], "next");
    assert_eq!(code(&message["payload"]), "INTERNAL");
}

#[tokio::test]
async fn a_failure_in_the_middle_of_a_stream_is_a_result() {
    let toy = Toy::start().await;
    let mut socket = Socket::ready(&toy).await;
    socket.subscribe("a", "subscription {failing}").await;
    assert_eq!(socket.message().await["payload"]["data"]["failing"], 1);
    let message = socket.message().await;
    assert_eq!((&message["type"], code(&message["payload"])), (&json!("next"), "INTERNAL"));
    assert!(!message.to_string().contains("hunter2"));
    assert_eq!(socket.message().await["type"], "complete");
    socket.subscribe("b", "subscription {panicking}").await;
    assert_eq!(socket.message().await["payload"]["data"]["panicking"], 1);
    let message = socket.message().await;
    assert_eq!(message["type"], "error");
    assert_eq!(code(&json!({ "errors": message["payload"] })), "INTERNAL");
    socket.subscribe("c", "{hello}").await;
    assert_eq!(socket.message().await["type"], "next", "the socket lives on");
}

#[tokio::test]
async fn close_codes_are_those_of_the_protocol() {
    let toy = Toy::start().await;
    let init = json!({"type": "connection_init"});
    let silence = json!({"query": "subscription {silence}"});
    let silence = json!({"type": "subscribe", "id": "a", "payload": silence});
    for (messages, expected) in [
        (vec![json!({"type": "start"})], 4400),
        (vec![json!("text")], 4400),
        (vec![init.clone(), json!({"type": "subscribe", "id": "a", "payload": []})], 4400),
        (vec![json!({"type": "connection_init", "payload": "x"})], 4400),
        (vec![silence.clone()], 4401),
        (vec![json!({"type": "connection_init", "payload": {"token": "wrong"}})], 4403),
        (vec![json!({"type": "connection_init", "payload": {"authorization": "x"}})], 4403),
        (vec![json!({"type": "connection_init", "payload": {"token": "down"}})], 1013),
        (vec![json!({"type": "connection_init", "payload": {"token": "busy"}})], 1013),
        (vec![json!({"type": "connection_init", "payload": {"token": "panic"}})], 4500),
        (vec![init.clone(), init.clone()], 4429),
        (vec![init.clone(), silence.clone(), silence.clone()], 4409),
    ] {
        let mut socket = Socket::connect(&toy).await;
        for message in &messages {
            socket.send(message.clone()).await;
        }
        let (code, reason) = socket.closed().await;
        assert_eq!(code, expected, "{messages:?}");
        assert!(!reason.is_empty() && reason.len() <= 123);
    }
    let mut socket = Socket::ready(&toy).await;
    socket.send_raw(Message::binary(b"{}".to_vec())).await;
    assert_eq!(socket.closed().await.0, 4400);
    toy.await_alive(0).await;
}

#[tokio::test]
async fn only_the_one_subprotocol_is_spoken() {
    let toy = Toy::start().await;
    let mut socket = Socket::open(&toy, &[]).await.expect("a socket");
    assert_eq!(socket.closed().await.0, 4406);
    let both = [("sec-websocket-protocol", "graphql-ws, graphql-transport-ws")];
    let mut socket = Socket::open(&toy, &both).await.expect("a socket");
    socket.init(json!({})).await;
    assert_eq!(socket.message().await["type"], "connection_ack");
}

#[tokio::test]
async fn the_token_may_come_in_the_header_or_the_payload() {
    let toy = Toy::start().await;
    let bearer = format!("Bearer {TOKEN}");
    for (header, payload, who) in [
        (None, json!({}), "anonymous"),
        (None, json!({"token": TOKEN}), "known"),
        (None, json!({ "Authorization": bearer }), "known"),
        (Some(bearer.as_str()), json!({}), "known"),
        (Some("Bearer wrong"), json!({"token": TOKEN}), "known"),
    ] {
        let mut headers = vec![PROTOCOL];
        headers.extend(header.map(|value| ("authorization", value)));
        let mut socket = Socket::open(&toy, &headers).await.expect("a socket");
        socket.init(payload).await;
        assert_eq!(socket.message().await["type"], "connection_ack");
        socket.subscribe("a", "{who}").await;
        assert_eq!(socket.message().await["payload"]["data"]["who"], who);
    }
    let wrong = [PROTOCOL, ("authorization", "Bearer wrong")];
    let mut socket = Socket::open(&toy, &wrong).await.expect("a socket");
    socket.init(json!({})).await;
    assert_eq!(socket.closed().await.0, 4403);
}

#[tokio::test]
async fn foreign_pages_cannot_open_sockets() {
    let toy = Toy::start().await;
    let open = async |origin: &str| Socket::open(&toy, &[PROTOCOL, ("origin", origin)]).await.err();
    assert_eq!(open("https://evil.test").await, Some(403));
    assert_eq!(open("https://app.example.com").await, None);
    assert_eq!(open(&toy.url("")).await, None);
}

#[tokio::test]
async fn expired_and_revoked_credentials_end_sockets_with_a_code_that_clients_retry() {
    let toy = Toy::start().await;
    let mut socket = Socket::ready(&toy).await;
    socket.subscribe("a", "subscription {silence}").await;
    toy.await_alive(1).await;
    toy.clock.advance(Duration::from_secs(600));
    assert_eq!(socket.closed().await, (4403, "Credential expired".to_owned()));
    toy.await_alive(0).await;

    let toy = Toy::start().await;
    let mut socket = Socket::ready(&toy).await;
    socket.subscribe("a", "subscription {silence}").await;
    toy.await_alive(1).await;
    toy.revoked.cancel();
    assert_eq!(socket.closed().await, (4403, "Credential revoked".to_owned()));
    toy.await_alive(0).await;
}

#[tokio::test]
async fn a_stopping_server_says_goodbye_and_ends() {
    let toy = Toy::start().await;
    let mut socket = Socket::ready(&toy).await;
    socket.subscribe("a", "subscription {silence}").await;
    toy.await_alive(1).await;
    toy.stop.cancel();
    assert_eq!(socket.closed().await.0, 1001);
    drop(socket);
    soon(toy.served).await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn silent_clients_are_pinged_and_then_dropped() {
    let mut quick = settings(Environment::Development);
    quick.limits.socket_ping_interval = Duration::from_millis(20);
    quick.limits.socket_init_wait = Duration::from_millis(20);
    let toy = Toy::start_with(quick).await;
    let mut socket = Socket::connect(&toy).await;
    assert_eq!(socket.closed().await.0, 4408);
    let mut socket = Socket::ready(&toy).await;
    for _ in 0..3 {
        assert_eq!(socket.message().await, json!({"type": "ping"}));
        socket.send(json!({"type": "pong"})).await;
    }
    // No answer now. The end comes without a close frame.
    while let Some(message) = socket.next().await {
        assert!(matches!(message, Message::Text(_)), "{message:?}");
    }
}

#[tokio::test]
async fn a_clients_ping_is_answered_with_its_payload() {
    let toy = Toy::start().await;
    let mut socket = Socket::connect(&toy).await;
    socket.send(json!({"type": "ping", "payload": {"a": 1}})).await;
    assert_eq!(socket.message().await, json!({"type": "pong", "payload": {"a": 1}}));
    socket.send(json!({"type": "ping"})).await;
    assert_eq!(socket.message().await, json!({"type": "pong"}));
}

#[tokio::test]
async fn a_socket_has_its_number_of_subscriptions_and_size_of_message() {
    let toy = Toy::start().await;
    let mut socket = Socket::ready(&toy).await;
    for n in 0..50 {
        socket.subscribe(&n.to_string(), "subscription {silence}").await;
    }
    toy.await_alive(50).await;
    socket.subscribe("one too many", "subscription {silence}").await;
    let message = socket.message().await;
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("one too many")));
    assert_eq!(code(&json!({ "errors": message["payload"] })), "RATE_LIMITED");
    socket.complete("7").await;
    toy.await_alive(49).await;
    socket.subscribe("again", "subscription {silence}").await;
    toy.await_alive(50).await;

    let ping = |length: usize| {
        let frame = json!({"type": "ping", "payload": {"x": ""}}).to_string();
        let filler = "x".repeat(length - frame.len());
        Message::text(json!({"type": "ping", "payload": { "x": filler }}).to_string())
    };
    socket.send_raw(ping(64 * 1024)).await;
    assert_eq!(socket.message().await["type"], "pong");
    socket.send_raw(ping(64 * 1024 + 1)).await;
    assert_eq!(socket.closed().await, (4400, "Message is too large".to_owned()));
}
