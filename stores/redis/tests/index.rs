//! The index of subjects: hints that come before their records and go after them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers are no #[test]"
)]

mod common;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use cloakroom_redis::RedisStore;
use cloakroom_store::{Key, Store, Subject};
use common::{a_key, a_record, after, cluster_url, connect, fresh, load, now, raw, sessions, url};
use redis::{AsyncCommands, aio::MultiplexedConnection};

/// An index, seen from beside the store.
struct Index {
    name: String,
    beside: MultiplexedConnection,
}

impl Index {
    async fn of(subject: &str, prefix: &str, url: &str) -> Self {
        Self {
            name: format!("{prefix}:u:account:{subject}"),
            beside: raw(url).await,
        }
    }

    async fn len(&mut self) -> usize {
        self.beside.zcard(&self.name).await.unwrap()
    }

    /// Adds a hint that is so many seconds old.
    async fn add(&mut self, key: &Key, seconds: u64) {
        let added = now().as_millis() - seconds * 1000;
        let mut member = key.id.as_bytes().to_vec();
        member.extend_from_slice(&added.to_be_bytes());
        let _: () = self.beside.zadd(&self.name, member, 0).await.unwrap();
    }
}

async fn store(name: &str) -> Option<(RedisStore, String, String)> {
    let (url, prefix) = (url()?, fresh(name));
    Some((connect(&url, &prefix).await, prefix, url))
}

#[tokio::test]
async fn wrong_hints_are_removed_when_they_are_read_unless_a_login_may_be_on_its_way() {
    let Some((store, prefix, url)) = store("wrong").await else {
        return;
    };
    let mut index = Index::of("ann", &prefix, &url).await;
    let key = a_key();
    store.create(&key, &a_record(Some("ann"))).await.unwrap();
    let (gone, others) = (a_key(), a_key());
    store.create(&others, &a_record(Some("bob"))).await.unwrap();
    for wrong in [&gone, &others] {
        index.add(wrong, 61).await;
    }
    let on_its_way = a_key();
    index.add(&on_its_way, 50).await;
    assert_eq!(index.len().await, 4);
    assert_eq!(sessions(&store, "ann", 10).await, [key]);
    assert_eq!(index.len().await, 2);
    store
        .create(&on_its_way, &a_record(Some("ann")))
        .await
        .unwrap();
    let listed: BTreeSet<Key> = sessions(&store, "ann", 1).await.into_iter().collect();
    assert_eq!(listed, BTreeSet::from([key, on_its_way]));
}

#[tokio::test]
async fn a_right_hint_stays_however_old_it_is() {
    let Some((store, prefix, url)) = store("old").await else {
        return;
    };
    let mut index = Index::of("ann", &prefix, &url).await;
    let key = a_key();
    // Added by hand, then once more by the login.
    index.add(&key, 1_000_000).await;
    store.create(&key, &a_record(Some("ann"))).await.unwrap();
    assert_eq!(index.len().await, 1);
    for _ in 0..3 {
        assert_eq!(sessions(&store, "ann", 10).await, [key]);
        assert_eq!(index.len().await, 1);
    }
}

#[tokio::test]
async fn an_index_that_nobody_reads_does_not_grow_for_ever() {
    let Some((store, prefix, url)) = store("crowd").await else {
        return;
    };
    let mut index = Index::of("bot", &prefix, &url).await;
    for _ in 0..500 {
        index.add(&a_key(), 61).await;
    }
    // Each login adds one, and looks at eight.
    let mut living = BTreeSet::new();
    for _ in 0..120 {
        let key = a_key();
        store.create(&key, &a_record(Some("bot"))).await.unwrap();
        living.insert(key);
    }
    let left = index.len().await - living.len();
    assert!(left < 100, "{left} of 500 wrong hints are left");
    let listed: BTreeSet<Key> = sessions(&store, "bot", 7).await.into_iter().collect();
    assert_eq!(listed, living);
    assert_eq!(index.len().await, living.len());
}

#[tokio::test]
async fn what_is_no_hint_is_passed_over() {
    let Some((store, prefix, url)) = store("hostile").await else {
        return;
    };
    let mut index = Index::of("ann", &prefix, &url).await;
    let key = a_key();
    store.create(&key, &a_record(Some("ann"))).await.unwrap();
    for hostile in [&b""[..], b"x", &[0xff; 23], &[0; 25], &[7; 100]] {
        let name = &index.name;
        let _: () = index.beside.zadd(name, hostile, 0).await.unwrap();
    }
    assert_eq!(sessions(&store, "ann", 1).await, [key]);
    assert_eq!(sessions(&store, "ann", 100).await, [key]);
    assert_eq!(index.len().await, 1);
    let loaded = load(&store, &key).await.unwrap();
    store.replace(&key, &after(&loaded), &loaded).await.unwrap();
}

#[tokio::test]
async fn an_index_that_was_evicted_comes_back_with_use() {
    let Some((store, prefix, url)) = store("evicted").await else {
        return;
    };
    let mut index = Index::of("ann", &prefix, &url).await;
    let key = a_key();
    store.create(&key, &a_record(Some("ann"))).await.unwrap();
    let _: () = index.beside.del(&index.name).await.unwrap();
    assert_eq!(sessions(&store, "ann", 10).await, []);
    let loaded = load(&store, &key).await.unwrap();
    let mut next = loaded.record.clone();
    let lifetime = std::time::Duration::from_secs(3_600);
    next.last_seen = next.last_seen.saturating_add(lifetime);
    next.expires = next.expires.saturating_add(lifetime);
    // Too late, by its own clock, so it is no touch; a replace is one that counts.
    next.version = after(&loaded).version;
    store.replace(&key, &next, &loaded).await.unwrap();
    assert_eq!(sessions(&store, "ann", 10).await, [key]);
}

/// Sessions come, change hands and go while others list them. Whoever was there all the time is
/// listed each time; in the end everybody is.
async fn logins_meet_listings(url: String, subject: &'static str) {
    let prefix = fresh("meet");
    let store = connect(&url, &prefix).await;
    let mut always = BTreeSet::new();
    for _ in 0..5 {
        let key = a_key();
        store.create(&key, &a_record(Some(subject))).await.unwrap();
        always.insert(key);
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let lister = {
        let (store, is_over, always) = (
            connect(&url, &prefix).await,
            Arc::clone(&is_over),
            always.clone(),
        );
        tokio::spawn(async move {
            let mut listings = 0;
            while !is_over.load(Ordering::SeqCst) {
                let listed: BTreeSet<Key> =
                    sessions(&store, subject, 3).await.into_iter().collect();
                assert!(listed.is_superset(&always), "{always:?} not in {listed:?}");
                listings += 1;
            }
            listings
        })
    };
    let logins = (0..8).map(|_| {
        let (url, prefix) = (url.clone(), prefix.clone());
        tokio::spawn(async move {
            let store = connect(&url, &prefix).await;
            let mut logged_in = Vec::new();
            for round in 0..40 {
                let key = a_key();
                store.create(&key, &a_record(None)).await.unwrap();
                let loaded = load(&store, &key).await.unwrap();
                let mut login = after(&loaded);
                login.subject = Some(Subject::new(subject).unwrap());
                store.replace(&key, &login, &loaded).await.unwrap();
                match round % 3 {
                    0 => drop(store.delete(&key).await.unwrap()),
                    1 => {
                        let loaded = load(&store, &key).await.unwrap();
                        let mut logout = after(&loaded);
                        logout.subject = None;
                        store.replace(&key, &logout, &loaded).await.unwrap();
                        let loaded = load(&store, &key).await.unwrap();
                        let mut again = after(&loaded);
                        again.subject.clone_from(&login.subject);
                        store.replace(&key, &again, &loaded).await.unwrap();
                        logged_in.push(key);
                    }
                    _ => logged_in.push(key),
                }
            }
            logged_in
        })
    });
    let mut expected = always;
    for login in logins.collect::<Vec<_>>() {
        expected.extend(login.await.unwrap());
    }
    is_over.store(true, Ordering::SeqCst);
    assert!(lister.await.unwrap() > 0);
    let listed: BTreeSet<Key> = sessions(&store, subject, 50).await.into_iter().collect();
    assert_eq!(listed, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn logins_meet_listings_on_one_server() {
    if let Some(url) = url() {
        logins_meet_listings(url, "ann").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn logins_meet_listings_in_a_cluster() {
    if let Some(url) = cluster_url() {
        // Braces mean something to a cluster.
        logins_meet_listings(url, "{ann}{}").await;
    }
}
