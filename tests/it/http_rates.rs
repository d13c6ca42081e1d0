//! What callers may spend and hold open: budgets by cost, caps on streams and connections, clients
//! that take nothing. On every transport, one below and one above.

use std::time::Duration;

use heliograph::http::{ConnectionSettings, EdgeSettings, Environment, Rate, RateLimits};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::http_socket::Socket;
use crate::http_support::{OTHER_TOKEN, TOKEN, Toy, code, settings, soon};

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Post,
    Get,
    EventStream,
    WebSocket,
}

const WAYS: [Way; 4] = [Way::Post, Way::Get, Way::EventStream, Way::WebSocket];

/// An answer, with the status and headers where there are any.
struct Told {
    status: u16,
    headers: reqwest::header::HeaderMap,
    answer: Value,
}

impl Told {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

/// A credential has 6 points and 2 a second, strangers of an address 3 and one.
fn tight() -> EdgeSettings {
    let mut settings = settings(Environment::Development);
    settings.rates = RateLimits {
        credential: Rate { points_per_s: 2, points_burst: 6 },
        account: Rate { points_per_s: 100, points_burst: 1_000 },
        address: Rate { points_per_s: 1, points_burst: 3 },
    };
    settings
}

async fn ask(toy: &Toy, way: Way, token: Option<&str>, document: &str) -> Told {
    if way == Way::WebSocket {
        let answer = ask_socket(toy, token, document).await;
        return Told { status: 0, headers: Default::default(), answer };
    }
    let mut request = match way {
        Way::Get => {
            let query = [("query", document)];
            toy.http
                .get(reqwest::Url::parse_with_params(&toy.url("/graphql"), query).expect("a URL"))
        }
        _ => toy.post(json!({ "query": document }).to_string()),
    };
    if way == Way::EventStream {
        let request_for_stream = toy.http.post(toy.url("/graphql"));
        request = request_for_stream
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .body(json!({ "query": document }).to_string());
    }
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let mut response = soon(request.send()).await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut text = String::new();
    let is_stream = headers["content-type"].to_str().expect("text").starts_with("text/event");
    while let Some(chunk) = soon(response.chunk()).await.expect("a whole answer") {
        text.push_str(std::str::from_utf8(&chunk).expect("UTF-8"));
        if is_stream && text.contains("data: {") && text.ends_with("\n\n") {
            break;
        }
    }
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&text);
    Told { status, headers, answer: serde_json::from_str(data).expect("JSON") }
}

async fn ask_socket(toy: &Toy, token: Option<&str>, document: &str) -> Value {
    let mut socket = match token {
        Some(token) => ready_as(toy, token).await,
        None => {
            let mut socket = Socket::connect(toy).await;
            socket.init(json!({})).await;
            assert_eq!(socket.message().await["type"], "connection_ack");
            socket
        }
    };
    socket.subscribe("a", document).await;
    answer_of(&socket.message().await)
}

async fn ready_as(toy: &Toy, token: &str) -> Socket {
    let mut socket = Socket::connect(toy).await;
    socket.init(json!({ "authorization": format!("Bearer {token}") })).await;
    assert_eq!(socket.message().await["type"], "connection_ack");
    socket
}

fn answer_of(message: &Value) -> Value {
    match message["type"].as_str() {
        Some("error") => json!({ "errors": message["payload"] }),
        _ => message["payload"].clone(),
    }
}

#[tokio::test]
async fn a_budget_is_spent_to_the_point_on_every_transport_and_refilled_by_the_clock() {
    for way in WAYS {
        let toy = Toy::start_with(tight()).await;
        let ask = async |document: &str| ask(&toy, way, Some(TOKEN), document).await;
        let first = ask("{items(first: 5) {n}}").await;
        assert_eq!(code(&first.answer), "no code", "{way:?}");
        let cost = json!({ "requested": 5, "remaining": 1 });
        assert_eq!(first.answer["extensions"]["cost"], cost, "{way:?}");
        let two = ask("{hello number(of: 1)}").await;
        assert_eq!(code(&two.answer), "RATE_LIMITED", "{way:?}: one point above");
        assert_eq!(two.answer["errors"][0]["extensions"]["retryAfterMs"], 500, "{way:?}");
        assert!(two.answer.get("data").is_none(), "{way:?}: nothing was executed");
        assert_eq!(code(&ask("{hello}").await.answer), "no code", "{way:?}: the last point");
        let none = ask("{hello}").await;
        assert_eq!(code(&none.answer), "RATE_LIMITED", "{way:?}");
        if way != Way::WebSocket {
            assert_eq!((none.status, none.header("retry-after")), (429, "1"), "{way:?}");
            let left = "\"credential\";r=0;t=3, \"account\";r=994;t=1";
            assert_eq!(none.header("ratelimit"), left, "{way:?}");
            let policy = "\"credential\";q=6;w=3, \"account\";q=1000;w=10";
            assert_eq!(none.header("ratelimit-policy"), policy, "{way:?}");
            assert!(none.header("content-type").contains("json"), "{way:?}");
        }
        toy.clock.advance(Duration::from_millis(499));
        assert_eq!(code(&ask("{hello}").await.answer), "RATE_LIMITED", "{way:?}");
        toy.clock.advance(Duration::from_millis(1));
        assert_eq!(code(&ask("{hello}").await.answer), "no code", "{way:?}");
    }
}

#[tokio::test]
async fn subscriptions_are_charged_when_they_begin() {
    for (way, three_points) in [
        // The cursor that an event stream selects by itself is the third.
        (Way::EventStream, "subscription {ticks(to: 9) {seq}}"),
        (Way::WebSocket, "subscription {ticks(to: 9) {cursor seq}}"),
    ] {
        let toy = Toy::start_with(tight()).await;
        for _ in 0..2 {
            let answer = ask(&toy, way, Some(TOKEN), three_points).await.answer;
            assert_eq!(answer["data"]["ticks"]["seq"], 1, "{way:?}");
        }
        let refused = ask(&toy, way, Some(TOKEN), "subscription {silence}").await;
        assert_eq!(code(&refused.answer), "RATE_LIMITED", "{way:?}");
        toy.await_alive(0).await;
    }
}

#[tokio::test]
async fn items_of_lists_cost_a_point_each() {
    for way in WAYS.into_iter().filter(|way| *way != Way::Get) {
        let toy = Toy::start_with(tight()).await;
        let five = "mutation {count(names: [\"a\", \"b\", \"c\", \"d\", \"e\"])}";
        let first = ask(&toy, way, Some(TOKEN), five).await;
        assert_eq!(first.answer["extensions"]["cost"]["requested"], 6, "{way:?}");
        let one = ask(&toy, way, Some(TOKEN), "mutation {count(names: [])}").await;
        assert_eq!(code(&one.answer), "RATE_LIMITED", "{way:?}");
    }
}

#[tokio::test]
async fn documents_that_are_refused_cost_a_point() {
    for document in ["{hello", "{nothing}", "{a: hello ...F}"] {
        for way in WAYS {
            let toy = Toy::start_with(tight()).await;
            for _ in 0..6 {
                let answer = ask(&toy, way, Some(TOKEN), document).await.answer;
                assert!(code(&answer).starts_with("GRAPHQL_"), "{way:?}: {answer}");
            }
            let answer = ask(&toy, way, Some(TOKEN), document).await.answer;
            assert_eq!(code(&answer), "RATE_LIMITED", "{way:?}");
        }
    }
}

#[tokio::test]
async fn nobody_spends_what_is_anothers() {
    for way in WAYS {
        let toy = Toy::start_with(tight()).await;
        for (token, points) in [(None, 3), (Some(OTHER_TOKEN), 6)] {
            for _ in 0..points {
                assert_eq!(code(&ask(&toy, way, token, "{hello}").await.answer), "no code");
            }
            let answer = ask(&toy, way, token, "{hello}").await.answer;
            assert_eq!(code(&answer), "RATE_LIMITED", "{way:?} {token:?}");
        }
        let answer = ask(&toy, way, Some(TOKEN), "{items(first: 6) {n}}").await.answer;
        assert_eq!(code(&answer), "no code", "{way:?}: from the same address");
    }
}

#[tokio::test]
async fn guessed_credentials_are_paid_by_their_address() {
    let toy = Toy::start_with(tight()).await;
    for status in [401, 401, 401, 429] {
        let request = toy.post(r#"{"query":"{hello}"}"#).bearer_auth("wrong");
        assert_eq!(request.send().await.expect("an answer").status(), status);
    }
    let mut socket = Socket::connect(&toy).await;
    socket.init(json!({ "token": "wrong" })).await;
    assert_eq!(socket.closed().await, (4429, "Too many requests".to_owned()));
    toy.clock.advance(Duration::from_secs(1));
    let mut socket = Socket::connect(&toy).await;
    socket.init(json!({ "token": "wrong" })).await;
    assert_eq!(socket.closed().await.0, 4403);
    assert_eq!(code(&ask(&toy, Way::Post, Some(TOKEN), "{hello}").await.answer), "no code");
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_are_told_apart() {
    let query = async |toy: &Toy, client: &'static str| {
        let request = toy.post(r#"{"query":"{hello}"}"#).header("x-forwarded-for", client);
        request.send().await.expect("an answer").status().as_u16()
    };
    let trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    let connections = ConnectionSettings { trusted_proxies, ..Default::default() };
    let toy = Toy::start_behind(tight(), connections).await;
    for (client, status) in [("192.0.2.1", 429), ("192.0.2.2", 429), ("9.9.9.9, 192.0.2.1", 429)] {
        for _ in 0..3 {
            query(&toy, client).await;
        }
        assert_eq!(query(&toy, client).await, status, "{client}");
    }
    assert_eq!(query(&toy, "192.0.2.3").await, 200);
    // Who is not trusted is not believed.
    let toy = Toy::start_with(tight()).await;
    for (client, status) in [("192.0.2.1", 200), ("192.0.2.2", 200), ("192.0.2.3", 200)] {
        assert_eq!(query(&toy, client).await, status);
    }
    assert_eq!(query(&toy, "192.0.2.4").await, 429);
}

#[tokio::test]
async fn an_account_has_its_number_of_streams_on_all_transports_together() {
    let mut settings = settings(Environment::Development);
    settings.limits.streams_per_account_max = 2;
    let toy = Toy::start_with(settings).await;
    let silence = json!({ "query": "subscription {silence}" }).to_string();
    let open = async |token: &str| {
        let request = toy.http.post(toy.url("/graphql")).bearer_auth(token);
        let request = request.header("content-type", "application/json");
        let request = request.header("accept", "text/event-stream").body(silence.clone());
        request.send().await.expect("an answer")
    };
    let stream = open(TOKEN).await;
    assert_eq!(stream.status(), 200);
    let mut socket = ready_as(&toy, TOKEN).await;
    socket.subscribe("a", "subscription {silence}").await;
    toy.await_alive(2).await;
    let refused = open(TOKEN).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (429, &"10".parse().expect("a value"))
    );
    assert_eq!(code(&refused.json().await.expect("JSON")), "RATE_LIMITED");
    socket.subscribe("b", "subscription {silence}").await;
    assert_eq!(code(&answer_of(&socket.message().await)), "RATE_LIMITED");
    socket.subscribe("c", "{hello}").await;
    assert_eq!(answer_of(&socket.message().await)["data"]["hello"], "Hello world");
    assert_eq!(open(OTHER_TOKEN).await.status(), 200, "another account's");
    // What ends makes room.
    socket.complete("a").await;
    toy.await_alive(1).await;
    socket.subscribe("d", "subscription {ticks(to: 1) {seq}}").await;
    loop {
        let message = socket.message().await;
        if message["id"] == "d" {
            assert_eq!(message["payload"]["data"]["ticks"]["seq"], 1);
            break;
        }
    }
    drop(stream);
}

#[tokio::test]
async fn an_address_has_its_number_of_connections() {
    let connect = async |toy: &Toy| {
        let mut stream = TcpStream::connect(toy.address).await.expect("a connection");
        // It may be closed already.
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut first = [0; 12];
        let is_answered = soon(stream.read_exact(&mut first)).await.is_ok();
        (stream, is_answered)
    };
    let mut few =
        ConnectionSettings { connections_per_address_max: 2, ..ConnectionSettings::default() };
    let toy = Toy::start_behind(settings(Environment::Development), few.clone()).await;
    // A WebSocket is one of them for as long as it is open.
    let _socket = ready_as(&toy, TOKEN).await;
    let second = connect(&toy).await;
    let third = connect(&toy).await;
    assert_eq!([second.1, third.1], [true, false]);
    // A proxy brings the connections of many.
    few.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    let toy = Toy::start_behind(settings(Environment::Development), few).await;
    let all = [connect(&toy).await, connect(&toy).await, connect(&toy).await];
    assert!(all.iter().all(|(_, is_answered)| *is_answered));
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_stream() {
    let write_time_max = Duration::from_millis(50);
    let impatient = ConnectionSettings { write_time_max, ..Default::default() };
    let toy = Toy::start_behind(settings(Environment::Development), impatient).await;
    // A small window, so that little is under way before the server has to wait.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small buffer");
    let mut stream = socket.connect(toy.address).await.expect("a connection");
    let body = json!({ "query": "subscription {ticks {seq}}" }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         accept: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    toy.await_alive(1).await;
    // Nobody reads: the buffers in between fill up, and then the stream ends.
    toy.await_alive(0).await;
}

#[tokio::test]
async fn a_stop_waits_as_long_as_it_is_told() {
    let drain_time_max = Duration::from_millis(50);
    let hasty = ConnectionSettings { drain_time_max, ..Default::default() };
    let toy = Toy::start_behind(settings(Environment::Development), hasty).await;
    let mut stream = TcpStream::connect(toy.address).await.expect("a connection");
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
        content-length: 100\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut first = [0; 12];
    soon(stream.read_exact(&mut first)).await.expect("an interim answer");
    toy.stop.cancel();
    // The body never comes; an operation's time of 10 s is not waited for.
    let served = tokio::time::timeout(Duration::from_secs(5), toy.served).await;
    served.expect("in time").expect("no panic").expect("no error");
}
