use std::time::Duration;

use cloakroom_store::{Key, Store};

use super::{
    case::{Case, CaseResult, Need, check},
    fixture::Fixture,
};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        Case {
            name: "delete/removes",
            rule: "delete removes the record and says true",
            needs: &[],
            run: |fixture| Box::pin(removes(fixture)),
        },
        Case {
            name: "delete/of_nothing_succeeds",
            rule: "deleting what is not there succeeds and says false",
            needs: &[],
            run: |fixture| Box::pin(of_nothing_succeeds(fixture)),
        },
        Case {
            name: "delete/whatever_it_holds",
            rule: "delete removes a record whatever it holds, whatever has become of it",
            needs: &[],
            run: |fixture| Box::pin(whatever_it_holds(fixture)),
        },
        Case {
            name: "delete/the_expired",
            rule: "delete removes an expired record and says true",
            needs: &[Need::KeepsExpired],
            run: |fixture| Box::pin(the_expired(fixture)),
        },
        Case {
            name: "delete/removes_no_other",
            rule: "delete removes only the record of its key",
            needs: &[],
            run: |fixture| Box::pin(removes_no_other(fixture)),
        },
    ]
}

async fn delete<S: Store>(fixture: &Fixture<S>, key: &Key, answer: bool) -> CaseResult {
    let deleted = fixture.store().delete(key).await?;
    check(deleted == answer, || format!("it answered {deleted}"))?;
    fixture.holds_nothing(key).await
}

async fn removes<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let (key, _) = fixture.create_new(&fixture.record()).await?;
    delete(&fixture, &key, true).await
}

async fn of_nothing_succeeds<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let key = fixture.key();
    delete(&fixture, &key, false).await?;
    fixture.create(&key, &fixture.record()).await?;
    delete(&fixture, &key, true).await?;
    delete(&fixture, &key, false).await
}

async fn whatever_it_holds<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let mut record = fixture.record_of(&fixture.subject("ann")?);
    let (key, loaded) = fixture.create_new(&record).await?;
    record.version = fixture.version();
    fixture.store().replace(&key, &record, &loaded).await?;
    let loaded = fixture.holds(&key, &record).await?;
    record.expires = record.expires.saturating_add(Duration::from_secs(1));
    fixture.store().touch(&key, &record, &loaded).await?;
    delete(&fixture, &key, true).await
}

async fn the_expired<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let expired = fixture.now().saturating_sub(Duration::from_secs(86_400));
    let (key, _) = fixture.create_new(&fixture.record_until(expired)).await?;
    delete(&fixture, &key, true).await
}

async fn removes_no_other<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let subject = fixture.subject("ann")?;
    let record = fixture.record_of(&subject);
    let (key, _) = fixture.create_new(&record).await?;
    let (other, _) = fixture.create_new(&record).await?;
    let there = fixture.key_of(fixture.other_namespace(), key.id);
    fixture.create(&there, &record).await?;
    delete(&fixture, &key, true).await?;
    fixture.holds(&other, &record).await?;
    fixture.holds(&there, &record).await?;
    Ok(())
}
