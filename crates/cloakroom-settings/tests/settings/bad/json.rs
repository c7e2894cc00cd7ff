//! JSON files.

use cloakroom_settings::SettingsFormat::Json;

use crate::table::{Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(
        Json,
        "a misspelt setting",
        r#"
        {
          "stores": { "main": { "type": "memory" } },
          "namespaces": {
            "cart": { "limits": { "idel": "30m" } }
          }
        }
    "#,
        &["line 4: namespaces.cart.limits.idel: there is no such setting; did you mean idle?"],
    ),
    row(
        Json,
        "no JSON",
        r#"
        {
          "stores": { "main": { "type": "memory" }
    "#,
        &["line 3: this is no JSON: EOF while parsing an object"],
    ),
    row(
        Json,
        "a comma too many",
        r#"
        {
          "application": "shop",
        }
    "#,
        &["line 3: this is no JSON: key must be a string"],
    ),
    row(
        Json,
        "set twice",
        r#"
        {
          "application": "shop",
          "application": "blog"
        }
    "#,
        &["line 3: application: this is set twice, on line 2 too"],
    ),
    row(
        Json,
        "null",
        r#"
        { "application": null }
    "#,
        &["line 1: application: this is null, and should be a string"],
    ),
    row(
        Json,
        "a bare number",
        r#"
        {
          "deadlines": {
            "open": 2
          }
        }
    "#,
        &["line 3: deadlines.open: 2 is ambiguous, it has no unit: write 2s, 2m, 2h or 2d"],
    ),
    row(
        Json,
        "a fraction",
        r#"
        { "deadlines": { "open": 1.5 } }
    "#,
        &[r#"line 1: deadlines.open: this is a fraction, and should be a duration such as "30m""#],
    ),
    row(
        Json,
        "a list",
        r#"
        []
    "#,
        &["line 1: settings are an object, { .. }, and this is a list"],
    ),
    row(
        Json,
        "a bool in quotes",
        r#"
        { "namespaces": { "cart": {
         "strict": "true" } } }
    "#,
        &[
            "line 2: namespaces.cart.strict: this is a string, and should be true or false, without quotes",
        ],
    ),
    row(
        Json,
        "half a character",
        r#"
        {
        "application": "\ud800"
        }
    "#,
        &["line 2: application: this is no JSON: unexpected end of hex escape"],
    ),
];
