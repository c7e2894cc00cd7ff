//! Requests through the engine that race on a table. `CLOAKROOM_RACES=long` plays more of them.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)] // helpers are no #[test]

mod common;

use std::env;

use cloakroom_testkit::{Elsewhere, Races};
use common::{Way, url};

fn is_long() -> bool {
    env::var("CLOAKROOM_RACES").is_ok_and(|length| length == "long")
}

#[test]
fn random_races() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        let url = url.clone();
        let races = Races::new(move || {
            let url = url.clone();
            let opening = async move { way.store(&url, "races_random").await };
            async { Elsewhere::new(opening).await.unwrap() }
        });
        let report = races
            .interleavings(if is_long() { 5_000 } else { 100 })
            .run()
            .unwrap();
        println!("{report}");
        report.assert_kept();
    }
}

#[test]
fn a_hundred_increments_make_a_hundred() {
    let Some(url) = url() else { return };
    for way in Way::ALL {
        let url = url.clone();
        let races = Races::new(move || {
            let url = url.clone();
            async move { way.store(&url, "races_storm").await }
        });
        let report = races.storm(100).unwrap();
        println!("{report}");
        report.assert_kept();
    }
}
