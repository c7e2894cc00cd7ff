//! Beaker's settings.

use cloakroom_settings::SettingsFormat::{Ini, Toml};

use crate::table::{Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(
        Ini,
        "a misspelt setting of Beaker",
        r#"
        [beaker.session]
        type = memory
        timeuot = 1800
    "#,
        &["line 3: beaker.session.timeuot: there is no such setting; did you mean timeout?"],
    ),
    row(
        Ini,
        "Beaker: a timeout with a unit",
        r#"
        [beaker.session]
        type = memory
        timeout = 30m
    "#,
        &[
            r#"line 3: beaker.session.timeout: "30m" is no whole number of seconds; Beaker's settings have no units"#,
        ],
    ),
    row(
        Ini,
        "Beaker: pickle",
        r#"
        [beaker.session]
        type = memory
        data_serializer = pickle
    "#,
        &[
            "line 3: beaker.session.data_serializer: this is refused: who can write a pickle can run code; leave it out, or set it to json",
        ],
    ),
    row(
        Ini,
        "Beaker: dbm",
        r#"
        [beaker.session]
        type = dbm
        data_dir = data
    "#,
        &[
            "line 2: beaker.session.type: there is no dbm store: take type = ext:database with a url such as sqlite:///sessions.db",
        ],
    ),
    row(
        Ini,
        "Beaker: an unknown type",
        r#"
        [beaker.session]
        type = ext:couchdb
    "#,
        &[
            "line 2: beaker.session.type: there is no such type; there are memory, file, cookie, ext:database, ext:memcached, ext:redis and ext:rediscluster",
        ],
    ),
    row(
        Ini,
        "Beaker: no url",
        r#"
        [beaker.session]
        type = ext:redis
    "#,
        &["line 2: beaker.session.type: sessions with type = ext:redis need a url"],
    ),
    row(
        Ini,
        "Beaker: cookies off",
        r#"
        [beaker.session]
        type = memory
        use_cookies = False
    "#,
        &[
            "line 3: beaker.session.use_cookies: this is refused: say how its token travels, in code or in the namespace's own settings, as transports",
        ],
    ),
    row(
        Ini,
        "Beaker: httponly off",
        r#"
        [beaker.session]
        type = memory
        httponly = false
    "#,
        &["line 3: beaker.session.httponly: this is refused: cookies are HttpOnly, always"],
    ),
    row(
        Ini,
        "Beaker: a timeout without access times",
        r#"
        [beaker.session]
        type = memory
        timeout = 1800
        save_accessed_time = false
    "#,
        &[
            "line 4: beaker.session.save_accessed_time: a timeout needs the time of the last access: leave one of the two out",
        ],
    ),
    row(
        Ini,
        "Beaker: a cookie without a key",
        r#"
        [beaker.session]
        type = cookie
        secret = hunter2
    "#,
        &[
            "line 2: beaker.session.type: a session in its cookie needs a key: validate_key = file:PATH or env:NAME signs it, encrypt_key encrypts it",
        ],
    ),
    row(
        Ini,
        "Beaker: a key in the file",
        r#"
        [beaker.session]
        type = cookie
        validate_key = hunter2
    "#,
        &[
            "line 3: beaker.session.validate_key: a key does not stand in the settings, which go into version control and backups: write file:PATH or env:NAME",
        ],
    ),
    row(
        Ini,
        "Beaker: lock files",
        r#"
        [beaker.session]
        type = memory
        lock_dir = /tmp
    "#,
        &[
            "line 3: beaker.session.lock_dir: this is refused: no lock files are needed: leave it out",
        ],
    ),
    row(
        Ini,
        "Beaker: a class of Python",
        r#"
        [beaker.session]
        type = memory
        session_class = shop.Session
    "#,
        &[
            "line 3: beaker.session.session_class: this is refused: a class of Python can't be loaded",
        ],
    ),
    row(
        Ini,
        "Beaker: several memcached servers",
        r#"
        [beaker.session]
        type = ext:memcached
        url = a:11211;b:11211
    "#,
        &[
            "line 2: beaker.session.type: a memcached store is one server, and the url names several",
        ],
    ),
    row(
        Ini,
        "Beaker: a domain with a dot",
        r#"
        [beaker.session]
        type = memory
        cookie_domain = .shop.example
    "#,
        &[
            r#"line 3: beaker.session.cookie_domain: ".shop.example" is no cookie domain: use a host name such as example.com, without a dot before it, international names in their xn-- form"#,
        ],
    ),
    row(
        Ini,
        "Beaker: neither a bool nor seconds",
        r#"
        [beaker.session]
        type = memory
        cookie_expires = tomorrow
    "#,
        &[
            r#"line 3: beaker.session.cookie_expires: "tomorrow" is neither true, false nor a whole number of seconds"#,
        ],
    ),
    row(
        Ini,
        "Beaker: limits that contradict each other",
        r#"
        [beaker.session]
        type = memory
        timeout = 7200
        cookie_expires = 3600
    "#,
        &[
            "line 3: beaker.session.timeout: the idle limit is longer than the absolute one, so it never takes effect",
        ],
    ),
    row(
        Ini,
        "Beaker: another store's setting",
        r#"
        [beaker.session]
        type = memory
        data_dir = data
    "#,
        &[
            "line 3: beaker.session.data_dir: sessions with type = memory have no such setting: leave it out",
        ],
    ),
    row(
        Ini,
        "Beaker: its caches",
        r#"
        [beaker.session]
        type = memory
        [beaker.cache]
        regions = short
    "#,
        &[
            "line 4: beaker.cache: this is refused: Beaker's caches are no sessions: take another crate for them",
        ],
    ),
    row(
        Toml,
        "Beaker: a namespace that is there",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.session]
        [beaker.session]
        type = "memory"
    "#,
        &[
            "line 4: beaker.session: there is a namespace of this name already: set beaker.session.namespace to another name",
        ],
    ),
    row(
        Toml,
        "Beaker: SameSite",
        r#"
        [beaker.session]
        type = "memory"
        samesite = "Loose"
    "#,
        &[r#"line 3: beaker.session.samesite: "loose" is none of Lax, Strict and None"#],
    ),
];
