//! Environment variables, over a file.

use crate::table::Variables;

pub(crate) const FILE: &str = r#"
    [stores.main]
    type = "memory"
    [namespaces.cart]
    [namespaces.admin-area]
    [namespaces.admin_area]
"#;

pub(crate) const ROWS: &[Variables] = &[
    Variables {
        what: "a misspelt setting",
        variables: &[("SHOP__NAMESPACES__CART__LIMITS__IDEL", "30m")],
        messages: &[
            "SHOP__NAMESPACES__CART__LIMITS__IDEL: namespaces.cart.limits.idel: there is no such setting; did you mean idle?",
        ],
    },
    Variables {
        what: "small letters",
        variables: &[("SHOP__NAMESPACES__cart__LIMITS__IDLE", "30m")],
        messages: &[
            "SHOP__NAMESPACES__cart__LIMITS__IDLE: variables are in capitals: SHOP__NAMESPACES__CART__LIMITS__IDLE",
        ],
    },
    Variables {
        what: "three underscores",
        variables: &[("SHOP__NAMESPACES__CART___STRICT", "true")],
        messages: &[
            "SHOP__NAMESPACES__CART___STRICT: namespaces.cart._strict: there is no such setting; did you mean strict?",
        ],
    },
    Variables {
        what: "a bare number",
        variables: &[("SHOP__NAMESPACES__CART__LIMITS__IDLE", "1800")],
        messages: &[
            "SHOP__NAMESPACES__CART__LIMITS__IDLE: namespaces.cart.limits.idle: 1800 is ambiguous, it has no unit: write 1800s, 1800m, 1800h or 1800d",
        ],
    },
    Variables {
        what: "a bool that is another word",
        variables: &[("SHOP__NAMESPACES__CART__STRICT", "1")],
        messages: &[
            r#"SHOP__NAMESPACES__CART__STRICT: namespaces.cart.strict: "1" is neither true nor false"#,
        ],
    },
    Variables {
        what: "an empty value",
        variables: &[("SHOP__NAMESPACES__CART__STORE", "")],
        messages: &[
            "SHOP__NAMESPACES__CART__STORE: namespaces.cart.store: this is empty: leave it out, or give it a value",
        ],
    },
    Variables {
        what: "a group",
        variables: &[("SHOP__NAMESPACES__CART", "main")],
        messages: &[
            "SHOP__NAMESPACES__CART: namespaces.cart: this is a single value, and should be a group of settings",
        ],
    },
    Variables {
        what: "a value below a value",
        variables: &[
            ("SHOP__APPLICATION", "shop"),
            ("SHOP__APPLICATION__NAME", "shop"),
        ],
        messages: &[
            "SHOP__APPLICATION__NAME: application: this is a single value on SHOP__APPLICATION",
        ],
    },
    Variables {
        what: "a misspelt secret",
        variables: &[(
            "SHOP__KEYS__MAIN__CURENT",
            "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I=",
        )],
        messages: &[
            "SHOP__KEYS__MAIN__CURENT: keys.main.curent: there is no such setting; did you mean current?",
        ],
    },
    Variables {
        what: "a password in a url",
        variables: &[("SHOP__STORES__MAIN__URL", "mongo://root:hunter2@db")],
        messages: &[
            "SHOP__STORES__MAIN__URL: stores.main.url: no store has such a url; there are memory:, file:FOLDER, sqlite:FILE, postgres://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE, redis://HOST, memcache://HOST, and tiered:URL",
        ],
    },
    Variables {
        what: "a key that is none",
        variables: &[
            ("SHOP__KEYS__MAIN__CURRENT", "hunter2"),
            ("SHOP__NAMESPACES__PREFS__IN_COOKIE", "signed"),
        ],
        messages: &["SHOP__KEYS__MAIN__CURRENT: keys.main.current: the key is no base64"],
    },
    Variables {
        what: "one of two names",
        variables: &[("SHOP__NAMESPACES__ADMIN_AREA__STRICT", "true")],
        messages: &[
            r#"SHOP__NAMESPACES__ADMIN_AREA__STRICT: this is ambiguous: it may stand for "admin-area" and for "admin_area"; rename one, or set it elsewhere"#,
        ],
    },
];
