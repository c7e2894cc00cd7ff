//! The rules of the contract, held against PostgreSQL.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
};

use cloakroom_store::Store;
use cloakroom_testkit::Conformance;
use common::{Way, builder, client, store, url};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        let store = way.store(&url, "conformance_plain").await;
        let cases = Conformance::new(move || std::future::ready(store.clone()));
        println!("{}", cases.run().await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_type_erased() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        let store = way.store(&url, "conformance_erased").await.into_any();
        let cases = Conformance::new(move || std::future::ready(store.clone()));
        cases.run().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stores_opened_apart_on_one_table_are_one() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        let mut stores = vec![way.store(&url, "conformance_several").await];
        for _ in 0..2 {
            let table = way.table("conformance_several");
            let builder = way.builder(&url).table(&table);
            stores.push(builder.connect().await.unwrap());
        }
        let next = AtomicUsize::new(0);
        let open = move || {
            let next = next.fetch_add(1, Ordering::Relaxed);
            std::future::ready(stores[next % stores.len()].clone())
        };
        Conformance::new(open).instances(3).run().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_while_it_tells() {
    let Some(url) = url() else { return };
    let builder = builder(&url, "conformance_telling").await;
    let store = builder.tell_changes(true).connect().await.unwrap();
    let cases = Conformance::new(move || std::future::ready(store.clone()));
    cases.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_unprepared_with_a_limit_and_one_connection_each() {
    let Some(url) = url() else { return };
    let builder = builder(&url, "conformance_unprepared").await;
    let one = NonZeroUsize::MIN;
    let builder = builder.prepared(false).readers(one).writers(one);
    let store = builder.max_data_size(64 * 1024).connect().await.unwrap();
    let cases = Conformance::new(move || std::future::ready(store.clone()));
    cases.max_data(64 * 1024).run().await;
}

/// An engine that lacks what the statements for many calls need says so, and is sent plainer ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_on_an_engine_that_knows_less() {
    let Some(url) = url() else { return };
    let store = store(&url, "conformance_plainer").await;
    let refuse = "CREATE OR REPLACE FUNCTION cloakroom_knows_less() RETURNS trigger AS $$ BEGIN \
            IF current_query() LIKE 'WITH %' THEN \
                RAISE EXCEPTION 'this engine knows less' USING ERRCODE = '0A000'; \
            END IF; RETURN NULL; END $$ LANGUAGE plpgsql; \
        CREATE TRIGGER knows_less BEFORE INSERT OR UPDATE OR DELETE ON conformance_plainer \
            FOR EACH STATEMENT EXECUTE FUNCTION cloakroom_knows_less()";
    client(&url).await.batch_execute(refuse).await.unwrap();
    let cases = Conformance::new(move || std::future::ready(store.clone()));
    cases.run().await;
}
