//! An INI file for Paste, as Pylons and Pyramid have it: of one section, what is Beaker's.

use std::{collections::BTreeMap, path::Path};

use super::ini::{self, Line};
use crate::{
    error::Problems,
    origin::Origin,
    tree::{Node, Table, Value},
};

const PREFIXES: [&str; 2] = ["beaker.session.", "session."];
const DEFAULTS: &str = "DEFAULT";

/// Reads the section into the table `beaker.session`.
pub(super) fn read(text: &str, section: &str, file: &Path, problems: &mut Problems) -> Table {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let origin = Origin::file(file);
    let Some((defaults, entries)) = entries(text, section, &origin, problems) else {
        return Table::default();
    };
    let here = file.parent().unwrap_or(Path::new(""));
    let here = std::path::absolute(here).unwrap_or_else(|_| here.to_owned());
    let mut words = Words {
        values: BTreeMap::from([
            ("here".to_owned(), here.display().to_string()),
            (
                "__file__".to_owned(),
                here.join(file.file_name().unwrap_or_default())
                    .display()
                    .to_string(),
            ),
        ]),
    };
    for entry in defaults.iter().chain(&entries) {
        words
            .values
            .insert(entry.name.to_owned(), entry.value.clone());
    }
    // What all sections have by default, this one has too.
    let is_overridden = |entry: &Entry<'_>| entries.iter().any(|other| other.name == entry.name);
    let inherited = defaults.into_iter().filter(|entry| !is_overridden(entry));
    let entries: Vec<_> = inherited
        .collect::<Vec<_>>()
        .into_iter()
        .chain(entries)
        .collect();
    let mut table = Table::default();
    for entry in &entries {
        let origin = origin.at(entry.line);
        let Some(path) = path(entry.name, &origin, problems) else {
            continue;
        };
        let value = ini::unquote(&entry.value).map_err(str::to_owned);
        match value.and_then(|value| words.expand(value, 0)) {
            Ok(value) => {
                let value = Value::Untyped(value);
                table.insert(&path, Node { origin, value }, problems);
            }
            Err(message) => problems.add(origin, &path.join("."), message),
        }
    }
    add_cache_dir(&mut table, &entries, &words, &origin, problems);
    table
}

struct Entry<'t> {
    line: usize,
    name: &'t str,
    value: String,
}

/// What the section `[DEFAULT]` and the section have.
fn entries<'t>(
    text: &'t str,
    section: &str,
    origin: &Origin,
    problems: &mut Problems,
) -> Option<(Vec<Entry<'t>>, Vec<Entry<'t>>)> {
    let (mut defaults, mut entries, mut sections) = (Vec::new(), Vec::new(), Vec::new());
    for (line, what) in ini::lines(text, &['=', ':']) {
        let current = sections.last().copied().unwrap_or_default();
        let target: &mut Vec<Entry<'_>> = match current {
            DEFAULTS => &mut defaults,
            name if name == section => &mut entries,
            _ => &mut Vec::new(),
        };
        match what {
            Ok(Line::Section(name)) => sections.push(name),
            Ok(Line::Entry(name, value)) => {
                let value = value.to_owned();
                target.push(Entry { line, name, value });
            }
            Ok(Line::Continuation(more)) => {
                if let Some(entry) = target.last_mut() {
                    entry.value.push('\n');
                    entry.value.push_str(more);
                }
            }
            Err(message) if current == section => problems.add(origin.at(line), "", message),
            Err(_) => {}
        }
    }
    if sections.contains(&section) {
        return Some((defaults, entries));
    }
    let message = format!(
        "it has no section [{section}]; it has [{}]",
        sections.join("], [")
    );
    problems.add(origin.clone(), "", message);
    None
}

/// Where a name leads, if it is one of Beaker's sessions.
fn path<'t>(name: &'t str, origin: &Origin, problems: &mut Problems) -> Option<Vec<&'t str>> {
    if let Some(rest) = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        return Some(
            ["beaker", "session"]
                .into_iter()
                .chain(rest.split('.'))
                .collect(),
        );
    }
    // Beaker has caches too; anything else that begins so is misspelt.
    let (first, rest) = name.split_once('.')?;
    if first == "beaker" && !rest.starts_with("cache.") {
        let last = rest.rsplit('.').next().unwrap_or_default();
        let message = format!(
            "Beaker has no such setting; its sessions' begin with beaker.session., as in \
             beaker.session.{last}"
        );
        problems.add(origin.clone(), name, message);
    }
    None
}

/// Pylons keeps sessions in files below its `cache_dir`, unless told otherwise.
fn add_cache_dir(
    table: &mut Table,
    entries: &[Entry<'_>],
    words: &Words,
    origin: &Origin,
    problems: &mut Problems,
) {
    let Some(entry) = entries.iter().find(|entry| entry.name == "cache_dir") else {
        return;
    };
    let of = |name| match &table.get("beaker")?.value {
        Value::Table(beaker) => match &beaker.get("session")?.value {
            Value::Table(session) => session.get(name),
            _ => None,
        },
        _ => None,
    };
    let is_file =
        of("type").is_none_or(|node| matches!(&node.value, Value::Untyped(text) if text == "file"));
    if of("data_dir").is_some() || !is_file {
        return;
    }
    let origin = origin.at(entry.line);
    match words.expand(&entry.value, 0) {
        Ok(dir) => {
            let value = Value::Untyped(format!("{}/sessions", dir.trim_end_matches('/')));
            table.insert(
                &["beaker", "session", "data_dir"],
                Node { origin, value },
                problems,
            );
        }
        Err(message) => problems.add(origin, "cache_dir", message),
    }
}

/// What `%(name)s` stands for.
struct Words {
    values: BTreeMap<String, String>,
}

impl Words {
    fn expand(&self, text: &str, depth: usize) -> Result<String, String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            expanded.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                expanded.push('%');
                rest = after;
                continue;
            }
            let word = after
                .strip_prefix('(')
                .and_then(|word| word.split_once(")s"));
            let (word, after) = word.ok_or("a % stands before (name)s, or is written %%")?;
            let value = self.values.get(word);
            let value = value.ok_or_else(|| {
                format!("%({word})s is neither in this section nor in [{DEFAULTS}]")
            })?;
            if depth > 8 {
                return Err(format!("%({word})s goes round in circles"));
            }
            expanded.push_str(&self.expand(value, depth + 1)?);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}
