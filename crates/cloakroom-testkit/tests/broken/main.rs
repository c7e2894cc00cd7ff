//! A check that can't fail is none: for each case of the kit there is a store that it catches.

mod defect;
#[expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is a test"
)]
mod store;

use std::{collections::BTreeSet, time::Duration};

use cloakroom_memory::MemoryStore;
use cloakroom_store::{Operation, Store};
use cloakroom_testkit::{Conformance, Contended, Fault, FaultyStore, Outcome};
use defect::Defect::{self, *};
use store::BrokenStore;

/// Each defect, and a case that has to find it.
const CAUGHT: &[(Defect, &[&str])] = &[
    (LoadFailsOnMissing, &["load/missing_is_none"]),
    (LoadConsumes, &["load/gives_what_was_written"]),
    (LoadHidesTheExpired, &["load/gives_the_long_expired"]),
    (LoadHidesTheJustExpired, &["load/gives_the_just_expired"]),
    (LoadPanics, &["load/gives_what_was_written"]),
    (AnswersFromCopies, &["load/any_shows_own_writes"]),
    (IgnoresNamespaces, &["load/namespaces_are_apart"]),
    (CreateOverwrites, &["create/never_overwrites"]),
    (
        CreateOverwritesTheExpired,
        &["create/never_overwrites_the_expired"],
    ),
    (LeavesTombstones, &["create/after_delete"]),
    (GivesAWrongTag, &["create/tag_is_expected"]),
    (ReplaceCreates, &["replace/never_creates"]),
    (
        ReplaceBringsBack,
        &["replace/not_after_delete", "concurrency/delete_is_final"],
    ),
    (ReplaceIgnoresVersions, &["replace/only_what_is_expected"]),
    (
        ReplaceTakesWhatIsThereAlready,
        &["replace/only_what_is_expected"],
    ),
    (
        ReplaceKnowsAllVersionsOfAKey,
        &["replace/not_what_was_created_again"],
    ),
    (ReplaceComparesRounded, &["replace/compares_whole_versions"]),
    (ReplaceComparesTimes, &["replace/after_touch"]),
    (ReplaceComparesData, &["replace/needs_no_data"]),
    (ReplaceKeepsTheSubject, &["replace/replaces_everything"]),
    (ReplaceJudgesExpiry, &["replace/judges_no_expiry"]),
    (TouchDoesNothing, &["touch/moves_forward"]),
    (TouchMovesExpiryBack, &["touch/never_moves_back"]),
    (TouchMovesLastSeenBack, &["touch/never_moves_back"]),
    (TouchWritesAll, &["touch/changes_nothing_else"]),
    (TouchIgnoresVersions, &["touch/only_the_expected"]),
    (TouchCreates, &["touch/never_creates"]),
    (TouchKnowsNoMargin, &["touch/takes_the_just_expired"]),
    (TouchMarginIsShort, &["touch/margin_is_exact"]),
    (TouchMarginIsLong, &["touch/margin_is_exact"]),
    (TouchRevives, &["touch/refuses_the_long_expired"]),
    (DeleteDoesNothing, &["delete/removes"]),
    (DeleteFailsOnMissing, &["delete/of_nothing_succeeds"]),
    (DeleteSparesTheReplaced, &["delete/whatever_it_holds"]),
    (DeleteSparesTheExpired, &["delete/the_expired"]),
    (DeletesTheSubjectsSessions, &["delete/removes_no_other"]),
    (SweepDoesNothing, &["sweep/removes_the_expired"]),
    (SweepMiscounts, &["sweep/removes_the_expired"]),
    (SweepAddsTheMargin, &["sweep/spares_the_living"]),
    (SweepRemovesWhatExpiresNow, &["sweep/spares_the_living"]),
    (SweepKnowsNoLimit, &["sweep/keeps_its_limit"]),
    (
        SweepGoesByTheFirstTimes,
        &["sweep/judges_what_is_there_now"],
    ),
    (SweepLeavesTheIndex, &["sweep/leaves_nothing_behind"]),
    (TakesDataForText, &["format/data_is_kept_byte_by_byte"]),
    (CutsData, &["format/data_is_kept_byte_by_byte"]),
    (TrimsSubjects, &["format/subjects_are_kept"]),
    (KeepsSeconds, &["format/times_are_kept"]),
    (KeepsSignedTimes, &["format/times_are_kept"]),
    (TakesZeroForNever, &["format/past_times_are_kept"]),
    (TakesNoZeroId, &["format/any_key_is_good"]),
    (
        ListsNothing,
        &[
            "by_subject/lists_the_subjects_sessions",
            "scan/lists_everything",
        ],
    ),
    (
        ListsTheFirstTimes,
        &["by_subject/lists_the_subjects_sessions"],
    ),
    (LogoutLeavesTheIndex, &["by_subject/follows_the_subject"]),
    (IndexesWhatFailed, &["by_subject/ignores_what_failed"]),
    (ListsAllNamespaces, &["by_subject/namespaces_are_apart"]),
    (FoldsSubjects, &["by_subject/compares_byte_by_byte"]),
    (ScanHidesTheExpired, &["scan/lists_the_expired"]),
    (ScanShowsOnlySubjects, &["scan/lists_everything"]),
    (PagesAreTooLong, &["by_subject/pages", "scan/pages"]),
    (
        PagesByNumber,
        &["by_subject/pages_amid_changes", "scan/pages_amid_changes"],
    ),
    (
        PagesByLastUse,
        &[
            "by_subject/pages_amid_uses",
            "concurrency/pages_amid_logins",
        ],
    ),
    (RepeatsTheLast, &["by_subject/pages", "scan/pages"]),
    (
        TakesAnyCursor,
        &["by_subject/checks_cursors", "scan/checks_cursors"],
    ),
    (
        PanicsAtCursors,
        &["by_subject/checks_cursors", "scan/checks_cursors"],
    ),
    (ChecksBeforeCreate, &["concurrency/one_create_wins"]),
    (
        ChecksBeforeReplace,
        &[
            "concurrency/one_replace_wins",
            "concurrency/counters_are_exact",
            "concurrency/delete_is_final",
        ],
    ),
    (ChecksBeforeDelete, &["concurrency/one_delete_counts"]),
    (
        ChecksBeforeTouch,
        &[
            "concurrency/touch_undoes_no_replace",
            "concurrency/delete_is_final",
        ],
    ),
    (ChecksBeforeSweep, &["concurrency/touched_is_not_swept"]),
    (
        WritesInTwoSteps,
        &[
            "concurrency/records_are_whole",
            "dropped/create",
            "dropped/replace",
        ],
    ),
    (IndexesLater, &["concurrency/index_follows"]),
    (
        KeepsALock,
        &["dropped/create", "dropped/replace", "dropped/delete"],
    ),
];

/// Cases whose stores are below.
const CAUGHT_OTHERWISE: [&str; 4] = [
    "by_subject/unsupported",
    "scan/unsupported",
    "sweep/is_not_needed",
    "format/too_large_is_refused",
];

fn broken(defect: Defect) -> Conformance<BrokenStore> {
    Conformance::new(move || async move { BrokenStore::new(defect) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_defect_is_caught() {
    let mut missed = Vec::new();
    for (defect, cases) in CAUGHT {
        for case in *cases {
            if !is_caught(*defect, case).await {
                missed.push((defect, case));
            }
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

/// Whether the case finds the defect. A race may take several runs to be seen.
async fn is_caught(defect: Defect, case: &str) -> bool {
    let runs = if case.starts_with("concurrency/") {
        10
    } else {
        1
    };
    for _ in 0..runs {
        let mut store = broken(defect);
        if defect == KeepsALock {
            store = store.time_limit(Duration::from_secs(1));
        }
        if let Err(broken) = store.run_case(case).await {
            let has_hung = broken.what.contains("not finished");
            assert_eq!(has_hung, defect == KeepsALock, "{broken}");
            return true;
        }
    }
    false
}

#[test]
fn each_case_catches_something() {
    let all: BTreeSet<&str> = broken(LoadPanics).cases().into_iter().collect();
    let mut caught: BTreeSet<&str> = CAUGHT_OTHERWISE.into();
    caught.extend(CAUGHT.iter().flat_map(|(_, cases)| *cases));
    assert_eq!(all, caught);
}

#[tokio::test]
async fn a_store_that_can_more_than_declared_is_caught() {
    let memory = || Conformance::new(|| async { MemoryStore::new() });
    let without = memory().without_by_subject().without_scan();
    for case in ["by_subject/unsupported", "scan/unsupported"] {
        let broken = without.run_case(case).await.unwrap_err();
        assert_eq!(broken.name, case);
        let outcome = memory().run_case(case).await.unwrap();
        assert!(matches!(outcome, Outcome::Skipped(_)), "{outcome:?}");
    }
    let expires = memory().expires_itself();
    assert!(expires.run_case("sweep/is_not_needed").await.is_err());
    let small = memory().max_data(1_000);
    assert!(small.run_case("format/too_large_is_refused").await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_skipped_is_in_the_report() {
    let report = Conformance::new(|| async { MemoryStore::new() })
        .without_scan()
        .report()
        .await;
    let skipped: Vec<&str> = report.skipped.iter().map(|skipped| skipped.name).collect();
    assert!(skipped.contains(&"scan/pages"), "{report}");
    let broken: Vec<&str> = report.broken.iter().map(|broken| broken.name).collect();
    assert_eq!(broken, ["scan/unsupported"], "{report}");
    assert!(
        report.to_string().contains("skipped  scan/pages: "),
        "{report}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_panic_of_the_store_names_the_rule() {
    let store = broken(LoadPanics).seed(7);
    let broken = store.run_case("load/gives_what_was_written").await;
    let message = broken.unwrap_err().to_string();
    assert!(message.starts_with("load/gives_what_was_written: load gives the whole record"));
    assert!(
        message.ends_with("but it panicked: out of cheese (seed 7)"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[should_panic(expected = "create/never_overwrites: create answers AlreadyExists")]
async fn run_panics_with_the_rule() {
    broken(CreateOverwrites).run().await;
}

/// Two who update one record of a store, where others have the time to come in between.
async fn contend(store: impl Store) -> bool {
    let store = FaultyStore::new(store);
    let faults = store.faults();
    faults.always_on(Operation::Replace, Fault::Delay(Duration::from_millis(1)));
    let record = Contended::create(&store).await;
    tokio::join!(
        record.update(&store, "a", 2, 5),
        record.update(&store, "b", 2, 5),
    );
    let looking = tokio::spawn(async move { record.assert_holds(&store, 20).await });
    looking.await.is_ok()
}

#[tokio::test]
async fn a_lost_update_is_found_out() {
    assert!(contend(MemoryStore::new()).await);
    assert!(!contend(BrokenStore::new(ReplaceIgnoresVersions)).await);
}
