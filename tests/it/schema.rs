//! The contract: `schema.graphql` is fresh, follows its own conventions, is documented, and breaks
//! nobody who was built on the last release.

mod breaking;
mod document;
mod rules;

use std::path::{Path, PathBuf};

use breaking::{Change, Level, changes};
use document::Contract;

/// Set to have `schema.graphql` written anew instead of compared.
const RENEW_VARIABLE: &str = "UPDATE_SCHEMA";
/// Lines of a difference that are printed.
const DIFFERENCE_LINES_MAX: usize = 200;

/// Breaks of the last release that were decided on: the day, and the change as the test names it.
/// A line that names no change of today fails, so the list is empty again after each release.
const ALLOWED_BREAKS: &[(&str, &str)] = &[];

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(in_repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What differs, between what is the same at both ends.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[same..], &new[same..]);
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let removed = old_rest[..old_rest.len() - end].iter().map(|line| format!("- {line}"));
    let added = new_rest[..new_rest.len() - end].iter().map(|line| format!("+ {line}"));
    let lines: Vec<_> = removed.chain(added).take(DIFFERENCE_LINES_MAX).collect();
    format!("from line {}:\n{}", same + 1, lines.join("\n"))
}

#[test]
fn the_committed_contract_is_the_programs() {
    let printed = heliograph::graphql::sdl();
    if std::env::var_os(RENEW_VARIABLE).is_some() {
        std::fs::write(in_repository("schema.graphql"), &printed).unwrap();
        return;
    }
    let committed = read("schema.graphql");
    assert!(
        committed == printed,
        "schema.graphql is stale {}\nrenew it with: cargo run -- schema print > \
         schema.graphql",
        difference(&committed, &printed)
    );
}

#[test]
fn a_difference_shows_what_changed_and_where() {
    let shown = difference("a\nb\nc\nd", "a\nx\ny\nd");
    assert_eq!(shown, "from line 2:\n- b\n- c\n+ x\n+ y");
}

#[test]
fn the_contract_follows_its_conventions() {
    let faults = rules::faults(&Contract::parse(&heliograph::graphql::sdl()));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_contract_is_documented() {
    let faults = rules::undocumented(&Contract::parse(&heliograph::graphql::sdl()));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_that_was_released_is_broken() {
    let released = Contract::parse(&read("tests/it/baseline/released.graphql"));
    let printed = Contract::parse(&heliograph::graphql::sdl());
    let mut faults = Vec::new();
    let broken: Vec<Change> = changes(&released, &printed)
        .into_iter()
        .filter(|change| change.level == Level::Breaking)
        .collect();
    for change in &broken {
        if !ALLOWED_BREAKS.iter().any(|(_, allowed)| *allowed == change.what) {
            faults.push(format!("breaks clients: {}", change.what));
        }
    }
    for (day, allowed) in ALLOWED_BREAKS {
        if !broken.iter().any(|change| change.what == *allowed) {
            faults.push(format!("allowed on {day} and not there: {allowed}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What the name of an input's field ends with, if it holds a secret.
const SECRETS: &[&str] = &["password", "token", "link", "secret", "code"];
/// What ends so and holds none.
const NO_SECRETS: &[&str] = &["postalcode"];

#[test]
fn mutations_that_take_a_secret_are_known_to_the_edge() {
    let contract = Contract::parse(&read("schema.graphql"));
    let mutations = fields_of(&contract, "Mutation");
    let takes_secret = |field: &document::Field| {
        let names = field.arguments.iter().flat_map(|(name, argument)| {
            let mut names = vec![name.clone()];
            input_names(&contract, document::named(&argument.ty), &mut names);
            names
        });
        names.into_iter().any(|name| {
            let name = name.to_lowercase();
            SECRETS.iter().any(|secret| name.ends_with(secret))
                && !NO_SECRETS.contains(&name.as_str())
        })
    };
    let found = mutations.iter().filter(|(_, field)| takes_secret(field));
    let found: Vec<&str> = found.map(|(name, _)| name.as_str()).collect();
    assert_eq!(heliograph::app::SENSITIVE_MUTATIONS, found);
}

#[test]
fn subscriptions_that_resume_are_known_to_the_edge() {
    let contract = Contract::parse(&read("schema.graphql"));
    let subscriptions = fields_of(&contract, "Subscription");
    let found = subscriptions.iter().filter(|(_, field)| field.arguments.contains_key("after"));
    let found: Vec<&str> = found.map(|(name, _)| name.as_str()).collect();
    assert_eq!(heliograph::app::RESUMABLE_SUBSCRIPTIONS, found);
}

fn fields_of<'a>(
    contract: &'a Contract,
    name: &str,
) -> &'a std::collections::BTreeMap<String, document::Field> {
    match &contract.types[name].kind {
        document::Kind::Object(object) => &object.fields,
        other => panic!("{name} is {other:?}"),
    }
}

/// The names of all fields of an input, those of the inputs in it included.
fn input_names(contract: &Contract, ty: &str, names: &mut Vec<String>) {
    let Some(document::Kind::Input(fields)) = contract.types.get(ty).map(|it| &it.kind) else {
        return;
    };
    for (name, field) in fields {
        if !names.contains(name) {
            names.push(name.clone());
            input_names(contract, document::named(&field.ty), names);
        }
    }
}
