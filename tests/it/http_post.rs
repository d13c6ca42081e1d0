//! GraphQL over POST and GET: media types, statuses, error codes, methods.

use serde_json::{Value, json};

use crate::http_support::{TOKEN, Toy, code, soon};

const MODERN: &str = "application/graphql-response+json";
const LEGACY: &str = "application/json";

#[tokio::test]
async fn statuses_tell_in_the_modern_type_and_are_200_in_the_legacy_one() {
    let toy = Toy::start().await;
    for (body, modern, legacy, expected) in [
        (json!({"query": "{hello}"}), 200, 200, None),
        (json!({"query": "{hello}", "unknown": {"key": 1}}), 200, 200, None),
        (json!({"query": "{hello"}), 400, 200, Some("GRAPHQL_PARSE_FAILED")),
        (json!({"query": ""}), 400, 200, Some("GRAPHQL_PARSE_FAILED")),
        (json!({"query": "{nothing}"}), 422, 200, Some("GRAPHQL_VALIDATION_FAILED")),
        (
            json!({"query": "{hello}", "operationName": "A"}),
            422,
            200,
            Some("GRAPHQL_VALIDATION_FAILED"),
        ),
        (
            json!({"query": "query($of: Int!) {number(of: $of)}", "variables": {"of": "x"}}),
            422,
            200,
            Some("GRAPHQL_VALIDATION_FAILED"),
        ),
        (
            json!({"query": "query($of: Int!) {number(of: $of)}"}),
            422,
            200,
            Some("GRAPHQL_VALIDATION_FAILED"),
        ),
        (json!({"query": "{number(of: 3000000000)}"}), 422, 200, Some("GRAPHQL_VALIDATION_FAILED")),
        (json!({"query": "{items(first: 5000) {n}}"}), 200, 200, None),
        (json!({"query": "{items(first: 5001) {n}}"}), 422, 200, Some("QUERY_TOO_COMPLEX")),
        (json!({}), 400, 400, Some("BAD_REQUEST")),
        (json!({"query": 1}), 400, 400, Some("BAD_REQUEST")),
        (json!({"query": "{hello}", "variables": []}), 400, 400, Some("BAD_REQUEST")),
        (json!({"query": "{hello}", "operationName": 1}), 400, 400, Some("BAD_REQUEST")),
        (json!({"query": "{hello}", "extensions": "x"}), 400, 400, Some("BAD_REQUEST")),
        (json!([{"query": "{hello}"}]), 400, 400, Some("BAD_REQUEST")),
        (json!({"query": "{panics}"}), 500, 500, Some("INTERNAL")),
        (json!({"query": "subscription {silence}"}), 406, 406, Some("BAD_REQUEST")),
    ] {
        for (media, status) in [(MODERN, modern), (LEGACY, legacy)] {
            let request = toy.post(body.to_string()).header("accept", media);
            let request = request.build().map(|mut request| {
                request.headers_mut().insert("accept", media.parse().expect("a header"));
                request
            });
            let response = toy.http.execute(request.expect("built")).await.expect("an answer");
            assert_eq!(response.status().as_u16(), status, "{body} {media}");
            let content_type = response.headers()["content-type"].to_str().expect("text");
            assert_eq!(content_type, format!("{media}; charset=utf-8"));
            let request_id = response.headers()["x-request-id"].to_str().expect("text").to_owned();
            let answer: Value = response.json().await.expect("JSON");
            match expected {
                None => assert!(answer.get("errors").is_none(), "{answer}"),
                Some(expected) => {
                    assert_eq!(code(&answer), expected, "{body}");
                    assert!(answer.get("data").is_none(), "no data key: {answer}");
                    let id = &answer["errors"][0]["extensions"]["requestId"];
                    assert_eq!(*id, json!(request_id));
                }
            }
        }
    }
}

#[tokio::test]
async fn field_errors_keep_200_and_tell_nothing_that_is_ours() {
    let toy = Toy::start().await;
    for (document, expected, message) in [
        ("{secretFailure}", "INTERNAL", "internal error"),
        ("{requiredFailure}", "INTERNAL", "internal error"),
        ("{strangeCode}", "INTERNAL", "internal error"),
        ("{forbidden}", "FORBIDDEN", "not yours"),
    ] {
        let (status, answer) = toy.query(document).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer.as_object().expect("an object").contains_key("data"));
        assert_eq!(code(&answer), expected);
        assert_eq!(answer["errors"][0]["message"], message);
        assert!(!answer.to_string().contains("hunter2"));
    }
    // The process and the connection live on after a panic.
    assert_eq!(toy.query("{panics}").await.0, 500);
    assert_eq!(toy.query("{hello}").await.1["data"]["hello"], "Hello world");
}

#[tokio::test]
async fn arguments_that_are_coerced_late_are_the_clients_fault() {
    let toy = Toy::start().await;
    for (document, status, expected) in [
        ("{byId(id: \"toy_1\")}", 200, "no code"),
        ("{byId(id: \"other_1\")}", 422, "INVALID_ID"),
        ("{byId(id: 1)}", 422, "GRAPHQL_VALIDATION_FAILED"),
        ("{maybeById(id: \"other_1\")}", 422, "INVALID_ID"),
        // Another field may have taken effect: then it is an error at a field.
        ("{hello byId(id: \"other_1\")}", 200, "INVALID_ID"),
        ("{hello maybeById(id: 1)}", 200, "GRAPHQL_VALIDATION_FAILED"),
        ("{nested {byId(id: \"other_1\")}}", 200, "INVALID_ID"),
    ] {
        let (told, answer) = toy.query(document).await;
        assert_eq!((told, code(&answer)), (status, expected), "{document} {answer}");
        assert_eq!(answer.get("data").is_some(), status == 200, "{answer}");
    }
}

#[tokio::test]
async fn a_wait_in_an_error_becomes_retry_after() {
    let toy = Toy::start().await;
    let response = toy.post(r#"{"query":"{limited}"}"#).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["retry-after"], "2");
    let answer: Value = response.json().await.expect("JSON");
    assert_eq!(answer["errors"][0]["extensions"]["retryAfterMs"], 1_500);
}

#[tokio::test]
async fn the_context_reaches_resolvers_and_the_request_id_is_the_headers() {
    let toy = Toy::start().await;
    let request = toy.post(r#"{"query":"{who request}"}"#).bearer_auth(TOKEN);
    let response = request.send().await.expect("an answer");
    let id = response.headers()["x-request-id"].to_str().expect("text").to_owned();
    let answer: Value = response.json().await.expect("JSON");
    assert_eq!(answer["data"], json!({"who": "known", "request": id}));
    assert_eq!(toy.query("{who}").await.1["data"]["who"], "anonymous");
}

#[tokio::test]
async fn bad_credentials_are_401_and_say_how() {
    let toy = Toy::start().await;
    let post = || toy.post(r#"{"query":"{hello}"}"#);
    for (authorization, status, expected) in [
        ("Bearer wrong", 401, "UNAUTHENTICATED"),
        ("Basic dG95", 401, "UNAUTHENTICATED"),
        ("Bearer", 401, "UNAUTHENTICATED"),
        ("Bearer busy", 429, "RATE_LIMITED"),
        ("Bearer down", 503, "UNAVAILABLE"),
        ("Bearer panic", 500, "INTERNAL"),
    ] {
        let request = post().header("authorization", authorization);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), status, "{authorization}");
        let challenge = response.headers().contains_key("www-authenticate");
        assert_eq!(challenge, status == 401);
        let wait = response.headers().get("retry-after").map(|it| it.as_bytes().to_owned());
        assert_eq!(wait.as_deref(), (status == 429).then_some(b"3".as_slice()));
        let answer: Value = response.json().await.expect("JSON");
        assert_eq!(code(&answer), expected);
    }
    let twice = post().header("authorization", "Bearer toy-token").bearer_auth(TOKEN);
    assert_eq!(twice.send().await.expect("an answer").status(), 401);
}

#[tokio::test]
async fn get_runs_queries_and_never_mutations() {
    let toy = Toy::start().await;
    let get = |pairs: &[(&str, &str)]| {
        let url = reqwest::Url::parse_with_params(&toy.url("/graphql"), pairs).expect("a URL");
        toy.http.get(url).header("accept", MODERN).send()
    };
    let document = "query A($name: String) {hello(name: $name)} query B {who}";
    let variables = r#"{"name":"é & +"}"#;
    let response =
        get(&[("query", document), ("operationName", "A"), ("variables", variables)]).await;
    let answer: Value = response.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["data"]["hello"], "Hello é & +");
    for (pairs, status) in [
        (vec![("query", "mutation {logIn}")], 405),
        (vec![("query", "query A {hello} mutation B {logIn}"), ("operationName", "B")], 405),
        (vec![("query", "mutation {__typename}")], 405),
        (vec![("query", "{hello}"), ("query", "{who}")], 400),
        (vec![("query", "{hello}"), ("variables", "[]")], 400),
        (vec![("query", "{hello}"), ("variables", "{")], 400),
        (vec![("query", "{hello}"), ("extensions", "1")], 400),
        (vec![], 400),
        (vec![("query", "{hello}"), ("variables", ""), ("operationName", "")], 200),
    ] {
        let response = get(&pairs).await.expect("an answer");
        assert_eq!(response.status().as_u16(), status, "{pairs:?}");
        if status == 405 {
            assert_eq!(response.headers()["allow"], "POST");
        }
    }
    assert_eq!(toy.query("mutation {logIn}").await.1["data"]["logIn"], 1, "none ran before");
}

#[tokio::test]
async fn other_methods_and_types_are_refused() {
    let toy = Toy::start().await;
    let url = toy.url("/graphql");
    for method in ["PUT", "DELETE", "PATCH"] {
        let method = method.parse().expect("a method");
        let response = toy.http.request(method, &url).send().await.expect("an answer");
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "GET, POST");
        assert_eq!(code(&response.json().await.expect("JSON")), "BAD_REQUEST");
    }
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/graphql",
    ] {
        let request = toy.http.post(&url).header("content-type", content_type);
        let response = request.body(r#"{"query":"{hello}"}"#).send().await.expect("an answer");
        assert_eq!(response.status(), 415, "{content_type}");
    }
    let bare = toy.http.post(&url).body(r#"{"query":"{hello}"}"#).send().await;
    assert_eq!(bare.expect("an answer").status(), 415);
    let image = toy.http.post(&url).header("content-type", LEGACY).header("accept", "image/png");
    let response = image.body(r#"{"query":"{hello}"}"#).send().await.expect("an answer");
    assert_eq!(response.status(), 406);
}

#[tokio::test]
async fn introspection_and_suggestions_are_closed_to_strangers_in_production() {
    use heliograph::http::Environment;
    let production = crate::http_support::settings(Environment::Production);
    let toy = Toy::start_with(production).await;
    for document in
        ["{__schema {types {name}}}", "{...F} fragment F on Query {__type(name: \"A\") {name}}"]
    {
        let (status, answer) = toy.query(document).await;
        assert_eq!((status, code(&answer)), (422, "GRAPHQL_VALIDATION_FAILED"));
        let body = json!({ "query": document }).to_string();
        let known = toy.post(body).bearer_auth(TOKEN).send().await.expect("an answer");
        assert_eq!(known.status(), 200);
    }
    let (_, answer) = toy.query("{helo}").await;
    assert!(!answer.to_string().contains("Did you mean"), "{answer}");
    let known = toy.post(r#"{"query":"{helo}"}"#).bearer_auth(TOKEN).send().await;
    let text = known.expect("an answer").text().await.expect("text");
    assert!(text.contains("Did you mean"), "{text}");
}

#[tokio::test]
async fn cost_is_told() {
    let toy = Toy::start().await;
    let (_, answer) = toy.query("{hello items(first: 3) {n}}").await;
    let cost = json!({"requested": 4, "remaining": 19_996});
    assert_eq!(answer["extensions"], json!({ "cost": cost }));
    let (_, answer) = toy.query("mutation {count(names: [\"a\", \"b\"])}").await;
    let cost = json!({"requested": 3, "remaining": 19_993});
    assert_eq!(answer["extensions"], json!({ "cost": cost }));
}

#[tokio::test]
async fn an_operation_has_its_time() {
    use heliograph::http::Environment;
    let mut settings = crate::http_support::settings(Environment::Development);
    settings.limits.operation_time_max = std::time::Duration::from_millis(1);
    let toy = Toy::start_with(settings).await;
    let (status, answer) = soon(toy.query("{forever}")).await;
    assert_eq!((status, code(&answer)), (503, "UNAVAILABLE"));
}
