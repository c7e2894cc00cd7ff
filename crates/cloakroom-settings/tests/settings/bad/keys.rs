//! Keys, and sessions in cookies.

use cloakroom_settings::SettingsFormat::Toml;

use crate::table::{Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(
        Toml,
        "a key in the settings",
        r#"
        [keys.main]
        current = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I="
        [namespaces.prefs]
        in_cookie = "signed"
    "#,
        &[
            "line 2: keys.main.current: a key does not stand in the settings, which go into version control and backups: write file:PATH or env:NAME",
        ],
    ),
    row(
        Toml,
        "no keys",
        r#"
        [namespaces.prefs]
        in_cookie = "signed"
    "#,
        &[
            "line 2: namespaces.prefs.in_cookie: a session in its cookie needs keys, and there is no [keys.NAME]",
        ],
    ),
    row(
        Toml,
        "keys that there are not",
        r#"
        [keys.main]
        current = "env:KEY"
        [namespaces.prefs]
        in_cookie = "signed"
        keys = "maim"
    "#,
        &[r#"line 5: namespaces.prefs.keys: there is no key ring "maim"; did you mean "main"?"#],
    ),
    row(
        Toml,
        "a variable that is not set",
        r#"
        [keys.main]
        current = "env:KEY"
        [namespaces.prefs]
        in_cookie = "signed"
    "#,
        &[
            "line 2: keys.main.current: KEY is not set: put a key there, for example from `openssl rand -base64 32`",
        ],
    ),
    row(
        Toml,
        "a key file that is not there",
        r#"
        [keys.main]
        current = "file:/nowhere/session.key"
        [namespaces.prefs]
        in_cookie = "signed"
    "#,
        &[
            "line 2: keys.main.current: the key file /nowhere/session.key can't be read or made: No such file or directory (os error 2)",
        ],
    ),
    row(
        Toml,
        "no current key",
        r#"
        [keys.main]
        older = ["env:OLD"]
        [namespaces.prefs]
        in_cookie = "signed"
    "#,
        &[
            r#"line 1: keys.main: a key ring needs a current key: current = "file:PATH" or "env:NAME""#,
        ],
    ),
    row(
        Toml,
        "a list that is none",
        r#"
        [keys.main]
        current = "env:KEY"
        older = "env:OLD"
        [namespaces.prefs]
        in_cookie = "signed"
    "#,
        &["line 3: keys.main.older: this is a string, and should be a list of strings"],
    ),
    row(
        Toml,
        "a variable that can not be made",
        r#"
        [keys.main]
        current = "env:KEY"
        generate = true
        [namespaces.prefs]
        in_cookie = "signed"
    "#,
        &[r#"line 3: keys.main.generate: only a key in a file can be made: current = "file:PATH""#],
    ),
    row(
        Toml,
        "store and cookie",
        r#"
        [stores.main]
        type = "memory"
        [keys.main]
        current = "env:KEY"
        [namespaces.prefs]
        store = "main"
        in_cookie = "signed"
    "#,
        &["line 6: namespaces.prefs.store: this is ambiguous: in_cookie is set too"],
    ),
    row(
        Toml,
        "keys for a store",
        r#"
        [stores.main]
        type = "memory"
        [keys.main]
        current = "env:KEY"
        [namespaces.cart]
        keys = "main"
    "#,
        &["line 6: namespaces.cart.keys: this is for namespaces that have in_cookie"],
    ),
    row(
        Toml,
        "rotation in a cookie",
        r#"
        [keys.main]
        current = "env:GOOD"
        [namespaces.prefs]
        in_cookie = "signed"
        rotate_every = "1h"
    "#,
        &["line 5: namespaces.prefs.rotate_every: a client-side namespace can't do this"],
    ),
    row(
        Toml,
        "a weak key",
        r#"
        [keys.main]
        current = "env:WEAK"
        [namespaces.prefs]
        in_cookie = "signed"
    "#,
        &[
            "line 2: keys.main.current: WEAK: the key is not random: make one with `openssl rand -base64 32`",
        ],
    ),
    row(
        Toml,
        "a key that is a phrase",
        r#"
        [keys.main]
        current = "env:PHRASE"
        [namespaces.prefs]
        in_cookie = "signed"
    "#,
        &["line 2: keys.main.current: PHRASE: the key is no base64"],
    ),
];
