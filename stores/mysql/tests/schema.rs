//! The table: made, made by others, missing, of another version, with rows of others.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::time::Duration;

use cloakroom_mysql::MysqlStore;
use cloakroom_store::{Store, StoreErrorKind, Subject, Timestamp};
use common::{builder, client, create, key, kind, load, record, record_of, run, told, url, url_of};
use tokio::{sync::Mutex, task::JoinSet};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_programs_may_make_the_table_at_once() {
    let Some(url) = url() else { return };
    let mut admin = client(&url).await;
    for _ in 0..3 {
        run(&mut admin, &["DROP DATABASE IF EXISTS schema_parallel"]).await;
        let open = || {
            let builder = MysqlStore::builder(&url).schema("schema_parallel");
            builder.table("order").timeout(Duration::from_secs(5))
        };
        let mut programs = JoinSet::new();
        for number in 0..8 {
            let builder = open();
            programs.spawn(async move {
                let store = builder.connect().await;
                let store = store.unwrap_or_else(|error| panic!("{}", told(&error)));
                create(&store, &key(number), &record("a")).await;
            });
        }
        programs.join_all().await;
        let store = open().migrate(false).connect().await.unwrap();
        assert_eq!(store.scan(None, 100).await.unwrap().sessions.len(), 8);
    }
}

/// One of the tests makes the server read-only for users without all rights.
static USERS: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn an_administrator_may_make_the_table() {
    let Some(url) = url() else { return };
    let _turn = USERS.lock().await;
    let mut admin = client(&url).await;
    let sql = [
        "DROP DATABASE IF EXISTS schema_printed",
        "DROP USER IF EXISTS cloakroom_user",
        "CREATE USER cloakroom_user IDENTIFIED BY 'secret'",
        "GRANT SELECT ON cloakroom.* TO cloakroom_user",
    ];
    run(&mut admin, &sql).await;
    let url = url_of(&url, "cloakroom_user:secret");
    let open = || {
        let builder = MysqlStore::builder(&url).schema("schema_printed");
        builder.table("sessions").timeout(Duration::from_secs(5))
    };
    let missing = open().migrate(false).connect().await.unwrap_err();
    assert!(
        missing.to_string().contains("MysqlStore::migrations"),
        "{missing}"
    );
    let forbidden = open().connect().await.unwrap_err();
    assert!(
        forbidden.to_string().contains("MysqlStore::migrations"),
        "{forbidden}"
    );
    assert!(told(&forbidden).contains("denied"), "{}", told(&forbidden));

    let script = MysqlStore::migrations(Some("schema_printed"), "sessions").unwrap();
    println!("{script}");
    for _ in 0..2 {
        for statement in script.split(';').filter(|part| !part.trim().is_empty()) {
            run(&mut admin, &[statement]).await;
        }
    }
    let grants = [
        "GRANT SELECT, INSERT, UPDATE, DELETE ON schema_printed.sessions TO cloakroom_user",
        "GRANT SELECT ON schema_printed.sessions_schema TO cloakroom_user",
    ];
    run(&mut admin, &grants).await;
    // A user who may make nothing opens it, since there is nothing to make.
    let store = open().connect().await.unwrap();
    let loaded = create(&store, &key(1), &record("a")).await;
    store.replace(&key(1), &record("b"), &loaded).await.unwrap();
    store.sweep(Timestamp::EPOCH, 10).await.unwrap();
    assert!(store.delete(&key(1)).await.unwrap());

    run(
        &mut admin,
        &["REVOKE INSERT ON schema_printed.sessions FROM cloakroom_user"],
    )
    .await;
    let error = store.create(&key(1), &record("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Other);
    assert!(told(&error).contains("the user needs"), "{}", told(&error));
    drop(store);
    run(
        &mut admin,
        &["DROP DATABASE schema_printed", "DROP USER cloakroom_user"],
    )
    .await;
}

#[tokio::test]
async fn a_newer_table_is_refused() {
    let Some(url) = url() else { return };
    drop(common::store(&url, "schema_newer").await);
    let mut admin = client(&url).await;
    run(&mut admin, &["INSERT INTO schema_newer_schema VALUES (99)"]).await;
    for migrate in [true, false] {
        let builder = MysqlStore::builder(&url).table("schema_newer");
        let error = builder.migrate(migrate).connect().await.unwrap_err();
        assert!(error.to_string().contains("at version 99"), "{error}");
    }
}

#[tokio::test]
async fn a_table_that_goes_missing_says_what_to_do() {
    let Some(url) = url() else { return };
    let store = common::store(&url, "schema_missing").await;
    let loaded = create(&store, &key(1), &record("a")).await;
    let mut admin = client(&url).await;
    run(&mut admin, &["DROP TABLE schema_missing"]).await;
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
            told(&error).contains("MysqlStore::migrations"),
            "{}",
            told(&error)
        );
    }
    // Made again, it is used again, without a restart.
    let script = MysqlStore::migrations(None, "schema_missing").unwrap();
    for statement in script.split(';').filter(|part| !part.trim().is_empty()) {
        run(&mut admin, &[statement]).await;
    }
    create(&store, &key(1), &record("a")).await;
    assert!(load(&store, &key(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_table_that_is_changed_under_a_store_goes_on_working() {
    let Some(url) = url() else { return };
    let store = common::store(&url, "schema_changed").await;
    let loaded = create(&store, &key(1), &record("a")).await;
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    let mut admin = client(&url).await;
    for change in [
        "ALTER TABLE schema_changed ADD COLUMN note TEXT",
        "ALTER TABLE schema_changed MODIFY data MEDIUMBLOB NOT NULL, MODIFY created BIGINT NOT NULL",
    ] {
        run(&mut admin, &[change]).await;
        let kept = load(&store, &key(1)).await.unwrap().unwrap();
        assert_eq!(kept.record, loaded.record);
        assert!(store.touch(&key(1), &loaded.record, &loaded).await.unwrap());
    }
}

#[tokio::test]
async fn a_read_only_server_refuses_writes() {
    let Some(url) = url() else { return };
    let _turn = USERS.lock().await;
    let mut admin = client(&url).await;
    let read_only = "SET GLOBAL init_connect = 'SET SESSION TRANSACTION READ ONLY'";
    drop(common::store(&url, "schema_readonly").await);
    let sql = [
        "DROP USER IF EXISTS cloakroom_reader",
        "CREATE USER cloakroom_reader IDENTIFIED BY 'secret'",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON cloakroom.* TO cloakroom_reader",
        // Administrators are exempt from it.
        read_only,
    ];
    run(&mut admin, &sql).await;
    let url = url_of(&url, "cloakroom_reader:secret");
    let builder = MysqlStore::builder(&url).table("schema_readonly");
    let store = builder.timeout(Duration::from_secs(5)).connect().await;
    let store = store.unwrap_or_else(|error| panic!("{}", told(&error)));
    assert!(load(&store, &key(1)).await.unwrap().is_none());
    let error = store.create(&key(1), &record("a")).await.unwrap_err();
    let sql = ["SET GLOBAL init_connect = ''", "DROP USER cloakroom_reader"];
    run(&mut admin, &sql).await;
    assert_eq!(
        error.kind(),
        StoreErrorKind::Unavailable,
        "{}",
        told(&error)
    );
    assert!(told(&error).contains("read-only"), "{}", told(&error));
}

#[tokio::test]
async fn wrong_settings_say_what_to_do_and_nothing_secret() {
    let Some(url) = url() else { return };
    let wrong = url_of(&url, "nobody:hunter2");
    let error = MysqlStore::connect(&wrong).await.unwrap_err();
    assert!(told(&error).contains("Access denied"), "{}", told(&error));
    let builder = MysqlStore::builder(&wrong);
    for shown in [told(&error), format!("{error:?}"), format!("{builder:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    // Known too late, it is a server that refuses to work.
    let long = Duration::from_secs(9);
    let lazy = builder.timeout(long).connect_timeout(long).connect_lazily();
    let lazy = lazy.unwrap();
    let error = load(&lazy, &key(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(!format!("{error:?} {lazy:?}").contains("hunter2"));

    for bad in [
        "",
        "hunter2",
        "mysql://u:hunter2/x@h/d",
        "mysql://u@h/d?hunter2=1",
        "postgres://u:hunter2@h/d",
    ] {
        let error = MysqlStore::connect(bad).await.unwrap_err();
        let shown = format!("{} {error:?}", told(&error));
        assert!(!shown.contains("hunter2"), "{bad}: {shown}");
        assert!(shown.contains("can't be read"), "{bad}: {shown}");
    }
    let error = MysqlStore::connect("mysql://u:hunter2@h")
        .await
        .unwrap_err();
    assert!(error.to_string().contains("names no database"), "{error}");
    for name in ["", "Sessions", "a;b", "1st"] {
        let error = MysqlStore::builder(&url).table(name).connect().await;
        let error = error.unwrap_err();
        assert!(error.to_string().contains("no name for a table"), "{error}");
        assert!(MysqlStore::migrations(Some(name), "sessions").is_err());
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn tls_without_its_feature_is_an_error() {
    let url = "mysql://app:secret@localhost/shop?require_ssl=true";
    let error = MysqlStore::connect(url).await.unwrap_err();
    assert!(error.to_string().contains("feature `tls`"), "{error}");
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_in_the_clear() {
    let Some(url) = url() else { return };
    let url = format!("{url}?require_ssl=true");
    let error = MysqlStore::connect(&url).await.unwrap_err();
    assert!(error.to_string().contains("can't be reached"), "{error}");
    assert!(told(&error).contains("SSL"), "{}", told(&error));
    let builder = MysqlStore::builder(&url).tls_roots(b"no certificate");
    let error = builder.connect().await.unwrap_err();
    assert!(error.to_string().contains("certificates"), "{error}");
}

#[tokio::test]
async fn what_is_too_large_says_so() {
    let Some(url) = url() else { return };
    let builder = builder(&url, "schema_large").await;
    let store = builder.max_data_size(usize::MAX).connect().await.unwrap();
    // The server takes packets of 16 MiB, which is the default.
    for size in [17 << 20, 40 << 20] {
        let large = record(&"x".repeat(size));
        let error = store.create(&key(1), &large).await.unwrap_err();
        assert_eq!(
            error.kind(),
            StoreErrorKind::TooLarge,
            "{size}: {}",
            told(&error)
        );
        assert!(
            told(&error).contains("max_allowed_packet"),
            "{}",
            told(&error)
        );
    }
    create(&store, &key(1), &record(&"x".repeat(8 << 20))).await;
    let loaded = load(&store, &key(1)).await.unwrap().unwrap();
    assert_eq!(loaded.record.data.len(), 8 << 20);
    let store = MysqlStore::builder(&url).table("schema_large");
    let store = store.max_data_size(10).connect().await.unwrap();
    let error = store.create(&key(2), &record("12345678901")).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    assert!(told(&error).contains("11 bytes"), "{}", told(&error));
}

#[tokio::test]
async fn rows_of_others_are_no_sessions() {
    let Some(url) = url() else { return };
    let store = common::store(&url, "schema_hostile").await;
    create(&store, &key(1), &record_of("a", "ann")).await;
    let mut admin = client(&url).await;
    // Ids and names of other lengths and letters, and subjects that are none.
    let rows = [
        "'', 'cart', 1, 1, 1, 4102444800000, 'ann', ''",
        "x'00', 'cart', 1, 1, 1, 4102444800000, 'ann', ''",
        "REPEAT(x'03', 16), '', 1, 1, 1, 4102444800000, 'ann', ''",
        "REPEAT(x'03', 16), 'Cart; --', 1, 1, 1, 4102444800000, 'ann', ''",
        "REPEAT(x'03', 16), x'ff', 1, 1, 1, 4102444800000, 'ann', ''",
        "REPEAT(x'04', 16), 'cart', 18446744073709551615, 0, 0, 18446744073709551615, x'ff', ''",
        "REPEAT(x'05', 16), 'cart', 0, 0, 0, 4102444800000, '', ''",
    ];
    for row in rows {
        let sql = format!("INSERT INTO schema_hostile VALUES ({row})");
        run(&mut admin, &["SET NAMES binary", &sql]).await;
    }
    for byte in [4, 5] {
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
            let page = store.by_subject("cart", &ann, after.as_ref(), limit);
            let page = page.await.unwrap();
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
    // Columns that others have made of other types are no records either.
    let change = "ALTER TABLE schema_hostile MODIFY created TEXT, MODIFY data LONGBLOB";
    run(
        &mut admin,
        &[change, "UPDATE schema_hostile SET data = NULL"],
    )
    .await;
    let error = load(&store, &key(1)).await;
    assert_eq!(kind(error), Some(StoreErrorKind::Corrupt));
}
