use std::{collections::BTreeMap, time::Duration};

use cloakroom_store::{Key, Record, Store, StoreErrorKind, Subject, Summary};

use super::{
    case::{Case, CaseResult, Need, check, check_error},
    fixture::Fixture,
    format::odd_texts,
    paging::Listing,
};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        Case {
            name: "by_subject/unsupported",
            rule: "a store that can't list the sessions of a subject answers Unsupported",
            needs: &[Need::NoBySubject],
            run: |fixture| Box::pin(by_subject_unsupported(fixture)),
        },
        Case {
            name: "by_subject/lists_the_subjects_sessions",
            rule: "by_subject lists the sessions of a subject as they are, and no other",
            needs: &[Need::BySubject],
            run: |fixture| Box::pin(lists_the_subjects_sessions(fixture)),
        },
        Case {
            name: "by_subject/follows_the_subject",
            rule: "by_subject follows login, logout, a change of subject and delete",
            needs: &[Need::BySubject],
            run: |fixture| Box::pin(follows_the_subject(fixture)),
        },
        Case {
            name: "by_subject/ignores_what_failed",
            rule: "by_subject shows nothing of a create, replace or touch that was refused",
            needs: &[Need::BySubject],
            run: |fixture| Box::pin(ignores_what_failed(fixture)),
        },
        Case {
            name: "by_subject/namespaces_are_apart",
            rule: "by_subject lists the sessions of one namespace only",
            needs: &[Need::BySubject],
            run: |fixture| Box::pin(namespaces_are_apart(fixture)),
        },
        Case {
            name: "by_subject/compares_byte_by_byte",
            rule: "subjects are compared byte by byte",
            needs: &[Need::BySubject],
            run: |fixture| Box::pin(compares_byte_by_byte(fixture)),
        },
        Case {
            name: "scan/unsupported",
            rule: "a store that can't list everything answers Unsupported",
            needs: &[Need::NoScan],
            run: |fixture| Box::pin(scan_unsupported(fixture)),
        },
        Case {
            name: "scan/lists_everything",
            rule: "scan lists what is there in all namespaces, as it is",
            needs: &[Need::Scan],
            run: |fixture| Box::pin(scan_lists_everything(fixture)),
        },
        Case {
            name: "scan/lists_the_expired",
            rule: "scan lists what is there, expired or not",
            needs: &[Need::Scan, Need::KeepsExpired],
            run: |fixture| Box::pin(scan_lists_the_expired(fixture)),
        },
    ]
}

async fn by_subject_unsupported<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let subject = fixture.subject("ann")?;
    fixture.create_new(&fixture.record_of(&subject)).await?;
    let listing = Listing::of_subject(fixture.namespace(), &subject);
    let result = listing.page(fixture.store(), None, 10).await;
    check_error(result, StoreErrorKind::Unsupported, "by_subject")
}

async fn scan_unsupported<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let result = fixture.store().scan(None, 10).await;
    check_error(result, StoreErrorKind::Unsupported, "scan")
}

/// Checks that by_subject lists exactly these, in any order.
async fn lists<S: Store>(
    fixture: &Fixture<S>,
    subject: &Subject,
    expected: &[(Key, &Record)],
) -> CaseResult {
    let listing = Listing::of_subject(fixture.namespace(), subject);
    let found = listing.all(fixture.store(), 100).await?;
    check_lists(found, expected, subject)
}

fn check_lists(
    found: BTreeMap<Key, Summary>,
    expected: &[(Key, &Record)],
    subject: &Subject,
) -> CaseResult {
    let summary = |(key, record): &(Key, &Record)| (*key, Summary::new(*key, record));
    let expected: BTreeMap<Key, Summary> = expected.iter().map(summary).collect();
    check(found == expected, || {
        format!("of {subject:?} it lists {found:?} instead of {expected:?}")
    })
}

async fn lists_the_subjects_sessions<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let (ann, bob) = (fixture.subject("ann")?, fixture.subject("bob")?);
    lists(&fixture, &ann, &[]).await?;
    let (first, second) = (fixture.record_of(&ann), fixture.record_of(&ann));
    let (first_key, loaded) = fixture.create_new(&first).await?;
    let (second_key, _) = fixture.create_new(&second).await?;
    fixture.create_new(&fixture.record_of(&bob)).await?;
    fixture.create_new(&fixture.record()).await?;
    lists(
        &fixture,
        &ann,
        &[(first_key, &first), (second_key, &second)],
    )
    .await?;

    let mut touched = first;
    touched.last_seen = fixture.now();
    touched.expires = touched.expires.saturating_add(Duration::from_secs(60));
    fixture.store().touch(&first_key, &touched, &loaded).await?;
    lists(
        &fixture,
        &ann,
        &[(first_key, &touched), (second_key, &second)],
    )
    .await
}

async fn follows_the_subject<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let store = fixture.store();
    let (ann, bob) = (fixture.subject("ann")?, fixture.subject("bob")?);
    let (key, loaded) = fixture.create_new(&fixture.record()).await?;
    lists(&fixture, &ann, &[]).await?;

    let login = fixture.record_of(&ann);
    store.replace(&key, &login, &loaded).await?;
    lists(&fixture, &ann, &[(key, &login)]).await?;

    let loaded = fixture.holds(&key, &login).await?;
    let change = fixture.record_of(&bob);
    store.replace(&key, &change, &loaded).await?;
    lists(&fixture, &ann, &[]).await?;
    lists(&fixture, &bob, &[(key, &change)]).await?;

    let loaded = fixture.holds(&key, &change).await?;
    let logout = fixture.record();
    store.replace(&key, &logout, &loaded).await?;
    lists(&fixture, &bob, &[]).await?;

    let loaded = fixture.holds(&key, &logout).await?;
    let again = fixture.record_of(&ann);
    store.replace(&key, &again, &loaded).await?;
    lists(&fixture, &ann, &[(key, &again)]).await?;
    store.delete(&key).await?;
    lists(&fixture, &ann, &[]).await?;

    let anew = fixture.record_of(&bob);
    fixture.create(&key, &anew).await?;
    lists(&fixture, &ann, &[]).await?;
    lists(&fixture, &bob, &[(key, &anew)]).await
}

async fn ignores_what_failed<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let store = fixture.store();
    let (ann, bob) = (fixture.subject("ann")?, fixture.subject("bob")?);
    let record = fixture.record_of(&ann);
    let (key, loaded) = fixture.create_new(&record).await?;
    let mut stale = loaded.clone();
    stale.record.version = fixture.version();
    let stale = cloakroom_store::Loaded::new(stale.record);
    let other = fixture.record_of(&bob);
    let missing = fixture.key();
    check(store.create(&key, &other).await.is_err(), || {
        "create overwrote".to_owned()
    })?;
    for key in [&key, &missing] {
        check(store.replace(key, &other, &stale).await.is_err(), || {
            "replace replaced what was not expected".to_owned()
        })?;
        let touched = store.touch(key, &other, &stale).await?;
        check(!touched, || {
            "touch touched what was not expected".to_owned()
        })?;
    }
    lists(&fixture, &bob, &[]).await?;
    lists(&fixture, &ann, &[(key, &record)]).await
}

async fn namespaces_are_apart<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let ann = fixture.subject("ann")?;
    let (here, there) = (fixture.record_of(&ann), fixture.record_of(&ann));
    let (key, _) = fixture.create_new(&here).await?;
    let there_key = fixture.key_of(fixture.other_namespace(), key.id);
    fixture.create(&there_key, &there).await?;
    lists(&fixture, &ann, &[(key, &here)]).await?;
    let listing = Listing::of_subject(there_key.namespace, &ann);
    let found = listing.all(fixture.store(), 100).await?;
    check_lists(found, &[(there_key, &there)], &ann)?;
    fixture.store().delete(&key).await?;
    lists(&fixture, &ann, &[]).await?;
    let found = listing.all(fixture.store(), 100).await?;
    check_lists(found, &[(there_key, &there)], &ann)
}

async fn compares_byte_by_byte<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let mut sessions = Vec::new();
    for text in odd_texts() {
        let subject = Subject::new(&text).map_err(|error| error.to_string())?;
        let record = fixture.record_of(&subject);
        let (key, _) = fixture.create_new(&record).await?;
        sessions.push((subject, key, record));
    }
    for (subject, key, record) in &sessions {
        lists(&fixture, subject, &[(*key, record)]).await?;
    }
    Ok(())
}

async fn scan_lists_everything<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let here = fixture.record_of(&fixture.subject("ann")?);
    let there = fixture.record();
    let (key, _) = fixture.create_new(&here).await?;
    let there_key = fixture.key_of(fixture.other_namespace(), key.id);
    fixture.create(&there_key, &there).await?;
    let found = Listing::Scan.all(fixture.store(), 100).await?;
    for (key, record) in [(key, &here), (there_key, &there)] {
        let expected = Summary::new(key, record);
        let listed = found.get(&key);
        check(listed == Some(&expected), || {
            format!("it lists {listed:?} instead of {expected:?}")
        })?;
    }
    fixture.store().delete(&key).await?;
    let found = Listing::Scan.all(fixture.store(), 100).await?;
    check(!found.contains_key(&key), || {
        format!("it lists {key}, which was deleted")
    })
}

async fn scan_lists_the_expired<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let expired = fixture.now().saturating_sub(Duration::from_secs(86_400));
    let (key, _) = fixture.create_new(&fixture.record_until(expired)).await?;
    let found = Listing::Scan.all(fixture.store(), 100).await?;
    check(found.contains_key(&key), || {
        format!("it does not list {key}, which has expired")
    })
}
