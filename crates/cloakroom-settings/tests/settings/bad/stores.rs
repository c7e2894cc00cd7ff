//! Stores.

use cloakroom_settings::SettingsFormat::Toml;

use crate::table::{Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(
        Toml,
        "no store",
        r#"
        [namespaces.cart]
    "#,
        &[
            "line 1: namespaces.cart: it has neither a store nor in_cookie, and there is no [stores.NAME]",
        ],
    ),
    row(
        Toml,
        "a store that there is not",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        store = "mian"
    "#,
        &[r#"line 4: namespaces.cart.store: there is no store "mian"; did you mean "main"?"#],
    ),
    row(
        Toml,
        "one of several stores",
        r#"
        [stores.a]
        type = "memory"
        [stores.b]
        type = "memory"
        [namespaces.cart]
    "#,
        &["line 5: namespaces.cart: which store is ambiguous, there are a, b: set store"],
    ),
    row(
        Toml,
        "no url",
        r#"
        [stores.main]
        type = "redis"
        [namespaces.cart]
    "#,
        &[r#"line 1: stores.main: it needs a url, such as "redis://HOST""#],
    ),
    row(
        Toml,
        "neither type nor url",
        r#"
        [stores.main]
        [namespaces.cart]
    "#,
        &[r#"line 1: stores.main: it needs a url, such as "sqlite:FILE" or "redis://HOST""#],
    ),
    row(
        Toml,
        "an unknown type",
        r#"
        [stores.main]
        type = "postgresql"
        url = "postgres://db/app"
        [namespaces.cart]
    "#,
        &[
            r#"line 2: stores.main.type: "postgresql" is none of memory, file, sqlite, postgres, mysql, redis, memcached, tiered; did you mean postgres?"#,
        ],
    ),
    row(
        Toml,
        "type and url of two stores",
        r#"
        [stores.main]
        type = "redis"
        url = "memcache://cache"
        [namespaces.cart]
    "#,
        &[
            "line 2: stores.main.type: this is ambiguous: the type is redis, and the url that of memcached",
        ],
    ),
    row(
        Toml,
        "a url of no store",
        r#"
        [stores.main]
        url = "mongodb://root:hunter2@db/app"
        [namespaces.cart]
    "#,
        &[
            "line 2: stores.main.url: no store has such a url; there are memory:, file:FOLDER, sqlite:FILE, postgres://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE, redis://HOST, memcache://HOST, and tiered:URL",
        ],
    ),
    row(
        Toml,
        "a misspelt url",
        r#"
        [stores.main]
        url = "postgress://app:hunter2@db/app"
        [namespaces.cart]
    "#,
        &[
            "line 2: stores.main.url: no store has such a url; there are memory:, file:FOLDER, sqlite:FILE, postgres://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE, redis://HOST, memcache://HOST, and tiered:URL; did you mean postgres:?",
        ],
    ),
    row(
        Toml,
        "a url from a variable that is not set",
        r#"
        [stores.main]
        url = "env:DATABASE_URL"
        [namespaces.cart]
    "#,
        &["line 2: stores.main.url: the variable DATABASE_URL is not set"],
    ),
    row(
        Toml,
        "a setting of another store",
        r#"
        [stores.main]
        url = "memory:"
        prefix = "shop"
        [namespaces.cart]
    "#,
        &[
            "line 3: stores.main.prefix: a memory store has no such setting; it has max_sessions, max_bytes",
        ],
    ),
    row(
        Toml,
        "a file as if on a host",
        r#"
        [stores.main]
        url = "file://data/sessions"
        [namespaces.cart]
    "#,
        &["line 2: stores.main.url: after file:// a host would follow: write file:FOLDER"],
    ),
    row(
        Toml,
        "a query after a file",
        r#"
        [stores.main]
        url = "sqlite:data.db?table=logins"
        [namespaces.cart]
    "#,
        &[
            "line 2: stores.main.url: write what follows the ? as settings: table, synchronous, migrate",
        ],
    ),
    row(
        Toml,
        "tiered before nothing",
        r#"
        [stores.main]
        type = "tiered"
        [namespaces.cart]
    "#,
        &["line 1: stores.main: it needs a url, that of the store behind: tiered:URL"],
    ),
];
