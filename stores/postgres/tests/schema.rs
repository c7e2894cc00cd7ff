//! The table: made, made by others, missing, of another version, with rows of others.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::time::Duration;

use cloakroom_postgres::PostgresStore;
use cloakroom_store::{Store, StoreErrorKind, Subject, Timestamp};
use common::{builder, client, create, key, kind, load, record, record_of, told, url, url_at};
use tokio::task::JoinSet;

fn port(url: &str) -> u16 {
    let config: tokio_postgres::Config = url.parse().unwrap();
    config.get_ports().first().copied().unwrap_or(5432)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_programs_may_make_the_table_at_once() {
    let Some(url) = url() else { return };
    let admin = client(&url).await;
    for _ in 0..3 {
        let drop = "DROP SCHEMA IF EXISTS schema_parallel CASCADE";
        admin.batch_execute(drop).await.unwrap();
        let mut programs = JoinSet::new();
        for number in 0..8 {
            let builder = PostgresStore::builder(&url)
                .schema("schema_parallel")
                .table("order");
            programs.spawn(async move {
                let store = builder.connect().await.unwrap();
                create(&store, &key(number), &record("a")).await;
            });
        }
        programs.join_all().await;
        let builder = PostgresStore::builder(&url)
            .schema("schema_parallel")
            .table("order");
        let store = builder.migrate(false).connect().await.unwrap();
        assert_eq!(store.scan(None, 100).await.unwrap().sessions.len(), 8);
    }
}

#[tokio::test]
async fn an_administrator_may_make_the_table() {
    let Some(url) = url() else { return };
    let admin = client(&url).await;
    let sql = "DROP SCHEMA IF EXISTS schema_printed CASCADE; \
               DROP ROLE IF EXISTS cloakroom_user; \
               CREATE ROLE cloakroom_user LOGIN PASSWORD 'secret';";
    admin.batch_execute(sql).await.unwrap();
    let place = url_at(&url, port(&url));
    let (_, place) = place.split_once('@').unwrap();
    let url = format!("postgres://cloakroom_user:secret@{place}");
    let open = || {
        PostgresStore::builder(&url)
            .schema("schema_printed")
            .table("sessions")
    };

    let missing = open().migrate(false).connect().await.unwrap_err();
    assert!(
        missing.to_string().contains("PostgresStore::migrations"),
        "{missing}"
    );
    let forbidden = open().connect().await.unwrap_err();
    assert!(
        forbidden.to_string().contains("PostgresStore::migrations"),
        "{forbidden}"
    );
    assert!(
        told(&forbidden).contains("permission denied"),
        "{}",
        told(&forbidden)
    );

    let script = PostgresStore::migrations(Some("schema_printed"), "sessions").unwrap();
    println!("{script}");
    for _ in 0..2 {
        admin.batch_execute(&script).await.unwrap();
    }
    let grant = "GRANT USAGE ON SCHEMA schema_printed TO cloakroom_user; \
                 GRANT SELECT, INSERT, UPDATE, DELETE ON schema_printed.sessions TO cloakroom_user; \
                 GRANT SELECT ON schema_printed.sessions_schema TO cloakroom_user;";
    admin.batch_execute(grant).await.unwrap();
    // A user who may make nothing opens it, since there is nothing to make.
    let store = open().connect().await.unwrap();
    let loaded = create(&store, &key(1), &record("a")).await;
    store.replace(&key(1), &record("b"), &loaded).await.unwrap();
    store.sweep(Timestamp::EPOCH, 10).await.unwrap();
    assert!(store.delete(&key(1)).await.unwrap());

    admin
        .batch_execute("REVOKE INSERT ON schema_printed.sessions FROM cloakroom_user")
        .await
        .unwrap();
    let error = store.create(&key(1), &record("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Other);
    assert!(told(&error).contains("the user needs"), "{}", told(&error));
    drop(store);
    let sql = "DROP SCHEMA schema_printed CASCADE; DROP ROLE cloakroom_user";
    admin.batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn a_newer_table_is_refused() {
    let Some(url) = url() else { return };
    drop(common::store(&url, "schema_newer").await);
    let admin = client(&url).await;
    admin
        .batch_execute("INSERT INTO schema_newer_schema VALUES (99)")
        .await
        .unwrap();
    for migrate in [true, false] {
        let builder = PostgresStore::builder(&url)
            .table("schema_newer")
            .migrate(migrate);
        let error = builder.connect().await.unwrap_err();
        assert!(error.to_string().contains("at version 99"), "{error}");
    }
}

#[tokio::test]
async fn a_table_that_goes_missing_says_what_to_do() {
    let Some(url) = url() else { return };
    let store = common::store(&url, "schema_missing").await;
    let loaded = create(&store, &key(1), &record("a")).await;
    let admin = client(&url).await;
    admin
        .batch_execute("DROP TABLE schema_missing")
        .await
        .unwrap();
    let errors = [
        load(&store, &key(1)).await.unwrap_err(),
        store.create(&key(2), &record("a")).await.unwrap_err(),
        store
            .replace(&key(1), &record("a"), &loaded)
            .await
            .unwrap_err(),
        store.sweep(Timestamp::EPOCH, 1).await.unwrap_err(),
        store.scan(None, 1).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), StoreErrorKind::Other);
        assert!(
            told(&error).contains("PostgresStore::migrations"),
            "{}",
            told(&error)
        );
    }
    // Made again, it is used again, without a restart.
    let script = PostgresStore::migrations(None, "schema_missing").unwrap();
    admin.batch_execute(&script).await.unwrap();
    create(&store, &key(1), &record("a")).await;
    assert!(load(&store, &key(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_table_that_is_changed_under_a_store_goes_on_working() {
    let Some(url) = url() else { return };
    let store = common::store(&url, "schema_changed").await;
    let loaded = create(&store, &key(1), &record("a")).await;
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    let admin = client(&url).await;
    for change in [
        "ALTER TABLE schema_changed ADD COLUMN note text",
        // The plans of prepared statements do not survive that.
        "ALTER TABLE schema_changed ALTER COLUMN created TYPE numeric; \
         ALTER TABLE schema_changed ALTER COLUMN created TYPE bigint",
    ] {
        admin.batch_execute(change).await.unwrap();
        let kept = load(&store, &key(1)).await.unwrap().unwrap();
        assert_eq!(kept.record.data, loaded.record.data);
        assert!(store.touch(&key(1), &loaded.record, &loaded).await.unwrap());
    }
}

#[tokio::test]
async fn a_read_only_database_refuses_writes() {
    let Some(url) = url() else { return };
    drop(common::store(&url, "schema_readonly").await);
    let admin = client(&url).await;
    let sql = "DROP ROLE IF EXISTS cloakroom_reader; \
               CREATE ROLE cloakroom_reader LOGIN SUPERUSER PASSWORD 'secret'; \
               ALTER ROLE cloakroom_reader SET default_transaction_read_only = on";
    admin.batch_execute(sql).await.unwrap();
    let place = url_at(&url, port(&url));
    let (_, place) = place.split_once('@').unwrap();
    let url = format!("postgres://cloakroom_reader:secret@{place}");
    let builder = PostgresStore::builder(&url).table("schema_readonly");
    let store = builder.connect().await.unwrap();
    assert!(load(&store, &key(1)).await.unwrap().is_none());
    let error = store.create(&key(1), &record("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(told(&error).contains("read-only"), "{}", told(&error));
    drop(store);
    // Such a server is passed by when the URL says so.
    let url = format!("{url}?target_session_attrs=read-write");
    let error = PostgresStore::connect(&url).await.unwrap_err();
    assert!(error.to_string().contains("can't be reached"), "{error}");
    admin
        .batch_execute("DROP ROLE cloakroom_reader")
        .await
        .unwrap();
}

#[tokio::test]
async fn wrong_settings_say_what_to_do_and_nothing_secret() {
    let Some(url) = url() else { return };
    let place = url_at(&url, port(&url));
    let (_, place) = place.split_once('@').unwrap();
    let wrong = format!("postgres://nobody:hunter2@{place}");
    let error = PostgresStore::connect(&wrong).await.unwrap_err();
    assert!(
        told(&error).contains("password authentication failed"),
        "{}",
        told(&error)
    );
    let builder = PostgresStore::builder(&wrong);
    for shown in [told(&error), format!("{error:?}"), format!("{builder:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    // Known too late, it is a server that refuses to work.
    let builder = builder
        .timeout(Duration::from_secs(9))
        .connect_timeout(Duration::from_secs(9));
    let lazy = builder.connect_lazily().unwrap();
    let error = load(&lazy, &key(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(!format!("{error:?} {lazy:?}").contains("hunter2"));

    for bad in [
        "",
        "hunter2",
        "postgres://u:hunter2/x@h/d",
        "password=hunter2 x",
        "postgres://h:hunter2/d",
    ] {
        if let Err(error) = PostgresStore::connect(bad).await {
            let shown = format!("{} {error:?}", told(&error));
            assert!(!shown.contains("hunter2"), "{bad}: {shown}");
        }
    }
    for name in ["", "Sessions", "a;b", "1st"] {
        let error = PostgresStore::builder(&url)
            .table(name)
            .connect()
            .await
            .unwrap_err();
        assert!(error.to_string().contains("no name for a table"), "{error}");
        assert!(PostgresStore::migrations(Some(name), "sessions").is_err());
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn tls_without_its_feature_is_an_error() {
    let url = "postgres://app:secret@localhost/shop?sslmode=require";
    let error = PostgresStore::connect(url).await.unwrap_err();
    assert!(error.to_string().contains("feature `tls`"), "{error}");
}

#[tokio::test]
async fn rows_of_others_are_no_sessions() {
    let Some(url) = url() else { return };
    let store = common::store(&url, "schema_hostile").await;
    create(&store, &key(1), &record_of("a", "ann")).await;
    let admin = client(&url).await;
    // Ids and names of other lengths and letters, and subjects that are none.
    let rows = r"INSERT INTO schema_hostile (id, namespace, version, created, last_seen, expires, subject, data) VALUES
        ('', 'cart', 1, 1, 1, 4102444800000, 'ann', ''),
        ('\x00', 'cart', 1, 1, 1, 4102444800000, 'ann', ''),
        ('\x0202020202020202020202020202020202', 'cart', 1, 1, 1, 4102444800000, 'ann', ''),
        ('\x03030303030303030303030303030303', '', 1, 1, 1, 4102444800000, 'ann', ''),
        ('\x03030303030303030303030303030303', 'Cart; --', 1, 1, 1, 4102444800000, 'ann', ''),
        ('\x03030303030303030303030303030303', '\xff', 1, 1, 1, 4102444800000, 'ann', ''),
        ('\x03030303030303030303030303030303', repeat('x', 1000)::bytea, 1, 1, 1, 4102444800000, 'ann', ''),
        ('\x04040404040404040404040404040404', 'cart', -1, -1, -1, -1, '\xff', ''),
        ('\x05050505050505050505050505050505', 'cart', 0, 0, 0, 4102444800000, '', ''),
        ('\x06060606060606060606060606060606', 'cart', 0, 0, 0, 4102444800000, repeat('x', 256)::bytea, '')";
    admin.batch_execute(rows).await.unwrap();
    for byte in [4, 5, 6] {
        let error = load(&store, &key(byte)).await;
        assert_eq!(kind(error), Some(StoreErrorKind::Corrupt), "{byte}");
    }
    let ann = Subject::new("ann").unwrap();
    for limit in [1, 2, 100] {
        let (mut scanned, mut listed) = (0, 0);
        let mut after = None;
        loop {
            let page = store.scan(after.as_ref(), limit).await.unwrap();
            scanned += page.sessions.len();
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        loop {
            let page = store
                .by_subject("cart", &ann, after.as_ref(), limit)
                .await
                .unwrap();
            listed += page.sessions.len();
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((scanned, listed), (1, 1), "limit {limit}");
    }
    // They go away like records.
    assert!(store.delete(&key(4)).await.unwrap());
    assert!(
        builder(&url, "schema_hostile")
            .await
            .connect()
            .await
            .is_ok()
    );
}
