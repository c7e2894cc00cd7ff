//! Environment variables.

use std::{collections::BTreeMap, ffi::OsString, path::Path};

use crate::{
    error::Problems,
    origin::Origin,
    tree::{Node, Table, Value},
};

/// The variables of the process, or those that were given instead.
#[derive(Clone)]
pub(crate) enum Environment {
    Process,
    Given(BTreeMap<String, String>),
}

impl Environment {
    /// The value of a variable; an error when it is no UTF-8.
    pub(crate) fn get(&self, name: &str) -> Result<Option<String>, ()> {
        match self {
            Self::Process => std::env::var_os(name).map(text).transpose(),
            Self::Given(variables) => Ok(variables.get(name).cloned()),
        }
    }

    /// All whose names begin with `prefix`, sorted.
    fn with_prefix(&self, prefix: &str) -> BTreeMap<String, Result<String, ()>> {
        match self {
            Self::Process => {
                let variables = std::env::vars_os().filter_map(|(name, value)| {
                    // One whose name is no text begins with no prefix.
                    let name = name.into_string().ok()?;
                    name.starts_with(prefix).then(|| (name, text(value)))
                });
                variables.collect()
            }
            Self::Given(variables) => {
                let variables = variables
                    .iter()
                    .filter(|(name, _)| name.starts_with(prefix));
                variables
                    .map(|(name, value)| (name.clone(), Ok(value.clone())))
                    .collect()
            }
        }
    }
}

fn text(value: OsString) -> Result<String, ()> {
    value.into_string().map_err(|_| ())
}

/// `PREFIX__NAMESPACES__CART__LIMITS__IDLE` is `namespaces.cart.limits.idle`. `below` is what the
/// sources before have, which tells a `_` from a `-`.
pub(super) fn read(
    prefix: &str,
    below: &Table,
    folder: &Path,
    environment: &Environment,
    problems: &mut Problems,
) -> Table {
    let mut table = Table::default();
    for (name, value) in environment.with_prefix(&format!("{prefix}__")) {
        let origin = Origin::variable(&name, folder);
        let rest = name.get(prefix.len() + 2..).unwrap_or_default();
        let parts: Vec<&str> = rest.split("__").collect();
        if rest.bytes().any(|byte| byte.is_ascii_lowercase()) {
            let capitals = format!("{prefix}__{}", rest.to_ascii_uppercase());
            problems.add(origin, "", format!("variables are in capitals: {capitals}"));
            continue;
        }
        if parts.contains(&"") {
            let message =
                "a part of the name is empty: between two names stand two _, and not more";
            problems.add(origin, "", message);
            continue;
        }
        let path = match resolve(&parts, below) {
            Ok(path) => path,
            Err(message) => {
                problems.add(origin, "", message);
                continue;
            }
        };
        let Ok(value) = value else {
            problems.add(origin, &path.join("."), "its value is no UTF-8");
            continue;
        };
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let value = Value::Untyped(value);
        table.insert(&path, Node { origin, value }, problems);
    }
    table
}

/// Names in lower case; where the sources before have one that differs by `-` for `_`, that one.
fn resolve(parts: &[&str], below: &Table) -> Result<Vec<String>, String> {
    let mut path = Vec::new();
    let mut table = Some(below);
    for part in parts {
        let name = part.to_ascii_lowercase();
        let names = table.map_or(&[][..], |table| &table.0);
        let mut alike = names.iter().filter(|(other, _)| is_like(other, &name));
        let name = match (alike.next(), alike.next()) {
            (Some((one, _)), Some((other, _))) => {
                return Err(format!(
                    "this is ambiguous: it may stand for {one:?} and for {other:?}; rename one, or \
                     set it elsewhere"
                ));
            }
            (Some((one, _)), None) => one.clone(),
            (None, _) => name,
        };
        table = table.and_then(|table| match &table.get(&name)?.value {
            Value::Table(table) => Some(table),
            _ => None,
        });
        path.push(name);
    }
    Ok(path)
}

fn is_like(name: &str, part: &str) -> bool {
    name.to_ascii_lowercase().replace('-', "_") == part.replace('-', "_")
}
