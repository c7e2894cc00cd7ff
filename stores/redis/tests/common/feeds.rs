//! Listening to feeds.

use std::time::{Duration, Instant};

use cloakroom_redis::{RedisFeed, RedisStore};
use cloakroom_store::{Change, Feed, Loaded, Store, StoreError};
use tokio::time::timeout;

use super::{a_key, a_record, after, load};

/// What comes next that is not `Nothing`, and how long it took. Silence is a failure.
pub(crate) async fn change(feed: &mut RedisFeed) -> (Change, Duration) {
    let began = Instant::now();
    loop {
        let next = timeout(RedisFeed::SILENCE, feed.next()).await;
        match next.expect("the feed is silent").unwrap() {
            Change::Nothing => {}
            change => return (change, began.elapsed()),
        }
    }
}

/// Waits for the end of a feed; how long it took.
pub(crate) async fn end(mut feed: RedisFeed) -> (StoreError, Duration) {
    let began = Instant::now();
    loop {
        let next = timeout(RedisFeed::SILENCE, feed.next()).await;
        if let Err(error) = next.expect("the feed is silent") {
            // And it stays so.
            assert!(feed.next().await.is_err());
            return (error, began.elapsed());
        }
    }
}

/// What is told until the server has answered a question that was asked after now.
pub(crate) async fn all(feed: &mut RedisFeed) -> Vec<Change> {
    let (mut told, mut answers) = (Vec::new(), 0);
    while answers < 2 {
        match feed.next().await.unwrap() {
            Change::Nothing => answers += 1,
            change => told.push(change),
        }
    }
    told
}

/// The longest that it took to tell each kind of write.
pub(crate) async fn writes_are_told(
    writer: &RedisStore,
    feed: &mut RedisFeed,
    rounds: usize,
) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..rounds {
        let key = a_key();
        let mut is_told = async |what: &str| {
            let (change, took) = change(feed).await;
            assert_eq!(change, Change::Key(key), "{what}");
            slowest = slowest.max(took);
        };
        let record = a_record(Some("ann"));
        writer.create(&key, &record).await.unwrap();
        is_told("create").await;
        let loaded = load(writer, &key).await.unwrap();
        let next = after(&loaded);
        writer.replace(&key, &next, &loaded).await.unwrap();
        is_told("replace").await;
        let mut touched = next.clone();
        touched.last_seen = next.last_seen.saturating_add(Duration::from_secs(60));
        touched.expires = next.expires.saturating_add(Duration::from_secs(60));
        let touch = writer.touch(&key, &touched, &Loaded::new(next)).await;
        assert!(touch.unwrap());
        is_told("touch").await;
        assert!(writer.delete(&key).await.unwrap());
        is_told("delete").await;
    }
    slowest
}
