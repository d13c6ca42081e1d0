//! The conventions of the contract, as far as a program can see them.

use super::document::{Contract, Field, Input, Kind, is_list, named};

/// Streams that tell the present state whole each time: there is nothing between to go on from.
const STREAMS_OF_STATE: &[&str] = &["metricsLive", "contactImportProgress"];

/// The scalars, beside GraphQL's own. `SequenceNumber` is a JSON number above `Int`'s range; money
/// and the others come with the domains that need them.
const SCALARS: &[&str] = &[
    "Boolean",
    "CurrencyCode",
    "Cursor",
    "Date",
    "DateTime",
    "Decimal",
    "Float",
    "ID",
    "Int",
    "PartPrice",
    "PhoneNumber",
    "SequenceNumber",
    "String",
    "URL",
];
/// The arguments of every connection, in the order of the alphabet.
const PAGING: &[(&str, &str)] =
    &[("after", "Cursor"), ("before", "Cursor"), ("first", "Int"), ("last", "Int")];
/// What a connection lists though it has no id: it is known by what stands in it alone.
const WITHOUT_ID: &[&str] = &["Rate"];
/// British spellings, in any case.
const BRITISH: &[&str] = &["cancelled", "cancelling", "organisation", "authoris", "colour"];
/// Lists whose bound is the request's own, or a page's.
const BOUNDED_BY_REQUEST: &[&str] = &["edges", "nodes", "results", "userErrors"];

/// Every breach of a convention, a line each.
pub fn faults(contract: &Contract) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, definition) in &contract.types {
        if !is_pascal_case(name) || name.ends_with("Enum") {
            faults.push(format!("{name}: types are PascalCase, without Enum at the end"));
        }
        match &definition.kind {
            Kind::Scalar if !SCALARS.contains(&name.as_str()) => {
                faults.push(format!("{name}: not among the scalars of the contract"));
            }
            Kind::Scalar | Kind::Union(_) => {}
            Kind::Enum(values) => {
                for (value, it) in values {
                    if !is_screaming_snake_case(value) {
                        faults.push(format!("{name}.{value}: enum values are SCREAMING_SNAKE"));
                    }
                    check_spelling(&mut faults, &format!("{name}.{value}"), value);
                    check_deprecation(&mut faults, &format!("{name}.{value}"), &it.deprecation);
                }
            }
            Kind::Object(fields) | Kind::Interface(fields) => {
                for (field_name, field) in &fields.fields {
                    check_field(contract, &mut faults, name, field_name, field);
                }
                let has_id = fields.fields.get("id").is_some_and(|it| it.ty.to_string() == "ID!");
                let is_node = fields.implements.iter().any(|it| it == "Node");
                let is_interface = matches!(definition.kind, Kind::Interface(_));
                if has_id && !is_node && !is_interface {
                    faults.push(format!("{name}: what has an id implements Node"));
                }
                if is_node && fields.fields.contains_key("updatedAt") {
                    check_type(&mut faults, contract, name, "version", "Int!");
                }
            }
            Kind::Input(fields) => {
                for (field, it) in fields {
                    check_input(&mut faults, &format!("{name}.{field}"), field, it);
                }
            }
        }
    }
    for (name, field) in contract.root("Mutation") {
        check_mutation(contract, &mut faults, name, field);
    }
    for (name, field) in contract.root("Subscription") {
        if STREAMS_OF_STATE.contains(&name.as_str()) {
            continue;
        }
        let after = field.arguments.get("after").map(|it| it.ty.to_string());
        if after.as_deref() != Some("Cursor") {
            faults.push(format!("Subscription.{name}: streams resume by after: Cursor"));
        }
        for (field, ty) in [
            ("id", "ID!"),
            ("cursor", "Cursor!"),
            ("seq", "SequenceNumber!"),
            ("occurredAt", "DateTime!"),
        ] {
            check_type(&mut faults, contract, "Event", field, ty);
        }
        let payload = named(&field.ty);
        let is_event = payload == "Event"
            || contract
                .fields_of(payload)
                .is_some_and(|fields| fields.implements.iter().any(|it| it == "Event"));
        // Or what lies between events, as a balance does: with the place to go on from.
        let has_place = contract.fields_of(payload).is_some_and(|fields| {
            [("cursor", "Cursor!"), ("occurredAt", "DateTime!")].iter().all(|(field, ty)| {
                fields.fields.get(*field).is_some_and(|it| it.ty.to_string() == *ty)
            })
        });
        if !is_event && !has_place {
            faults.push(format!("Subscription.{name}: streams carry events"));
        }
    }
    faults
}

/// Everything without a description, and root fields whose description lacks what callers need.
pub fn undocumented(contract: &Contract) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |place: String, description: &str| {
        if description.is_empty() {
            faults.push(format!("{place}: no description"));
        }
    };
    for (name, definition) in &contract.types {
        let is_root = ["Query", "Mutation", "Subscription"].contains(&name.as_str());
        if !is_root {
            check(name.clone(), &definition.description);
        }
        match &definition.kind {
            Kind::Scalar | Kind::Union(_) => {}
            Kind::Enum(values) => {
                for (value, it) in values {
                    check(format!("{name}.{value}"), &it.description);
                }
            }
            Kind::Object(fields) | Kind::Interface(fields) => {
                for (field_name, field) in &fields.fields {
                    check(format!("{name}.{field_name}"), &field.description);
                    for (argument, it) in &field.arguments {
                        check(format!("{name}.{field_name}({argument})"), &it.description);
                    }
                }
            }
            Kind::Input(fields) => {
                for (field, it) in fields {
                    check(format!("{name}.{field}"), &it.description);
                }
            }
        }
    }
    for root in ["Query", "Mutation", "Subscription"] {
        for (name, field) in contract.root(root) {
            let for_whom = ["For ", "Open to "];
            if !for_whom.iter().any(|words| field.description.contains(words)) {
                faults.push(format!("{root}.{name}: the description does not say for whom it is"));
            }
        }
    }
    for (name, field) in contract.root("Mutation") {
        if !field.description.to_lowercase().contains("idempotent") {
            faults
                .push(format!("Mutation.{name}: the description does not say if it is idempotent"));
        }
    }
    faults
}

fn check_field(
    contract: &Contract,
    faults: &mut Vec<String>,
    type_name: &str,
    name: &str,
    field: &Field,
) {
    let place = format!("{type_name}.{name}");
    let ty = field.ty.to_string();
    if !is_camel_case(name) {
        faults.push(format!("{place}: fields are camelCase"));
    }
    check_spelling(faults, &place, name);
    check_deprecation(faults, &place, &field.deprecation);
    check_time(faults, &place, name, named(&field.ty));
    // What is over may have no object any more.
    let is_over = name.starts_with("deleted") || name.starts_with("ended");
    if named(&field.ty) == "ID" && name != "id" && !is_over {
        faults.push(format!("{place}: relations are objects, not ids"));
    }
    if named(&field.ty).ends_with("Connection") {
        check_connection(contract, faults, &place, field);
    } else if is_list(&field.ty)
        && !BOUNDED_BY_REQUEST.contains(&name)
        && !has_bounded_argument(field)
        && !field.description.contains("at most")
    {
        faults.push(format!("{place}: {ty} without a documented bound (“at most”)"));
    }
    for (argument, it) in &field.arguments {
        check_input(faults, &format!("{place}({argument})"), argument, it);
    }
}

/// A list as long as a list in the arguments, whose description bounds that one.
fn has_bounded_argument(field: &Field) -> bool {
    field.arguments.values().any(|it| is_list(&it.ty) && it.description.contains("t most"))
}

fn check_connection(contract: &Contract, faults: &mut Vec<String>, place: &str, field: &Field) {
    for (argument, ty) in PAGING {
        let found = field.arguments.get(*argument).map(|it| it.ty.to_string());
        if found.as_deref() != Some(ty) {
            faults.push(format!("{place}: connections take {argument}: {ty}"));
        }
    }
    let connection = named(&field.ty);
    let node = connection.trim_end_matches("Connection");
    check_type(faults, contract, connection, "edges", &format!("[{node}Edge!]!"));
    check_type(faults, contract, connection, "nodes", &format!("[{node}!]!"));
    check_type(faults, contract, connection, "pageInfo", "PageInfo!");
    check_type(faults, contract, connection, "totalCount", "Int");
    let is_node = contract
        .fields_of(node)
        .is_some_and(|fields| fields.implements.iter().any(|it| it == "Node"));
    if !is_node && !WITHOUT_ID.contains(&node) {
        faults.push(format!("{place}: what a connection lists implements Node"));
    }
}

fn check_type(faults: &mut Vec<String>, contract: &Contract, name: &str, field: &str, ty: &str) {
    let found = contract.fields_of(name).and_then(|fields| fields.fields.get(field));
    let found = found.map(|field| field.ty.to_string());
    if found.as_deref() != Some(ty) {
        let found = found.unwrap_or_else(|| "nothing".to_owned());
        faults.push(format!("{name}.{field}: is {found}, should be {ty}"));
    }
}

fn check_input(faults: &mut Vec<String>, place: &str, name: &str, input: &Input) {
    if !is_camel_case(name) {
        faults.push(format!("{place}: inputs are camelCase"));
    }
    check_spelling(faults, place, name);
    check_deprecation(faults, place, &input.deprecation);
    check_time(faults, place, name, named(&input.ty));
    let is_id = (name == "id" || name == "ids" || name.ends_with("Id") || name.ends_with("Ids"))
        // Names that others gave: the carrier's login and the state's numbers, no ids of ours.
        && !["systemId", "taxIds"].contains(&name);
    if is_id != (named(&input.ty) == "ID") {
        faults.push(format!("{place}: ids are named …Id or …Ids and are of type ID"));
    }
    if is_list(&input.ty)
        && named(&input.ty) == "ID"
        && !input.description.contains("1,000")
        && !input.description.contains("t most")
    {
        faults.push(format!("{place}: a list of ids without a documented bound"));
    }
}

fn check_mutation(contract: &Contract, faults: &mut Vec<String>, name: &str, field: &Field) {
    let place = format!("Mutation.{name}");
    let pascal = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
    let payload = format!("{pascal}Payload");
    let arguments: Vec<_> =
        field.arguments.iter().map(|(name, it)| format!("{name}: {}", it.ty)).collect();
    let without_input =
        arguments.is_empty() && contract.input_of(&format!("{pascal}Input")).is_none();
    if !without_input && arguments != [format!("input: {pascal}Input!")] {
        faults.push(format!("{place}: takes input: {pascal}Input! and nothing else"));
    }
    if field.ty.to_string() != format!("{payload}!") {
        faults.push(format!("{place}: answers {payload}!"));
    }
    let Some(fields) = contract.fields_of(&payload) else { return };
    match fields.fields.get("userErrors") {
        // A mutation that takes nothing has nothing that its caller could mend.
        None if without_input => {}
        None => faults.push(format!("{payload}: has no userErrors")),
        Some(errors) => {
            let error = named(&errors.ty);
            if errors.ty.to_string() != format!("[{pascal}Error!]!") {
                faults.push(format!("{payload}.userErrors: should be [{pascal}Error!]!"));
            }
            check_type(faults, contract, error, "code", &format!("{error}Code!"));
            check_type(faults, contract, error, "message", "String!");
            check_type(faults, contract, error, "path", "[String!]");
            let is_error = contract
                .fields_of(error)
                .is_some_and(|fields| fields.implements.iter().any(|it| it == "UserError"));
            if !is_error {
                faults.push(format!("{error}: should implement UserError"));
            }
        }
    }
    for (field_name, field) in &fields.fields {
        let is_object = contract.fields_of(named(&field.ty)).is_some();
        if is_object && !is_list(&field.ty) && !field.ty.nullable {
            faults.push(format!("{payload}.{field_name}: a result is nullable"));
        }
    }
    if name.starts_with("send") || name.starts_with("pay") || name.starts_with("refund") {
        let key = contract
            .input_of(&format!("{pascal}Input"))
            .and_then(|input| input.get("idempotencyKey"))
            .map(|it| it.ty.to_string());
        if key.as_deref() != Some("String!") {
            faults.push(format!("{place}: what sends or moves money has idempotencyKey: String!"));
        }
    }
}

fn check_time(faults: &mut Vec<String>, place: &str, name: &str, ty: &str) {
    let is_point_in_time = name.len() > 2 && name.ends_with("At");
    if is_point_in_time && ty != "DateTime" {
        faults.push(format!("{place}: what ends with At is a DateTime, not {ty}"));
    }
    // A range goes from and to; figures are as of a time.
    let is_bound = name.ends_with("From")
        || name.ends_with("Before")
        || ["from", "to", "asOf"].contains(&name);
    if ty == "DateTime" && !is_point_in_time && !is_bound {
        faults.push(format!("{place}: a DateTime is named …At"));
    }
}

fn check_spelling(faults: &mut Vec<String>, place: &str, name: &str) {
    let name = name.to_lowercase();
    if BRITISH.iter().any(|british| name.contains(british)) {
        faults.push(format!("{place}: names are spelled the American way"));
    }
}

/// `Use …. Removal on 2027-06-01.`
fn check_deprecation(faults: &mut Vec<String>, place: &str, deprecation: &Option<String>) {
    let Some(reason) = deprecation else { return };
    let day = reason.strip_prefix("Use ").and_then(|rest| rest.split_once(". Removal on "));
    let is_day = |day: &str| {
        day.len() == 11
            && day.ends_with('.')
            && day[..10].split('-').map(str::len).eq([4, 2, 2])
            && day[..10].bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
    };
    if !day.is_some_and(|(_, day)| is_day(day)) {
        faults.push(format!("{place}: a deprecation reads “Use `x`. Removal on 2027-06-01.”"));
    }
}

fn is_pascal_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_camel_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_screaming_snake_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A contract that breaks one rule, and what is said about it: each rule can fail.
    #[test]
    fn every_rule_can_fail() {
        for (sdl, said) in [
            ("type thing { a: Int }", "PascalCase"),
            ("enum ColorEnum { RED }", "without Enum"),
            ("scalar JSON", "not among the scalars"),
            ("enum E { Red }", "SCREAMING_SNAKE"),
            ("enum E { CANCELLED }", "American"),
            ("type T { a_b: Int }", "camelCase"),
            ("type T { old: Int @deprecated(reason: \"old\") }", "Removal on"),
            ("type T { createdAt: String }", "is a DateTime"),
            ("type T { created: DateTime }", "named …At"),
            ("type T { campaignId: ID }", "objects, not ids"),
            ("type T { all: [Int!]! }", "documented bound"),
            ("type T { id: ID! }", "implements Node"),
            ("type T implements Node { id: ID! updatedAt: DateTime! }", "T.version"),
            ("type Query { things(first: Int): ThingConnection! }", "take after"),
            ("type Query { things: ThingConnection! }", "ThingConnection.edges"),
            ("type Query { thing(id: String!): Int }", "of type ID"),
            ("type Mutation { doIt(a: Int): DoItPayload! }", "takes input"),
            ("type Mutation { doIt(input: DoItInput!): Int }", "answers DoItPayload"),
            (
                "type Mutation { doIt(input: DoItInput!): DoItPayload! } type DoItPayload { a: Int }",
                "no userErrors",
            ),
            (
                "type Mutation { sendIt(input: SendItInput!): SendItPayload! } \
                 type SendItPayload { userErrors: [SendItError!]! } \
                 input SendItInput { a: Int }",
                "idempotencyKey",
            ),
            ("type Subscription { ticks: Int }", "after: Cursor"),
            ("type Subscription { ticks(after: Cursor): Int }", "carry events"),
        ] {
            let faults = faults(&Contract::parse(sdl));
            assert!(faults.iter().any(|fault| fault.contains(said)), "{sdl}: {faults:?}");
        }
    }

    #[test]
    fn every_gap_in_the_documentation_is_found() {
        let sdl = "type Query { a(b: Int): T } type Mutation { c: Int } enum E { V } \
                   input I { f: Int } type T { g: Int }";
        let faults = undocumented(&Contract::parse(sdl)).join("\n");
        for place in
            ["Query.a:", "Query.a(b):", "E:", "E.V:", "I:", "I.f:", "T:", "T.g:", "Mutation.c:"]
        {
            assert!(faults.contains(place), "{place} in {faults}");
        }
        assert!(faults.contains("for whom") && faults.contains("idempotent"));
    }
}
