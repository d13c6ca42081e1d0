//! Who may do what: the policy as a golden file, and the matrix of callers × everything that can be
//! asked for.
//!
//! What there is to ask for is read from the schema itself and from the router's source; what each
//! needs stands in `authorization/fields.rs`. A field, a type with an id or a route that is not
//! listed there fails the test, and so does one that is listed and gone.

mod callers;
mod fields;
mod objects;

use std::collections::BTreeSet;

use heliograph::authz::policy_table;
use heliograph::config::{NodeRole, Settings};
use serde_json::{Value, json};

use self::callers::{Caller, Verdict};
use self::fields::{FIELDS, Field, NODES, TEXT};
use self::objects::Objects;
use crate::support::{Served, TestHouse, both_stores};

/// A change of the policy is a change of this file, which is seen in review. After a change that is
/// meant: `INSTA_UPDATE=always cargo test --workspace the_policy`.
#[test]
fn the_policy_is_the_reviewed_one() {
    insta::assert_snapshot!("policy", policy_table());
}

/// Routes that say nothing of any account, for anybody. `/graphql` is the matrix below.
const OPEN_ROUTES: &[&str] = &[
    "/",
    "/.well-known/jwks.json",
    "/graphiql",
    "/graphiql/graphiql.css",
    "/graphiql/graphiql.js",
    "/graphiql/graphql-sse.js",
    "/graphiql/react-dom.js",
    "/graphiql/react.js",
    "/graphiql/start.css",
    "/graphiql/start.js",
    "/healthz",
    "/metrics",
    "/readyz",
];

const INTROSPECTION: &str = "{
    __schema {
        queryType { fields(includeDeprecated: true) { name } }
        mutationType { fields(includeDeprecated: true) { name } }
        subscriptionType { fields(includeDeprecated: true) { name } }
    }
    __type(name: \"Node\") { possibleTypes { name } }
}";

both_stores! {
    #[doc = "Asks for ids of nothing: whoever may ask is told that it is not there, and nothing changes."]
    async fn every_field_is_for_whom_the_policy_says(house: TestHouse) {
        walk_the_matrix(&house, Way::Http).await;
    }

    async fn every_field_is_for_the_same_over_websocket(house: TestHouse) {
        walk_the_matrix(&house, Way::WebSocket).await;
    }

    async fn what_is_another_accounts_is_answered_like_what_is_not_there(house: TestHouse) {
        let node = node(&house).await;
        let objects = Objects::make(&node).await;
        let stranger = callers::stranger(&node).await;
        let owner = callers::owner(&objects);
        for field in FIELDS {
            let Some(foreign) = objects.own(field) else { continue };
            let unknown = json!({ "id": objects.unknown(field) });
            let nothing = ask(&node, &stranger, field, &unknown).await;
            let variables = json!({ "id": foreign });
            let hidden = ask(&node, &stranger, field, &variables).await;
            assert_eq!(what_it_says(&hidden), what_it_says(&nothing), "{}", field.name);
            let hidden = stranger.over_socket(&node, field.document, &variables).await;
            let nothing = stranger.over_socket(&node, field.document, &unknown).await;
            assert_eq!(what_it_says(&hidden), what_it_says(&nothing), "{}", field.name);
            // And it is there.
            let seen = ask(&node, &owner, field, &variables).await;
            assert_ne!(what_it_says(&seen), what_it_says(&nothing), "{}: {seen}", field.name);
        }
        node.stop().await;
    }

    async fn every_object_is_found_by_those_who_may_see_it_alone(house: TestHouse) {
        let node = node(&house).await;
        let objects = Objects::make(&node).await;
        let callers = callers::all(&node, &objects).await;
        let document = "query($id: ID!) { node(id: $id) { __typename id } }";
        for kind in NODES {
            let variables = json!({ "id": objects.id_of(kind.kind) });
            for caller in &callers {
                let answer = caller.graphql(&node, document, &variables).await;
                let seen = answer.pointer("/data/node/__typename").and_then(Value::as_str);
                let expected = caller.sees(kind).then_some(kind.name);
                assert_eq!(seen, expected, "{} as {}: {answer}", kind.name, caller.label);
            }
        }
        node.stop().await;
    }

    async fn the_text_of_messages_is_for_fewer_than_the_messages(house: TestHouse) {
        let node = node(&house).await;
        let objects = Objects::make(&node).await;
        let variables = json!({ "id": objects.id_of(TEXT.kind) });
        for caller in callers::all(&node, &objects).await {
            let answer = caller.graphql(&node, TEXT.document, &variables).await;
            let told = answer.to_string().contains(objects::TEXT);
            assert_eq!(told, caller.sees(&TEXT.node), "{}: {answer}", caller.label);
        }
        node.stop().await;
    }

    async fn a_stream_tells_of_its_own_account_alone(house: TestHouse) {
        let node = node(&house).await;
        let objects = Objects::make(&node).await;
        let secrets = objects.secrets();
        for caller in callers::all(&node, &objects).await.iter().filter(|caller| caller.is_outside()) {
            let over_sse = caller.first_event(&node).await;
            let over_socket = caller.over_socket(&node, fields::EVENTS, &json!({})).await;
            for answer in [over_sse.to_string(), over_socket.to_string()] {
                for secret in &secrets {
                    assert!(!answer.contains(secret), "{}: {answer}", caller.label);
                }
            }
        }
        node.stop().await;
    }

    async fn nothing_that_can_be_asked_for_is_left_out(house: TestHouse) {
        let node = node(&house).await;
        let schema = node.graphql(None, INTROSPECTION, json!({})).await;
        let mut there = BTreeSet::new();
        for root in ["Query", "Mutation", "Subscription"] {
            let fields = &schema["data"]["__schema"][format!("{}Type", root.to_lowercase())];
            let names = names(&fields["fields"]);
            assert!(!names.is_empty(), "{schema}");
            there.extend(names.iter().map(|name| format!("{root}.{name}")));
        }
        let listed: BTreeSet<_> = FIELDS.iter().map(|field| field.name.to_owned()).collect();
        assert_eq!(listed, there, "authorization/fields.rs lists every root field");
        let there = names(&schema["data"]["__type"]["possibleTypes"]);
        let listed: BTreeSet<_> = NODES.iter().map(|kind| kind.name.to_owned()).collect();
        assert_eq!(listed, there, "authorization/fields.rs lists every type that is a Node");
        node.stop().await;
    }

    async fn routes_are_open_or_the_one_that_authenticates(house: TestHouse) {
        let node = node(&house).await;
        let mut there = routes_in_source();
        // Its callers are those of the field `invoice`: tests/it/invoices/paper.rs.
        assert!(there.remove("/invoices/{id}/pdf"));
        // What is posted to the last two is signed: `payment_flows::hooks`.
        // Links to files and pages are signed, short ones enciphered: `imports`, `preferences`, `links`.
        // Which hosts are accounts' own says the DNS as well: `link_domains`.
        for authenticated in [
            "/graphql",
            "/p/{link}",
            "/l/{token}",
            "/link-domains/ask",
            "/uploads/{link}",
            "/downloads/{link}",
            "/hooks/{processor}/{endpoint}",
            "/hooks/{processor}/{endpoint}/{token}",
        ] {
            assert!(there.remove(authenticated), "{authenticated}");
        }
        let listed: BTreeSet<_> = OPEN_ROUTES.iter().map(|route| (*route).to_owned()).collect();
        assert_eq!(listed, there, "a route is listed as open, or authenticates");
        let secrets = Objects::make(&node).await.secrets();
        for route in OPEN_ROUTES {
            let (status, body) = node.get(route).await;
            assert!(status < 400, "{route}: {status}");
            for secret in &secrets {
                assert!(!body.contains(secret), "{route} tells something of an account");
            }
        }
        node.stop().await;
    }
}

/// How the matrix is asked: POST, and event streams for subscriptions; or WebSockets for all.
#[derive(Clone, Copy, Debug)]
enum Way {
    Http,
    WebSocket,
}

/// Everybody asks for everything. A walk of its own for each way: the last field ends log-ins.
async fn walk_the_matrix(house: &TestHouse, way: Way) {
    let node = node(house).await;
    let objects = Objects::make(&node).await;
    let callers = callers::all(&node, &objects).await;
    let mut sockets: Vec<_> = callers.iter().map(|_| None).collect();
    for field in FIELDS {
        let variables = json!({ "id": objects.unknown(field) });
        for (caller, socket) in callers.iter().zip(&mut sockets) {
            let answer = match way {
                Way::Http => ask(&node, caller, field, &variables).await,
                Way::WebSocket => caller.over(socket, &node, field.document, &variables).await,
            };
            let expected = caller.verdict(field.access);
            let found = Verdict::of(&answer);
            assert_eq!(found, expected, "{} as {}: {answer}", field.name, caller.label);
        }
    }
    node.stop().await;
}

/// A node that serves and sends nothing: what is made stays as it is.
async fn node(house: &TestHouse) -> Served {
    let api_only = |settings: &mut Settings| {
        settings.server.roles = vec![NodeRole::Api];
        // Nobody is asked there whose host is whose.
        settings.links.dns_server = "127.0.0.1:1".to_owned();
    };
    house.serve_with(api_only).await.unwrap()
}

async fn ask(node: &Served, caller: &Caller, field: &Field, variables: &Value) -> Value {
    if field.name.starts_with("Subscription.") {
        caller.first_told(node, field.document).await
    } else {
        caller.graphql(node, field.document, variables).await
    }
}

/// The answer without what differs between two calls that say the same.
fn what_it_says(answer: &Value) -> String {
    let mut answer = answer.clone();
    if let Some(members) = answer.as_object_mut() {
        members.remove("extensions");
    }
    for error in answer["errors"].as_array_mut().into_iter().flatten() {
        error["extensions"]["requestId"].take();
    }
    answer.to_string()
}

fn names(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|field| field["name"].as_str().unwrap().to_owned()).collect()
}

/// The paths that `src/http` names in `.route("…"`.
fn routes_in_source() -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    let mut directories = vec![std::path::PathBuf::from("src/http")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(path).unwrap();
                let paths = source.split("route(\"").skip(1);
                routes.extend(paths.map(|rest| rest.split('"').next().unwrap().to_owned()));
            }
        }
    }
    routes
}
