//! Races of requests through the engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers are no #[test]"
)]

mod common;

use cloakroom_testkit::{Elsewhere, RaceReport, Races};
use common::{connect, fresh, url};

#[track_caller]
fn judge(report: &RaceReport) {
    println!("{report}");
    report.assert_kept();
}

#[test]
fn random_races_keep_the_promises() {
    let Some(url) = url() else { return };
    let races = Races::new(move || {
        let url = url.clone();
        let connecting = async move { connect(&url, &fresh("races")).await };
        async { Elsewhere::new(connecting).await.unwrap() }
    });
    judge(&races.interleavings(150).workers(2).run().unwrap());
}

#[test]
fn two_hundred_increments_make_two_hundred() {
    let Some(url) = url() else { return };
    let prefix = fresh("storm");
    let races = Races::new(move || {
        let (url, prefix) = (url.clone(), prefix.clone());
        async move { connect(&url, &prefix).await }
    });
    judge(&races.storm(200).unwrap());
}
