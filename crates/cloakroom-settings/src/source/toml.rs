//! TOML, of which a parser tells where each name stands.

use toml::de::{DeTable, DeValue};

use super::Lines;
use crate::{
    error::Problems,
    origin::Origin,
    tree::{Node, Table, Value},
};

pub(super) fn read(text: &str, origin: &Origin, problems: &mut Problems) -> Table {
    let lines = Lines::new(text, origin);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        let message = match error.message() {
            "duplicate key" => "this is set twice".to_owned(),
            // The parser's own words; with its `Display` it would repeat the line, and keys with it.
            words => format!("this is no TOML: {}", words.replace('\n', ", ")),
        };
        problems.add(lines.origin(at), "", message);
    }
    if !errors.is_empty() {
        return Table::default();
    }
    convert(table.get_ref(), &lines)
}

fn convert(table: &DeTable<'_>, lines: &Lines<'_>) -> Table {
    let mut entries: Vec<_> = table.iter().collect();
    // The parser sorts them by name.
    entries.sort_by_key(|(name, _)| name.span().start);
    let entries = entries.into_iter().map(|(name, value)| {
        let origin = lines.origin(name.span().start);
        let value = value_of(value.get_ref(), lines);
        (name.get_ref().to_string(), Node { origin, value })
    });
    Table(entries.collect())
}

fn value_of(value: &DeValue<'_>, lines: &Lines<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Other("a number out of range"),
        },
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(_) => Value::Other("a date or time"),
        DeValue::Array(values) => {
            let nodes = values.iter().map(|value| {
                let origin = lines.origin(value.span().start);
                let value = value_of(value.get_ref(), lines);
                Node { origin, value }
            });
            Value::List(nodes.collect())
        }
        DeValue::Table(table) => Value::Table(convert(table, lines)),
    }
}
