//! What the engine refuses.

use cloakroom_settings::SettingsFormat::Toml;

use crate::table::{Row, row};

pub(crate) const ROWS: &[Row] = &[
    row(
        Toml,
        "no namespace",
        r#"
        [stores.main]
        type = "memory"
    "#,
        &["namespaces: there is none: add one"],
    ),
    row(
        Toml,
        "a bad name",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.Cart]
    "#,
        &[
            r#"line 3: namespaces.Cart: "Cart" is no name for a namespace: use 1 to 32 lower-case letters, digits, - and _, a letter first"#,
        ],
    ),
    row(
        Toml,
        "a cookie that browsers refuse",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.cookie]
        name = "__Host-cart"
    "#,
        &[
            r#"line 4: namespaces.cart.cookie.name: the cookie name "__Host-cart" has a prefix: leave it out, it follows from the attributes"#,
        ],
    ),
    row(
        Toml,
        "a domain with a dot",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.cookie]
        domain = ".shop.example"
    "#,
        &[
            r#"line 4: namespaces.cart.cookie.domain: ".shop.example" is no cookie domain: use a host name such as example.com, without a dot before it, international names in their xn-- form"#,
        ],
    ),
    row(
        Toml,
        "SameSite=None over http",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        insecure_http = true
        cookie.same_site = "none"
    "#,
        &[
            "line 5: namespaces.cart.cookie.same_site: SameSite=None needs Secure: drop insecure_http or use Lax",
        ],
    ),
    row(
        Toml,
        "several wrong attributes, each in its place",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.cookie]
        name = "shopping cart"
        path = "shop"
        partitioned = true
    "#,
        &[
            r#"line 4: namespaces.cart.cookie.name: "shopping cart" is no cookie name: use letters, digits, - and _ (RFC 9110, token)"#,
            r#"line 5: namespaces.cart.cookie.path: "shop" is no cookie path: begin with /, percent-encode all but visible ASCII, and use neither ; nor ,"#,
            "line 6: namespaces.cart.cookie.partitioned: Partitioned needs SameSite=None and https",
        ],
    ),
    row(
        Toml,
        "an answer of a transport that has none",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.account]
        transports = ["cookie", "query:sid"]
        answer_in = "X-New-Token"
    "#,
        &[
            "line 5: namespaces.account.answer_in: this is for the transports bearer and header:NAME, and it has none of them",
        ],
    ),
    row(
        Toml,
        "an answer of the cookie alone",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.account]
        answer_in = "X-New-Token"
    "#,
        &[
            "line 4: namespaces.account.answer_in: this is for the transports bearer and header:NAME, and it has none of them",
        ],
    ),
    row(
        Toml,
        "an answer in what is no header",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.account]
        transports = ["bearer"]
        answer_in = "New Token"
    "#,
        &[
            r#"line 4: namespaces.account.transports: "New Token" is no header name: use letters, digits and -"#,
        ],
    ),
    row(
        Toml,
        "limits that contradict each other",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.limits]
        idle = "2h"
        absolute = "1h"
    "#,
        &[
            "line 3: namespaces.cart.limits: the idle limit is longer than the absolute one, so it never takes effect",
        ],
    ),
    row(
        Toml,
        "two lifetimes",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        persistent = "30d"
        limits.absolute = "12h"
    "#,
        &[
            "line 4: namespaces.cart.persistent: persistent says 30d and the absolute limit 12h: set one of them, or both to the same",
        ],
    ),
    row(
        Toml,
        "rotation too often",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        rotate_every = "5s"
    "#,
        &["line 4: namespaces.cart.rotate_every: rotate at most once a minute"],
    ),
    row(
        Toml,
        "no room",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        max_size = "0B"
    "#,
        &["line 4: namespaces.cart.max_size: no value fits into 0 bytes"],
    ),
    row(
        Toml,
        "no time",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        [deadlines]
        call = "0s"
    "#,
        &["line 5: deadlines.call: no store answers in no time"],
    ),
    row(
        Toml,
        "a sweeper without a pause",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        [sweeper]
        every = "100ms"
        older_than = "30s"
    "#,
        &[
            "line 5: sweeper.every: this is at least 1s",
            "line 6: sweeper.older_than: this is at least 1m",
        ],
    ),
    row(
        Toml,
        "one cookie for two",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart]
        cookie.name = "sid"
        [namespaces.account]
        cookie.name = "sid"
    "#,
        &[
            r#"line 6: namespaces.account.cookie: namespace "cart" has the cookie "__Host-sid" too, on an overlapping path and domain: rename one"#,
        ],
    ),
    row(
        Toml,
        "a transport that there is not",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.account]
        transports = ["cookie", "carrier-pigeon"]
    "#,
        &[
            r#"line 4: namespaces.account.transports: "carrier-pigeon" is no transport; there are cookie, bearer, header:NAME and query:NAME"#,
        ],
    ),
    row(
        Toml,
        "a header without a name",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.account]
        transports = ["header"]
    "#,
        &[
            r#"line 4: namespaces.account.transports: "header" is no transport; there are cookie, bearer, header:NAME and query:NAME"#,
        ],
    ),
    row(
        Toml,
        "a header that is taken",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.account]
        transports = ["header:Authorization"]
    "#,
        &[
            "line 4: namespaces.account.transports: the header Authorization has a scheme before its token: use Transport::bearer()",
        ],
    ),
    row(
        Toml,
        "a cookie that is no transport",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.account]
        transports = ["bearer"]
        cookie.name = "sid"
    "#,
        &["line 5: namespaces.account.cookie: this is ambiguous: cookie is none of its transports"],
    ),
    row(
        Toml,
        "no transport",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.account]
        transports = []
    "#,
        &["line 4: namespaces.account.transports: give a namespace 1 to 8 of them"],
    ),
    row(
        Toml,
        "one parameter for two",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.account]
        transports = ["query:sid"]
        [namespaces.cart]
        transports = ["query:sid"]
    "#,
        &[
            r#"line 6: namespaces.cart.transports: namespace "account" has the parameter "sid" too: rename one"#,
        ],
    ),
    row(
        Toml,
        "another transport in a cookie",
        r#"
        [keys.main]
        current = "env:GOOD"
        [namespaces.prefs]
        in_cookie = "signed"
        transports = ["bearer"]
    "#,
        &[
            "line 5: namespaces.prefs.transports: a client-side namespace is in its cookie: leave the others out",
        ],
    ),
    row(
        Toml,
        "a preset and a limit",
        r#"
        [stores.main]
        type = "memory"
        [namespaces.cart.limits]
        preset = "owasp"
        idle = "1h"
    "#,
        &[
            "line 4: namespaces.cart.limits.preset: this is ambiguous: a preset sets idle and absolute, and one of them is set too",
        ],
    ),
];
