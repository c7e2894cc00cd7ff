use std::collections::BTreeSet;

use cloakroom_store::{Freshness, Key, Store, StoreErrorKind, Subject};

use super::{
    case::{Case, CaseResult, Need, check, check_error},
    fixture::Fixture,
    paging::{Listing, check_all_found, rotate},
    parallel::{ROUNDS, TASKS, at_once, won},
};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        Case {
            name: "concurrency/index_follows",
            rule: "after logins, logouts and deletes at the same time by_subject lists what is so",
            needs: &[Need::BySubject],
            run: |fixture| Box::pin(index_follows(fixture)),
        },
        Case {
            name: "concurrency/pages_amid_logins",
            rule: "a session that is logged in is on one page while it is rotated and others log in \
                   and out",
            needs: &[Need::BySubject],
            run: |fixture| Box::pin(pages_amid_logins(fixture)),
        },
    ]
}

async fn index_follows<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let subjects = [fixture.subject("ann")?, fixture.subject("bob")?];
    let keys: Vec<Key> = (0..2).map(|_| fixture.key()).collect();
    for _ in 0..ROUNDS {
        at_once(TASKS, |task| {
            let (fixture, store) = (fixture.clone(), fixture.instance(task));
            let (keys, subjects) = (keys.clone(), subjects.clone());
            async move {
                for _ in 0..3 {
                    step(&fixture, &*store, &keys, &subjects).await?;
                }
                Ok(())
            }
        })
        .await?;
        for subject in &subjects {
            check_listing(&fixture, subject, &keys).await?;
        }
    }
    Ok(())
}

async fn pages_amid_logins<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let subjects = [fixture.subject("ann")?, fixture.subject("bob")?];
    let [ann, _] = &subjects;
    let mut staying = Vec::new();
    for _ in 0..10 {
        staying.push(fixture.create_new(&fixture.record_of(ann)).await?.0);
    }
    for _ in 0..ROUNDS {
        at_once(TASKS, |task| {
            let (fixture, store) = (fixture.clone(), fixture.instance(task));
            let (staying, subjects) = (staying.clone(), subjects.clone());
            async move {
                if task == 0 {
                    return lists_all(&fixture, &*store, &subjects, &staying).await;
                }
                for _ in 0..3 {
                    pass(&fixture, &*store, &subjects).await?;
                    let key = pick(&fixture, &staying).ok_or("no key")?;
                    rotate(&fixture, &*store, key).await?;
                }
                Ok(())
            }
        })
        .await?;
    }
    Ok(())
}

/// Logs somebody in to a new session, and out again or not.
async fn pass<S: Store>(fixture: &Fixture<S>, store: &S, subjects: &[Subject]) -> CaseResult {
    let (key, loaded) = fixture.create_new(&fixture.record()).await?;
    let subject = pick(fixture, subjects).ok_or("nobody")?;
    let login = fixture.record_of(subject);
    store.replace(&key, &login, &loaded).await?;
    if fixture.below(2) == 0 {
        store.delete(&key).await?;
    }
    Ok(())
}

/// Checks that the pages of the first subject have these keys, and no session of anybody else.
async fn lists_all<S: Store>(
    fixture: &Fixture<S>,
    store: &S,
    subjects: &[Subject; 2],
    keys: &[Key],
) -> CaseResult {
    let [subject, _] = subjects;
    let found = Listing::of_subject(fixture.namespace(), subject)
        .all(store, 3)
        .await?;
    let other = found.values().find(|s| s.subject.as_ref() != Some(subject));
    check(other.is_none(), || {
        format!("of {subject:?} it lists {other:?}")
    })?;
    check_all_found(&found, &keys.iter().copied().collect())
}

/// Checks that by_subject lists those of the keys whose records have the subject.
pub(super) async fn check_listing<S: Store>(
    fixture: &Fixture<S>,
    subject: &Subject,
    keys: &[Key],
) -> CaseResult {
    let listing = Listing::of_subject(fixture.namespace(), subject);
    let listed = listing.all(fixture.store(), 100).await?;
    let listed: BTreeSet<Key> = listed.into_keys().collect();
    let mut expected = BTreeSet::new();
    for key in keys {
        let loaded = fixture.load(key).await?;
        if loaded.is_some_and(|loaded| loaded.record.subject.as_ref() == Some(subject)) {
            expected.insert(*key);
        }
    }
    check(listed == expected, || {
        format!("of {subject:?} it lists {listed:?} instead of {expected:?}")
    })
}

/// Does something at random to one of the sessions.
async fn step<S: Store>(
    fixture: &Fixture<S>,
    store: &S,
    keys: &[Key],
    subjects: &[Subject],
) -> CaseResult {
    let key = pick(fixture, keys).ok_or("no key")?;
    let mut next = fixture.record();
    // Now and then nobody.
    next.subject = match fixture.below(3) {
        0 => None,
        _ => pick(fixture, subjects).cloned(),
    };
    let Some(loaded) = store.load(key, Freshness::Latest).await? else {
        return won(
            store.create(key, &next).await,
            StoreErrorKind::AlreadyExists,
        )
        .map(drop);
    };
    if fixture.below(4) == 0 {
        store.delete(key).await?;
        return Ok(());
    }
    match store.replace(key, &next, &loaded).await {
        Ok(_) => Ok(()),
        refused => check_error(refused, StoreErrorKind::Conflict, "a replace"),
    }
}

fn pick<'a, S: Store, T>(fixture: &Fixture<S>, from: &'a [T]) -> Option<&'a T> {
    let length = u64::try_from(from.len()).unwrap_or(u64::MAX).max(1);
    from.get(usize::try_from(fixture.below(length)).unwrap_or(0))
}
