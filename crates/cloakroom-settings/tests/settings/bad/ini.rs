//! INI files.

use cloakroom_settings::SettingsFormat::Ini;

use crate::table::{Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(
        Ini,
        "a misspelt setting",
        r#"
        [stores.main]
        type = memory
        [namespaces.cart.limits]
        idel = 30m
    "#,
        &["line 4: namespaces.cart.limits.idel: there is no such setting; did you mean idle?"],
    ),
    row(
        Ini,
        "a bare number",
        r#"
        [stores.main]
        type = memory
        [namespaces.cart.limits]
        idle = 1800
    "#,
        &[
            "line 4: namespaces.cart.limits.idle: 1800 is ambiguous, it has no unit: write 1800s, 1800m, 1800h or 1800d",
        ],
    ),
    row(
        Ini,
        "a bool that is another word",
        r#"
        [stores.main]
        type = memory
        [namespaces.cart]
        strict = yes
    "#,
        &[r#"line 4: namespaces.cart.strict: "yes" is neither true nor false"#],
    ),
    row(
        Ini,
        "a bool in capitals",
        r#"
        [stores.main]
        type = memory
        [namespaces.cart]
        strict = True
    "#,
        &[r#"line 4: namespaces.cart.strict: "True" is neither true nor false"#],
    ),
    row(
        Ini,
        "an empty value",
        r#"
        [stores.main]
        type = memory
        [namespaces.cart.cookie]
        domain =
    "#,
        &["line 4: namespaces.cart.cookie.domain: this is empty: leave it out, or give it a value"],
    ),
    row(
        Ini,
        "set twice",
        r#"
        [stores.main]
        type = memory
        [namespaces.cart]
        strict = true
        [namespaces]
        cart.strict = false
    "#,
        &["line 6: namespaces.cart.strict: this is set twice, on line 4 too"],
    ),
    row(
        Ini,
        "a line that is nothing",
        r#"
        [stores.main]
        type memory
    "#,
        &["line 2: a line is a [section], a name = value, or a comment that begins with # or ;"],
    ),
    row(
        Ini,
        "a section without its end",
        r#"
        [stores.main
    "#,
        &["line 1: the [ has no ] at the end of its line"],
    ),
    row(
        Ini,
        "a comment after a value",
        r#"
        [stores.main]
        type = memory
        [namespaces.cart.limits]
        idle = 30m ; half an hour
    "#,
        &[
            "line 4: namespaces.cart.limits.idle: this is ambiguous: a comment stands on a line of its own, and a value that has # or ; after a space stands in double quotes",
        ],
    ),
    row(
        Ini,
        "a line that is indented",
        r#"
        [stores.main]
            type = memory
    "#,
        &[
            "line 2: the line begins with white space, which some take for more of the line before: begin at the margin",
        ],
    ),
    row(
        Ini,
        "an empty part of a name",
        r#"
        [stores..main]
        type = memory
    "#,
        &["line 2: stores..main.type: a part of the name is empty"],
    ),
    row(
        Ini,
        "a value and a group of one name",
        r#"
        [stores.main]
        type = memory
        [namespaces]
        cart.limits = 30m
        [namespaces.cart.limits]
        idle = 30m
    "#,
        &[
            "line 6: namespaces.cart.limits: this is a single value on line 4",
            "line 4: namespaces.cart.limits: this is a single value, and should be a group of settings",
        ],
    ),
    row(
        Ini,
        "a quote without its end",
        r#"
        [stores.main]
        url = "memory:
        [namespaces.cart]
    "#,
        &[r#"line 2: stores.main.url: a value that begins with " ends with the next one"#],
    ),
    row(
        Ini,
        "a count",
        r#"
        [stores.main]
        url = memory:
        max_sessions = 1e6
    "#,
        &[r#"line 3: stores.main.max_sessions: "1e6" is no whole number"#],
    ),
];
