//! What all sources are read into: names, values, and where each stands.

use crate::{error::Problems, origin::Origin};

/// A value that nobody has judged yet.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) value: Value,
}

#[derive(Clone)]
pub(crate) enum Value {
    /// A string of a format that has types.
    Text(String),
    /// What an INI file or a variable has: it may stand for a value of any type.
    Untyped(String),
    Bool(bool),
    Integer(i64),
    List(Vec<Node>),
    Table(Table),
    /// What no setting is: a fraction, a date, `null`.
    Other(&'static str),
}

impl Value {
    /// The kind, as errors name it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Untyped(_) => "a single value",
            Self::Bool(_) => "a bool",
            Self::Integer(_) => "a number",
            Self::List(_) => "a list",
            Self::Table(_) => "a group of settings",
            Self::Other(kind) => kind,
        }
    }
}

/// Named values, in the order of their source.
#[derive(Clone, Default)]
pub(crate) struct Table(pub(crate) Vec<(String, Node)>);

impl Table {
    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        let entry = self.0.iter().find(|(other, _)| other == name);
        entry.map(|(_, node)| node)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        let entry = self.0.iter_mut().find(|(other, _)| other == name);
        entry.map(|(_, node)| node)
    }

    /// Puts a value where a path of names leads, making the tables on the way. A value that is
    /// there already is a problem: a source sets a setting once.
    pub(crate) fn insert(&mut self, path: &[&str], node: Node, problems: &mut Problems) {
        self.insert_below(&mut Vec::new(), path, node, problems);
    }

    fn insert_below<'p>(
        &mut self,
        above: &mut Vec<&'p str>,
        path: &[&'p str],
        node: Node,
        problems: &mut Problems,
    ) {
        let Some((name, rest)) = path.split_first() else {
            return;
        };
        above.push(name);
        let origin = node.origin.clone();
        match (self.get_mut(name), rest.is_empty()) {
            (None, true) => self.0.push(((*name).to_owned(), node)),
            (None, false) => {
                let mut table = Self::default();
                table.insert_below(above, rest, node, problems);
                let value = Value::Table(table);
                self.0.push(((*name).to_owned(), Node { origin, value }));
            }
            (Some(there), true) => {
                let message = match &there.value {
                    Value::Table(_) => format!("this is a group of settings on {}", there.origin),
                    _ => set_twice(&there.origin, &origin),
                };
                problems.add(origin, &above.join("."), message);
            }
            (Some(there), false) => match &mut there.value {
                Value::Table(table) => table.insert_below(above, rest, node, problems),
                _ => {
                    let message = format!("this is a single value on {}", there.origin);
                    problems.add(origin, &above.join("."), message);
                }
            },
        }
    }

    /// Lays another tree over this one: what that one sets takes the place of what is here.
    pub(crate) fn overlay(&mut self, over: Self) {
        for (name, node) in over.0 {
            match (self.get_mut(&name), node.value) {
                (None, value) => {
                    let origin = node.origin;
                    self.0.push((name, Node { origin, value }));
                }
                (
                    Some(Node {
                        value: Value::Table(table),
                        ..
                    }),
                    Value::Table(over),
                ) => table.overlay(over),
                (Some(there), value) => {
                    let origin = node.origin;
                    *there = Node { origin, value };
                }
            }
        }
    }
}

/// The message of a setting that a source sets twice.
pub(crate) fn set_twice(first: &Origin, second: &Origin) -> String {
    match first.line() {
        0 => format!("this is set twice, in {first} and in {second}"),
        line => format!("this is set twice, on line {line} too"),
    }
}
