use std::time::Duration;

use cloakroom_store::{Loaded, Record, Store, StoreErrorKind};

use super::{
    case::{Case, CaseResult, Need, check_error},
    fixture::Fixture,
};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        Case {
            name: "create/never_overwrites",
            rule: "create answers AlreadyExists when the key is taken, and changes nothing",
            needs: &[],
            run: |fixture| Box::pin(never_overwrites(fixture)),
        },
        Case {
            name: "create/never_overwrites_the_expired",
            rule: "create answers AlreadyExists when an expired record has the key",
            needs: &[Need::KeepsExpired],
            run: |fixture| Box::pin(never_overwrites_the_expired(fixture)),
        },
        Case {
            name: "create/after_delete",
            rule: "a deleted key is free again",
            needs: &[],
            run: |fixture| Box::pin(after_delete(fixture)),
        },
        Case {
            name: "create/tag_is_expected",
            rule: "the tag that create and replace answer is good as the next expectation",
            needs: &[],
            run: |fixture| Box::pin(tag_is_expected(fixture)),
        },
    ]
}

async fn never_overwrites<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let subject = fixture.subject("ann")?;
    let record = fixture.record_of(&subject);
    let (key, _) = fixture.create_new(&record).await?;
    for other in [
        fixture.record(),
        fixture.record_of(&subject),
        record.clone(),
    ] {
        let result = fixture.store().create(&key, &other).await;
        check_error(result, StoreErrorKind::AlreadyExists, "a second create")?;
        fixture.holds(&key, &record).await?;
    }
    Ok(())
}

async fn never_overwrites_the_expired<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let expired = fixture.now().saturating_sub(Duration::from_secs(86_400));
    let record = fixture.record_until(expired);
    let (key, _) = fixture.create_new(&record).await?;
    let result = fixture.store().create(&key, &fixture.record()).await;
    check_error(result, StoreErrorKind::AlreadyExists, "a second create")?;
    fixture.holds(&key, &record).await?;
    Ok(())
}

async fn after_delete<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let (key, _) = fixture.create_new(&fixture.record()).await?;
    fixture.store().delete(&key).await?;
    fixture.create(&key, &fixture.record()).await?;
    Ok(())
}

async fn tag_is_expected<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let key = fixture.key();
    let mut record = fixture.record();
    let mut tag = fixture.store().create(&key, &record).await?;
    for _ in 0..3 {
        let expected = Loaded::with_tag(record.clone(), tag);
        let next: Record = fixture.record();
        tag = fixture.store().replace(&key, &next, &expected).await?;
        fixture.holds(&key, &next).await?;
        record = next;
    }
    let expected = Loaded::with_tag(record.clone(), tag);
    record.expires = record.expires.saturating_add(Duration::from_secs(7));
    match fixture.store().touch(&key, &record, &expected).await? {
        true => fixture.holds(&key, &record).await.map(drop),
        false => Err("a touch expecting what was just written was refused".into()),
    }
}
