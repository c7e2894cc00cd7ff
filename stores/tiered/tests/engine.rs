//! Two processes of an application that share the back.
#![allow(clippy::unwrap_used, reason = "helpers are no tests")]

mod common;

use std::{sync::Arc, time::Duration};

use cloakroom_core::SessionHandle;
use cloakroom_memory::MemoryStore;
use cloakroom_store::Operation;
use cloakroom_testkit::SpyStore;
use cloakroom_tiered::TieredStore;
use common::{Process, ToldStore, settle};
use tokio::{task::JoinSet, time::advance};

const MAX_AGE: Duration = Duration::from_secs(2);

type Spied = SpyStore<MemoryStore>;

fn aged(back: &Spied) -> Process {
    let tiered = TieredStore::builder(MemoryStore::new(), back.clone());
    Process::new(tiered.max_age(MAX_AGE).build())
}

async fn listening(back: &ToldStore<Spied>) -> Process {
    let tiered = TieredStore::builder(MemoryStore::new(), back.clone()).watch();
    let process = Process::new(tiered.build());
    settle().await;
    process
}

#[tokio::test(start_paused = true)]
async fn a_login_in_one_process_is_seen_by_the_next_request_in_another() {
    let back = SpyStore::new(MemoryStore::new());
    let (here, there) = (aged(&back), aged(&back));
    let mut jar = None;
    here.visit(&mut jar).await;
    assert_eq!(there.user(&mut jar).await, None); // it has a copy now
    here.login(&mut jar).await;
    assert_eq!(there.user(&mut jar).await.as_deref(), Some("ann"));
    assert_eq!(here.user(&mut jar).await.as_deref(), Some("ann"));
}

#[tokio::test(start_paused = true)]
async fn a_first_visit_in_one_process_is_known_in_another() {
    let back = SpyStore::new(MemoryStore::new());
    let (here, there) = (aged(&back), aged(&back));
    let mut jar = None;
    here.visit(&mut jar).await;
    let visited = |session: &SessionHandle| session.get::<bool>("visited").unwrap();
    assert_eq!(there.serve(&mut jar, visited).await, Some(true));
}

#[tokio::test(start_paused = true)]
async fn an_ended_session_goes_on_elsewhere_for_the_stated_time_and_no_longer() {
    let back = SpyStore::new(MemoryStore::new());
    let (here, there) = (aged(&back), aged(&back));
    let mut jar = None;
    here.login(&mut jar).await;
    assert!(there.user(&mut jar).await.is_some());
    here.end(&mut jar.clone()).await;
    assert_eq!(here.user(&mut jar.clone()).await, None);
    advance(MAX_AGE - Duration::from_millis(1)).await;
    assert!(there.user(&mut jar).await.is_some());
    advance(Duration::from_millis(1)).await;
    assert_eq!(there.user(&mut jar).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_ended_session_can_not_be_written_to_elsewhere() {
    let back = SpyStore::new(MemoryStore::new());
    let (here, there) = (aged(&back), aged(&back));
    let mut jar = None;
    here.login(&mut jar).await;
    assert!(there.user(&mut jar).await.is_some());
    here.end(&mut jar.clone()).await;
    there.visit(&mut jar.clone()).await; // void, on an old copy
    assert_eq!(there.user(&mut jar).await, None); // and the conflict has shown it
    assert_eq!(back.inner().stats().sessions, 0);
}

#[tokio::test(start_paused = true)]
async fn an_ended_session_is_over_elsewhere_as_soon_as_it_is_told() {
    let back = ToldStore::new(SpyStore::new(MemoryStore::new()));
    let (here, there) = (listening(&back).await, listening(&back).await);
    let mut jar = None;
    here.login(&mut jar).await;
    settle().await;
    assert!(there.user(&mut jar).await.is_some());
    here.end(&mut jar.clone()).await;
    settle().await;
    assert_eq!(there.user(&mut jar).await, None);
}

#[tokio::test(start_paused = true)]
async fn changes_on_old_copies_are_all_kept() {
    let back = SpyStore::new(MemoryStore::new());
    let (here, there) = (aged(&back), aged(&back));
    let mut jar = None;
    here.visit(&mut jar).await;
    for _ in 0..10 {
        for process in [&here, &there] {
            let count = |session: &SessionHandle| session.update("n", |n: &mut u32| *n += 1);
            process.serve(&mut jar, count).await.unwrap();
        }
    }
    advance(MAX_AGE).await;
    let counted = |session: &SessionHandle| session.get::<u32>("n").unwrap();
    assert_eq!(here.serve(&mut jar, counted).await, Some(20));
}

/// Time stands still as far as copies go, so they live until something makes them void.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_requests_on_old_copies_lose_no_update() {
    const REQUESTS: usize = 300;
    let back = MemoryStore::new();
    let process = || {
        let tiered = TieredStore::builder(MemoryStore::new(), back.clone());
        Process::new(tiered.max_age(Duration::from_secs(3_600)).build())
    };
    let processes: Arc<[Process]> = (0..3).map(|_| process()).collect();
    let mut jar = None;
    processes[0].visit(&mut jar).await;
    let mut requests = JoinSet::new();
    for number in 0..REQUESTS {
        let (processes, mut jar) = (Arc::clone(&processes), jar.clone());
        requests.spawn(async move {
            let process = &processes[number % processes.len()];
            let change = |session: &SessionHandle| {
                session.update("n", |n: &mut usize| *n += 1).unwrap();
                session.insert(&format!("own-{number}"), number).unwrap();
            };
            process.serve(&mut jar, change).await;
        });
    }
    while let Some(request) = requests.join_next().await {
        request.unwrap();
    }
    let count = |session: &SessionHandle| (session.get::<usize>("n").unwrap(), session.len());
    let counted = Process::new(back).serve(&mut jar, count).await;
    assert_eq!(counted, (Some(REQUESTS), REQUESTS + 2));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_reads_what_was_read_costs_no_call() {
    let back = SpyStore::new(MemoryStore::new());
    let here = aged(&back);
    let mut jar = None;
    here.login(&mut jar).await;
    back.take();
    for _ in 0..10 {
        assert!(here.user(&mut jar).await.is_some());
    }
    assert_eq!(back.operations(), []);
    let count = |session: &SessionHandle| session.update("n", |n: &mut u32| *n += 1);
    here.serve(&mut jar, count).await.unwrap();
    assert_eq!(back.operations(), [Operation::Replace]);
    assert!(here.user(&mut jar).await.is_some());
    assert_eq!(back.operations(), [Operation::Replace]);
}
