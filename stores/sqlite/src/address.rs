//! `sqlite:PATH?table=NAME&synchronous=full`

use std::path::{Path, PathBuf};

use crate::{SqliteStoreBuilder, Synchronous, error::Reason};

/// The settings that an address names.
pub(crate) fn parse(address: &str) -> Result<SqliteStoreBuilder, Reason> {
    let rest = address.strip_prefix("sqlite:");
    let rest = rest.ok_or(Reason::Url("it does not begin with sqlite:"))?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = path.strip_prefix("//").unwrap_or(path);
    let mut builder = SqliteStoreBuilder::new(PathBuf::from(decode(path)?));
    for setting in query.split('&').filter(|setting| !setting.is_empty()) {
        builder = match setting.split_once('=') {
            Some(("table", name)) => builder.table(decode(name)?),
            Some(("synchronous", "off")) => builder.synchronous(Synchronous::Off),
            Some(("synchronous", "normal")) => builder.synchronous(Synchronous::Normal),
            Some(("synchronous", "full")) => builder.synchronous(Synchronous::Full),
            Some(("synchronous", _)) => {
                return Err(Reason::Url("synchronous is full, normal or off"));
            }
            Some(("migrate", "true")) => builder.migrate(true),
            Some(("migrate", "false")) => builder.migrate(false),
            Some(("migrate", _)) => return Err(Reason::Url("migrate is true or false")),
            _ => {
                let known = "the settings after ? are table, synchronous and migrate";
                return Err(Reason::Url(known));
            }
        };
    }
    Ok(builder)
}

/// A path that SQLite would take for no file.
pub(crate) fn check(path: &Path) -> Result<(), Reason> {
    let text = path.to_string_lossy();
    if text == ":memory:" || (text.starts_with("file:") && text.contains("memory")) {
        return Err(Reason::InMemory);
    }
    match text.is_empty() || text.starts_with("file:") {
        true => Err(Reason::Url("it names no file")),
        false => Ok(()),
    }
}

fn decode(text: &str) -> Result<String, Reason> {
    let invalid = || Reason::Url("% is followed by two hex digits, and all of it is UTF-8");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || {
            let digit = char::from(rest.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        let high = digit().ok_or_else(invalid)?;
        let low = digit().ok_or_else(invalid)?;
        bytes.push((high << 4) | low);
    }
    String::from_utf8(bytes).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded() {
        for (text, decoded) in [("a%20b", "a b"), ("%3f%25", "?%"), ("%C3%A9", "é")] {
            assert_eq!(decode(text).unwrap(), decoded);
        }
        for bad in ["%", "%2", "%zz", "%+1", "%ff", "%€"] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
