//! From a document's text to a checked syntax tree: size, tokens and nesting before the parser sees
//! it, shape limits after. Validation against the schema is the executor's.

mod lexer;
mod measure;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition};
use async_graphql::parser::{Error as ParseError, parse_query};
use async_graphql::{Pos, Value, Variables};
use http::StatusCode;

use super::fault::{ErrorCode, Fault};
use super::settings::GraphqlLimits;
pub(super) use measure::Shape;

/// A parsed document within the limits, and the shape of the operation that was chosen from it.
pub(super) struct Document {
    pub(super) tree: ExecutableDocument,
    pub(super) shape: Shape,
}

/// Parses and measures `source`.
///
/// # Errors
/// 413 for size, 400 for syntax, 422 for the choice of operation and for every other limit.
pub(super) fn read(
    source: &str,
    operation_name: Option<&str>,
    variables: &Variables,
    limits: &GraphqlLimits,
    sensitive_mutations: &[String],
) -> Result<Document, Fault> {
    if source.len() > limits.document_bytes_max {
        return Err(Fault::too_large("document", limits.document_bytes_max));
    }
    lexer::check(source, limits.document_tokens_max)?;
    let tree = parse_query(source).map_err(|error| parse_fault(&error))?;
    let shape = {
        let chosen = choose(&tree, operation_name)?;
        require_variables(chosen, variables)?;
        measure::measure(&tree, chosen, sensitive_mutations)?
    };
    shape.check(limits)?;
    Ok(Document { tree, shape })
}

/// The operation to run (GraphQL specification, `GetOperation`).
fn choose<'a>(
    tree: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, Fault> {
    match (&tree.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(&operation.node),
        (DocumentOperations::Single(_), Some(_)) => {
            Err(Fault::invalid("the document has no operation of that name"))
        }
        (DocumentOperations::Multiple(operations), Some(name)) => operations
            .get(name)
            .map(|operation| &operation.node)
            .ok_or_else(|| Fault::invalid("the document has no operation of that name")),
        (DocumentOperations::Multiple(operations), None) => match operations.len() {
            1 => Ok(&operations.values().next().expect("one of one").node),
            _ => Err(Fault::invalid("the document has several operations: name one")),
        },
    }
}

/// Required variables have values (GraphQL specification, `CoerceVariableValues`). The executor
/// would find out at the field, when others may have been resolved.
fn require_variables(chosen: &OperationDefinition, variables: &Variables) -> Result<(), Fault> {
    for definition in &chosen.variable_definitions {
        let name = &definition.node.name.node;
        let required = !definition.node.var_type.node.nullable;
        let value = variables.get(name);
        let missing = match value {
            Some(value) => *value == Value::Null,
            None => definition.node.default_value.is_none(),
        };
        if required && missing {
            let fault = Fault::invalid(format!("the variable ${name} has no value"));
            return Err(fault.at(vec![definition.pos]));
        }
    }
    Ok(())
}

/// The parser's own text quotes the line at fault, which may be the whole document: only what it
/// expected and where is kept.
fn parse_fault(error: &ParseError) -> Fault {
    let text = error.to_string();
    let (message, locations): (String, Vec<Pos>) = match error {
        ParseError::Syntax { start, .. } => {
            let expected = text.lines().last().unwrap_or_default();
            let expected = expected.trim_start_matches([' ', '=']);
            (format!("syntax error: {expected}"), vec![*start])
        }
        ParseError::RecursionLimitExceeded => {
            return Fault::too_complex("the document is nested too deep");
        }
        _ => (text, error.positions().collect()),
    };
    Fault::new(ErrorCode::GraphqlParseFailed, StatusCode::BAD_REQUEST, message).at(locations)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_default(source: &str) -> Result<Document, Fault> {
        let limits = GraphqlLimits::default();
        read(source, None, &Variables::default(), &limits, &["logIn".to_owned()])
    }

    fn code(source: &str) -> Option<ErrorCode> {
        read_default(source).err().map(|fault| fault.code)
    }

    #[test]
    fn chooses_the_operation() {
        let limits = GraphqlLimits::default();
        for (source, name, good) in [
            ("{a}", None, true),
            ("{a}", Some("A"), false),
            ("query A {a}", None, true),
            ("query A {a}", Some("A"), true),
            ("query A {a}", Some("B"), false),
            ("query A {a} query B {b}", None, false),
            ("query A {a} query B {b}", Some("B"), true),
        ] {
            let outcome = read(source, name, &Variables::default(), &limits, &[]);
            assert_eq!(outcome.is_ok(), good, "{source} {name:?}");
            if let Err(fault) = outcome {
                assert_eq!(fault.code, ErrorCode::GraphqlValidationFailed);
            }
        }
    }

    #[test]
    fn a_syntax_error_says_where_and_does_not_repeat_the_document() {
        let source = format!("{{ a(text: \"{}\") ", "x".repeat(5_000));
        let fault = read_default(&source).err().expect("unclosed");
        assert_eq!(fault.code, ErrorCode::GraphqlParseFailed);
        assert!(fault.message.len() < 200, "{}", fault.message);
        assert_eq!(fault.locations.len(), 1);
    }

    #[test]
    fn bombs_are_refused_before_they_cost_anything() {
        let deep = format!("{}a{}", "{a".repeat(900), "}".repeat(900));
        let value = format!("{{a(b:{}1{})}}", "[".repeat(900), "]".repeat(900));
        let open = "[".repeat(16_000);
        let object = "{a:".repeat(600);
        for source in [deep, value, format!("{{a(b:{open}"), format!("{{a(b:{object}")] {
            assert_eq!(code(&source), Some(ErrorCode::QueryTooComplex));
        }
        // Each fragment spreads the next twice: 2^60 fields from 60 lines.
        let mut doubling = String::from("{...F0}");
        for n in 0..60 {
            doubling.push_str(&format!(" fragment F{n} on Q {{...F{m} ...F{m}}}", m = n + 1));
        }
        doubling.push_str(" fragment F60 on Q {a}");
        assert_eq!(code(&doubling), Some(ErrorCode::QueryTooComplex));
        let cycle = "{...A} fragment A on Q {...B} fragment B on Q {a {...A}}";
        assert_eq!(code(cycle), Some(ErrorCode::GraphqlValidationFailed));
        let orphan_cycle = "{a} fragment A on Q {...A}";
        assert_eq!(code(orphan_cycle), Some(ErrorCode::GraphqlValidationFailed));
    }

    #[test]
    fn sizes_are_counted_to_the_byte_and_token() {
        let limits = GraphqlLimits::default();
        let at = format!("{{a}}{}", " ".repeat(limits.document_bytes_max - 3));
        assert_eq!(code(&at), None);
        assert_eq!(code(&format!("{at} ")), Some(ErrorCode::PayloadTooLarge));
        let tokens = |count: usize| format!("{{a(b:[{}])}}", "1 ".repeat(count - 9));
        assert_eq!(code(&tokens(limits.document_tokens_max)), None);
        let above = tokens(limits.document_tokens_max + 1);
        assert_eq!(code(&above), Some(ErrorCode::QueryTooComplex));
    }

    #[test]
    fn sensitive_mutations_are_counted_through_fragments_and_aliases() {
        for (source, refused) in [
            ("mutation {logIn {a}}", false),
            ("mutation {logIn {a} b: logIn {a}}", true),
            ("mutation {logIn {a} ...F} fragment F on M {c: logIn {a}}", true),
            ("mutation {logIn {a} ... on M {c: logIn {a}}}", true),
            ("mutation {logIn {a} other}", false),
            ("{logIn b: logIn}", false),
        ] {
            let expected = refused.then_some(ErrorCode::QueryTooComplex);
            assert_eq!(code(source), expected, "{source}");
        }
    }
}
