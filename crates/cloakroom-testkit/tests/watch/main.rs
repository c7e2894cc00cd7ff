//! A check that can't fail is none: for each case of the kit there is a store that it catches.

#[expect(clippy::unwrap_used, reason = "this is a test")]
mod store;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cloakroom_testkit::{Outcome, WatchConformance};
use store::{
    Defect::{self, *},
    Hub, MOST_KEPT, TellingStore,
};

/// Each defect, and the cases that have to find it.
const CAUGHT: &[(Defect, &[&str])] = &[
    (MissesCreates, &["told/creates"]),
    (MissesReplaces, &["told/replaces"]),
    (MissesTouches, &["told/touches"]),
    (MissesDeletes, &["told/deletes"]),
    (IsLate, &["told/creates", "told/deletes"]),
    (ListensLater, &["told/from_the_first_moment"]),
    (KeepsOnlyTheLast, &["told/all_of_many"]),
    (CutsNames, &["told/namespaces_are_apart"]),
    (TellsOneFeed, &["told/to_every_feed"]),
    (TellsBefore, &["told/after_it_has_happened"]),
    (IsSilent, &["feed/speaks_while_nothing_happens"]),
    (KeepsItsSeat, &["feed/another_when_it_was_dropped"]),
    (LosesTheOldest, &["slow/nothing_is_left_out"]),
    (KeepsEverything, &["slow/memory_is_bounded"]),
    (AnswersForTheServer, &["link/silence_is_not_nothing"]),
    (
        AnswersForTheServer,
        &["link/what_silence_has_hidden_is_told"],
    ),
    (ConnectsAgainUnsaid, &["link/what_a_cut_has_hidden_is_told"]),
    (GoesOnAfterItsEnd, &["link/an_end_is_an_end"]),
    (SaysDelete, &["link/errors_carry_load"]),
    (EndsForGood, &["link/another_feed_follows"]),
];

fn kit(defect: Option<Defect>) -> WatchConformance<TellingStore> {
    let hub = Arc::new(Hub::new(defect));
    let link = Arc::clone(&hub);
    let kit = WatchConformance::new(move || {
        let store = TellingStore::new(Arc::clone(&hub));
        async move { store }
    });
    kit.within(Duration::from_millis(150))
        .most_kept(MOST_KEPT)
        .time_limit(Duration::from_secs(30))
        .link(move |state| {
            link.set_link(state);
            std::future::ready(())
        })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_good_store_keeps_all_promises() {
    let report = kit(None).run().await;
    assert!(report.skipped.is_empty(), "{report}");
    assert_eq!(report.passed, kit(None).cases());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_defect_is_caught() {
    let mut missed = Vec::new();
    for (defect, cases) in CAUGHT {
        for case in *cases {
            match kit(Some(*defect)).run_case(case).await {
                Err(broken) => println!("{broken}"),
                Ok(_) => missed.push((defect, case)),
            }
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

#[test]
fn each_case_catches_something() {
    let caught = CAUGHT.iter().flat_map(|(_, cases)| cases.iter().copied());
    let cases = kit(None).cases();
    assert_eq!(
        caught.collect::<BTreeSet<_>>(),
        cases.into_iter().collect::<BTreeSet<_>>()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_link_its_cases_are_skipped() {
    let hub = Arc::new(Hub::new(None));
    let kit = WatchConformance::new(move || {
        let store = TellingStore::new(Arc::clone(&hub));
        async move { store }
    });
    let outcome = kit.run_case("link/an_end_is_an_end").await.unwrap();
    assert!(matches!(outcome, Outcome::Skipped(_)));
}
