//! Feeds: what they tell, how soon, and how they end.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // helpers are no #[test]

mod common;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use cloakroom_postgres::{PostgresFeed, PostgresStore};
use cloakroom_store::{Change, Feed, Loaded, Store, StoreError, StoreErrorKind, Timestamp, Watch};
use cloakroom_testkit::{LinkState, WatchConformance, servers::Link};
use common::{
    address, builder, client, create, deaf::deaf, key, kind, numbered, record, told, url, url_at,
};
use tokio::{task::JoinSet, time::timeout};

/// A busy machine may let 450 ms pass without an answer, which ends a feed as it should. Then the
/// test begins anew, and when something was late.
async fn steadily<F>(test: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    for _ in 0..5 {
        let Err(error) = tokio::spawn(test()).await else {
            return;
        };
        let panic = error.into_panic();
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        match said {
            Some(said) if said.contains("within 450 ms") || said.contains("late: ") => {
                println!("again, after: {said}");
            }
            _ => std::panic::resume_unwind(panic),
        }
    }
    panic!("this machine is too busy");
}

/// A store on a table of the test's own that tells what changes.
async fn telling(url: &str, table: &str) -> PostgresStore {
    let builder = builder(url, table).await;
    builder.tell_changes(true).connect().await.unwrap()
}

/// What comes next that is not `Nothing`.
async fn change(feed: &mut PostgresFeed) -> Change {
    loop {
        let next = timeout(PostgresFeed::SILENCE, feed.next()).await;
        match next.expect("the feed is silent").unwrap() {
            Change::Nothing => {}
            change => return change,
        }
    }
}

/// What is told until the server has answered a question that was asked after now.
async fn all(feed: &mut PostgresFeed) -> Vec<Change> {
    let (mut told, mut answers) = (Vec::new(), 0);
    while answers < 2 {
        match feed.next().await.unwrap() {
            Change::Nothing => answers += 1,
            change => told.push(change),
        }
    }
    told
}

/// Waits for the end of a feed; how long it took.
async fn end(mut feed: PostgresFeed) -> (StoreError, Duration) {
    let begin = Instant::now();
    loop {
        let next = timeout(PostgresFeed::SILENCE, feed.next()).await;
        if let Err(error) = next.expect("the feed is silent") {
            assert!(feed.next().await.is_err(), "and it stays so");
            return (error, begin.elapsed());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_its_promises() {
    steadily(|| async {
        let Some(url) = url() else { return };
        drop(telling(&url, "watch_kit").await);
        let link = Arc::new(Link::to(address(&url).await).await.unwrap());
        let through_link = url_at(&url, link.address().port());
        let open = |url: String| {
            move || {
                let patience = Duration::from_secs(5);
                let builder = PostgresStore::builder(&url).table("watch_kit");
                let builder = builder.timeout(patience).connect_timeout(patience);
                async move { builder.connect().await.unwrap() }
            }
        };
        let kit = WatchConformance::new(open(through_link))
            .writers(open(url))
            .within(PostgresFeed::SILENCE)
            .most_kept(1_024)
            .link(move |state| {
                let link = Arc::clone(&link);
                async move {
                    match state {
                        LinkState::Cut => link.refuse().await,
                        LinkState::Silent => link.black_hole(),
                        _ => link.restore().await.unwrap(),
                    }
                }
            });
        println!("{}", kit.run().await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_write_is_told_once_and_nothing_else() {
    steadily(|| async {
        let Some(url) = url() else { return };
        let store = telling(&url, "watch_writes").await;
        let other = telling(&url, "watch_writes_other").await;
        let mut feed = store.watch().await.unwrap();
        let mut slowest = Duration::ZERO;
        for number in 0..25 {
            let key = numbered(number);
            let mut is_told = async |what: &str, begin: Instant| {
                assert_eq!(change(&mut feed).await, Change::Key(key), "{what}");
                slowest = slowest.max(begin.elapsed());
            };
            let begin = Instant::now();
            let loaded = create(&store, &key, &record("a")).await;
            is_told("create", begin).await;
            let next = record("b");
            let begin = Instant::now();
            store.replace(&key, &next, &loaded).await.unwrap();
            is_told("replace", begin).await;
            let mut touched = next.clone();
            touched.last_seen = touched.last_seen.saturating_add(Duration::from_secs(60));
            let begin = Instant::now();
            let touch = store.touch(&key, &touched, &Loaded::new(next)).await;
            assert!(touch.unwrap());
            is_told("touch", begin).await;
            let begin = Instant::now();
            assert!(store.delete(&key).await.unwrap());
            is_told("delete", begin).await;
        }
        println!("the slowest of 100 changes was told {slowest:?} after it began");

        // Reads, writes that change nothing, and other tables.
        let loaded = create(&store, &key(1), &record("a")).await;
        assert_eq!(change(&mut feed).await, Change::Key(key(1)));
        store
            .load(&key(1), cloakroom_store::Freshness::Latest)
            .await
            .unwrap();
        assert!(store.create(&key(1), &record("b")).await.is_err());
        let stranger = Loaded::new(record("c"));
        assert!(
            store
                .replace(&key(1), &record("d"), &stranger)
                .await
                .is_err()
        );
        assert!(
            !store
                .touch(&key(1), &loaded.record, &stranger)
                .await
                .unwrap()
        );
        assert!(!store.delete(&key(2)).await.unwrap());
        store.sweep(Timestamp::from_millis(5), 100).await.unwrap();
        store.scan(None, 10).await.unwrap();
        create(&other, &key(3), &record("e")).await;
        assert_eq!(all(&mut feed).await, []);
    })
    .await;
}

/// The triggers belong to the table, so nobody forgets to tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_writes_tells() {
    steadily(|| async {
        let Some(url) = url() else { return };
        let store = telling(&url, "watch_others").await;
        let mut feed = store.watch().await.unwrap();
        // A program that knows nothing of it.
        let unaware = PostgresStore::builder(&url).table("watch_others");
        let unaware = unaware.connect().await.unwrap();
        let keys: Vec<_> = (0..300).map(numbered).collect();
        for key in &keys[..5] {
            create(&unaware, key, &record("a")).await;
            assert_eq!(change(&mut feed).await, Change::Key(*key));
        }
        // A person, with one statement for many rows.
        let person = client(&url).await;
        let mut creates = JoinSet::new();
        for key in &keys[5..] {
            let (store, key) = (unaware.clone(), *key);
            creates.spawn(async move { create(&store, &key, &record("a")).await });
        }
        creates.join_all().await;
        all(&mut feed).await;
        for sql in [
            "UPDATE watch_others SET expires = expires + 1",
            "DELETE FROM watch_others",
        ] {
            person.batch_execute(sql).await.unwrap();
            let told = all(&mut feed).await;
            assert_eq!(told.len(), keys.len(), "{sql}");
            assert!(keys.iter().all(|key| told.contains(&Change::Key(*key))));
        }
        // What is rolled back has not happened.
        create(&unaware, &key(1), &record("a")).await;
        assert_eq!(change(&mut feed).await, Change::Key(key(1)));
        let undone = "BEGIN; DELETE FROM watch_others; ROLLBACK";
        person.batch_execute(undone).await.unwrap();
        assert_eq!(all(&mut feed).await, []);
        // Sweeping, and what leaves nothing.
        let expired = Timestamp::from_millis(5_000_000_000_000);
        assert_eq!(unaware.sweep(expired, 10).await.unwrap(), 1);
        assert_eq!(change(&mut feed).await, Change::Key(key(1)));
        person.batch_execute("TRUNCATE watch_others").await.unwrap();
        assert_eq!(change(&mut feed).await, Change::All);
    })
    .await;
}

/// What others put into the table, or say on the channel, is told to nobody as something that it is
/// not, and hinders nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_rows_and_notifications() {
    steadily(|| async {
        let Some(url) = url() else { return };
        let store = telling(&url, "watch_hostile").await;
        let mut feed = store.watch().await.unwrap();
        let person = client(&url).await;
        for (id, namespace) in [
            ("''", "'cart'"),
            ("decode(repeat('ab', 1200), 'hex')", "'cart'"),
            ("decode(repeat('ab', 16), 'hex')", "''"),
            (
                "decode(repeat('ab', 16), 'hex')",
                "decode(repeat('61', 33), 'hex')",
            ),
            ("decode(repeat('ab', 16), 'hex')", "'CART'"),
            ("decode(repeat('ab', 16), 'hex')", r"'\xff00'"),
        ] {
            let sql = format!(
                "INSERT INTO watch_hostile VALUES ({id}, {namespace}, 1, 1, 1, 1, NULL, '')"
            );
            person.batch_execute(&sql).await.unwrap();
        }
        person
            .batch_execute("DELETE FROM watch_hostile")
            .await
            .unwrap();
        assert_eq!(all(&mut feed).await, []);
        let channel = "SELECT 'cloakroom_' || 'watch_hostile'::regclass::oid";
        let channel: String = person.query_one(channel, &[]).await.unwrap().get(0);
        for said in [
            "''".to_owned(),
            "'x'".to_owned(),
            format!("'{}'", "ab,".repeat(2_600)),
        ] {
            let notify = format!("SELECT pg_notify('{channel}', {said})");
            person.batch_execute(&notify).await.unwrap();
            assert_eq!(change(&mut feed).await, Change::All);
        }
        let question = format!("SELECT pg_notify('{channel}', '?123')");
        person.batch_execute(&question).await.unwrap();
        assert_eq!(all(&mut feed).await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_does_not_tell_is_unsupported() {
    steadily(|| async {
        let Some(url) = url() else { return };
        let silent = common::store(&url, "watch_silent").await;
        let error = silent.watch().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unsupported);
        assert!(!error.can_retry());
        assert!(
            told(&error).contains("tell_changes(true)"),
            "{}",
            told(&error)
        );
        let only_looks = PostgresStore::builder(&url)
            .table("watch_silent")
            .migrate(false);
        let error = only_looks.tell_changes(true).connect().await.unwrap_err();
        assert!(
            told(&error).contains("migrations_to_tell"),
            "{}",
            told(&error)
        );

        // An administrator runs what is printed, and may run it again.
        let person = client(&url).await;
        let sql = PostgresStore::migrations_to_tell(None, "watch_silent").unwrap();
        person.batch_execute(&sql).await.unwrap();
        person.batch_execute(&sql).await.unwrap();
        let only_looks = PostgresStore::builder(&url)
            .table("watch_silent")
            .migrate(false);
        only_looks.tell_changes(true).connect().await.unwrap();
        let mut feed = silent.watch().await.unwrap();
        create(&silent, &key(1), &record("a")).await;
        assert_eq!(change(&mut feed).await, Change::Key(key(1)));

        // And what was made is taken away while somebody listens.
        let disable = "ALTER TABLE watch_silent DISABLE TRIGGER cloakroom_tell_delete";
        person.batch_execute(disable).await.unwrap();
        let (error, _) = end(feed).await;
        assert_eq!(error.kind(), StoreErrorKind::Unsupported);
        let opened = PostgresStore::builder(&url).table("watch_silent");
        assert!(opened.tell_changes(true).connect().await.is_err());
        let enable = "ALTER TABLE watch_silent ENABLE TRIGGER cloakroom_tell_delete";
        person.batch_execute(enable).await.unwrap();
        let feed = silent.watch().await.unwrap();
        let drop_all = "DROP FUNCTION watch_silent_tell CASCADE";
        person.batch_execute(drop_all).await.unwrap();
        assert_eq!(end(feed).await.0.kind(), StoreErrorKind::Unsupported);
        create(&silent, &key(2), &record("a")).await;
    })
    .await;
}

/// Another table under the same name is another channel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_made_anew_ends_the_feed() {
    steadily(|| async {
        let Some(url) = url() else { return };
        let store = telling(&url, "watch_anew").await;
        let feed = store.watch().await.unwrap();
        let again = telling(&url, "watch_anew").await;
        let (error, took) = end(feed).await;
        println!("after {took:?}: {}", told(&error));
        let mut feed = store.watch().await.unwrap();
        create(&again, &key(1), &record("a")).await;
        assert_eq!(change(&mut feed).await, Change::Key(key(1)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_programs_begin_at_the_same_time_in_a_schema_of_long_names() {
    steadily(|| async {
        let Some(url) = url() else { return };
        let (schema, table) = ("s".repeat(48), "t".repeat(48));
        let person = client(&url).await;
        let sql = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
        person.batch_execute(&sql).await.unwrap();
        let mut programs = JoinSet::new();
        for _ in 0..8 {
            let builder = PostgresStore::builder(&url).schema(&schema).table(&table);
            let builder = builder.connect_timeout(Duration::from_secs(5));
            programs.spawn(builder.tell_changes(true).connect());
        }
        let mut stores = Vec::new();
        while let Some(connected) = programs.join_next().await {
            stores.push(connected.unwrap().unwrap());
        }
        let mut feed = stores[0].watch().await.unwrap();
        let patient = PostgresStore::builder(&url).schema(&schema).table(&table);
        let patient = patient
            .timeout(Duration::from_secs(5))
            .connect()
            .await
            .unwrap();
        create(&patient, &key(1), &record("a")).await;
        assert_eq!(change(&mut feed).await, Change::Key(key(1)));
        person.batch_execute(&sql).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_make_it_is_told_what_to_do() {
    steadily(|| async {
        let Some(url) = url() else { return };
        drop(common::store(&url, "watch_rights").await);
        let person = client(&url).await;
        let make = "DO $$ BEGIN CREATE ROLE watch_user LOGIN PASSWORD 'hunter2'; \
                EXCEPTION WHEN duplicate_object THEN NULL; END $$; \
                GRANT SELECT, INSERT, UPDATE, DELETE ON watch_rights TO watch_user; \
                GRANT SELECT ON watch_rights_schema TO watch_user";
        person.batch_execute(make).await.unwrap();
        let theirs = url.replacen("cloakroom:cloakroom@", "watch_user:hunter2@", 1);
        let open = |tell| {
            let builder = PostgresStore::builder(&theirs).table("watch_rights");
            builder
                .connect_timeout(Duration::from_secs(5))
                .tell_changes(tell)
                .connect()
        };
        if theirs != url {
            let error = open(true).await.unwrap_err();
            let said = format!("{} {error:?}", told(&error));
            assert!(said.contains("migrations_to_tell"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
        let sql = PostgresStore::migrations_to_tell(None, "watch_rights").unwrap();
        person.batch_execute(&sql).await.unwrap();
        // Listening and telling need no right of their own.
        let store = open(true).await.unwrap();
        let mut feed = store.watch().await.unwrap();
        create(&store, &key(1), &record("a")).await;
        assert_eq!(change(&mut feed).await, Change::Key(key(1)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_session_ends_the_feed_at_once() {
    steadily(|| async {
        let Some(url) = url() else { return };
        let store = telling(&url, "watch_killed").await;
        let person = client(&url).await;
        let feed = store.watch().await.unwrap();
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                WHERE query LIKE '%pg_trigger%' AND query LIKE '%\"watch_killed\"%' \
                AND pid <> pg_backend_pid()";
        let killed = person.query_one(kill, &[]).await.unwrap();
        assert_eq!(killed.get::<_, i64>(0), 1, "late: the feed has ended");
        let (error, took) = end(feed).await;
        assert_eq!(
            error.kind(),
            StoreErrorKind::Unavailable,
            "{}",
            told(&error)
        );
        assert!(took < Duration::from_millis(200), "late: {took:?}");
        let mut feed = store.watch().await.unwrap();
        create(&store, &key(1), &record("a")).await;
        assert_eq!(change(&mut feed).await, Change::Key(key(1)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_link_ends_the_feed_in_time() {
    steadily(|| async {
        let Some(url) = url() else { return };
        drop(telling(&url, "watch_silence").await);
        let link = Link::to(address(&url).await).await.unwrap();
        let through = url_at(&url, link.address().port());
        let store = PostgresStore::builder(&through).table("watch_silence");
        let store = store.connect().await.unwrap();
        let feed = store.watch().await.unwrap();
        link.black_hole();
        let (error, took) = end(feed).await;
        assert_eq!(
            error.kind(),
            StoreErrorKind::Unavailable,
            "{}",
            told(&error)
        );
        println!("silent: an error after {took:?}");
        assert!(took < PostgresFeed::SILENCE, "late: {took:?}");
        let begin = Instant::now();
        assert!(store.watch().await.is_err());
        assert!(
            begin.elapsed() < Duration::from_secs(3),
            "late: {:?}",
            begin.elapsed()
        );
    })
    .await;
}

/// A pooler in transaction mode answers `LISTEN`, and every question.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_notifications_are_lost_is_no_feed() {
    steadily(|| async {
        let Some(url) = url() else { return };
        drop(telling(&url, "watch_deaf").await);
        let through = url_at(&url, deaf(address(&url).await).await.port());
        let store = PostgresStore::builder(&through).table("watch_deaf");
        let store = store
            .connect_timeout(Duration::from_secs(5))
            .connect()
            .await
            .unwrap();
        let error = store.watch().await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unsupported);
        assert!(told(&error).contains("pooler"), "{}", told(&error));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_is_dropped_leaves_nothing() {
    steadily(|| async {
        let Some(url) = url() else { return };
        let store = telling(&url, "watch_drop").await;
        let person = client(&url).await;
        let sessions = async || {
            let sql = "SELECT count(*) FROM pg_stat_activity \
                   WHERE query LIKE '%pg_trigger%' AND query LIKE '%\"watch_drop\"%' \
                   AND pid <> pg_backend_pid()";
            person.query_one(sql, &[]).await.unwrap().get::<_, i64>(0)
        };
        let feed = store.watch().await.unwrap();
        assert_eq!(sessions().await, 1);
        drop(feed);
        let begin = Instant::now();
        while sessions().await != 0 {
            assert!(begin.elapsed() < Duration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Nor does one that never came to be.
        for patience in [1, 5, 20] {
            let _ = timeout(Duration::from_millis(patience), store.watch()).await;
        }
        let begin = Instant::now();
        while sessions().await != 0 {
            assert!(begin.elapsed() < Duration::from_secs(5));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[cfg(feature = "deadpool-postgres-0_14")]
#[tokio::test]
async fn a_pool_keeps_notifications_to_itself() {
    steadily(|| async {
        let Some(url) = url() else { return };
        drop(telling(&url, "watch_pool").await);
        let manager = deadpool_postgres::Manager::new(url.parse().unwrap(), tokio_postgres::NoTls);
        let pool = deadpool_postgres::Pool::builder(manager)
            .max_size(8)
            .build();
        let store = PostgresStore::from_deadpool_0_14(pool.unwrap()).table("watch_pool");
        let store = store.tell_changes(true).connect().await.unwrap();
        let watched = store.watch().await;
        assert_eq!(kind(watched), Some(StoreErrorKind::Unsupported));
    })
    .await;
}
