//! Many changes of one cart at the same time.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use hyper::StatusCode;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    browser::{Browser, Door},
    process::{Shop, sessions},
};

/// A browser whose cart holds the item `first`.
pub(crate) async fn with_cart(shop: &Shop) -> Browser {
    let mut browser = Browser::default();
    let reply = browser.post(shop.plain(), "/cart/add/first").await;
    assert_eq!(reply.location(), "/cart");
    browser
}

/// Adds items at the same time, each on a connection of its own. Gives those that were answered
/// with 303, and those that were answered otherwise or not at all; `on_added` runs for each of the
/// first kind.
async fn add_all(
    browser: &Browser,
    doors: &[Door],
    items: impl IntoIterator<Item = String>,
    mut on_added: impl FnMut(),
) -> (BTreeSet<String>, Vec<String>) {
    let mut requests = JoinSet::new();
    for (item, door) in items.into_iter().zip(doors.iter().cycle().copied()) {
        let mut browser = browser.clone();
        requests.spawn(async move {
            let reply = browser.try_post(door, &format!("/cart/add/{item}")).await;
            (item, reply.map(|reply| reply.status))
        });
    }
    let mut added = BTreeSet::new();
    let mut failed = Vec::new();
    while let Some(request) = requests.join_next().await {
        match request.unwrap() {
            (item, Ok(StatusCode::SEE_OTHER)) => {
                added.insert(item);
                on_added();
            }
            (item, other) => {
                println!("{item}: {other:?}");
                failed.push(item);
            }
        }
    }
    (added, failed)
}

/// Adds 200 items at the same time and says how long it took.
pub(crate) async fn add_two_hundred(browser: &Browser, doors: &[Door]) {
    // Items as long as they may be, so that the largest cart is tried.
    let items = (0..200).map(|n| format!("{n:064}"));
    let start = Instant::now();
    let (_, busy) = add_all(browser, doors, items, || ()).await;
    println!(
        "200 adds by {} processes: {:?}",
        doors.len(),
        start.elapsed()
    );
    // A machine that is busy with other things answers some with 503; visitors try again then.
    let (_, failed) = add_all(browser, doors, busy, || ()).await;
    assert_eq!(failed, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_adds_at_once_leave_two_hundred_items() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = with_cart(&shop).await;
    add_two_hundred(&browser, &[shop.plain()]).await;
    assert_eq!(browser.items(&shop).await.len(), 201);
    assert_eq!(sessions(data.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_a_cart() {
    let data = tempfile::tempdir().unwrap();
    let shops = [Shop::start(data.path()), Shop::start(data.path())];
    let mut browser = with_cart(&shops[0]).await;
    add_two_hundred(&browser, &[shops[0].plain(), shops[1].plain()]).await;
    for shop in &shops {
        assert_eq!(browser.items(shop).await.len(), 201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_added_many_times_at_once_is_counted_each_time() {
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    let mut browser = with_cart(&shop).await;
    let doors = [shop.plain(), shop.secure()];
    let mut count = 0;
    let coats = vec!["coat".to_owned(); 50];
    add_all(&browser, &doors, coats, || count += 1).await;
    assert!(count > 1);
    let stored = browser.items(&shop).await["coat"];
    assert!((count..=50).contains(&stored), "{stored} of {count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_shop_loses_nothing_that_it_has_answered() {
    let data = tempfile::tempdir().unwrap();
    let mut shop = Shop::start(data.path());
    let mut browser = with_cart(&shop).await;
    let mut answered = BTreeSet::from(["first".to_owned()]);
    for round in 0..8 {
        let (sender, mut added) = mpsc::unbounded_channel();
        for tab in 0..8 {
            let (browser, door) = (browser.clone(), shop.plain());
            tokio::spawn(add_until_killed(
                browser,
                door,
                format!("round-{round}-tab-{tab}"),
                sender.clone(),
            ));
        }
        drop(sender);
        answered.extend(added.recv().await);
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        shop.kill();
        while let Some(item) = added.recv().await {
            answered.insert(item);
        }

        shop = Shop::start(data.path());
        let items: BTreeSet<String> = browser.items(&shop).await.into_keys().collect();
        let lost: Vec<_> = answered.difference(&items).collect();
        assert_eq!(lost, [""; 0], "round {round}");
        // What was stored without an answer: at most one item of each tab.
        assert!(items.len() - answered.len() <= 8);
        answered = items;
    }
    println!("{} items outlived 8 kills", answered.len());
    assert_eq!(sessions(data.path()).len(), 1);
}

/// One after the other, and says which were answered with 303.
async fn add_until_killed(
    mut browser: Browser,
    door: Door,
    name: String,
    added: mpsc::UnboundedSender<String>,
) {
    for n in 0.. {
        let item = format!("{name}-{n}");
        match browser.try_post(door, &format!("/cart/add/{item}")).await {
            Ok(reply) if reply.status == StatusCode::SEE_OTHER => drop(added.send(item)),
            Ok(_) => {}
            Err(_) => break,
        }
    }
}
