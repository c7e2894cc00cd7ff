//! What is told of a link that is down.

use std::time::Duration;

use cloakroom_store::{Change, Operation, StoreError, Watch};
use tokio::time::{Instant, sleep, timeout};

use super::{
    Case, CaseResult, LinkState,
    fixture::Fixture,
    listener::{Listener, Next},
    silence,
};

pub(super) fn cases<S: Watch>() -> Vec<Case<S>> {
    let case = |name, rule, run| Case {
        name,
        rule,
        needs_link: true,
        run,
    };
    vec![
        case(
            "link/silence_is_not_nothing",
            "`Nothing` is said only when the server has answered within `SILENCE`",
            |f| Box::pin(silence_is_not_nothing(f)),
        ),
        case(
            "link/what_a_cut_has_hidden_is_told",
            "what a broken link may have hidden is told as `All` or an error, or made up for",
            |f| Box::pin(what_was_hidden_is_told(f, LinkState::Cut)),
        ),
        case(
            "link/what_silence_has_hidden_is_told",
            "what a silent link may have hidden is told as `All` or an error, or made up for",
            |f| Box::pin(what_was_hidden_is_told(f, LinkState::Silent)),
        ),
        case(
            "link/an_end_is_an_end",
            "after an error a feed says nothing that keeps copies in trust",
            |f| Box::pin(an_end_is_an_end(f)),
        ),
        case(
            "link/errors_carry_load",
            "errors of `watch` and of a feed carry the operation `Load`",
            |f| Box::pin(errors_carry_load(f)),
        ),
        case(
            "link/another_feed_follows",
            "when the link is whole again there is another feed, and it tells changes",
            |f| Box::pin(another_feed_follows(f)),
        ),
    ]
}

async fn silence_is_not_nothing<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let mut listener = fixture.watch_from_now().await?;
    fixture.link(LinkState::Silent).await;
    let (began, silence) = (Instant::now(), silence::<S>());
    while began.elapsed() < silence * 3 {
        match listener.next().await {
            Next::Told(Change::Nothing) if began.elapsed() > silence => {
                let late = began.elapsed();
                return Err(format!("`Nothing` was said {late:?} after the last answer").into());
            }
            Next::Told(_) => {}
            Next::Ended(_) | Next::Silence => break,
        }
    }
    Ok(())
}

async fn what_was_hidden_is_told<S: Watch>(fixture: Fixture<S>, state: LinkState) -> CaseResult {
    let (key, _) = fixture.created().await?;
    let mut listener = fixture.watch_from_now().await?;
    fixture.link(state).await;
    fixture.writer().delete(&key).await?;
    let (began, silence) = (Instant::now(), silence::<S>());
    while began.elapsed() < silence * 2 {
        match listener.next().await {
            _ if listener.has_heard(&key) => return Ok(()),
            Next::Told(_) => {}
            // Who listens gives up such a feed.
            Next::Ended(_) | Next::Silence => return Ok(()),
        }
    }
    fixture.link(LinkState::Whole).await;
    listener.settle().await?;
    match listener.has_heard(&key) {
        true => Ok(()),
        false => Err("the feed goes on as if nothing had happened".into()),
    }
}

async fn an_end_is_an_end<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let mut listener = fixture.watch_from_now().await?;
    fixture.link(LinkState::Cut).await;
    if end(&mut listener).await.is_none() {
        return Ok(());
    }
    fixture.link(LinkState::Whole).await;
    let until = Instant::now() + silence::<S>();
    while Instant::now() < until {
        match listener.next().await {
            Next::Told(Change::Nothing | Change::Key(_)) => {
                return Err("the feed went on after its end".into());
            }
            Next::Told(_) | Next::Silence => {}
            Next::Ended(_) => sleep(Duration::from_millis(10)).await,
        }
    }
    Ok(())
}

async fn errors_carry_load<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let mut listener = fixture.watch_from_now().await?;
    fixture.link(LinkState::Cut).await;
    if let Some(error) = end(&mut listener).await {
        carries_load(&error, "the feed")?;
    }
    // A store may try for long.
    match timeout(Duration::from_secs(10), fixture.store().watch()).await {
        Ok(Err(error)) => carries_load(&error, "`watch`"),
        Ok(Ok(_)) => Err("there was a feed although the link was cut".into()),
        Err(_) => Ok(()),
    }
}

fn carries_load(error: &StoreError, who: &str) -> CaseResult {
    match error.operation() {
        Operation::Load => Ok(()),
        other => Err(format!("an error of {who} carries {other:?}").into()),
    }
}

async fn another_feed_follows<S: Watch>(fixture: Fixture<S>) -> CaseResult {
    let mut listener = fixture.watch_from_now().await?;
    for state in [LinkState::Cut, LinkState::Silent] {
        fixture.link(state).await;
        end(&mut listener).await;
        fixture.link(LinkState::Whole).await;
        listener = again(&fixture).await?;
        let (key, _) = fixture.created().await?;
        listener.hears(&[key], fixture.bound()).await?;
    }
    Ok(())
}

/// Another feed, which may take a few tries.
async fn again<S: Watch>(fixture: &Fixture<S>) -> CaseResult<Listener<S::Feed>> {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match fixture.watch().await {
            Err(_) if Instant::now() < until => sleep(Duration::from_millis(50)).await,
            listener => return listener,
        }
    }
}

/// The error of a feed whose link is down; `None` when it is silent.
async fn end<F: cloakroom_store::Feed>(listener: &mut Listener<F>) -> Option<StoreError> {
    let until = Instant::now() + F::SILENCE * 3;
    while Instant::now() < until {
        match listener.next().await {
            Next::Told(_) => {}
            Next::Ended(error) => return Some(error),
            Next::Silence => return None,
        }
    }
    None
}
