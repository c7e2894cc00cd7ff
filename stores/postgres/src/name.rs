//! The names of the store's tables. They can't be parameters of a statement, so they are checked.

use std::fmt;

use crate::ConnectError;

const MAX_LENGTH: usize = 48;

/// Where the store's table lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    schema: Option<String>,
    table: String,
}

impl TableName {
    pub(crate) fn new(schema: Option<&str>, table: &str) -> Result<Self, ConnectError> {
        for name in schema.into_iter().chain([table]) {
            if !is_valid(name) {
                return Err(ConnectError::invalid_name(name));
            }
        }
        Ok(Self {
            schema: schema.map(str::to_owned),
            table: table.to_owned(),
        })
    }

    pub(crate) fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// The function that tells what changes in it.
    pub(crate) fn telling(&self) -> Self {
        self.beside("tell")
    }

    /// The table that says which migrations have run.
    pub(crate) fn versions(&self) -> Self {
        self.beside("schema")
    }

    fn beside(&self, what: &str) -> Self {
        Self {
            schema: self.schema.clone(),
            table: format!("{}_{what}", self.table),
        }
    }
}

/// Quoted, so that `user` or `order` are names too.
impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "\"{schema}\".")?;
        }
        write!(f, "\"{}\"", self.table)
    }
}

fn is_valid(name: &str) -> bool {
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || first == b'_');
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    starts_well && name.len() <= MAX_LENGTH && name.bytes().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_and_quoted() {
        let name = TableName::new(Some("app"), "order").unwrap();
        assert_eq!(name.to_string(), r#""app"."order""#);
        assert_eq!(name.versions().to_string(), r#""app"."order_schema""#);
        assert!(TableName::new(None, &"x".repeat(48)).is_ok());
        for bad in [
            "",
            "1a",
            "A",
            "a-b",
            "a\"",
            "a;",
            "a.b",
            "é",
            "a\0",
            &"x".repeat(49),
        ] {
            assert!(TableName::new(None, bad).is_err(), "{bad:?}");
            assert!(TableName::new(Some(bad), "sessions").is_err(), "{bad:?}");
        }
    }
}
