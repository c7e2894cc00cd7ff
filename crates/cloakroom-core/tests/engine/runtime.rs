//! Without a tokio runtime: a store that answers at once needs none.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use cloakroom_core::{Namespace, Outcome, RequestSessions, SessionHandle, SessionManager};
use cloakroom_memory::MemoryStore;
use cloakroom_store::Operation;
use cloakroom_testkit::{Fault, FaultyStore};

use crate::support::{ACCOUNT, Browser, Response};

/// The result of a future that is ready at once.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("it waits"),
    }
}

fn open(manager: &SessionManager, browser: &Browser) -> (RequestSessions, SessionHandle) {
    let sessions = RequestSessions::begin(manager);
    let unopened = sessions.judge(ACCOUNT, &browser.request()).unwrap();
    let session = at_once(unopened.unwrap().open()).unwrap();
    (sessions, session)
}

fn answer(sessions: &RequestSessions) -> Response {
    let verdict = at_once(sessions.commit(Outcome::Success));
    let mut response = Response::new(verdict.status().unwrap_or(200));
    sessions.finish(&mut response);
    response
}

fn account(store: &FaultyStore<MemoryStore>) -> SessionManager {
    SessionManager::builder()
        .namespace(Namespace::new(ACCOUNT, store.clone()))
        .build()
        .unwrap()
}

#[test]
fn a_store_that_answers_at_once_needs_no_runtime_and_is_done_in_one_poll() {
    let store = FaultyStore::new(MemoryStore::new());
    let manager = account(&store);
    let mut browser = Browser::new();
    let (sessions, session) = open(&manager, &browser);
    session.insert("k", 1).unwrap();
    browser.receive(&answer(&sessions));
    let (sessions, session) = open(&manager, &browser);
    assert_eq!(session.get("k").unwrap(), Some(1));
    session.login("alice").unwrap();
    browser.receive(&answer(&sessions));
    let (sessions, session) = open(&manager, &browser);
    assert_eq!(session.get("k").unwrap(), Some(1));
    session.end().unwrap();
    browser.receive(&answer(&sessions));
    assert_eq!(store.inner().stats().sessions, 0);
}

#[test]
fn what_needs_a_runtime_is_an_error_without_one() {
    let store = FaultyStore::new(MemoryStore::new());
    let manager = account(&store);
    let mut browser = Browser::new();
    let (sessions, session) = open(&manager, &browser);
    session.insert("k", 1).unwrap();
    browser.receive(&answer(&sessions));
    // A conflict has the requests take turns.
    let (one, a) = open(&manager, &browser);
    let (other, b) = open(&manager, &browser);
    a.insert("a", 1).unwrap();
    b.insert("b", 1).unwrap();
    assert_eq!(answer(&one).status, 200);
    assert_eq!(answer(&other).status, 503);
    // So does a store that does not answer at once.
    store.faults().fail_next(Operation::Load, Fault::Hang);
    let sessions = RequestSessions::begin(&manager);
    let unopened = sessions.judge(ACCOUNT, &browser.request()).unwrap();
    let error = at_once(unopened.unwrap().open()).unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    let cause = source.source().unwrap().to_string();
    assert!(cause.contains("tokio runtime"), "{cause}");
}
