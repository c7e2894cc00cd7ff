//! The shop on each store: what it does is the same, and two processes are one shop.

use std::path::Path;

use cloakroom_testkit::service;
use hyper::StatusCode;

use crate::{
    browser::Browser,
    carts::{add_two_hundred, with_cart},
    process::Shop,
};

/// Two processes over one store: nothing that one of them answers is lost or unknown to the other.
async fn is_one_shop(store: &str) {
    let data = tempfile::tempdir().unwrap();
    let start = || Shop::start_on(store, data.path());
    let shops = [start(), start()];
    let mut browser = with_cart(&shops[0]).await;
    add_two_hundred(&browser, &[shops[0].plain(), shops[1].plain()]).await;
    for shop in &shops {
        // A cache in front of the store may be a moment behind.
        let mut items = browser.items(shop).await.len();
        for _ in 0..30 {
            if items == 201 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            items = browser.items(shop).await.len();
        }
        assert_eq!(items, 201, "{store}");
    }

    let mut visitor = Browser::default();
    visitor.login(&shops[0], "demo").await;
    let before = visitor.clone();
    let account = visitor.get(shops[1].secure(), "/account").await;
    assert_eq!(account.status, StatusCode::OK, "{store}: {account:?}");
    visitor.post(shops[1].secure(), "/logout").await;
    for (mut browser, shop) in [(before, &shops[1]), (visitor, &shops[0])] {
        let state = browser.state(shop.secure(), "account").await;
        assert!(state["subject"].is_null(), "{store}: {state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    is_one_shop(&sqlite(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_behind_memory() {
    let folder = tempfile::tempdir().unwrap();
    is_one_shop(&format!("tiered:{}", sqlite(folder.path()))).await;
}

fn sqlite(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("shop.db").display())
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis() {
    if let Some(url) = service("CLOAKROOM_TEST_REDIS_URL") {
        is_one_shop(&url).await;
        is_one_shop(&format!("tiered:{url}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis_cluster() {
    if let Some(url) = service("CLOAKROOM_TEST_REDIS_CLUSTER_URL") {
        is_one_shop(&url.replacen("redis://", "redis-cluster://", 1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres() {
    if let Some(url) = service("CLOAKROOM_TEST_POSTGRES_URL") {
        is_one_shop(&url).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_mariadb() {
    if let Some(url) = service("CLOAKROOM_TEST_MYSQL_URL") {
        is_one_shop(&url).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_memcached() {
    if let Some(url) = service("CLOAKROOM_TEST_MEMCACHED_URL") {
        is_one_shop(&url).await;
    }
}

#[tokio::test]
async fn an_unknown_store_is_refused_with_a_list_of_those_there_are() {
    let output = tokio::process::Command::new(crate::PROGRAM)
        .args(["--http", "127.0.0.1:0", "--https", "127.0.0.1:0"])
        .args(["--store", "mongodb://user:hunter2@localhost"])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        said.contains("mongodb") && said.contains("sqlite:FILE"),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}
