use std::time::Duration;

use cloakroom_store::{Key, Loaded, Record, Store, StoreErrorKind, Timestamp};
use tokio::sync::Mutex;

use super::{
    case::{Case, CaseResult, Need, check, check_error},
    fixture::Fixture,
};

/// Held by the cases that sweep: they share a store where the tests run against one server, and
/// each would count what another has swept.
pub(super) static SWEEPING: Mutex<()> = Mutex::const_new(());

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        Case {
            name: "sweep/removes_the_expired",
            rule: "sweep removes the records whose expires is before now, and says how many",
            needs: &[Need::KeepsExpired],
            run: |fixture| Box::pin(removes_the_expired(fixture)),
        },
        Case {
            name: "sweep/spares_the_living",
            rule: "sweep spares a record whose expires is now or later: the margin is in now \
                   already",
            needs: &[Need::KeepsExpired],
            run: |fixture| Box::pin(spares_the_living(fixture)),
        },
        Case {
            name: "sweep/keeps_its_limit",
            rule: "sweep removes no more than its limit, and calls in a row remove all",
            needs: &[Need::KeepsExpired],
            run: |fixture| Box::pin(keeps_its_limit(fixture)),
        },
        Case {
            name: "sweep/judges_what_is_there_now",
            rule: "sweep goes by the expiry of the last replace or touch",
            needs: &[Need::KeepsExpired],
            run: |fixture| Box::pin(judges_what_is_there_now(fixture)),
        },
        Case {
            name: "sweep/leaves_nothing_behind",
            rule: "a swept record can be neither replaced nor touched, is in no listing, and its \
                   key is free",
            needs: &[Need::KeepsExpired],
            run: |fixture| Box::pin(leaves_nothing_behind(fixture)),
        },
        Case {
            name: "sweep/is_not_needed",
            rule: "sweep answers 0 where the store expires records itself",
            needs: &[Need::ExpiresItself],
            run: |fixture| Box::pin(is_not_needed(fixture)),
        },
    ]
}

/// Sweeps until these are gone, or until that can't be expected any more.
async fn sweep_all<S: Store>(fixture: &Fixture<S>, now: Timestamp, keys: &[Key]) -> CaseResult {
    for _ in 0..1_000 {
        fixture.store().sweep(now, 100).await?;
        if count(fixture, keys).await? == 0 {
            return Ok(());
        }
    }
    Err("a thousand calls in a row do not remove all that has expired".into())
}

/// How many of these are there.
async fn count<S: Store>(fixture: &Fixture<S>, keys: &[Key]) -> CaseResult<usize> {
    let mut count = 0;
    for key in keys {
        count += usize::from(fixture.load(key).await?.is_some());
    }
    Ok(count)
}

async fn expired<S: Store>(
    fixture: &Fixture<S>,
    now: Timestamp,
    count: usize,
) -> CaseResult<Vec<Key>> {
    let mut keys = Vec::new();
    for _ in 0..count {
        let expires = now.saturating_sub(Duration::from_millis(1 + fixture.below(99_999)));
        let (key, _) = fixture.create_new(&fixture.record_until(expires)).await?;
        keys.push(key);
    }
    Ok(keys)
}

async fn removes_the_expired<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let _turn = SWEEPING.lock().await;
    let now = fixture.ancient();
    let keys = expired(&fixture, now, 7).await?;
    let removed = fixture.store().sweep(now, 10_000).await?;
    let left = count(&fixture, &keys).await?;
    check(removed >= keys.len() - left, || {
        format!("of 7 records {left} were left, and it said {removed}")
    })?;
    sweep_all(&fixture, now, &keys).await
}

async fn spares_the_living<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let _turn = SWEEPING.lock().await;
    let now = fixture.ancient();
    let mut living = Vec::new();
    for millis in [0, 1, 30_000, 59_999, 60_000, 60_001, 86_400_000] {
        let record = fixture.record_until(now.saturating_add(Duration::from_millis(millis)));
        let (key, _) = fixture.create_new(&record).await?;
        living.push((key, record));
    }
    let mut never = fixture.record();
    never.expires = Timestamp::MAX;
    let (key, _) = fixture.create_new(&never).await?;
    living.push((key, never));
    let expired = expired(&fixture, now, 3).await?;
    sweep_all(&fixture, now, &expired).await?;
    for (key, record) in living {
        fixture.holds(&key, &record).await?;
    }
    Ok(())
}

async fn keeps_its_limit<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let _turn = SWEEPING.lock().await;
    let now = fixture.ancient();
    let keys = expired(&fixture, now, 10).await?;
    for limit in [0, 1, 3] {
        let before = count(&fixture, &keys).await?;
        let removed = fixture.store().sweep(now, limit).await?;
        let gone = before.saturating_sub(count(&fixture, &keys).await?);
        check(removed <= limit && gone <= removed, || {
            format!("a sweep of up to {limit} said {removed}, and {gone} were gone")
        })?;
    }
    sweep_all(&fixture, now, &keys).await
}

async fn judges_what_is_there_now<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let _turn = SWEEPING.lock().await;
    let now = fixture.ancient();
    let old = fixture.record_until(now.saturating_sub(Duration::from_millis(10_000)));
    let (touched_key, loaded) = fixture.create_new(&old).await?;
    let mut touched = old.clone();
    touched.expires = now.saturating_add(Duration::from_secs(60));
    fixture
        .store()
        .touch(&touched_key, &touched, &loaded)
        .await?;

    let (longer_key, loaded) = fixture.create_new(&old).await?;
    let longer = fixture.record_until(now.saturating_add(Duration::from_secs(60)));
    fixture
        .store()
        .replace(&longer_key, &longer, &loaded)
        .await?;

    let (shorter_key, loaded) = fixture.create_new(&longer).await?;
    let mut shorter = old.clone();
    shorter.version = fixture.version();
    fixture
        .store()
        .replace(&shorter_key, &shorter, &loaded)
        .await?;

    sweep_all(&fixture, now, &[shorter_key]).await?;
    fixture.holds(&touched_key, &touched).await?;
    fixture.holds(&longer_key, &longer).await?;
    Ok(())
}

async fn leaves_nothing_behind<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let _turn = SWEEPING.lock().await;
    let now = fixture.ancient();
    let subject = fixture.subject("ann")?;
    let mut record: Record = fixture.record_of(&subject);
    record.last_seen = now.saturating_sub(Duration::from_secs(2));
    record.expires = now.saturating_sub(Duration::from_secs(1));
    let (key, loaded): (Key, Loaded) = fixture.create_new(&record).await?;
    sweep_all(&fixture, now, &[key]).await?;

    let store = fixture.store();
    let touched = store.touch(&key, &record, &loaded).await?;
    check(!touched, || "a swept record was touched".to_owned())?;
    let replaced = store.replace(&key, &fixture.record(), &loaded).await;
    check_error(
        replaced,
        StoreErrorKind::Conflict,
        "a replace of a swept record",
    )?;
    if fixture.lists_subjects() {
        let namespace = fixture.namespace();
        let page = store
            .by_subject(namespace.as_str(), &subject, None, 10)
            .await?;
        check(page.sessions.is_empty(), || {
            "by_subject lists a swept record".to_owned()
        })?;
    }
    let deleted = store.delete(&key).await?;
    check(!deleted, || "a swept record was deleted".to_owned())?;
    fixture.create(&key, &fixture.record()).await?;
    Ok(())
}

async fn is_not_needed<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let key = fixture.key();
    let expired = fixture.now().saturating_sub(Duration::from_secs(3_600));
    fixture
        .store()
        .create(&key, &fixture.record_until(expired))
        .await?;
    let removed = fixture.store().sweep(fixture.now(), 100).await?;
    check(removed == 0, || format!("it answered {removed}"))
}
