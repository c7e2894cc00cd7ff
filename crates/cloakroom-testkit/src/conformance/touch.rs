use std::time::Duration;

use cloakroom_store::{EXPIRY_MARGIN, Key, Loaded, Record, Store, Timestamp};

use super::{
    case::{Case, CaseResult, Need, check},
    fixture::Fixture,
};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        Case {
            name: "touch/moves_forward",
            rule: "touch moves last_seen and expires forward, again and again",
            needs: &[],
            run: |fixture| Box::pin(moves_forward(fixture)),
        },
        Case {
            name: "touch/never_moves_back",
            rule: "touch moves neither last_seen nor expires back, each judged by itself",
            needs: &[],
            run: |fixture| Box::pin(never_moves_back(fixture)),
        },
        Case {
            name: "touch/changes_nothing_else",
            rule: "touch changes neither version, data, subject nor creation time",
            needs: &[],
            run: |fixture| Box::pin(changes_nothing_else(fixture)),
        },
        Case {
            name: "touch/only_the_expected",
            rule: "touch answers false when another version is there, and changes nothing",
            needs: &[],
            run: |fixture| Box::pin(only_the_expected(fixture)),
        },
        Case {
            name: "touch/never_creates",
            rule: "touch answers false when nothing is there, and creates nothing",
            needs: &[],
            run: |fixture| Box::pin(never_creates(fixture)),
        },
        Case {
            name: "touch/takes_the_just_expired",
            rule: "touch revives a record that expired up to EXPIRY_MARGIN before the new \
                   last_seen",
            needs: &[],
            run: |fixture| Box::pin(takes_the_just_expired(fixture)),
        },
        Case {
            name: "touch/refuses_the_long_expired",
            rule: "touch answers false when the record expired more than EXPIRY_MARGIN before the \
                   new last_seen, and changes nothing",
            needs: &[],
            run: |fixture| Box::pin(refuses_the_long_expired(fixture)),
        },
        Case {
            name: "touch/margin_is_exact",
            rule: "touch takes what expired exactly EXPIRY_MARGIN before the new last_seen, and \
                   not a millisecond more",
            needs: &[Need::KeepsExpired],
            run: |fixture| Box::pin(margin_is_exact(fixture)),
        },
    ]
}

fn later(time: Timestamp, millis: u64) -> Timestamp {
    time.saturating_add(Duration::from_millis(millis))
}

fn earlier(time: Timestamp, millis: u64) -> Timestamp {
    time.saturating_sub(Duration::from_millis(millis))
}

async fn touch<S: Store>(
    fixture: &Fixture<S>,
    key: &Key,
    record: &Record,
    expected: &Loaded,
    answer: bool,
) -> CaseResult {
    let touched = fixture.store().touch(key, record, expected).await?;
    check(touched == answer, || {
        let kept = &expected.record;
        format!("a touch of {kept:?} to {record:?} answered {touched}")
    })
}

async fn moves_forward<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let mut record = fixture.record();
    let (key, loaded) = fixture.create_new(&record).await?;
    // The same expectation each time: a touch does not change the version.
    for _ in 0..3 {
        record.last_seen = later(record.last_seen, 1 + fixture.below(5_000));
        record.expires = later(record.expires, 1 + fixture.below(5_000));
        touch(&fixture, &key, &record, &loaded, true).await?;
        fixture.holds(&key, &record).await?;
    }
    Ok(())
}

async fn never_moves_back<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let mut kept = fixture.record();
    let (key, loaded) = fixture.create_new(&kept).await?;
    for (seen_later, expires_later) in [(false, false), (true, false), (false, true)] {
        let mut record = kept.clone();
        let step = |is_later, time| match is_later {
            true => later(time, 1_001),
            false => earlier(time, 1_001),
        };
        record.last_seen = step(seen_later, kept.last_seen);
        record.expires = step(expires_later, kept.expires);
        touch(&fixture, &key, &record, &loaded, true).await?;
        kept.last_seen = kept.last_seen.max(record.last_seen);
        kept.expires = kept.expires.max(record.expires);
        fixture.holds(&key, &kept).await?;
    }
    touch(&fixture, &key, &kept, &loaded, true).await
}

async fn changes_nothing_else<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let mut kept = fixture.record_of(&fixture.subject("ann")?);
    let (key, loaded) = fixture.create_new(&kept).await?;
    let mut record = fixture.record_of(&fixture.subject("bob")?);
    record.created = later(record.created, 77);
    record.last_seen = later(kept.last_seen, 3_000);
    record.expires = later(kept.expires, 4_000);
    touch(&fixture, &key, &record, &loaded, true).await?;
    kept.last_seen = record.last_seen;
    kept.expires = record.expires;
    fixture.holds(&key, &kept).await?;
    Ok(())
}

async fn only_the_expected<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let first = fixture.record();
    let (key, loaded) = fixture.create_new(&first).await?;
    let second = fixture.record();
    fixture.store().replace(&key, &second, &loaded).await?;
    let mut record = second.clone();
    record.last_seen = later(record.last_seen, 3_000);
    record.expires = later(record.expires, 4_000);
    touch(&fixture, &key, &record, &loaded, false).await?;
    fixture.holds(&key, &second).await?;
    Ok(())
}

async fn never_creates<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let key = fixture.key();
    let record = fixture.record();
    let expected = Loaded::new(record.clone());
    touch(&fixture, &key, &record, &expected, false).await?;
    fixture.holds_nothing(&key).await?;

    let loaded = fixture.create(&key, &record).await?;
    fixture.store().delete(&key).await?;
    touch(&fixture, &key, &record, &loaded, false).await?;
    fixture.holds_nothing(&key).await
}

async fn takes_the_just_expired<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let now = fixture.now();
    let mut record = fixture.record_until(earlier(now, 10_000));
    let (key, loaded) = fixture.create_new(&record).await?;
    record.last_seen = now;
    record.expires = later(now, 600_000);
    touch(&fixture, &key, &record, &loaded, true).await?;
    fixture.holds(&key, &record).await?;
    Ok(())
}

async fn refuses_the_long_expired<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let now = fixture.now();
    let key = fixture.key();
    let kept = fixture.record_until(earlier(now, 600_000));
    fixture.store().create(&key, &kept).await?;
    let mut record = kept.clone();
    record.last_seen = now;
    record.expires = later(now, 600_000);
    let expected = Loaded::new(kept.clone());
    touch(&fixture, &key, &record, &expected, false).await?;
    // It may be gone where the store expires records itself.
    match fixture.load(&key).await? {
        Some(_) => fixture.holds(&key, &kept).await.map(drop),
        None => Ok(()),
    }
}

async fn margin_is_exact<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let mut kept = fixture.record_until(fixture.ancient());
    let (key, loaded) = fixture.create_new(&kept).await?;
    let mut record = kept.clone();
    let last_moment = kept.expires.saturating_add(EXPIRY_MARGIN);
    record.expires = later(last_moment, 600_000);
    record.last_seen = later(last_moment, 1);
    touch(&fixture, &key, &record, &loaded, false).await?;
    fixture.holds(&key, &kept).await?;

    record.last_seen = last_moment;
    touch(&fixture, &key, &record, &loaded, true).await?;
    kept.last_seen = record.last_seen;
    kept.expires = record.expires;
    fixture.holds(&key, &kept).await?;
    Ok(())
}
