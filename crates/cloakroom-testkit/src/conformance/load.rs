use std::time::Duration;

use cloakroom_store::{Freshness, Loaded, Store};

use super::{
    case::{Case, CaseResult, Need, check},
    fixture::{Fixture, check_same},
};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        Case {
            name: "load/missing_is_none",
            rule: "load answers None when there is no record",
            needs: &[],
            run: |fixture| Box::pin(missing_is_none(fixture)),
        },
        Case {
            name: "load/gives_what_was_written",
            rule: "load gives the whole record as it was written, as often as it is asked",
            needs: &[],
            run: |fixture| Box::pin(gives_what_was_written(fixture)),
        },
        Case {
            name: "load/gives_the_just_expired",
            rule: "load gives a record that expired less than EXPIRY_MARGIN ago",
            needs: &[],
            run: |fixture| Box::pin(gives_the_just_expired(fixture)),
        },
        Case {
            name: "load/gives_the_long_expired",
            rule: "load gives what is there, expired or not",
            needs: &[Need::KeepsExpired],
            run: |fixture| Box::pin(gives_the_long_expired(fixture)),
        },
        Case {
            name: "load/any_shows_own_writes",
            rule: "a store that does not answer from copies shows every write at once",
            needs: &[Need::NoCopies],
            run: |fixture| Box::pin(any_shows_own_writes(fixture)),
        },
        Case {
            name: "load/namespaces_are_apart",
            rule: "records of the same id in two namespaces have nothing to do with each other",
            needs: &[],
            run: |fixture| Box::pin(namespaces_are_apart(fixture)),
        },
    ]
}

async fn missing_is_none<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let key = fixture.key();
    for freshness in [Freshness::Any, Freshness::Latest] {
        let loaded = fixture.store().load(&key, freshness).await?;
        check(loaded.is_none(), || format!("{freshness:?}: {loaded:?}"))?;
    }
    Ok(())
}

async fn gives_what_was_written<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let record = fixture.record_of(&fixture.subject("ann")?);
    let (key, _) = fixture.create_new(&record).await?;
    for _ in 0..3 {
        fixture.holds(&key, &record).await?;
    }
    Ok(())
}

async fn gives_the_just_expired<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let expired = fixture.now().saturating_sub(Duration::from_secs(5));
    fixture.create_new(&fixture.record_until(expired)).await?;
    Ok(())
}

async fn gives_the_long_expired<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let expired = fixture.now().saturating_sub(Duration::from_secs(86_400));
    fixture.create_new(&fixture.record_until(expired)).await?;
    Ok(())
}

async fn any_shows_own_writes<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let store = fixture.store();
    let key = fixture.key();
    let shows = async |expected: Option<&cloakroom_store::Record>, write: &str| {
        let loaded = store.load(&key, Freshness::Any).await?;
        match (loaded, expected) {
            (Some(Loaded { record, .. }), Some(expected)) => check_same(&key, &record, expected),
            (None, None) => Ok(()),
            (found, _) => Err(format!("after {write} it showed {found:?}").into()),
        }
    };
    shows(None, "nothing").await?;
    let first = fixture.record();
    let loaded = fixture.create(&key, &first).await?;
    shows(Some(&first), "create").await?;
    let mut second = fixture.record();
    store.replace(&key, &second, &loaded).await?;
    shows(Some(&second), "replace").await?;
    let loaded = fixture.holds(&key, &second).await?;
    second.expires = second.expires.saturating_add(Duration::from_secs(9));
    store.touch(&key, &second, &loaded).await?;
    shows(Some(&second), "touch").await?;
    store.delete(&key).await?;
    shows(None, "delete").await
}

async fn namespaces_are_apart<S: Store>(fixture: Fixture<S>) -> CaseResult {
    let here = fixture.key();
    let there = fixture.key_of(fixture.other_namespace(), here.id);
    let first = fixture.record();
    let loaded = fixture.create(&here, &first).await?;
    fixture.holds_nothing(&there).await?;
    let second = fixture.record();
    fixture.create(&there, &second).await?;
    fixture.holds(&here, &first).await?;
    let third = fixture.record();
    fixture.store().replace(&here, &third, &loaded).await?;
    fixture.holds(&there, &second).await?;
    fixture.store().delete(&here).await?;
    fixture.holds(&there, &second).await?;
    Ok(())
}
