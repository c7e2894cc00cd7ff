//! Connections of the application's own pool.
#![cfg(all(unix, feature = "mysql_async-0_37", feature = "sqlx-0_9"))]
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::{num::NonZeroUsize, time::Duration};

use cloakroom_mysql::{MysqlStore, MysqlStoreBuilder};
use cloakroom_store::{Store, StoreErrorKind, Timestamp};
use cloakroom_testkit::servers::Link;
use common::{Way, create, key, load, numbered, own_server, record, recovers, told, url};
use mysql_async::{OptsBuilder, Pool, PoolConstraints, PoolOpts, prelude::Queryable};
use sqlx_core::query_scalar::query_scalar;
use sqlx_mysql::{MySqlPool, MySqlPoolOptions};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

const PATIENCE: Duration = Duration::from_secs(10);
const TWO: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1);

fn driver_pool(url: &str, size: usize) -> Pool {
    let constraints = PoolConstraints::new(0, size).unwrap();
    let opts = mysql_async::Opts::from_url(url).unwrap();
    let pool = PoolOpts::default().with_constraints(constraints);
    let opts = OptsBuilder::from_opts(opts).prefer_socket(false);
    Pool::new(opts.pool_opts(pool))
}

fn sqlx_pool(url: &str, size: u32) -> MySqlPool {
    let options = MySqlPoolOptions::new().max_connections(size);
    options.acquire_timeout(PATIENCE).connect_lazy(url).unwrap()
}

async fn on(builder: MysqlStoreBuilder, url: &str, way: Way, name: &str) -> MysqlStore {
    drop(way.fresh(url, name).await);
    let builder = builder.table(&way.table(name)).connections(TWO);
    // A machine that runs many tests is slow.
    let builder = builder.timeout(Duration::from_secs(5));
    builder.connect().await.unwrap()
}

/// So much at a time that all connections are needed.
async fn be_busy(store: &MysqlStore) {
    let mut calls = JoinSet::new();
    for number in 0..64 {
        let store = store.clone();
        calls.spawn(async move {
            create(&store, &numbered(number), &record("a")).await;
            assert!(load(&store, &numbered(number)).await.unwrap().is_some());
        });
    }
    calls.join_all().await;
    assert_eq!(store.sweep(Timestamp::EPOCH, 1).await.unwrap(), 0);
}

/// A handler that keeps what is left keeps no session waiting, and nothing is given back changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_smallest_pool_serves_the_store_and_its_application() {
    let Some(url) = url() else { return };
    let wait = "SELECT @@session.wait_timeout";

    let pool = driver_pool(&url, 4);
    let builder = MysqlStore::from_mysql_async_0_37(pool.clone());
    let store = on(builder, &url, Way::Pool, "pool_small").await;
    let mut held = pool.get_conn().await.unwrap();
    be_busy(&store).await;
    let theirs: u64 = held.query_first(wait).await.unwrap().unwrap();
    assert_ne!(theirs, 600);
    drop((held, store));
    for _ in 0..8 {
        let mut conn = timeout(PATIENCE, pool.get_conn()).await.unwrap().unwrap();
        let wait: u64 = conn.query_first(wait).await.unwrap().unwrap();
        assert_eq!(wait, theirs);
    }
    timeout(PATIENCE, pool.disconnect()).await.unwrap().unwrap();

    let pool = sqlx_pool(&url, 4);
    let builder = MysqlStore::from_sqlx_0_9(pool.clone());
    let store = on(builder, &url, Way::Sqlx, "pool_small").await;
    let held = pool.acquire().await.unwrap();
    be_busy(&store).await;
    drop((held, store));
    for _ in 0..8 {
        let wait = query_scalar::<_, u64>(wait).fetch_one(&pool).await;
        assert_eq!(wait.unwrap(), theirs);
    }
}

/// Who closes a pool waits for all of its connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlx_pool_can_be_closed_before_the_store_is_dropped() {
    let Some(url) = url() else { return };
    let pool = sqlx_pool(&url, 4);
    let builder = MysqlStore::from_sqlx_0_9(pool.clone());
    let store = on(builder, &url, Way::Sqlx, "pool_closed").await;
    be_busy(&store).await;
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
async fn a_pool_that_is_too_small_is_refused() {
    let Some(url) = url() else { return };
    let builder = MysqlStore::from_sqlx_0_9(sqlx_pool(&url, 5));
    let refused = builder.connect_lazily().unwrap_err().to_string();
    assert!(
        refused.contains("room for 5") && refused.contains("at least 6"),
        "{refused}"
    );
    let builder = MysqlStore::from_mysql_async_0_37(driver_pool(&url, 5));
    let refused = builder.connect().await.unwrap_err().to_string();
    assert!(
        refused.contains("room for 5") && refused.contains("at least 6"),
        "{refused}"
    );
}

/// What is not needed for long is for others, all but one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_not_used_are_left_to_others() {
    let Some(url) = url() else { return };
    let pool = sqlx_pool(&url, 6);
    let builder = MysqlStore::from_sqlx_0_9(pool.clone());
    let store = on(builder, &url, Way::Sqlx, "pool_idle").await;
    let driver = driver_pool(&url, 6);
    let builder = MysqlStore::from_mysql_async_0_37(driver.clone());
    let other = on(builder, &url, Way::Pool, "pool_idle").await;
    tokio::join!(be_busy(&store), be_busy(&other));
    assert_eq!(pool.size(), 3);
    let taken = || {
        driver
            .metrics()
            .connection_count
            .load(std::sync::atomic::Ordering::Relaxed)
    };
    let mut seconds = 0;
    while pool.size() > 1 || taken() > 1 {
        assert!(seconds < 60, "{} and {}", pool.size(), taken());
        sleep(Duration::from_secs(1)).await;
        seconds += 1;
    }
    assert!(seconds > 5, "{seconds}");
    tokio::join!(be_busy_again(&store), be_busy_again(&other));
}

async fn be_busy_again(store: &MysqlStore) {
    assert!(load(store, &numbered(1)).await.unwrap().is_some());
}

/// A server that does not answer costs the pool no place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_costs_the_drivers_pool_no_place() {
    let Some(server) = own_server().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let pool = driver_pool(&server.url_at(link.address()), 6);
    drop(Way::Pool.fresh(&server.url(), "pool_outage").await);
    let builder = MysqlStore::from_mysql_async_0_37(pool.clone()).connections(TWO);
    let store = builder.connect().await.unwrap();
    create(&store, &key(1), &record("a")).await;
    // Idle connections of the application's, which the pool asks for a sign of life when it lends them.
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(pool.get_conn().await.unwrap());
    }
    drop(held);
    sleep(Duration::from_millis(200)).await;
    link.black_hole();
    for _ in 0..30 {
        assert!(load(&store, &key(1)).await.is_err());
        sleep(Duration::from_millis(100)).await;
    }
    link.cut().await;
    link.restore().await.unwrap();
    recovers(&store).await;
    drop(store);
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(timeout(PATIENCE, pool.get_conn()).await.unwrap().unwrap());
    }
}
