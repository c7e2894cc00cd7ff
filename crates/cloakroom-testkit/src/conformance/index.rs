use std::collections::BTreeSet;

use cloakroom_store::{Freshness, Key, Store, StoreErrorKind, Subject};

use super::{
    case::{Case, CaseResult, Need, check, check_error},
    fixture::Fixture,
    paging::Listing,
    parallel::{ROUNDS, TASKS, at_once, won},
};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![Case {
        name: "concurrency/index_follows",
        rule: "after logins, logouts and deletes at the same time by_subject lists what is so",
        needs: &[Need::BySubject],
        run: |fixture| Box::pin(index_follows(fixture)),
    }]
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
    let pick = |length: usize| usize::try_from(fixture.below(64)).unwrap_or(0) % length.max(1);
    let key = keys.get(pick(keys.len())).ok_or("no key")?;
    let mut next = fixture.record();
    next.subject = subjects.get(pick(subjects.len() + 1)).cloned();
    let Some(loaded) = store.load(key, Freshness::Latest).await? else {
        return won(
            store.create(key, &next).await,
            StoreErrorKind::AlreadyExists,
        )
        .map(drop);
    };
    if pick(4) == 0 {
        store.delete(key).await?;
        return Ok(());
    }
    match store.replace(key, &next, &loaded).await {
        Ok(_) => Ok(()),
        refused => check_error(refused, StoreErrorKind::Conflict, "a replace"),
    }
}
