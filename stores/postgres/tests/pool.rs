//! Connections of the application's own pool.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

#[cfg(feature = "deadpool-postgres-0_14")]
mod deadpool {
    use cloakroom_postgres::PostgresStore;

    use crate::common::{builder, client, create, deadpool, key, load, record, recovers, url};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn connections_that_end_are_replaced_and_none_is_given_back_changed() {
        let Some(url) = url() else { return };
        drop(builder(&url, "pool_ends").await);
        let pool = deadpool(&url);
        let store = PostgresStore::from_deadpool_0_14(pool.clone()).table("pool_ends");
        let store = store.connect().await.unwrap();
        create(&store, &key(1), &record("a")).await;
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE query LIKE '%pool_ends%' AND pid <> pg_backend_pid()";
        client(&url).await.query(kill, &[]).await.unwrap();
        recovers(&store).await;
        assert!(load(&store, &key(1)).await.unwrap().is_some());
        drop(store);
        let shown = pool
            .get()
            .await
            .unwrap()
            .query_one("SHOW statement_timeout", &[])
            .await;
        assert_eq!(shown.unwrap().get::<_, String>(0), "0");
    }
}

#[cfg(feature = "sqlx-0_9")]
mod sqlx {
    use std::{num::NonZeroUsize, time::Duration};

    use cloakroom_postgres::PostgresStore;
    use cloakroom_store::{Store, StoreErrorKind, Timestamp, Watch};
    use sqlx_core::{query_scalar::query_scalar, raw_sql::raw_sql};
    use sqlx_postgres::{PgPool, PgPoolOptions};
    use tokio::time::{sleep, timeout};

    use crate::common::{
        Way, client, create, key, kind, load, numbered, proxy::Proxy, record, told, url, url_at,
    };

    const PATIENCE: Duration = Duration::from_secs(10);

    fn pool(url: &str, size: u32) -> PgPool {
        let options = PgPoolOptions::new().max_connections(size);
        options.acquire_timeout(PATIENCE).connect_lazy(url).unwrap()
    }

    async fn on(pool: &PgPool, url: &str, name: &str) -> PostgresStore {
        drop(Way::Sqlx.fresh(url, name).await);
        let builder = PostgresStore::from_sqlx_0_9(pool.clone());
        let builder = builder.table(&Way::Sqlx.table(name));
        // A machine that runs many tests is slow.
        let patient = builder.timeout(PATIENCE).connect_timeout(PATIENCE);
        patient.connect().await.unwrap()
    }

    /// The whole pool is the store's and the application's: they need no more than it may have.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_smallest_pool_serves_the_store_and_its_application() {
        let Some(url) = url() else { return };
        let pool = pool(&url, 4);
        let store = on(&pool, &url, "pool_small").await;
        create(&store, &key(1), &record("a")).await;
        store.scan(None, 9).await.unwrap();
        assert_eq!(pool.size() - u32::try_from(pool.num_idle()).unwrap(), 3);
        // A handler that keeps what is left keeps no session waiting.
        let mut held = pool.acquire().await.unwrap();
        for number in 0..20 {
            create(&store, &numbered(number), &record("a")).await;
            assert!(load(&store, &numbered(number)).await.unwrap().is_some());
        }
        assert_eq!(store.sweep(Timestamp::EPOCH, 1).await.unwrap(), 0);
        assert_eq!(pool.size(), 4);
        let timeout = query_scalar::<_, String>("SHOW statement_timeout");
        assert_eq!(timeout.fetch_one(&mut *held).await.unwrap(), "0");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_connection_is_given_back_changed() {
        let Some(url) = url() else { return };
        let pool = pool(&url, 4);
        let store = on(&pool, &url, "pool_changed").await;
        create(&store, &key(1), &record("a")).await;
        drop(store);
        for _ in 0..8 {
            let timeout = query_scalar::<_, String>("SHOW statement_timeout");
            assert_eq!(timeout.fetch_one(&pool).await.unwrap(), "0");
        }
    }

    /// Who closes a pool waits for all of its connections.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pool_can_be_closed_before_the_store_is_dropped() {
        let Some(url) = url() else { return };
        let pool = pool(&url, 4);
        let store = on(&pool, &url, "pool_closed").await;
        create(&store, &key(1), &record("a")).await;
        store.scan(None, 9).await.unwrap();
        timeout(PATIENCE, pool.close()).await.unwrap();
        let error = load(&store, &key(1)).await.unwrap_err();
        assert_eq!(
            error.kind(),
            StoreErrorKind::Unavailable,
            "{}",
            told(&error)
        );
    }

    #[tokio::test]
    async fn a_pool_that_is_of_no_use_is_refused() {
        let Some(url) = url() else { return };
        let refused = |builder: cloakroom_postgres::PostgresStoreBuilder| {
            builder.connect_lazily().unwrap_err().to_string()
        };
        let small = refused(PostgresStore::from_sqlx_0_9(pool(&url, 3)));
        assert!(small.contains("room for 3 connections") && small.contains("max_connections"));
        let four = NonZeroUsize::MIN.saturating_add(3);
        let builder = PostgresStore::from_sqlx_0_9(pool(&url, 7))
            .readers(four)
            .writers(four);
        assert!(refused(builder).contains("at least 10 are needed"));
        let builder = PostgresStore::from_sqlx_0_9(pool(&url, 10)).prepared(false);
        assert!(refused(builder).contains("PgBouncer"));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_pool_keeps_notifications_to_itself() {
        let Some(url) = url() else { return };
        drop(Way::Sqlx.fresh(&url, "pool_telling").await);
        let builder = PostgresStore::from_sqlx_0_9(pool(&url, 4));
        let builder = builder.table(&Way::Sqlx.table("pool_telling"));
        let store = builder.tell_changes(true).connect().await.unwrap();
        assert_eq!(kind(store.watch().await), Some(StoreErrorKind::Unsupported));
    }

    /// Connections that end while nobody uses them are noticed by the first load, all of them.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_write_after_a_load_meets_no_connection_that_has_ended() {
        let Some(url) = url() else { return };
        let proxy = Proxy::before(&url).await;
        let pool = pool(&url_at(&url, proxy.port()), 4);
        let store = on(&pool, &url, "pool_ended").await;
        let mut loaded = create(&store, &key(1), &record("0")).await;
        for round in 0..5 {
            proxy.cut();
            sleep(Duration::from_millis(20)).await;
            assert_eq!(load(&store, &key(1)).await.unwrap().unwrap(), loaded);
            let next = record(&round.to_string());
            store.replace(&key(1), &next, &loaded).await.unwrap();
            loaded = load(&store, &key(1)).await.unwrap().unwrap();
        }
    }

    /// The pool's own ways of making a connection are the store's.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn connections_have_gone_through_the_hooks_of_the_pool() {
        let Some(url) = url() else { return };
        let make = "CREATE SCHEMA IF NOT EXISTS pool_hooks; \
                    DROP TABLE IF EXISTS pool_hooks.hooked, pool_hooks.hooked_schema";
        client(&url).await.batch_execute(make).await.unwrap();
        let options = PgPoolOptions::new().after_connect(|connection, _| {
            Box::pin(async move {
                let set = raw_sql("SET search_path = pool_hooks");
                set.execute(connection).await.map(drop)
            })
        });
        let pool = options.connect_lazy(&url).unwrap();
        let store = PostgresStore::from_sqlx_0_9(pool).table("hooked");
        let store = store.connect().await.unwrap();
        create(&store, &key(1), &record("a")).await;
        let count = "SELECT count(*) FROM pool_hooks.hooked";
        let count = client(&url).await.query_one(count, &[]).await.unwrap();
        assert_eq!(count.get::<_, i64>(0), 1);
    }
}
