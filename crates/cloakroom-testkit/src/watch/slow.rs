//! Who listens slowly.

use cloakroom_store::{Change, Key, Watch};

use super::{
    Case, CaseResult,
    fixture::Fixture,
    listener::{Listener, Next},
};

/// How many write at the same time.
const WRITERS: usize = 32;

pub(super) fn cases<S: Watch>() -> Vec<Case<S>> {
    let case = |name, rule, run| Case {
        name,
        rule,
        needs_link: false,
        run,
    };
    vec![
        case(
            "slow/nothing_is_left_out",
            "who listens slowly is told every change, or `All`, or an error",
            |f| Box::pin(nothing_is_left_out(f)),
        ),
        case(
            "slow/memory_is_bounded",
            "who has missed more than a feed keeps is told `All`, or an error",
            |f| Box::pin(memory_is_bounded(f)),
        ),
    ]
}

async fn nothing_is_left_out<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let mut listener = fixture.watch_from_now().await?;
    let keys = flood(&fixture, 200).await?;
    if has_ended(&mut listener).await? {
        return Ok(());
    }
    let missing = keys.iter().filter(|key| !listener.has_heard(key)).count();
    match missing {
        0 => Ok(()),
        _ => Err(format!("{missing} of {} changes were not told", keys.len()).into()),
    }
}

async fn memory_is_bounded<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let mut listener = fixture.watch_from_now().await?;
    let most = fixture.most_kept();
    flood(&fixture, most + most / 8 + WRITERS).await?;
    if has_ended(&mut listener).await? || listener.has_heard_all() {
        return Ok(());
    }
    Err(format!("more than {most} keys were kept for who did not listen").into())
}

/// Creates at least so many records, while nobody listens.
async fn flood<S: Watch>(fixture: &Fixture<S>, count: usize) -> CaseResult<Vec<Key>> {
    let tasks = (0..WRITERS).map(|_| {
        let fixture = fixture.clone();
        tokio::spawn(async move {
            let mut keys = Vec::new();
            for _ in 0..count.div_ceil(WRITERS) {
                let key = fixture.key();
                fixture.writer().create(&key, &fixture.record()).await?;
                keys.push(key);
            }
            CaseResult::Ok(keys)
        })
    });
    let mut keys = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        keys.extend(task.await.map_err(|error| error.to_string())??);
    }
    Ok(keys)
}

/// Hears what there is. Whether the feed has ended, which says that anything may be missing.
async fn has_ended<F: cloakroom_store::Feed>(listener: &mut Listener<F>) -> CaseResult<bool> {
    let mut answers = 0;
    while answers < 2 {
        match listener.next().await {
            Next::Told(change) => answers += usize::from(change == Change::Nothing),
            Next::Ended(_) => return Ok(true),
            Next::Silence => return Err("the feed is silent".into()),
        }
    }
    Ok(false)
}
