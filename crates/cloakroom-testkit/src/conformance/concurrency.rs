use std::time::Duration;

use bytes::Bytes;
use cloakroom_store::{Freshness, Key, Record, Store, StoreErrorKind, Subject, Timestamp, Version};

use super::{
    case::{Case, CaseResult, Finding, Need, check},
    fixture::Fixture,
    index::check_listing,
    parallel::{ROUNDS, TASKS, at_once, winner, won},
    sweep::SWEEPING,
};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        Case {
            name: "concurrency/one_create_wins",
            rule: "of creates of one key at the same time one succeeds, the others are told \
                   AlreadyExists",
            needs: &[],
            run: |fixture| Box::pin(one_create_wins(fixture)),
        },
        Case {
            name: "concurrency/one_replace_wins",
            rule: "of replaces with one expectation at the same time one succeeds, the others are \
                   told Conflict",
            needs: &[],
            run: |fixture| Box::pin(one_replace_wins(fixture)),
        },
        Case {
            name: "concurrency/counters_are_exact",
            rule: "loops of load and replace lose no update",
            needs: &[],
            run: |fixture| Box::pin(counters_are_exact(fixture)),
        },
        Case {
            name: "concurrency/delete_is_final",
            rule: "a replace or a touch at the same time as a delete does not bring the record back",
            needs: &[],
            run: |fixture| Box::pin(delete_is_final(fixture)),
        },
        Case {
            name: "concurrency/one_delete_counts",
            rule: "of deletes of one record at the same time one says true",
            needs: &[],
            run: |fixture| Box::pin(one_delete_counts(fixture)),
        },
        Case {
            name: "concurrency/touch_undoes_no_replace",
            rule: "a touch at the same time as a replace changes nothing of what is written",
            needs: &[],
            run: |fixture| Box::pin(touch_undoes_no_replace(fixture)),
        },
        Case {
            name: "concurrency/touched_is_not_swept",
            rule: "sweep judges each record again as it deletes it: one whose touch was answered \
                   true stays",
            needs: &[Need::KeepsExpired],
            run: |fixture| Box::pin(touched_is_not_swept(fixture)),
        },
        Case {
            name: "concurrency/records_are_whole",
            rule: "a load sees a record as it was before or after a replace, never a mixture",
            needs: &[],
            run: |fixture| Box::pin(records_are_whole(fixture)),
        },
    ]
}

async fn one_create_wins<S: Store>(fixture: Fixture<S>) -> CaseResult {
    for _ in 0..ROUNDS {
        let key = fixture.key();
        let records: Vec<Record> = (0..TASKS).map(|_| fixture.record()).collect();
        let answers = at_once(TASKS, |task| {
            let store = fixture.instance(task);
            let record = records.get(task).cloned();
            async move {
                let record = record.ok_or("no record")?;
                won(
                    store.create(&key, &record).await,
                    StoreErrorKind::AlreadyExists,
                )
            }
        })
        .await?;
        let winner = records.get(winner(&answers)?).ok_or("no winner")?;
        fixture.holds(&key, winner).await?;
    }
    Ok(())
}

async fn one_replace_wins<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let (key, mut loaded) = fixture.create_new(&fixture.record()).await?;
    for _ in 0..ROUNDS {
        let records: Vec<Record> = (0..TASKS).map(|_| fixture.record()).collect();
        let answers = at_once(TASKS, |task| {
            let (store, loaded) = (fixture.instance(task), loaded.clone());
            let record = records.get(task).cloned();
            async move {
                let record = record.ok_or("no record")?;
                let result = store.replace(&key, &record, &loaded).await;
                won(result, StoreErrorKind::Conflict)
            }
        })
        .await?;
        let winner = records.get(winner(&answers)?).ok_or("no winner")?;
        loaded = fixture.holds(&key, winner).await?;
    }
    Ok(())
}

async fn counters_are_exact<S: Store>(fixture: Fixture<S>) -> CaseResult {
    const INCREMENTS: u64 = 12;
    let (key, _) = fixture.create_new(&fixture.record_with("0")).await?;
    let counts = at_once(TASKS, |task| {
        let (fixture, store) = (fixture.clone(), fixture.instance(task));
        async move {
            for _ in 0..INCREMENTS {
                increment(&fixture, &*store, &key).await?;
            }
            Ok(INCREMENTS)
        }
    })
    .await?;
    let expected: u64 = counts.iter().sum();
    let counted = read_counter(&fixture.load(&key).await?.ok_or("it is gone")?.record)?;
    check(counted == expected, || {
        format!("{expected} increments made {counted}")
    })
}

async fn increment<S: Store>(fixture: &Fixture<S>, store: &S, key: &Key) -> CaseResult {
    // Of tasks that try at the same time one succeeds, so this many tries are far too many.
    for _ in 0..10_000 {
        let loaded = store
            .load(key, Freshness::Latest)
            .await?
            .ok_or("it is gone")?;
        let mut next = loaded.record.clone();
        next.version = fixture.version();
        next.data = Bytes::from((read_counter(&next)? + 1).to_string());
        if won(
            store.replace(key, &next, &loaded).await,
            StoreErrorKind::Conflict,
        )? {
            return Ok(());
        }
    }
    Err("a replace expecting what was just loaded fails for ever".into())
}

fn read_counter(record: &Record) -> CaseResult<u64> {
    let text = std::str::from_utf8(&record.data).unwrap_or_default();
    let number = text.parse().ok();
    number.ok_or_else(|| format!("the counter is {:?}", record.data).into())
}

async fn delete_is_final<S: Store>(fixture: Fixture<S>) -> CaseResult {
    for round in 0..ROUNDS {
        let subject = fixture.subject("ann")?;
        let mut next = fixture.record_of(&subject);
        let (key, loaded) = fixture.create_new(&next).await?;
        next.version = fixture.version();
        next.last_seen = fixture.now();
        at_once(TASKS, |task| {
            let (store, next, loaded) = (fixture.instance(task), next.clone(), loaded.clone());
            let pauses = fixture.below(4);
            async move {
                if task == 0 {
                    for _ in 0..pauses {
                        tokio::task::yield_now().await;
                    }
                    return store.delete(&key).await.map_err(Finding::from);
                }
                if round % 2 == 0 {
                    return Ok(store.touch(&key, &next, &loaded).await?);
                }
                let result = store.replace(&key, &next, &loaded).await;
                won(result, StoreErrorKind::Conflict)
            }
        })
        .await?;
        fixture.holds_nothing(&key).await?;
        if fixture.lists_subjects() {
            check_listing(&fixture, &subject, &[key]).await?;
        }
    }
    Ok(())
}

async fn one_delete_counts<S: Store>(fixture: Fixture<S>) -> CaseResult {
    for _ in 0..ROUNDS {
        let (key, _) = fixture.create_new(&fixture.record()).await?;
        let answers = at_once(TASKS, |task| {
            let store = fixture.instance(task);
            async move { store.delete(&key).await.map_err(Finding::from) }
        })
        .await?;
        winner(&answers)?;
        fixture.holds_nothing(&key).await?;
    }
    Ok(())
}

async fn touch_undoes_no_replace<S: Store>(fixture: Fixture<S>) -> CaseResult {
    for _ in 0..ROUNDS {
        let first = fixture.record();
        let (key, loaded) = fixture.create_new(&first).await?;
        let mut touched = first;
        touched.last_seen = fixture.now();
        touched.expires = touched.expires.saturating_add(Duration::from_secs(3_600));
        let next = fixture.record();
        at_once(TASKS, |task| {
            let (store, loaded) = (fixture.instance(task), loaded.clone());
            let (touched, next) = (touched.clone(), next.clone());
            async move {
                if task == 0 {
                    store.replace(&key, &next, &loaded).await?;
                    return Ok(true);
                }
                Ok(store.touch(&key, &touched, &loaded).await?)
            }
        })
        .await?;
        fixture.holds(&key, &next).await?;
    }
    Ok(())
}

async fn touched_is_not_swept<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let _turn = SWEEPING.lock().await;
    for _ in 0..ROUNDS {
        let expired = fixture.ancient();
        let now = expired.saturating_add(Duration::from_millis(1));
        let first = fixture.record_until(expired);
        let mut sessions = Vec::new();
        for _ in 0..TASKS - 1 {
            sessions.push(fixture.create_new(&first).await?);
        }
        let mut touched = first;
        touched.last_seen = expired.saturating_add(Duration::from_secs(30));
        touched.expires = expired.saturating_add(Duration::from_secs(3_600));
        let answers = at_once(TASKS, |task| {
            let (store, touched) = (fixture.instance(task), touched.clone());
            let session = sessions.get(task).cloned();
            async move {
                let Some((key, loaded)) = session else {
                    store.sweep(now, 100).await?;
                    return Ok(false);
                };
                Ok(store.touch(&key, &touched, &loaded).await?)
            }
        })
        .await?;
        fixture.store().sweep(now, 100).await?;
        for ((key, _), was_touched) in sessions.iter().zip(answers) {
            match was_touched {
                true => fixture.holds(key, &touched).await.map(drop)?,
                false => fixture.holds_nothing(key).await?,
            }
        }
    }
    Ok(())
}

/// A record of which every part follows from the version.
fn woven(bits: u64, owner: &Subject) -> Record {
    let time = |salt: u64| Timestamp::from_millis(4_000_000_000_000 + (bits ^ salt) % 1_000_000);
    let length = usize::try_from(bits % 3_000).unwrap_or(0);
    let data = bits.to_le_bytes().repeat(1 + length);
    let mut record = Record::new(Version::from_bits(bits), time(1), time(2), data.into());
    record.last_seen = time(3);
    record.subject = bits.is_multiple_of(2).then(|| owner.clone());
    record
}

async fn records_are_whole<S: Store>(fixture: Fixture<S>) -> CaseResult {
    const REPLACES: usize = 40;
    let subject = fixture.subject("ann")?;
    let first = woven(fixture.version().to_bits(), &subject);
    let (key, _) = fixture.create_new(&first).await?;
    at_once(TASKS, |task| {
        let (fixture, store) = (fixture.clone(), fixture.instance(task));
        let subject = subject.clone();
        async move {
            for _ in 0..REPLACES {
                let loaded = store
                    .load(&key, Freshness::Latest)
                    .await?
                    .ok_or("it is gone")?;
                let found = &loaded.record;
                check(*found == woven(found.version.to_bits(), &subject), || {
                    format!("the parts of {found:?} are of several records")
                })?;
                if task < 2 {
                    let next = woven(fixture.version().to_bits(), &subject);
                    won(
                        store.replace(&key, &next, &loaded).await,
                        StoreErrorKind::Conflict,
                    )?;
                }
            }
            Ok(())
        }
    })
    .await?;
    Ok(())
}
