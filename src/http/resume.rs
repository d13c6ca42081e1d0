//! Rewrites a subscription's tree for event streams, which carry each event's cursor as their own
//! event id (`Last-Event-ID`, HTML standard, "Server-sent events") whatever the client selected.

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Request, Value, Variables};

use super::fault::Fault;

/// The alias under which the cursor is selected. Two underscores in front are reserved (GraphQL
/// specification, "Reserved Names"), so that a client has no field of that name.
pub(super) const CURSOR_ALIAS: &str = "__cursor";

/// The argument that a resumable subscription takes.
const AFTER: &str = "after";

/// Length of a `Last-Event-ID`, in bytes; a longer one cannot be a cursor of ours.
const LAST_EVENT_ID_BYTES_MAX: usize = 512;

/// Refuses a subscription whose root is not one plain field. The specification wants exactly one
/// ("Single Root Field"), and the executor does not look into fragments there.
pub(super) fn require_one_field(
    tree: &ExecutableDocument,
    name: Option<&str>,
) -> Result<(), Fault> {
    let operation = match (&tree.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(all), Some(name)) => all.get(name),
        (DocumentOperations::Multiple(all), None) => all.values().next(),
    };
    match operation.map(|it| it.node.selection_set.node.items.as_slice()) {
        Some([only]) if matches!(only.node, Selection::Field(_)) => Ok(()),
        _ => Err(Fault::invalid("a subscription selects exactly one field, not in a fragment")),
    }
}

/// If the subscription is one of `resumable`: selects the cursor and sets `after` to
/// `last_event_id`. Returns whether it was.
pub(super) fn rewrite(
    tree: &mut ExecutableDocument,
    request: &mut Request,
    last_event_id: Option<&str>,
    resumable: &[String],
) -> bool {
    let operation = chosen(tree, request.operation_name.as_deref());
    let Some(field) = operation.and_then(only_field) else { return false };
    if !resumable.iter().any(|it| it == field.name.node.as_str()) {
        return false;
    }
    let is_cursor = |id: &&str| !id.is_empty() && id.len() <= LAST_EVENT_ID_BYTES_MAX;
    if let Some(id) = last_event_id.filter(is_cursor) {
        set_after(field, &mut request.variables, id);
    }
    select_cursor(field);
    true
}

fn chosen<'a>(
    tree: &'a mut ExecutableDocument,
    name: Option<&str>,
) -> Option<&'a mut OperationDefinition> {
    let operation = match (&mut tree.operations, name) {
        (DocumentOperations::Single(operation), _) => Some(operation),
        (DocumentOperations::Multiple(all), Some(name)) => all.get_mut(name),
        (DocumentOperations::Multiple(all), None) => all.values_mut().next(),
    };
    operation.map(|it| &mut it.node)
}

fn only_field(operation: &mut OperationDefinition) -> Option<&mut Field> {
    match &mut operation.selection_set.node.items.first_mut()?.node {
        Selection::Field(field) => Some(&mut field.node),
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => None,
    }
}

/// A variable is given its new value rather than replaced: an unused one would be an error.
fn set_after(field: &mut Field, variables: &mut Variables, id: &str) {
    let position = field.arguments.iter().position(|(name, _)| name.node == AFTER);
    if let Some(position) = position {
        // The library does not export the type to match on; only a variable is written with a `$`.
        let written = field.arguments[position].1.node.to_string();
        if let Some(name) = written.strip_prefix('$') {
            variables.insert(Name::new(name), Value::from(id));
            return;
        }
        field.arguments.remove(position);
    }
    let pos = field.name.pos;
    let name = Positioned::new(Name::new(AFTER), pos);
    field.arguments.push((name, Positioned::new(Value::from(id).into_value(), pos)));
}

fn select_cursor(field: &mut Field) {
    let pos = field.name.pos;
    let cursor = Field {
        alias: Some(Positioned::new(Name::new(CURSOR_ALIAS), pos)),
        name: Positioned::new(Name::new("cursor"), pos),
        arguments: Vec::new(),
        directives: Vec::new(),
        selection_set: Positioned::new(SelectionSet::default(), pos),
    };
    let selection = Selection::Field(Positioned::new(cursor, pos));
    let items = &mut field.selection_set.node.items;
    // Room for one, not for four: the stream holds it for as long as it is open.
    items.reserve_exact(1);
    items.push(Positioned::new(selection, pos));
}
