//! Values of the wrong type, or of none.

use cloakroom_settings::SettingsFormat::Toml;

use crate::table::{Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(
        Toml,
        "a bare number",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.limits]
        idle = 30
    "#,
        &[
            "line 4: namespaces.cart.limits.idle: 30 is ambiguous, it has no unit: write 30s, 30m, 30h or 30d",
        ],
    ),
    row(
        Toml,
        "a bare number in quotes",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.limits]
        idle = "30"
    "#,
        &[
            "line 4: namespaces.cart.limits.idle: 30 is ambiguous, it has no unit: write 30s, 30m, 30h or 30d",
        ],
    ),
    row(
        Toml,
        "an unknown unit",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.limits]
        idle = "30min"
    "#,
        &[
            r#"line 4: namespaces.cart.limits.idle: "30min" is no duration: write a whole number and one of ms, s, m, h and d, as in 30m"#,
        ],
    ),
    row(
        Toml,
        "two units",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.limits]
        idle = "1h30m"
    "#,
        &[
            r#"line 4: namespaces.cart.limits.idle: "1h30m" is no duration: write a whole number and one of ms, s, m, h and d, as in 30m"#,
        ],
    ),
    row(
        Toml,
        "a fraction",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.limits]
        idle = 1.5
    "#,
        &[
            r#"line 4: namespaces.cart.limits.idle: this is a fraction, and should be a duration such as "30m""#,
        ],
    ),
    row(
        Toml,
        "a date",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        persistent = 2026-11-21
    "#,
        &[
            r#"line 4: namespaces.cart.persistent: this is a date or time, and should be a duration such as "30m""#,
        ],
    ),
    row(
        Toml,
        "too long",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        persistent = "99999999999999999999d"
    "#,
        &[r#"line 4: namespaces.cart.persistent: "99999999999999999999d" is too long"#],
    ),
    row(
        Toml,
        "a bare size",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        max_size = 65536
    "#,
        &[
            "line 4: namespaces.cart.max_size: 65536 is ambiguous, it has no unit: write 65536B for bytes, or KiB, MiB or GiB",
        ],
    ),
    row(
        Toml,
        "an ambiguous size",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        max_size = "64KB"
    "#,
        &[
            r#"line 4: namespaces.cart.max_size: "64KB" is ambiguous, K may be 1000 or 1024: write 64KiB for 1024, or the number of bytes, as in 64000B"#,
        ],
    ),
    row(
        Toml,
        "no size",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        max_size = "big"
    "#,
        &[
            r#"line 4: namespaces.cart.max_size: "big" is no size: write a whole number and one of B, KiB, MiB and GiB, as in 64KiB"#,
        ],
    ),
    row(
        Toml,
        "a bool in quotes",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        strict = "true"
    "#,
        &[
            "line 4: namespaces.cart.strict: this is a string, and should be true or false, without quotes",
        ],
    ),
    row(
        Toml,
        "a number for a bool",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        strict = 1
    "#,
        &[
            "line 4: namespaces.cart.strict: this is a number, and should be true or false, without quotes",
        ],
    ),
    row(
        Toml,
        "a bool for a group",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        limits = true
    "#,
        &["line 4: namespaces.cart.limits: this is a bool, and should be a group of settings"],
    ),
    row(
        Toml,
        "a text for a group",
        r#"
        [stores.main]
        type = "memory"
        [namespaces]
        cart = "main"
    "#,
        &["line 4: namespaces.cart: this is a string, and should be a group of settings"],
    ),
    row(
        Toml,
        "a group for a text",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        store = { name = "main" }
    "#,
        &["line 4: namespaces.cart.store: this is a group of settings, and should be a string"],
    ),
    row(
        Toml,
        "a list for a text",
        r#"
        application = ["shop"]
        [stores.main]
        type = "memory"
        [namespaces.cart]
    "#,
        &["line 1: application: this is a list, and should be a string"],
    ),
    row(
        Toml,
        "a list of groups",
        r#"
        [[namespaces]]
        name = "cart"
    "#,
        &["line 1: namespaces: this is a list, and should be a group of settings"],
    ),
    row(
        Toml,
        "a number for a text",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.cookie]
        name = 7
    "#,
        &["line 4: namespaces.cart.cookie.name: this is a number, and should be a string"],
    ),
    row(
        Toml,
        "a text for a count",
        r#"
        [stores.main]
        url = "memory:"
        max_sessions = "many"
        [namespaces.cart]
    "#,
        &[
            "line 3: stores.main.max_sessions: this is a string, and should be a whole number, without quotes",
        ],
    ),
    row(
        Toml,
        "a count below the least",
        r#"
        [stores.main]
        url = "memory:"
        max_sessions = 0
        [namespaces.cart]
    "#,
        &["line 3: stores.main.max_sessions: this is at least 1"],
    ),
    row(
        Toml,
        "a negative count",
        r#"
        [stores.main]
        url = "memory:"
        max_sessions = -1
        [namespaces.cart]
    "#,
        &[r#"line 3: stores.main.max_sessions: "-1" is no whole number"#],
    ),
    row(
        Toml,
        "an empty text",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.cookie]
        domain = ""
    "#,
        &["line 4: namespaces.cart.cookie.domain: this is empty: leave it out, or give it a value"],
    ),
    row(
        Toml,
        "an unknown choice",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.cookie]
        same_site = "Lax"
    "#,
        &[
            r#"line 4: namespaces.cart.cookie.same_site: "Lax" is none of strict, lax, none; did you mean lax?"#,
        ],
    ),
    row(
        Toml,
        "a save mode",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        save_mode = "onchange"
    "#,
        &[
            r#"line 4: namespaces.cart.save_mode: "onchange" is none of on_change, explicit, always; did you mean on_change?"#,
        ],
    ),
    row(
        Toml,
        "a choice like nothing",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        codec = "pickle"
    "#,
        &[r#"line 4: namespaces.cart.codec: "pickle" is none of message_pack, json"#],
    ),
    row(
        Toml,
        "no TOML",
        r#"
        [stores.main
        type = "memory"
    "#,
        &["line 1: this is no TOML: unclosed table, expected `]`"],
    ),
    row(
        Toml,
        "a text without its end",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        store = "main
    "#,
        &[r#"line 4: this is no TOML: invalid basic string, expected `"`"#],
    ),
    row(
        Toml,
        "set twice",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        strict = true
        strict = false
    "#,
        &["line 5: this is set twice"],
    ),
];
