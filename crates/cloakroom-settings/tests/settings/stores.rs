//! Stores that are opened: those with servers too, and why one can't be.

use cloakroom_settings::{Settings, SettingsFormat};
use cloakroom_testkit::service;

fn settings(url: &str, options: &str) -> Settings {
    let text = format!("[stores.main]\nurl = \"{url}\"\n{options}\n[namespaces.cart]\n");
    Settings::new().text(SettingsFormat::Toml, text)
}

#[tokio::test]
async fn files_with_all_their_settings() {
    let folder = tempfile::tempdir().unwrap();
    let files = "fsync = \"never\"\nmax_data_size = \"64KiB\"\nallow_network_file_system = true";
    let database = "table = \"logins\"\nsynchronous = \"off\"\nmigrate = true\n\
                    max_data_size = \"64KiB\"\nmax_file_size = \"1GiB\"\ninline_loads = 0";
    for (url, options, shown) in [
        ("file:sessions", files, "Never"),
        (
            "file:./more",
            "fsync = \"file_and_folder\"",
            "FileAndFolder",
        ),
        ("sqlite:sessions.db", database, "logins"),
        (
            "tiered:sqlite://other.db",
            "max_age = \"2s\"\nmax_sessions = 10",
            "TieredStore",
        ),
    ] {
        let settings = settings(url, options).folder(folder.path());
        let sessions = settings
            .build()
            .await
            .unwrap_or_else(|error| panic!("{url}: {error}"));
        let shown_of_it = format!("{:?}", sessions.store("main").unwrap());
        assert!(shown_of_it.contains(shown), "{shown_of_it}");
    }
}

#[tokio::test]
async fn a_store_that_can_not_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let settings = settings("file:file/sessions", "").folder(folder.path());
    let error = settings.build().await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("\n  - line 2: stores.main.url: "), "{text}");
    assert!(text.contains("Not a directory"), "{text}");
}

#[cfg(all(
    feature = "redis",
    feature = "postgres",
    feature = "mysql",
    feature = "memcached"
))]
#[tokio::test]
async fn a_password_is_in_no_error_of_a_store() {
    for url in [
        "postgres://app:hunter2@127.0.0.1:1/app",
        "postgres://app:hunter2@[/app",
        "mysql://app:hunter2@127.0.0.1:1/app",
        "mysql://app:hunter2@127.0.0.1:port/app",
        "redis://app:hunter2@127.0.0.1:1",
        "redis-cluster://:hunter2@127.0.0.1:1,127.0.0.1:2",
        "redis://app:hunter2@127.0.0.1:port",
        "memcache://app:hunter2@127.0.0.1",
        "tiered:redis://:hunter2@127.0.0.1:1",
    ] {
        let error = settings(url, "").build().await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("line 2: stores.main.url: "), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[cfg(all(
    feature = "redis",
    feature = "postgres",
    feature = "mysql",
    feature = "memcached"
))]
#[tokio::test]
async fn servers_that_are_down_keep_nobody_from_starting() {
    let sql = "connect_lazily = true\ntimeout = \"300ms\"\nslow_timeout = \"2s\"\n\
               connect_timeout = \"1s\"\nmigrate = false\ntable = \"logins\"\nschema = \"app\"";
    let cache = "connect_lazily = true\nprefix = \"shop\"\ntimeout = \"300ms\"\n\
                 connect_timeout = \"300ms\"\nmax_data_size = \"64KiB\"";
    for (url, options) in [
        (
            "postgres://app@127.0.0.1:1/app",
            format!("{sql}\nreaders = 1\nwriters = 1\nprepared = false"),
        ),
        (
            "mysql://app@127.0.0.1:1/app",
            format!("{sql}\nconnections = 2"),
        ),
        ("redis://127.0.0.1:1", cache.to_owned()),
        ("memcache://127.0.0.1:1", cache.to_owned()),
        ("tiered:redis://127.0.0.1:1", cache.to_owned()),
    ] {
        let built = settings(url, &options).build().await;
        built.unwrap_or_else(|error| panic!("{url}: {error}"));
    }
}

#[cfg(all(
    feature = "redis",
    feature = "postgres",
    feature = "mysql",
    feature = "memcached"
))]
#[tokio::test]
async fn servers_by_their_urls() {
    for (variable, options) in [
        (
            "CLOAKROOM_TEST_POSTGRES_URL",
            "table = \"settings_told\"\ntell_changes = true",
        ),
        ("CLOAKROOM_TEST_REDIS_URL", "prefix = \"settings\""),
        ("CLOAKROOM_TEST_REDIS_CLUSTER_URL", "prefix = \"settings\""),
        (
            "CLOAKROOM_TEST_POSTGRES_URL",
            "table = \"settings_sessions\"",
        ),
        ("CLOAKROOM_TEST_MYSQL_URL", "table = \"settings_sessions\""),
        ("CLOAKROOM_TEST_MEMCACHED_URL", "prefix = \"settings\""),
    ] {
        let Some(url) = service(variable) else {
            continue;
        };
        for url in [url.clone(), format!("tiered:{url}")] {
            let settings = settings("env:URL", options).variables([("URL", url)]);
            let sessions = settings
                .build()
                .await
                .unwrap_or_else(|error| panic!("{variable}: {error}"));
            assert!(sessions.store("main").is_some());
        }
    }
}
