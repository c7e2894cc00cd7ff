//! A store whose feature is off says which one it needs.

use cloakroom_settings::{Settings, SettingsFormat};

#[test]
fn a_store_says_which_feature_it_needs() {
    for (url, feature, is_on) in [
        ("memory:", "memory", cfg!(feature = "memory")),
        ("file:sessions", "file", cfg!(feature = "file")),
        ("sqlite:sessions.db", "sqlite", cfg!(feature = "sqlite")),
        ("postgres://db/app", "postgres", cfg!(feature = "postgres")),
        ("mysql://db/app", "mysql", cfg!(feature = "mysql")),
        ("redis://cache", "redis", cfg!(feature = "redis")),
        ("memcache://cache", "memcached", cfg!(feature = "memcached")),
    ] {
        let message = format!(
            "line 2: stores.main.url: this needs the cargo feature {feature:?} of cloakroom"
        );
        assert_eq!(said(url).contains(&message), !is_on, "{url}");
        assert_eq!(said(url).is_empty(), is_on, "{url}");
    }
    let needs_tiered = said("tiered:memory:")
        .iter()
        .any(|said| said.contains("\"tiered\""));
    assert_eq!(needs_tiered, !cfg!(feature = "tiered"));
}

#[test]
fn a_url_that_asks_for_tls_says_it_too() {
    for (url, feature, is_on) in [
        ("rediss://cache", "redis-tls", cfg!(feature = "redis-tls")),
        (
            "postgres://db/app?sslmode=require",
            "postgres-tls",
            cfg!(feature = "postgres-tls"),
        ),
        (
            "mysql://db/app?x=1&require_ssl=true",
            "mysql-tls",
            cfg!(feature = "mysql-tls"),
        ),
    ] {
        let message = format!(
            "line 2: stores.main.url: this needs the cargo feature {feature:?} of cloakroom"
        );
        assert_eq!(said(url).contains(&message), !is_on, "{url}");
    }
}

#[test]
fn what_is_no_store_says_it_too() {
    let text = "[stores.main]\nurl = \"env:URL\"\n[namespaces.cart]\ncodec = \"json\"\n\
                [keys.main]\ncurrent = \"env:KEY\"\n[namespaces.prefs]\nin_cookie = \"signed\"\n";
    let settings = Settings::new()
        .text(SettingsFormat::Toml, text)
        .variables([("URL", "memory:")]);
    let said = settings.check().unwrap_err().to_string();
    let json = "line 4: namespaces.cart.codec: this needs the cargo feature \"json\" of cloakroom";
    assert_eq!(said.contains(json), !cfg!(feature = "json"), "{said}");
    let cookie = "line 8: namespaces.prefs.in_cookie: this needs the cargo feature \"client-side\"";
    assert_eq!(
        said.contains(cookie),
        !cfg!(feature = "client-side"),
        "{said}"
    );
}

/// What is said of a store with a URL.
fn said(url: &str) -> Vec<String> {
    let text = format!("[stores.main]\nurl = \"{url}\"\n[namespaces.cart]\n");
    match Settings::new().text(SettingsFormat::Toml, text).check() {
        Ok(()) => Vec::new(),
        Err(error) => error.problems().iter().map(ToString::to_string).collect(),
    }
}
