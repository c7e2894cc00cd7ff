//! What is told while the link is up.

use std::collections::BTreeMap;

use cloakroom_store::{Change, Freshness, Key, Version, Watch};
use tokio::time::Instant;

use super::{Case, CaseResult, fixture::Fixture, listener::Listener, silence};

pub(super) fn cases<S: Watch>() -> Vec<Case<S>> {
    let case = |name, rule, run| Case {
        name,
        rule,
        needs_link: false,
        run,
    };
    vec![
        case("told/creates", "a create of another process is told", |f| {
            Box::pin(creates(f))
        }),
        case(
            "told/replaces",
            "a replace of another process is told",
            |f| Box::pin(replaces(f)),
        ),
        case("told/touches", "a touch of another process is told", |f| {
            Box::pin(touches(f))
        }),
        case("told/deletes", "a delete of another process is told", |f| {
            Box::pin(deletes(f))
        }),
        case(
            "told/from_the_first_moment",
            "what is acknowledged after `watch` has returned is told",
            |f| Box::pin(from_the_first_moment(f)),
        ),
        case(
            "told/all_of_many",
            "of changes at the same time none is left out",
            |f| Box::pin(all_of_many(f)),
        ),
        case(
            "told/namespaces_are_apart",
            "a change is told under the namespace in which it happened",
            |f| Box::pin(namespaces_are_apart(f)),
        ),
        case(
            "told/to_every_feed",
            "each feed is told every change",
            |f| Box::pin(to_every_feed(f)),
        ),
        case(
            "told/after_it_has_happened",
            "who loads the latest when a change is told sees it, or a later one",
            |f| Box::pin(after_it_has_happened(f)),
        ),
        case(
            "feed/speaks_while_nothing_happens",
            "`next` returns within `SILENCE` when there is nothing to tell",
            |f| Box::pin(speaks_while_nothing_happens(f)),
        ),
        case(
            "feed/another_when_it_was_dropped",
            "a feed that is dropped leaves room for another",
            |f| Box::pin(another_when_it_was_dropped(f)),
        ),
    ]
}

async fn creates<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let mut listener = fixture.watch_from_now().await?;
    let (key, _) = fixture.created().await?;
    listener.hears(&[key], fixture.bound()).await
}

async fn replaces<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let (key, loaded) = fixture.created().await?;
    let mut listener = fixture.watch_from_now().await?;
    let next = fixture.record();
    fixture.writer().replace(&key, &next, &loaded).await?;
    listener.hears(&[key], fixture.bound()).await
}

async fn touches<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let (key, loaded) = fixture.created().await?;
    let mut listener = fixture.watch_from_now().await?;
    let touched = fixture.touched(&loaded.record);
    if !fixture.writer().touch(&key, &touched, &loaded).await? {
        return Err("the touch was refused".into());
    }
    listener.hears(&[key], fixture.bound()).await
}

async fn deletes<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let (key, _) = fixture.created().await?;
    let mut listener = fixture.watch_from_now().await?;
    if !fixture.writer().delete(&key).await? {
        return Err("there was nothing to delete".into());
    }
    listener.hears(&[key], fixture.bound()).await
}

async fn from_the_first_moment<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    for _ in 0..10 {
        let (key, record) = (fixture.key(), fixture.record());
        let mut listener = fixture.watch().await?;
        fixture.writer().create(&key, &record).await?;
        listener.hears(&[key], fixture.bound()).await?;
    }
    Ok(())
}

async fn all_of_many<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    const TASKS: usize = 16;
    let mut listener = fixture.watch_from_now().await?;
    let writing = (0..TASKS).map(|_| {
        let fixture = fixture.clone();
        tokio::spawn(async move {
            let mut keys = Vec::new();
            for _ in 0..4 {
                keys.push(fixture.created().await?.0);
            }
            CaseResult::Ok(keys)
        })
    });
    let mut keys = Vec::new();
    for task in writing.collect::<Vec<_>>() {
        let written = task.await.map_err(|error| error.to_string())?;
        keys.extend(written?);
    }
    listener.hears(&keys, fixture.bound()).await
}

async fn namespaces_are_apart<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let id = fixture.id();
    for namespace in [fixture.namespace(), fixture.other_namespace()] {
        let mut listener = fixture.watch_from_now().await?;
        let (key, record) = (fixture.key_of(namespace, id), fixture.record());
        fixture.writer().create(&key, &record).await?;
        listener.hears(&[key], fixture.bound()).await?;
    }
    Ok(())
}

async fn to_every_feed<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let mut listeners = Vec::new();
    for _ in 0..3 {
        listeners.push(fixture.watch().await?);
    }
    let (key, _) = fixture.created().await?;
    for listener in &mut listeners {
        listener.hears(&[key], fixture.bound()).await?;
    }
    Ok(())
}

/// Keeps copies as a cache does, which loads again what was told: in the end they are current.
async fn after_it_has_happened<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    const KEYS: usize = 4;
    let mut listener = fixture.watch_from_now().await?;
    let keys: Vec<Key> = (0..KEYS).map(|_| fixture.key()).collect();
    let writing = keys.iter().map(|key| {
        let (fixture, key) = (fixture.clone(), *key);
        tokio::spawn(async move { live_and_die(&fixture, &key).await })
    });
    let writing: Vec<_> = writing.collect();
    let mut copies = Copies::new();
    while !writing.iter().all(tokio::task::JoinHandle::is_finished) {
        copies.follow(&fixture, &mut listener, &keys).await?;
    }
    for task in writing {
        task.await.map_err(|error| error.to_string())??;
    }
    let mut answers = 0;
    while answers < 2 {
        let change = copies.follow(&fixture, &mut listener, &keys).await?;
        answers += usize::from(change == Change::Nothing);
    }
    let stale = copies.0.values().filter(|copy| copy.is_some()).count();
    match stale {
        0 => Ok(()),
        _ => Err(format!("{stale} copies of ended sessions were never told to be void").into()),
    }
}

async fn live_and_die<S: Watch>(fixture: &Fixture<S>, key: &Key) -> CaseResult {
    let writer = fixture.writer();
    writer.create(key, &fixture.record()).await?;
    for _ in 0..5 {
        let loaded = writer.load(key, Freshness::Latest).await?;
        let loaded = loaded.ok_or("what was written is not there")?;
        writer.replace(key, &fixture.record(), &loaded).await?;
    }
    writer.delete(key).await?;
    Ok(())
}

struct Copies(BTreeMap<Key, Option<Version>>);

impl Copies {
    const fn new() -> Self {
        Self(BTreeMap::new())
    }

    async fn follow<S: Watch>(
        &mut self,
        fixture: &Fixture<S>,
        listener: &mut Listener<S::Feed>,
        keys: &[Key],
    ) -> CaseResult<Change> {
        let change = listener.change().await?;
        let told: &[Key] = match &change {
            Change::Nothing => &[],
            Change::Key(key) if keys.contains(key) => &[*key],
            Change::Key(_) => &[],
            _ => keys,
        };
        for key in told {
            let loaded = fixture.store().load(key, Freshness::Latest).await?;
            self.0
                .insert(*key, loaded.map(|loaded| loaded.record.version));
        }
        Ok(change)
    }
}

async fn speaks_while_nothing_happens<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let mut listener = fixture.watch().await?;
    let until = Instant::now() + silence::<S>() * 3;
    while Instant::now() < until {
        listener.change().await?;
    }
    Ok(())
}

async fn another_when_it_was_dropped<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    for _ in 0..10 {
        drop(fixture.watch().await?);
    }
    creates(fixture).await
}
