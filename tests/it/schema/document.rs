//! A contract, read from its definition language into what the tests ask about.

use std::collections::BTreeMap;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ConstDirective, InputValueDefinition, Type, TypeDefinition, TypeKind,
    TypeSystemDefinition,
};
use async_graphql::{Positioned, Value};

/// A contract by type name.
#[derive(Debug, Default)]
pub struct Contract {
    pub types: BTreeMap<String, Definition>,
}

/// A type.
#[derive(Debug)]
pub struct Definition {
    pub description: String,
    pub kind: Kind,
}

/// What a type is made of.
#[derive(Debug)]
pub enum Kind {
    Scalar,
    Object(Fields),
    Interface(Fields),
    Union(Vec<String>),
    /// By name, its description and whether it is deprecated.
    Enum(BTreeMap<String, EnumValue>),
    Input(BTreeMap<String, Input>),
}

/// A value of an enum.
#[derive(Debug)]
pub struct EnumValue {
    pub description: String,
    pub deprecation: Option<String>,
}

/// The fields of an object or interface.
#[derive(Debug)]
pub struct Fields {
    pub implements: Vec<String>,
    pub fields: BTreeMap<String, Field>,
}

/// A field that is asked for.
#[derive(Debug)]
pub struct Field {
    pub description: String,
    pub ty: Type,
    pub arguments: BTreeMap<String, Input>,
    pub deprecation: Option<String>,
}

/// An argument or a field of an input.
#[derive(Debug)]
pub struct Input {
    pub description: String,
    pub ty: Type,
    pub default: Option<String>,
    pub deprecation: Option<String>,
}

impl Contract {
    /// Reads the definition language.
    ///
    /// # Panics
    /// If it is not that.
    pub fn parse(sdl: &str) -> Self {
        let document = parse_schema(sdl).unwrap_or_else(|error| panic!("not a schema: {error}"));
        let mut contract = Self::default();
        for definition in document.definitions {
            if let TypeSystemDefinition::Type(Positioned { node, .. }) = definition {
                contract.types.insert(node.name.node.to_string(), Definition::of(node));
            }
        }
        contract
    }

    /// The fields of an object or interface.
    pub fn fields_of(&self, name: &str) -> Option<&Fields> {
        match &self.types.get(name)?.kind {
            Kind::Object(fields) | Kind::Interface(fields) => Some(fields),
            Kind::Scalar | Kind::Union(_) | Kind::Enum(_) | Kind::Input(_) => None,
        }
    }

    /// The fields of an input.
    pub fn input_of(&self, name: &str) -> Option<&BTreeMap<String, Input>> {
        match &self.types.get(name)?.kind {
            Kind::Input(fields) => Some(fields),
            _ => None,
        }
    }

    /// The root fields of queries, mutations or subscriptions.
    pub fn root(&self, name: &str) -> impl Iterator<Item = (&String, &Field)> {
        self.fields_of(name).into_iter().flat_map(|fields| &fields.fields)
    }
}

impl Definition {
    fn of(node: TypeDefinition) -> Self {
        let kind = match node.kind {
            TypeKind::Scalar => Kind::Scalar,
            TypeKind::Object(object) => Kind::Object(Fields {
                implements: names(object.implements),
                fields: fields(object.fields),
            }),
            TypeKind::Interface(interface) => Kind::Interface(Fields {
                implements: names(interface.implements),
                fields: fields(interface.fields),
            }),
            TypeKind::Union(union) => Kind::Union(names(union.members)),
            TypeKind::Enum(values) => Kind::Enum(
                values
                    .values
                    .into_iter()
                    .map(|Positioned { node, .. }| {
                        let value = EnumValue {
                            description: text(node.description),
                            deprecation: deprecation(&node.directives),
                        };
                        (node.value.node.to_string(), value)
                    })
                    .collect(),
            ),
            TypeKind::InputObject(input) => Kind::Input(inputs(input.fields)),
        };
        Self { description: text(node.description), kind }
    }
}

fn names(all: Vec<Positioned<async_graphql::Name>>) -> Vec<String> {
    all.into_iter().map(|name| name.node.to_string()).collect()
}

fn fields(
    all: Vec<Positioned<async_graphql::parser::types::FieldDefinition>>,
) -> BTreeMap<String, Field> {
    all.into_iter()
        .map(|Positioned { node, .. }| {
            let field = Field {
                description: text(node.description),
                ty: node.ty.node,
                arguments: inputs(node.arguments),
                deprecation: deprecation(&node.directives),
            };
            (node.name.node.to_string(), field)
        })
        .collect()
}

fn inputs(all: Vec<Positioned<InputValueDefinition>>) -> BTreeMap<String, Input> {
    all.into_iter()
        .map(|Positioned { node, .. }| {
            let input = Input {
                description: text(node.description),
                ty: node.ty.node,
                default: node.default_value.map(|value| value.node.to_string()),
                deprecation: deprecation(&node.directives),
            };
            (node.name.node.to_string(), input)
        })
        .collect()
}

fn text(description: Option<Positioned<String>>) -> String {
    // A block string's lines are indented as the printer does it: words are what counts.
    let text = description.map(|it| it.node).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn deprecation(directives: &[Positioned<ConstDirective>]) -> Option<String> {
    let directive = directives.iter().find(|it| it.node.name.node == "deprecated")?;
    let reason = directive.node.arguments.iter().find(|(name, _)| name.node == "reason");
    match reason.map(|(_, value)| value.node.clone()) {
        Some(Value::String(reason)) => Some(reason),
        _ => Some(String::new()),
    }
}

/// The name at the heart of a type.
pub fn named(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(inner),
    }
}

/// Whether a type is a list.
pub fn is_list(ty: &Type) -> bool {
    matches!(ty.base, BaseType::List(_))
}
