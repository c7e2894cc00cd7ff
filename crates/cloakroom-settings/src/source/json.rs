//! JSON. A raw value is a part of the text, so it tells where it stands.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Lines;
use crate::{
    error::Problems,
    origin::Origin,
    tree::{Node, Table, Value, set_twice},
};

/// No settings are nested so deeply; each level reads what is in it once more.
const MAX_DEPTH: usize = 16;

pub(super) fn read(text: &str, origin: &Origin, problems: &mut Problems) -> Table {
    let lines = Lines::new(text, origin);
    let raw: &RawValue = match serde_json::from_str(text) {
        Ok(raw) => raw,
        Err(error) => {
            problems.add(origin.at(error.line()), "", no_json(&error));
            return Table::default();
        }
    };
    let mut reader = Reader {
        text,
        lines,
        path: Vec::new(),
        problems,
    };
    match reader.value(raw) {
        Some(Value::Table(table)) => table,
        None => Table::default(),
        Some(other) => {
            let message = format!(
                "settings are an object, {{ .. }}, and this is {}",
                other.kind()
            );
            reader.problems.add(reader.origin(raw), "", message);
            Table::default()
        }
    }
}

fn no_json(error: &serde_json::Error) -> String {
    // Without the position, of which the column is no help and the line is said already.
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    format!("this is no JSON: {what}")
}

struct Reader<'t, 'p> {
    text: &'t str,
    lines: Lines<'t>,
    path: Vec<String>,
    problems: &'p mut Problems,
}

impl<'t> Reader<'t, '_> {
    fn origin(&self, raw: &RawValue) -> Origin {
        let (start, all) = (raw.get().as_ptr().addr(), self.text.as_ptr().addr());
        self.lines.origin(start.saturating_sub(all))
    }

    /// `None` for what can't be read, of which it has been said why.
    fn value(&mut self, raw: &'t RawValue) -> Option<Value> {
        let text = raw.get();
        let read = match text.as_bytes().first() {
            Some(b'{' | b'[') if self.path.len() >= MAX_DEPTH => {
                self.complain(raw, "no setting is nested so deeply");
                return None;
            }
            Some(b'{') => serde_json::from_str(text).map(|object| self.table(object)),
            Some(b'[') => serde_json::from_str(text).map(|list| self.list(list)),
            Some(b'"') => serde_json::from_str(text).map(Value::Text),
            Some(b't' | b'f') => serde_json::from_str(text).map(Value::Bool),
            Some(b'n') => Ok(Value::Other("null")),
            _ => Ok(number(text)),
        };
        // A string with half a surrogate pair, which only now is looked at.
        read.map_err(|error| self.complain(raw, &no_json(&error)))
            .ok()
    }

    fn complain(&mut self, raw: &RawValue, message: &str) {
        let origin = self.origin(raw);
        self.problems.add(origin, &self.path.join("."), message);
    }

    fn list(&mut self, List(items): List<'t>) -> Value {
        // So that lists in lists come to an end, too.
        self.path.push(String::from("[]"));
        let mut nodes = Vec::new();
        for raw in items {
            let origin = self.origin(raw);
            if let Some(value) = self.value(raw) {
                nodes.push(Node { origin, value });
            }
        }
        self.path.pop();
        Value::List(nodes)
    }

    fn table(&mut self, Object(entries): Object<'t>) -> Value {
        let mut table = Table::default();
        for (raw_name, raw) in entries {
            let origin = self.origin(raw_name);
            let Ok(name) = serde_json::from_str::<String>(raw_name.get()) else {
                let message = "the name is no text";
                self.problems.add(origin, &self.path.join("."), message);
                continue;
            };
            self.path.push(name.clone());
            if let Some(first) = table.get(&name) {
                let message = set_twice(&first.origin, &origin);
                self.problems.add(origin, &self.path.join("."), message);
            } else if let Some(value) = self.value(raw) {
                table.0.push((name, Node { origin, value }));
            }
            self.path.pop();
        }
        Value::Table(table)
    }
}

fn number(text: &str) -> Value {
    match text.parse() {
        Ok(number) => Value::Integer(number),
        Err(_) if text.contains(['.', 'e', 'E']) => Value::Other("a fraction"),
        Err(_) => Value::Other("a number out of range"),
    }
}

/// All entries of an object, repeated ones too.
struct Object<'t>(Vec<(&'t RawValue, &'t RawValue)>);

struct List<'t>(Vec<&'t RawValue>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl<'de> Deserialize<'de> for List<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;
        impl<'de> Visitor<'de> for Items {
            type Value = List<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(List(items))
            }
        }
        deserializer.deserialize_seq(Items)
    }
}
