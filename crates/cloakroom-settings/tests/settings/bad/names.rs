//! Names that there are not.

use cloakroom_settings::SettingsFormat::Toml;

use crate::table::{Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(
        Toml,
        "a misspelt setting",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.limits]
        idel = "30m"
    "#,
        &["line 4: namespaces.cart.limits.idel: there is no such setting; did you mean idle?"],
    ),
    row(
        Toml,
        "another spelling",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.cookie]
        sameSite = "lax"
    "#,
        &[
            "line 4: namespaces.cart.cookie.sameSite: there is no such setting; did you mean same_site?",
        ],
    ),
    row(
        Toml,
        "a misspelt group",
        r#"
        [stores.main]
        type = "memory"
        [namespace.cart]
    "#,
        &["line 3: namespace: there is no such setting; did you mean namespaces?"],
    ),
    row(
        Toml,
        "a setting in the wrong place",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        idle = "30m"
    "#,
        &[
            "line 4: namespaces.cart.idle: there is no such setting here; did you mean namespaces.NAME.limits.idle?",
        ],
    ),
    row(
        Toml,
        "a setting of other libraries",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.cookie]
        http_only = false
    "#,
        &[
            "line 4: namespaces.cart.cookie.http_only: there is no such setting; cookies are HttpOnly, always",
        ],
    ),
    row(
        Toml,
        "another one",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        secure = true
    "#,
        &[
            "line 4: namespaces.cart.secure: there is no such setting; cookies are Secure unless insecure_http = true",
        ],
    ),
    row(
        Toml,
        "a secret for what needs none",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        secret = "hunter2"
    "#,
        &[
            "line 4: namespaces.cart.secret: there is no such setting; keys stand in [keys.NAME], and only namespaces with in_cookie need them",
        ],
    ),
    row(
        Toml,
        "nothing like it",
        r#"
        [stores.main]
        type = "memory"
        [deadlines]
        colour = "1s"
    "#,
        &["line 4: deadlines.colour: there is no such setting; there are open, commit, call"],
    ),
    row(
        Toml,
        "a dotted name",
        r#"
        namespaces.cart.limits.absolut = "1h"
        [stores.main]
        type = "memory"
    "#,
        &[
            "line 1: namespaces.cart.limits.absolut: there is no such setting; did you mean absolute?",
        ],
    ),
    row(
        Toml,
        "a setting of all, in a group",
        r#"
        [stores.main]
        type = "memory"
        application = "shop"
        [namespaces.cart]
    "#,
        &[
            "line 3: stores.main.application: there is no such setting here; did you mean application, outside of all groups?",
        ],
    ),
    row(
        Toml,
        "an inline table",
        r#"
        [stores.main]
        type = "memory"
        [namespaces]
        cart = { limits = { idle = "30m", absolut = "1h" } }
    "#,
        &[
            "line 4: namespaces.cart.limits.absolut: there is no such setting; did you mean absolute?",
        ],
    ),
    row(
        Toml,
        "two mistakes at once",
        r#"
        [stores.main]
        tipe = "memory"
        [namespaces.cart]
        max_sice = "1KiB"
    "#,
        &[
            "line 2: stores.main.tipe: there is no such setting; did you mean type?",
            "line 4: namespaces.cart.max_sice: there is no such setting; did you mean max_size?",
        ],
    ),
];
