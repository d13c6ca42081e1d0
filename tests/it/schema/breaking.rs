//! What changed between two contracts, at the levels of graphql-inspector: breaking (a client that
//! worked may fail), dangerous (it may meet what it did not expect), safe.

use std::collections::BTreeMap;

use async_graphql::parser::types::{BaseType, Type};

use super::document::{Contract, Definition, Field, Fields, Input, Kind};

/// What a change means for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Breaking,
    Dangerous,
    Safe,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub level: Level,
    pub what: String,
}

/// The changes from `old` to `new`, but for descriptions.
pub fn changes(old: &Contract, new: &Contract) -> Vec<Change> {
    let mut found = Found(Vec::new());
    for (name, definition) in &old.types {
        match new.types.get(name) {
            None => found.add(Level::Breaking, format!("type {name} removed")),
            Some(after) => found.definition(name, definition, after),
        }
    }
    for name in new.types.keys().filter(|name| !old.types.contains_key(*name)) {
        found.add(Level::Safe, format!("type {name} added"));
    }
    found.0
}

struct Found(Vec<Change>);

impl Found {
    fn add(&mut self, level: Level, what: String) {
        self.0.push(Change { level, what });
    }

    fn definition(&mut self, name: &str, old: &Definition, new: &Definition) {
        match (&old.kind, &new.kind) {
            (Kind::Scalar, Kind::Scalar) => {}
            (Kind::Object(old), Kind::Object(new))
            | (Kind::Interface(old), Kind::Interface(new)) => {
                self.fields(name, old, new);
            }
            (Kind::Union(old), Kind::Union(new)) => {
                for member in old.iter().filter(|it| !new.contains(it)) {
                    self.add(Level::Breaking, format!("{member} removed from union {name}"));
                }
                for member in new.iter().filter(|it| !old.contains(it)) {
                    self.add(Level::Dangerous, format!("{member} added to union {name}"));
                }
            }
            (Kind::Enum(old), Kind::Enum(new)) => {
                for value in old.keys().filter(|it| !new.contains_key(*it)) {
                    self.add(Level::Breaking, format!("enum value {name}.{value} removed"));
                }
                for value in new.keys().filter(|it| !old.contains_key(*it)) {
                    self.add(Level::Dangerous, format!("enum value {name}.{value} added"));
                }
            }
            (Kind::Input(old), Kind::Input(new)) => self.inputs(&format!("{name}."), "", old, new),
            _ => self.add(Level::Breaking, format!("type {name} is of another kind")),
        }
    }

    fn fields(&mut self, name: &str, old: &Fields, new: &Fields) {
        for interface in old.implements.iter().filter(|it| !new.implements.contains(it)) {
            self.add(Level::Breaking, format!("{name} implements {interface} no more"));
        }
        for interface in new.implements.iter().filter(|it| !old.implements.contains(it)) {
            self.add(Level::Dangerous, format!("{name} implements {interface}"));
        }
        for (field_name, field) in &old.fields {
            let place = format!("{name}.{field_name}");
            match new.fields.get(field_name) {
                None => self.add(Level::Breaking, format!("field {place} removed")),
                Some(after) => self.field(&place, field, after),
            }
        }
        for field in new.fields.keys().filter(|it| !old.fields.contains_key(*it)) {
            self.add(Level::Safe, format!("field {name}.{field} added"));
        }
    }

    fn field(&mut self, place: &str, old: &Field, new: &Field) {
        if old.ty != new.ty {
            let level =
                if is_output_safe(&old.ty, &new.ty) { Level::Safe } else { Level::Breaking };
            self.add(level, format!("field {place} changed from {} to {}", old.ty, new.ty));
        }
        self.inputs(&format!("{place}("), ")", &old.arguments, &new.arguments);
    }

    fn inputs(
        &mut self,
        before: &str,
        after: &str,
        old: &BTreeMap<String, Input>,
        new: &BTreeMap<String, Input>,
    ) {
        for (name, input) in old {
            let place = format!("{before}{name}{after}");
            let Some(now) = new.get(name) else {
                self.add(Level::Breaking, format!("input {place} removed"));
                continue;
            };
            if input.ty != now.ty {
                let level =
                    if is_input_safe(&input.ty, &now.ty) { Level::Safe } else { Level::Breaking };
                self.add(level, format!("input {place} changed from {} to {}", input.ty, now.ty));
            }
            if input.default != now.default {
                self.add(Level::Dangerous, format!("default of {place} changed"));
            }
        }
        for (name, input) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
            let place = format!("{before}{name}{after}");
            if !input.ty.nullable && input.default.is_none() {
                self.add(Level::Breaking, format!("required input {place} added"));
            } else {
                self.add(Level::Dangerous, format!("input {place} added"));
            }
        }
    }
}

/// Whether what is answered now is something that was answered before: null may go.
fn is_output_safe(old: &Type, new: &Type) -> bool {
    if new.nullable && !old.nullable {
        return false;
    }
    match (&old.base, &new.base) {
        (BaseType::Named(old), BaseType::Named(new)) => old == new,
        (BaseType::List(old), BaseType::List(new)) => is_output_safe(old, new),
        _ => false,
    }
}

/// Whether what was given before may be given now: null may come.
fn is_input_safe(old: &Type, new: &Type) -> bool {
    if old.nullable && !new.nullable {
        return false;
    }
    match (&old.base, &new.base) {
        (BaseType::Named(old), BaseType::Named(new)) => old == new,
        (BaseType::List(old), BaseType::List(new)) => is_input_safe(old, new),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_has_its_level() {
        use Level::{Breaking, Dangerous, Safe};
        for (old, new, level) in [
            ("type A { a: Int } type B { a: Int }", "type A { a: Int }", Breaking),
            ("type A { a: Int }", "type A { a: Int } type B { a: Int }", Safe),
            ("type A { a: Int }", "input A { a: Int }", Breaking),
            ("type A { a: Int b: Int }", "type A { a: Int }", Breaking),
            ("type A { a: Int }", "type A { a: Int b: Int }", Safe),
            ("type A { a: Int! }", "type A { a: Int }", Breaking),
            ("type A { a: Int }", "type A { a: Int! }", Safe),
            ("type A { a: Int }", "type A { a: [Int] }", Breaking),
            ("type A { a: [Int] }", "type A { a: [Int!] }", Safe),
            ("type A { a(b: Int): Int }", "type A { a: Int }", Breaking),
            ("type A { a: Int }", "type A { a(b: Int): Int }", Dangerous),
            ("type A { a: Int }", "type A { a(b: Int!): Int }", Breaking),
            ("type A { a: Int }", "type A { a(b: Int! = 1): Int }", Dangerous),
            ("type A { a(b: Int = 1): Int }", "type A { a(b: Int = 2): Int }", Dangerous),
            ("type A { a(b: Int): Int }", "type A { a(b: Int!): Int }", Breaking),
            ("type A { a(b: Int!): Int }", "type A { a(b: Int): Int }", Safe),
            ("input A { a: Int b: Int }", "input A { a: Int }", Breaking),
            ("input A { a: Int }", "input A { a: Int b: Int! }", Breaking),
            ("input A { a: Int }", "input A { a: Int b: Int }", Dangerous),
            ("input A { a: Int! }", "input A { a: Int }", Safe),
            ("input A { a: Int }", "input A { a: String }", Breaking),
            ("enum A { B C }", "enum A { B }", Breaking),
            ("enum A { B }", "enum A { B C }", Dangerous),
            ("type A implements I { a: Int }", "type A { a: Int }", Breaking),
            ("type A { a: Int }", "type A implements I { a: Int }", Dangerous),
            ("union A = B | C", "union A = B", Breaking),
            ("union A = B", "union A = B | C", Dangerous),
        ] {
            let found = changes(&Contract::parse(old), &Contract::parse(new));
            assert_eq!(found.len(), 1, "{old} → {new}: {found:?}");
            assert_eq!(found[0].level, level, "{old} → {new}: {found:?}");
        }
    }

    #[test]
    fn what_is_the_same_is_no_change() {
        let contract = Contract::parse(&heliograph::graphql::sdl());
        assert_eq!(changes(&contract, &contract), []);
    }
}
