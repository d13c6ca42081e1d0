//! What client code is made of: the documents in `operations/`, and those in the README and the
//! docs, are valid and do what they say.
//!
//! A document `operations/<name>.graphql` runs with the variables of `operations/<name>.json`, if
//! there is one, as the caller named in its first line: `# as: key`, `owner` or `operator`. In
//! variables, `{message}`, `{sender}`, `{carrier}` and `{route}` stand for ids that exist.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use async_graphql::parser::parse_query;
use async_graphql::parser::types::OperationType;
use entity::enums::{KeyMode, Role};
use futures::StreamExt;
use heliograph::ctx::Ctx;
use serde_json::{Value, json};

use crate::graphql_api::{Api, account, furnish, key, operator, person, text};
use crate::support::{PATIENCE, both_stores, within};

/// A document of ours.
struct Operation {
    /// Where it stands.
    place: String,
    document: String,
    variables: Value,
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The documents of `operations/`, by name.
fn operations() -> Vec<Operation> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(in_repository("tests/it/operations")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "graphql") {
            files.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), path);
        }
    }
    let operation = |(place, path): (String, PathBuf)| Operation {
        place,
        document: std::fs::read_to_string(&path).unwrap(),
        variables: match std::fs::read_to_string(path.with_extension("json")) {
            Ok(json) => serde_json::from_str(&json).unwrap(),
            Err(_) => json!({}),
        },
    };
    files.into_iter().map(operation).collect()
}

/// The fenced blocks of GraphQL in a page.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        match &mut open {
            None if line.trim() == "```graphql" => open = Some(String::new()),
            None => {}
            Some(_) if line.trim() == "```" => blocks.extend(open.take()),
            Some(block) => {
                block.push_str(line);
                block.push('\n');
            }
        }
    }
    blocks
}

/// The README and everything in `docs/`.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![in_repository("README.md")];
    if let Ok(entries) = std::fs::read_dir(in_repository("docs")) {
        pages.extend(entries.map(|entry| entry.unwrap().path()));
    }
    pages.retain(|page| page.extension().is_some_and(|it| it == "md") && page.is_file());
    pages
}

/// The variables with ids in the place of their names.
fn filled(variables: &Value, ids: &HashMap<&'static str, String>) -> Value {
    let mut text = variables.to_string();
    for (name, id) in ids {
        text = text.replace(&format!("{{{name}}}"), id);
    }
    serde_json::from_str(&text).unwrap()
}

/// What was refused, as a whole or item by item. (No document here reads a failed message.)
fn user_errors(data: &Value) -> Vec<&Value> {
    match data {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value) {
                ("userErrors", Value::Array(errors)) => errors.iter().collect(),
                ("error", Value::Object(_)) => vec![value],
                _ => user_errors(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(user_errors).collect(),
        _ => Vec::new(),
    }
}

async fn run(api: &Api, ctx: &Ctx, operation: &Operation, variables: Value) {
    let place = &operation.place;
    let parsed = parse_query(&operation.document);
    let parsed = parsed.unwrap_or_else(|error| panic!("{place}: {error}"));
    let (_, first) = parsed.operations.iter().next().expect("a document has an operation");
    if first.node.ty == OperationType::Subscription {
        let mut stream = api.stream(ctx, &operation.document, variables);
        let answer = within(PATIENCE, stream.next()).await.expect("an event");
        assert!(answer.errors.is_empty(), "{place}: {:?}", answer.errors);
        return;
    }
    let answer = api.answer(ctx, &operation.document, variables).await;
    assert!(answer.errors.is_empty(), "{place}: {:?}", answer.errors);
    let data = answer.data.into_json().unwrap();
    assert!(user_errors(&data).is_empty(), "{place}: {data}");
}

both_stores! {
    async fn every_document_runs(house: TestHouse) {
        let api = Api::new(&house).await;
        let account_id = account(&house, "Acme").await;
        let mut ids = furnish(&house, &api, account_id).await;
        let program = key(&house, account_id, KeyMode::Live);
        let owner = person(&house, account_id, Role::Owner);
        let staff = operator(&house, Role::Owner).await;
        let sent = api.data(
            &program,
            "mutation { sendMessages(input: {idempotencyKey: \"before\", messages: \
             [{to: \"+4915112345678\", from: \"Acme\", text: \"Hello\"}, \
             {to: \"+4915112345679\", from: \"Acme\", text: \"Hello\"}]}) \
             { results { message { id events { cursor } } } } }",
            json!({}),
        ).await;
        let message = &sent["sendMessages"]["results"][0]["message"];
        ids.insert("message", text(&message["id"]));
        ids.insert("cursor", text(&message["events"][0]["cursor"]));
        let operations = operations();
        assert!(!operations.is_empty());
        for operation in &operations {
            let ctx = match operation.document.lines().next() {
                Some("# as: key") => &program,
                Some("# as: owner") => &owner,
                Some("# as: operator") => &staff,
                other => panic!("{}: begins with {other:?}, not with whom it runs as", operation.place),
            };
            run(&api, ctx, operation, filled(&operation.variables, &ids)).await;
        }
    }

    async fn every_document_in_the_docs_is_valid(house: TestHouse) {
        let api = Api::new(&house).await;
        for page in pages() {
            let text = std::fs::read_to_string(&page).unwrap();
            for document in blocks(&text) {
                // Nobody may do anything, so nothing is done; what does not fit is said first.
                let nobody = house.ctx_as(heliograph::authz::Actor::Anonymous);
                let answer = api.answer(&nobody, &document, json!({})).await;
                let unfit = answer.errors.iter().find(|error| {
                    error.path.is_empty() && !error.message.contains("is not supported")
                        && !error.message.contains("not supported on this transport")
                });
                assert!(unfit.is_none(), "{}: {unfit:?}\n{document}", page.display());
            }
        }
    }
}

#[test]
fn blocks_are_found_in_a_page() {
    let page = "text\n```graphql\n{ a }\n```\n```sh\nls\n```\n```graphql\n{ b }\n```\n";
    assert_eq!(blocks(page), ["{ a }\n", "{ b }\n"]);
}
