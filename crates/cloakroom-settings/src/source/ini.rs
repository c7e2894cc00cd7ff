//! INI. The crates that read it keep no lines, so this reads it itself; a file has few rules.

use crate::{
    error::Problems,
    origin::Origin,
    tree::{Node, Table, Value},
};

/// What a line says.
pub(super) enum Line<'t> {
    Section(&'t str),
    Entry(&'t str, &'t str),
    /// More of the value before it: Python reads a line that begins with white space so.
    Continuation(&'t str),
}

/// The lines that say something, with their numbers.
pub(super) fn lines<'t>(
    text: &'t str,
    separators: &'static [char],
) -> impl Iterator<Item = (usize, Result<Line<'t>, &'static str>)> {
    let lines = text.lines().zip(1..);
    lines.filter_map(|(line, number)| Some((number, line_of(line, separators)?)))
}

fn line_of<'t>(line: &'t str, separators: &[char]) -> Option<Result<Line<'t>, &'static str>> {
    let trimmed = line.trim();
    if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
        return None;
    }
    if line.starts_with([' ', '\t']) {
        return Some(Ok(Line::Continuation(trimmed)));
    }
    if let Some(rest) = trimmed.strip_prefix('[') {
        let section = rest.strip_suffix(']').map(str::trim);
        return Some(
            section
                .map(Line::Section)
                .ok_or("the [ has no ] at the end of its line"),
        );
    }
    Some(match trimmed.split_once(separators) {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok(Line::Entry(name.trim(), value.trim()))
        }
        Some(_) => Err("there is no name before the ="),
        None => Err("a line is a [section], a name = value, or a comment that begins with # or ;"),
    })
}

/// The value without its quotes.
pub(super) fn unquote(value: &str) -> Result<&str, &'static str> {
    if let Some(rest) = value.strip_prefix('"') {
        let inner = rest.strip_suffix('"').filter(|inner| !inner.contains('"'));
        return inner.ok_or("a value that begins with \" ends with the next one");
    }
    let may_be_comment = |pair: &[u8]| match pair {
        [space, mark] => space.is_ascii_whitespace() && matches!(mark, b'#' | b';'),
        _ => false,
    };
    match value.as_bytes().windows(2).any(may_be_comment) {
        true => Err(
            "this is ambiguous: a comment stands on a line of its own, and a value that has # or ; \
             after a space stands in double quotes",
        ),
        false => Ok(value),
    }
}

pub(super) fn read(text: &str, origin: &Origin, problems: &mut Problems) -> Table {
    let mut table = Table::default();
    let mut section: Vec<&str> = Vec::new();
    for (number, line) in lines(text, &['=']) {
        let origin = origin.at(number);
        match line {
            Ok(Line::Section(name)) => section = path(name),
            Ok(Line::Entry(name, value)) => {
                let mut path_of = section.clone();
                path_of.extend(path(name));
                match (path_of.contains(&""), unquote(value)) {
                    (true, _) => {
                        problems.add(origin, &path_of.join("."), "a part of the name is empty");
                    }
                    (_, Err(message)) => problems.add(origin, &path_of.join("."), message),
                    (false, Ok(value)) => {
                        let value = Value::Untyped(value.to_owned());
                        table.insert(&path_of, Node { origin, value }, problems);
                    }
                }
            }
            Ok(Line::Continuation(_)) => {
                let message = "the line begins with white space, which some take for more of the \
                               line before: begin at the margin";
                problems.add(origin, "", message);
            }
            Err(message) => problems.add(origin, "", message),
        }
    }
    table
}

fn path(name: &str) -> Vec<&str> {
    name.split('.').map(str::trim).collect()
}
