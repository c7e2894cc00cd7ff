//! The sessions of a subject: listed and ended from outside of them.

mod ending;
mod failures;
mod listing;
mod others;
mod races;

use std::time::Duration;

use cloakroom_core::{
    SessionError, SessionSummary, Subjects,
    store::{SessionId, StoreErrorKind, Subject},
};

use crate::support::{ACCOUNT, Browser, World};

const SECOND: Duration = Duration::from_secs(1);

/// A timer is exact to the millisecond.
const TICK: Duration = Duration::from_millis(5);

fn alice() -> Subject {
    Subject::new("alice").unwrap()
}

fn subjects(world: &World) -> Subjects {
    world.manager.subjects(ACCOUNT).unwrap()
}

async fn logged_in(world: &World, subject: &str) -> Browser {
    let mut browser = Browser::new();
    browser.visit(world, |s| s.login(subject)).await;
    world.calls();
    world.events.take();
    browser
}

async fn several(world: &World, count: usize) -> Vec<Browser> {
    let mut browsers = Vec::new();
    for _ in 0..count {
        browsers.push(logged_in(world, "alice").await);
    }
    browsers
}

async fn list(world: &World) -> Vec<SessionSummary> {
    let page = subjects(world).sessions_of(&alice(), None, 100).await;
    let page = page.unwrap();
    assert!(page.next.is_none());
    page.sessions
}

async fn ids(world: &World) -> Vec<SessionId> {
    list(world).await.iter().map(|session| session.id).collect()
}

fn store_error(error: SessionError) -> StoreErrorKind {
    match error {
        SessionError::Store(error) => error.kind(),
        other => panic!("{other:?}"),
    }
}
