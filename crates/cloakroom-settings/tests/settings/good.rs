//! Settings that are good, and what becomes of them.

use cloakroom_settings::SettingsFormat::{Ini, Json, Toml};

use crate::table::{Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(
        Toml,
        "the least",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        "#,
        &[
            "__Host-cart: Path=/; Secure; HttpOnly; SameSite=Lax",
            "idle: Some(1800s), absolute: Some(28800s)",
        ],
    ),
    row(
        Toml,
        "limits",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.limits]
        idle = "30m"
        absolute = "12h"
        touch_after = "90s"
        "#,
        &["idle: Some(1800s), absolute: Some(43200s), touch_after: Some(90s)"],
    ),
    row(
        Toml,
        "one limit",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        limits = { absolute = "30d" }
        "#,
        &["idle: None, absolute: Some(2592000s), touch_after: None"],
    ),
    row(
        Toml,
        "a preset, and exact",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.limits]
        preset = "nist_aal3"
        touch_after = "0s"
        "#,
        &["idle: Some(900s), absolute: Some(43200s), touch_after: Some(0ns)"],
    ),
    row(
        Toml,
        "only when a use is noted",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.limits]
        touch_after = "1m"
        "#,
        &["idle: Some(1800s), absolute: Some(28800s), touch_after: Some(60s)"],
    ),
    row(
        Toml,
        "persistent",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        persistent = "30d"
        "#,
        &[
            "idle: None, absolute: Some(2592000s)",
            "is_persistent: true",
        ],
    ),
    row(
        Toml,
        "a cookie of its own",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.cookie]
        name = "basket"
        domain = "shop.example"
        path = "/shop"
        same_site = "strict"
        "#,
        &["__Secure-basket: Domain=shop.example; Path=/shop; Secure; HttpOnly; SameSite=Strict"],
    ),
    row(
        Toml,
        "a cookie for frames",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        cookie = { same_site = "none", partitioned = true }
        "#,
        &["__Host-cart: Path=/; Secure; HttpOnly; SameSite=None; Partitioned"],
    ),
    row(
        Toml,
        "plain http",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        insecure_http = true
        "#,
        &["cart: Path=/; HttpOnly; SameSite=Lax"],
    ),
    row(
        Toml,
        "everything else",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        rotate_every = "1h"
        max_size = "16KiB"
        codec = "json"
        strict = true
        save_mode = "explicit"
        refuse_changes_on_get = true
        save_on_server_error = true
        on_store_failure = "keep_response"
        on_ended = "respond_409"
        on_corrupt = "fail"
        on_undecodable = "discard"
        on_replaced_token = "end_session"
        "#,
        &[
            "rotate_every: Some(3600s)",
            "max_size: 16384",
            "codec: Json",
            "is_strict: true",
            "save_mode: Explicit",
            "refuses_changes_on_get: true",
            "saves_on_server_error: true",
            "on_store_failure: KeepResponse",
            "on_ended: Respond409",
            "on_corrupt: Fail",
            "on_undecodable: Discard",
            "on_replaced_token: EndSession",
        ],
    ),
    row(
        Toml,
        "the other answers",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        codec = "message_pack"
        save_mode = "always"
        on_store_failure = "respond_503"
        on_ended = "respond_401"
        on_corrupt = "reset"
        on_undecodable = "fail"
        on_replaced_token = "ignore"
        strict = false
        "#,
        &[
            "codec: MessagePack",
            "save_mode: Always",
            "on_store_failure: Respond503",
            "on_ended: Respond401",
            "on_corrupt: Reset",
            "on_undecodable: Fail",
            "on_replaced_token: Ignore",
            "is_strict: false",
        ],
    ),
    row(
        Toml,
        "several namespaces share a store",
        r#"
        application = "shop"
        deadlines = { open = "2s", commit = "2s", call = "200ms" }
        sweeper = { every = "10m", older_than = "1h" }
        [stores.main]
        url = "memory:"
        max_sessions = 1_000
        max_bytes = "64MiB"
        [namespaces.account]
        store = "main"
        [namespaces.cart]
        store = "main"
        "#,
        &["__Host-account: ", "__Host-cart: "],
    ),
    row(
        Toml,
        "signed, in its cookie",
        r#"
        [keys.main]
        current = "env:GOOD"
        [namespaces.prefs]
        in_cookie = "signed"
        accept_replay = true
        persistent = "365d"
        "#,
        &["__Host-prefs: ", "accepts_replay: true"],
    ),
    row(
        Toml,
        "encrypted, in its cookie",
        r#"
        [keys.main]
        current = "env:GOOD"
        older = ["env:GOOD"]
        [namespaces.prefs]
        in_cookie = "encrypted"
        keys = "main"
        "#,
        &["__Host-prefs: ", "accepts_replay: false"],
    ),
    row(
        Toml,
        "memory in front of memory",
        r#"
        [stores.main]
        type = "tiered"
        url = "tiered:memory:"
        max_age = "2s"
        front_timeout = "20ms"
        [namespaces.cart]
        "#,
        &["TieredStore"],
    ),
    row(
        Toml,
        "what nobody uses is left alone",
        r#"
        [stores.main]
        type = "memory"
        [stores.other]
        url = "file:/proc/nowhere"
        [keys.other]
        current = "file:/nowhere"
        [namespaces.cart]
        store = "main"
        "#,
        &["__Host-cart: "],
    ),
    row(
        Toml,
        "dotted names",
        r#"
        stores.main.type = "memory"
        namespaces.cart.limits.idle = "30m"
        namespaces.cart.limits.absolute = "12h"
        "#,
        &["idle: Some(1800s), absolute: Some(43200s)"],
    ),
    row(
        Ini,
        "sections and dotted names",
        r#"
        ; the shop
        application = "shop ; and more"

        [stores.main]
        type = memory
        max_sessions = 1000
        # what is in the cart
        [namespaces.cart]
        limits.idle = 30m
        limits.absolute = 12h
        strict = true
        cookie.path = "/shop"
        "#,
        &[
            "__Secure-cart: Path=/shop; ",
            "idle: Some(1800s), absolute: Some(43200s)",
            "is_strict: true",
        ],
    ),
    row(
        Ini,
        "a list",
        r#"
        [keys.main]
        current = env:GOOD
        older = env:GOOD, env:GOOD
        [namespaces.prefs]
        in_cookie = encrypted
        "#,
        &["__Host-prefs: ", "3 keys"],
    ),
    row(
        Json,
        "the same in JSON",
        r#"
        {
          "application": "shop",
          "stores": { "main": { "type": "memory", "max_sessions": 1000 } },
          "namespaces": {
            "cart": { "limits": { "idle": "30m", "absolute": "12h" }, "strict": true }
          }
        }
        "#,
        &[
            "idle: Some(1800s), absolute: Some(43200s)",
            "is_strict: true",
        ],
    ),
    row(
        Json,
        "characters by their numbers",
        r#"
        { "stores": { "\u006dain": { "url": "memory:" } }, "namespaces": { "cart": { "store": "main" } } }
        "#,
        &["__Host-cart: "],
    ),
    row(
        Toml,
        "several transports",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.account]
        transports = ["cookie", "bearer", "header:X-Device", "query:sid"]
        cookie.name = "sid"
        "#,
        &["__Host-sid: ", "x-session-token", "x-device", "Query"],
    ),
    row(
        Ini,
        "another transport",
        r#"
        [stores.main]
        type = memory
        [namespaces.account]
        transports = bearer
        "#,
        &["no cookie: ", "x-session-token"],
    ),
    row(
        Ini,
        "an answer in another header",
        r#"
        [stores.main]
        type = memory
        [namespaces.account]
        transports = cookie, header:X-Device
        answer_in = X-New-Device
        "#,
        &[
            "__Host-account: ",
            r#"name: "x-device", answer: "x-new-device""#,
        ],
    ),
    row(
        Ini,
        "Beaker: the least",
        r#"
        [beaker.session]
        key = shop
        secret = hunter2
        "#,
        &[
            "session = __Host-shop: Path=/; Secure; HttpOnly; SameSite=Lax",
            "save_mode: Explicit",
            "idle: Some(1800s), absolute: Some(28800s)",
            "MemoryStore",
        ],
    ),
    row(
        Ini,
        "Beaker: much of it",
        r#"
        [beaker.session]
        namespace = account
        type = memory
        key = sid
        secret = hunter2
        timeout = 1800
        cookie_expires = 2592000
        cookie_domain = shop.example
        cookie_path = /app
        auto = True
        secure = yes
        httponly = On
        samesite = Strict
        use_cookies = 1
        invalidate_corrupt = no
        data_serializer = json
        save_accessed_time = t
        "#,
        &[
            "account = __Secure-sid: Domain=shop.example; Path=/app; Secure; HttpOnly; SameSite=Strict",
            "idle: Some(1800s), absolute: Some(2592000s)",
            "is_persistent: true",
            "on_corrupt: Fail",
            "codec: Json",
            "save_mode: OnChange",
        ],
    ),
    row(
        Toml,
        "Beaker: with types",
        r#"
        [beaker.session]
        type = "memory"
        timeout = 600
        auto = false
        secure = false
        cookie_expires = false
        "#,
        &[
            "session = beaker.session.id: Path=/; HttpOnly; SameSite=Lax",
            "save_mode: Explicit",
            "idle: Some(600s), absolute: Some(34560000s)",
            "is_persistent: true",
        ],
    ),
    row(
        Ini,
        "Beaker: one is a bool, as it was",
        r#"
        [beaker.session]
        cookie_expires = 1
        "#,
        &["is_persistent: false"],
    ),
    row(
        Ini,
        "Beaker: no access times",
        r#"
        [beaker.session]
        save_accessed_time = false
        "#,
        &["idle: None, absolute: Some(28800s)"],
    ),
    row(
        Ini,
        "Beaker: signed in its cookie",
        r#"
        [beaker.session]
        type = cookie
        validate_key = env:GOOD
        "#,
        &["accepts_replay: true"],
    ),
    row(
        Ini,
        "Beaker: encrypted in its cookie",
        r#"
        [beaker.session]
        type = cookie
        encrypt_key = env:GOOD
        "#,
        &["accepts_replay: true"],
    ),
];
