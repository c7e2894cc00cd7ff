use std::time::Duration;

use bytes::Bytes;
use cloakroom_store::{Loaded, Store, StoreErrorKind::Conflict, Timestamp, Version};

use super::{
    case::{Case, CaseResult, check, check_error},
    fixture::Fixture,
};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        Case {
            name: "replace/replaces_everything",
            rule: "replace leaves nothing of the old record, and may move its times back",
            needs: &[],
            run: |fixture| Box::pin(replaces_everything(fixture)),
        },
        Case {
            name: "replace/never_creates",
            rule: "replace answers Conflict when nothing is there, and creates nothing",
            needs: &[],
            run: |fixture| Box::pin(never_creates(fixture)),
        },
        Case {
            name: "replace/only_what_is_expected",
            rule: "replace answers Conflict when another version is there, and changes nothing",
            needs: &[],
            run: |fixture| Box::pin(only_what_is_expected(fixture)),
        },
        Case {
            name: "replace/compares_whole_versions",
            rule: "versions that differ in any one of their 64 bits are different ones",
            needs: &[],
            run: |fixture| Box::pin(compares_whole_versions(fixture)),
        },
        Case {
            name: "replace/after_touch",
            rule: "a touch does not change the version: what was loaded before it may be replaced",
            needs: &[],
            run: |fixture| Box::pin(after_touch(fixture)),
        },
        Case {
            name: "replace/needs_no_data",
            rule: "replace and touch take what they expect without its data",
            needs: &[],
            run: |fixture| Box::pin(needs_no_data(fixture)),
        },
        Case {
            name: "replace/not_after_delete",
            rule: "replace answers Conflict after a delete, and brings nothing back",
            needs: &[],
            run: |fixture| Box::pin(not_after_delete(fixture)),
        },
        Case {
            name: "replace/not_what_was_created_again",
            rule: "replace answers Conflict when the expected record was deleted and another \
                   created under its key",
            needs: &[],
            run: |fixture| Box::pin(not_what_was_created_again(fixture)),
        },
        Case {
            name: "replace/judges_no_expiry",
            rule: "replace replaces a record that has just expired",
            needs: &[],
            run: |fixture| Box::pin(judges_no_expiry(fixture)),
        },
    ]
}

async fn replaces_everything<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let first = fixture.record_of(&fixture.subject("ann")?);
    let (key, loaded) = fixture.create_new(&first).await?;
    let mut second = fixture.record_of(&fixture.subject("bob")?);
    second.created = Timestamp::from_millis(1);
    second.last_seen = Timestamp::from_millis(2);
    second.expires = fixture.now().saturating_add(Duration::from_secs(60));
    fixture.store().replace(&key, &second, &loaded).await?;
    let loaded = fixture.holds(&key, &second).await?;
    let third = fixture.record();
    fixture.store().replace(&key, &third, &loaded).await?;
    fixture.holds(&key, &third).await?;
    Ok(())
}

async fn never_creates<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let key = fixture.key();
    let expected = Loaded::new(fixture.record());
    let record = fixture.record_of(&fixture.subject("ann")?);
    let result = fixture.store().replace(&key, &record, &expected).await;
    check_error(result, Conflict, "a replace of nothing")?;
    fixture.holds_nothing(&key).await
}

async fn only_what_is_expected<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let store = fixture.store();
    let first = fixture.record();
    let (key, loaded) = fixture.create_new(&first).await?;
    let never_there = Loaded::new(fixture.record());
    let result = store.replace(&key, &fixture.record(), &never_there).await;
    check_error(result, Conflict, "a replace of a version never there")?;
    fixture.holds(&key, &first).await?;

    let second = fixture.record();
    store.replace(&key, &second, &loaded).await?;
    for call in ["a replace of an old version", "the same again"] {
        let result = store.replace(&key, &fixture.record(), &loaded).await;
        check_error(result, Conflict, call)?;
        fixture.holds(&key, &second).await?;
    }
    // What would be written is there already, but it is not what was expected.
    let result = store.replace(&key, &second, &loaded).await;
    check_error(result, Conflict, "a repeated replace")
}

async fn compares_whole_versions<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let random = fixture.version().to_bits();
    for bits in [0, 1, 1 << 63, u64::MAX, 1 << 53, random] {
        let mut record = fixture.record();
        record.version = Version::from_bits(bits);
        let (key, loaded) = fixture.create_new(&record).await?;
        for bit in [0, 1, 31, 32, 52, 53, 62, 63] {
            let mut other = record.clone();
            other.version = Version::from_bits(bits ^ (1 << bit));
            let next = fixture.record();
            let other = Loaded::new(other);
            let result = fixture.store().replace(&key, &next, &other).await;
            check_error(result, Conflict, "a replace of a similar version")?;
        }
        let next = fixture.record();
        fixture.store().replace(&key, &next, &loaded).await?;
        fixture.holds(&key, &next).await?;
    }
    Ok(())
}

async fn after_touch<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let mut record = fixture.record();
    let (key, loaded) = fixture.create_new(&record).await?;
    record.last_seen = fixture.now();
    record.expires = record.expires.saturating_add(Duration::from_secs(5));
    let touched = fixture.store().touch(&key, &record, &loaded).await?;
    check(touched, || "the touch was refused".to_owned())?;
    let next = fixture.record();
    fixture.store().replace(&key, &next, &loaded).await?;
    fixture.holds(&key, &next).await?;
    Ok(())
}

async fn needs_no_data<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let mut record = fixture.record();
    let (key, mut loaded) = fixture.create_new(&record).await?;
    loaded.record.data = Bytes::new();
    record.last_seen = fixture.now();
    let touched = fixture.store().touch(&key, &record, &loaded).await?;
    check(touched, || "the touch was refused".to_owned())?;
    let next = fixture.record();
    fixture.store().replace(&key, &next, &loaded).await?;
    fixture.holds(&key, &next).await?;
    Ok(())
}

async fn not_after_delete<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let (key, loaded) = fixture.create_new(&fixture.record()).await?;
    fixture.store().delete(&key).await?;
    let next = fixture.record();
    let result = fixture.store().replace(&key, &next, &loaded).await;
    check_error(result, Conflict, "a replace after a delete")?;
    fixture.holds_nothing(&key).await
}

async fn not_what_was_created_again<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let (key, old) = fixture.create_new(&fixture.record()).await?;
    fixture.store().delete(&key).await?;
    let record = fixture.record();
    fixture.create(&key, &record).await?;
    let next = fixture.record();
    let result = fixture.store().replace(&key, &next, &old).await;
    check_error(result, Conflict, "a replace of the deleted record")?;
    fixture.holds(&key, &record).await?;
    Ok(())
}

async fn judges_no_expiry<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let expired = fixture.now().saturating_sub(Duration::from_secs(5));
    let (key, loaded) = fixture.create_new(&fixture.record_until(expired)).await?;
    let next = fixture.record();
    fixture.store().replace(&key, &next, &loaded).await?;
    fixture.holds(&key, &next).await?;
    Ok(())
}
