//! The shape of a parsed document: how deep, how many aliases and so on, fragments expanded. Each
//! fragment is measured once and its sums are reused, so that a document in which every fragment
//! spreads the next twice costs its length, not two to the power of it.

use std::collections::HashMap;

use async_graphql::Positioned;
use async_graphql::parser::types::{
    Directive, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
};

use crate::http::fault::Fault;
use crate::http::settings::GraphqlLimits;

/// The shape of the chosen operation.
pub(in crate::http) struct Shape {
    pub(in crate::http) kind: OperationType,
    pub(in crate::http) root_fields: usize,
    /// Whether the root asks for `__schema` or `__type`.
    pub(in crate::http) introspects: bool,
    sensitive_fields: usize,
    depth: usize,
    aliases: usize,
    directives: usize,
    /// Of all operations of the document: the validator walks them all.
    selections: usize,
}

impl Shape {
    /// Refuses a shape above `limits`.
    pub(super) fn check(&self, limits: &GraphqlLimits) -> Result<(), Fault> {
        for (count, max, what) in [
            (self.depth, limits.depth_max, "levels of fields"),
            (self.aliases, limits.aliases_max, "aliases"),
            (self.directives, limits.directives_max, "directives"),
            (self.root_fields, limits.root_fields_max, "root fields"),
            (self.sensitive_fields, limits.sensitive_fields_max, "sensitive mutations"),
            // Every selection costs at least a point.
            (self.selections, limits.complexity_max, "selections"),
        ] {
            if count > max {
                return Err(Fault::too_complex(format!(
                    "the operation has more than {max} {what}"
                )));
            }
        }
        Ok(())
    }
}

/// Measures `chosen`, one of the operations of `tree`.
///
/// # Errors
/// If a fragment contains itself: then nothing below may walk the document.
pub(super) fn measure(
    tree: &ExecutableDocument,
    chosen: &OperationDefinition,
    sensitive_mutations: &[String],
) -> Result<Shape, Fault> {
    let mut meter = Meter { tree, sensitive_mutations, fragments: HashMap::new() };
    // Unused fragments too, as the validator walks them.
    for name in tree.fragments.keys() {
        meter.fragment(name)?;
    }
    let root = meter.selection_set(&chosen.selection_set.node)?;
    let mut all = Sums::default();
    for (_, operation) in tree.operations.iter() {
        all.add(&meter.selection_set(&operation.node.selection_set.node)?);
    }
    let on_variables = chosen.variable_definitions.iter().map(|it| it.node.directives.len());
    let directives = chosen.directives.len() + on_variables.sum::<usize>();
    let sensitive_fields = match chosen.ty {
        OperationType::Mutation => root.sensitive_fields,
        OperationType::Query | OperationType::Subscription => 0,
    };
    Ok(Shape {
        kind: chosen.ty,
        root_fields: root.fields,
        introspects: root.introspects,
        sensitive_fields,
        depth: root.depth,
        aliases: root.aliases,
        directives: root.directives.saturating_add(directives),
        selections: all.selections,
    })
}

/// Sums over a selection set. Counts saturate: only "more than the limit" matters.
#[derive(Clone, Copy, Default)]
struct Sums {
    depth: usize,
    aliases: usize,
    directives: usize,
    /// Selections of all levels and kinds.
    selections: usize,
    /// Fields of this level alone, as the next three.
    fields: usize,
    sensitive_fields: usize,
    introspects: bool,
}

impl Sums {
    /// Adds selections that stand on the same level.
    fn add(&mut self, other: &Self) {
        self.depth = self.depth.max(other.depth);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.selections = self.selections.saturating_add(other.selections);
        self.fields = self.fields.saturating_add(other.fields);
        self.sensitive_fields = self.sensitive_fields.saturating_add(other.sensitive_fields);
        self.introspects |= other.introspects;
    }
}

struct Meter<'a> {
    tree: &'a ExecutableDocument,
    sensitive_mutations: &'a [String],
    /// `None` while a fragment is being measured.
    fragments: HashMap<&'a str, Option<Sums>>,
}

impl<'a> Meter<'a> {
    /// Depth of recursion: the nesting that the lexer allows times the fragments that the token
    /// limit allows, some hundred small frames.
    fn selection_set(&mut self, set: &'a SelectionSet) -> Result<Sums, Fault> {
        let mut sums = Sums::default();
        for selection in &set.items {
            let own = match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.name.node.as_str();
                    let children = self.selection_set(&field.node.selection_set.node)?;
                    Sums {
                        depth: children.depth + 1,
                        aliases: children
                            .aliases
                            .saturating_add(usize::from(field.node.alias.is_some())),
                        fields: 1,
                        sensitive_fields: usize::from(self.is_sensitive(name)),
                        introspects: matches!(name, "__schema" | "__type"),
                        ..children
                    }
                }
                Selection::FragmentSpread(spread) => {
                    self.fragment(spread.node.fragment_name.node.as_str())?
                }
                Selection::InlineFragment(inline) => {
                    self.selection_set(&inline.node.selection_set.node)?
                }
            };
            sums.add(&own);
            sums.add(&itself(selection.node.directives()));
        }
        Ok(sums)
    }

    fn fragment(&mut self, name: &str) -> Result<Sums, Fault> {
        let Some((name, fragment)) = self.tree.fragments.get_key_value(name) else {
            // Unknown: the validator says so.
            return Ok(Sums::default());
        };
        match self.fragments.get(name.as_str()) {
            Some(Some(sums)) => return Ok(*sums),
            Some(None) => return Err(Fault::invalid("a fragment contains itself")),
            None => {}
        }
        self.fragments.insert(name, None);
        let mut sums = self.selection_set(&fragment.node.selection_set.node)?;
        sums.directives = sums.directives.saturating_add(fragment.node.directives.len());
        self.fragments.insert(name, Some(sums));
        Ok(sums)
    }

    fn is_sensitive(&self, name: &str) -> bool {
        self.sensitive_mutations.iter().any(|sensitive| sensitive == name)
    }
}

/// What a selection counts by itself.
fn itself(directives: &[Positioned<Directive>]) -> Sums {
    Sums { selections: 1, directives: directives.len(), ..Sums::default() }
}
