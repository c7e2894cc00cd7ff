//! What the visitors of an application see while the disk of the database is full. The test has a
//! small one of its own, in a process that alone sees it.
#![allow(clippy::unwrap_used)] // helpers are no #[test]
#![cfg(target_os = "linux")]

mod common;

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use cloakroom_sqlite::{SqliteStore, Synchronous};
use cloakroom_store::Store as _;
use cloakroom_testkit::{
    child_task,
    servers::{Refuses, on_a_small_disk, refusal},
};
use common::{numbered, record};

fn fill(disk: &Path) {
    let mut ballast = File::create(disk.join("ballast")).unwrap();
    while ballast.write_all(&[0; 4096]).is_ok() {}
}

fn free(disk: &Path) {
    fs::remove_file(disk.join("ballast")).unwrap();
}

#[tokio::test]
#[ignore = "a child of a_full_disk_loses_nothing"]
async fn child_on_a_small_disk() {
    let Some(disk) = child_task().map(PathBuf::from) else {
        return;
    };
    for synchronous in [Synchronous::Full, Synchronous::Normal, Synchronous::Off] {
        let file = disk.join(format!("{synchronous:?}.db"));
        let store = SqliteStore::builder(file).synchronous(synchronous);
        let store = store.open().unwrap();
        let (beside, next) = (store.clone(), AtomicU32::new(0));
        let begin = async || {
            fill(&disk);
            // What is left of the log's last page, too.
            let number = || next.fetch_add(1, Relaxed);
            while beside.create(&numbered(number()), &record(1)).await.is_ok() {}
        };
        let end = async || free(&disk);
        let report = refusal("disk full", Refuses::SomeWrites, store, begin, end).await;
        print!("{synchronous:?}: {report}");
    }
    println!("kept all");
}

#[test]
fn a_full_disk_loses_nothing() {
    match on_a_small_disk("child_on_a_small_disk", "size=16m") {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let erred = String::from_utf8_lossy(&output.stderr);
            println!("{said}");
            assert!(output.status.success(), "{said} {erred}");
            assert!(said.contains("kept all"), "{said}");
        }
        // tests/faults.rs fills one without a permission.
        Err(why) => println!("skipped: nobody may have a disk of its own here: {why}"),
    }
}
