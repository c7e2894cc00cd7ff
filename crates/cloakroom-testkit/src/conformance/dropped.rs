use std::{future::Future, pin::pin, task::Poll, time::Duration};

use cloakroom_store::{Freshness, Key, Record, Store, StoreErrorKind};

use super::{
    case::{Case, CaseResult, Finding, check},
    fixture::{Fixture, check_same},
};

pub(super) fn cases<S: Store>() -> Vec<Case<S>> {
    vec![
        Case {
            name: "dropped/create",
            rule: "a create whose future is dropped has happened or not, and leaves no lock",
            needs: &[],
            run: |fixture| Box::pin(create(fixture)),
        },
        Case {
            name: "dropped/replace",
            rule: "a replace whose future is dropped has happened or not, and leaves no lock",
            needs: &[],
            run: |fixture| Box::pin(replace(fixture)),
        },
        Case {
            name: "dropped/delete",
            rule: "a delete whose future is dropped has happened or not, and leaves no lock",
            needs: &[],
            run: |fixture| Box::pin(delete(fixture)),
        },
    ]
}

/// After how many polls a future is dropped; past the first four it gets a millisecond for each.
const POLLS: [usize; 7] = [0, 1, 2, 3, 5, 8, 12];

/// Polls a future so many times and drops it then.
async fn drop_after<T>(polls: usize, future: impl Future<Output = T>) {
    let mut future = pin!(future);
    for poll in 0..polls {
        let is_done =
            std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready()));
        if is_done.await {
            return;
        }
        match poll {
            0..4 => tokio::task::yield_now().await,
            _ => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

/// Checks that the session is one of these, and that it can be written to.
async fn works<S: Store>(
    fixture: &Fixture<S>,
    key: &Key,
    possible: &[Option<&Record>],
) -> CaseResult {
    // A dropped call may still take effect on a server between the load and the write here.
    for _ in 0..20 {
        let loaded = fixture.store().load(key, Freshness::Latest).await?;
        let found = loaded.as_ref().map(|loaded| &loaded.record);
        check(possible.contains(&found), || {
            format!("{key} is {found:?}, which is neither before nor after")
        })?;
        let next = fixture.record();
        let result = match &loaded {
            Some(loaded) => fixture.store().replace(key, &next, loaded).await,
            None => fixture.store().create(key, &next).await,
        };
        match result {
            Ok(_) => {
                let loaded = fixture.load(key).await?;
                return match loaded {
                    Some(loaded) => check_same(key, &loaded.record, &next),
                    None if possible.contains(&None) => Ok(()),
                    None => Err(format!("{key} is gone").into()),
                };
            }
            Err(error) if error.kind() == StoreErrorKind::Conflict => {}
            Err(error) if error.kind() == StoreErrorKind::AlreadyExists => {}
            Err(error) => return Err(Finding::from(error)),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(format!("{key} could not be written to afterwards").into())
}

async fn create<S: Store>(fixture: Fixture<S>) -> CaseResult {
    for polls in POLLS {
        let key = fixture.key();
        let record = fixture.record_of(&fixture.subject("ann")?);
        drop_after(polls, fixture.store().create(&key, &record)).await;
        works(&fixture, &key, &[None, Some(&record)]).await?;
    }
    Ok(())
}

async fn replace<S: Store>(fixture: Fixture<S>) -> CaseResult {
    for polls in POLLS {
        let before = fixture.record_of(&fixture.subject("ann")?);
        let (key, loaded) = fixture.create_new(&before).await?;
        let after = fixture.record_of(&fixture.subject("bob")?);
        drop_after(polls, fixture.store().replace(&key, &after, &loaded)).await;
        works(&fixture, &key, &[Some(&before), Some(&after)]).await?;
    }
    Ok(())
}

async fn delete<S: Store>(fixture: Fixture<S>) -> CaseResult {
    for polls in POLLS {
        let before = fixture.record_of(&fixture.subject("ann")?);
        let (key, _) = fixture.create_new(&before).await?;
        drop_after(polls, fixture.store().delete(&key)).await;
        works(&fixture, &key, &[Some(&before), None]).await?;
    }
    Ok(())
}
