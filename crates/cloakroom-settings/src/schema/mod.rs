//! One schema for all sources: it turns a tree into settings, or says what is wrong.

mod names;
mod nearest;
mod section;
mod values;

use self::{
    names::{Kind, ROOT, Setting},
    nearest::unknown,
};
pub(crate) use self::{
    nearest::nearest,
    section::{Checked, Entry, Expires, Section},
};
use crate::{
    error::Problems,
    origin::Origin,
    tree::{Node, Table, Value},
};

/// Judges a whole tree.
pub(crate) fn check(tree: &Table, problems: &mut Problems) -> Section {
    section("", None, tree, ROOT, problems)
}

fn section(
    path: &str,
    origin: Option<&Origin>,
    table: &Table,
    settings: &'static [Setting],
    problems: &mut Problems,
) -> Section {
    let mut section = Section::new(path, origin, settings);
    for (name, node) in &table.0 {
        let path = section.path_of(name);
        let Some(setting) = settings.iter().find(|setting| setting.name == name) else {
            problems.add(
                node.origin.clone(),
                &path,
                unknown(name, section.path(), settings),
            );
            continue;
        };
        match checked(&path, node, setting.kind, problems) {
            Ok(Some(value)) => section.add(Entry {
                name: setting.name,
                path,
                origin: node.origin.clone(),
                value,
            }),
            Ok(None) => {}
            Err(message) => problems.add(node.origin.clone(), &path, message),
        }
    }
    section
}

fn checked(
    path: &str,
    node: &Node,
    kind: Kind,
    problems: &mut Problems,
) -> Result<Option<Checked>, String> {
    match (&node.value, kind) {
        (_, Kind::Refused(why)) => Err(format!("this is refused: {why}")),
        (Value::Table(table), Kind::Table(settings)) => {
            let section = section(path, Some(&node.origin), table, settings, problems);
            Ok(Some(Checked::Section(section)))
        }
        (Value::Table(table), Kind::Tables(settings)) => Ok(Some(Checked::Sections(sections(
            path, table, settings, problems,
        )))),
        (value, Kind::Table(_) | Kind::Tables(_)) => Err(format!(
            "this is {}, and should be a group of settings",
            value.kind()
        )),
        (Value::Text(text) | Value::Untyped(text), _) if text.trim().is_empty() => {
            Err("this is empty: leave it out, or give it a value".to_owned())
        }
        (value, kind) => single(value, &node.origin, kind).map(Some),
    }
}

/// Tables of which the application has chosen the names.
fn sections(
    path: &str,
    table: &Table,
    settings: &'static [Setting],
    problems: &mut Problems,
) -> Vec<(String, Section)> {
    let mut sections = Vec::new();
    for (name, node) in &table.0 {
        let path = format!("{path}.{name}");
        match &node.value {
            Value::Table(table) => {
                let section = section(&path, Some(&node.origin), table, settings, problems);
                sections.push((name.clone(), section));
            }
            value => {
                let message = format!(
                    "this is {}, and should be a group of settings",
                    value.kind()
                );
                problems.add(node.origin.clone(), &path, message);
            }
        }
    }
    sections
}

fn single(value: &Value, origin: &Origin, kind: Kind) -> Result<Checked, String> {
    match kind {
        Kind::Text | Kind::Url | Kind::KeySource => match value {
            Value::Text(text) | Value::Untyped(text) => Ok(Checked::Text(text.clone())),
            other => Err(wrong(other, "a string")),
        },
        Kind::Texts => list(value, origin),
        Kind::Bool => match value {
            Value::Bool(value) => Ok(Checked::Bool(*value)),
            Value::Untyped(text) => values::bool(text).map(Checked::Bool),
            other => Err(wrong(other, "true or false, without quotes")),
        },
        Kind::Duration => match value {
            Value::Text(text) | Value::Untyped(text) => {
                values::duration(text).map(Checked::Duration)
            }
            Value::Integer(number) => Err(values::bare_number(&number.to_string())),
            other => Err(wrong(other, "a duration such as \"30m\"")),
        },
        Kind::Size => match value {
            Value::Text(text) | Value::Untyped(text) => values::size(text).map(Checked::Number),
            Value::Integer(number) => Err(values::bare_size(&number.to_string())),
            other => Err(wrong(other, "a size such as \"64KiB\"")),
        },
        Kind::Count(least) => match value {
            Value::Integer(number) => values::count(&number.to_string()),
            Value::Untyped(text) => values::count(text),
            other => Err(wrong(other, "a whole number, without quotes")),
        }
        .and_then(|number| match number < least {
            true => Err(format!("this is at least {least}")),
            false => Ok(Checked::Number(number)),
        }),
        Kind::Choice(choices) => match value {
            Value::Text(text) | Value::Untyped(text) => choice(text, choices),
            other => Err(wrong(other, &format!("one of {}", choices.join(", ")))),
        },
        Kind::LooseBool | Kind::Seconds | Kind::Expires => beakers(value, kind),
        Kind::Table(_) | Kind::Tables(_) | Kind::Refused(_) => Err(wrong(value, "something else")),
    }
}

fn wrong(value: &Value, expected: &str) -> String {
    format!("this is {}, and should be {expected}", value.kind())
}

fn choice(text: &str, choices: &'static [&'static str]) -> Result<Checked, String> {
    if let Some(choice) = choices.iter().find(|choice| **choice == text) {
        return Ok(Checked::Choice(choice));
    }
    let near = nearest(text, choices.iter().copied());
    let near = near
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default();
    Err(format!("{text:?} is none of {}{near}", choices.join(", ")))
}

fn list(value: &Value, origin: &Origin) -> Result<Checked, String> {
    match value {
        Value::List(nodes) => {
            let texts = nodes.iter().map(|node| match &node.value {
                Value::Text(text) if !text.trim().is_empty() => {
                    Ok((node.origin.clone(), text.clone()))
                }
                Value::Text(_) => Err("an entry of the list is empty".to_owned()),
                other => Err(format!(
                    "the list has {}, and should have strings",
                    other.kind()
                )),
            });
            Ok(Checked::Texts(texts.collect::<Result<_, _>>()?))
        }
        Value::Untyped(text) => {
            let texts = text.split(',').map(|text| match text.trim() {
                "" => Err("an entry of the list is empty".to_owned()),
                text => Ok((origin.clone(), text.to_owned())),
            });
            Ok(Checked::Texts(texts.collect::<Result<_, _>>()?))
        }
        other => Err(wrong(other, "a list of strings")),
    }
}

/// As Beaker coerces them: whatever the type, it is the text that counts.
fn beakers(value: &Value, kind: Kind) -> Result<Checked, String> {
    let text = match value {
        Value::Text(text) | Value::Untyped(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(number) => number.to_string(),
        other => return Err(wrong(other, "a single value")),
    };
    let seconds = || values::count(&text).map_err(|_| ());
    match kind {
        Kind::Seconds => seconds().map(Checked::Number).map_err(|()| {
            format!("{text:?} is no whole number of seconds; Beaker's settings have no units")
        }),
        Kind::Expires if matches!(value, Value::Integer(0)) => Err(
            "0 seconds keep no cookie; false is for ever, true until the browser is closed"
                .to_owned(),
        ),
        // A bool comes first, so "1" is true, as with Beaker; a number of a typed format is one.
        Kind::Expires => match (value, values::loose_bool(&text), seconds()) {
            (Value::Integer(_), _, Ok(seconds)) | (_, None, Ok(seconds)) => {
                Ok(Checked::Expires(Expires::After(seconds)))
            }
            (_, Some(true), _) => Ok(Checked::Expires(Expires::WithBrowser)),
            (_, Some(false), _) => Ok(Checked::Expires(Expires::Never)),
            _ => Err(format!(
                "{text:?} is neither true, false nor a whole number of seconds"
            )),
        },
        _ => values::loose_bool(&text)
            .map(Checked::Bool)
            .ok_or_else(|| format!("{text:?} is neither true nor false")),
    }
}
