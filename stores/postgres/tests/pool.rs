//! Connections of the application's own pool.
#![cfg(feature = "deadpool-postgres-0_14")]
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use cloakroom_postgres::PostgresStore;
use cloakroom_testkit::Conformance;
use common::{builder, client, create, key, load, record, recovers, url};
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::NoTls;

fn pool(url: &str) -> Pool {
    let recycling_method = RecyclingMethod::Fast;
    let config = ManagerConfig { recycling_method };
    let manager = Manager::from_config(url.parse().unwrap(), NoTls, config);
    Pool::builder(manager).max_size(8).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_on_a_pool() {
    let Some(url) = url() else { return };
    drop(builder(&url, "pool_conformance").await);
    let builder = PostgresStore::from_deadpool_0_14(pool(&url)).table("pool_conformance");
    let store = builder.connect().await.unwrap();
    let cases = Conformance::new(move || std::future::ready(store.clone()));
    cases.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_end_are_replaced_and_none_is_given_back_changed() {
    let Some(url) = url() else { return };
    drop(builder(&url, "pool_ends").await);
    let pool = pool(&url);
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
