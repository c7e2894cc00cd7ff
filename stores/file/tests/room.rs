//! A disk without room, for data, for files, or for a file of that size, and one that may only be
//! read. The tests that do that to a disk have a small one of their own, in a process that alone sees
//! it.
#![allow(clippy::print_stdout, clippy::unwrap_used)] // helpers are no #[test]
#![cfg(target_os = "linux")]

mod common;

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use cloakroom_file::{FileStore, Fsync};
use cloakroom_store::{Key, Loaded, Record, Store, StoreErrorKind, Timestamp};
use cloakroom_testkit::{
    child, child_task,
    servers::{Refuses, on_a_small_disk, refusal},
};
use common::{key, key_of, kind, load, names, record, record_of, subject};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A record that needs more than what is left over anywhere.
fn large(version: u64) -> Record {
    let mut record = record_of(version, "ann");
    record.data = vec![0x5a; 20_000].into();
    record
}

/// A key in the folder of the first.
fn neighbour() -> Key {
    let mut id = [1; 16];
    id[15] = 2;
    key_of(id)
}

/// No file in a folder, or below it, is half of one.
fn nothing_temporary(dir: &Path) {
    for name in names(dir) {
        assert!(!name.ends_with(".tmp"), "{name}");
        let path = dir.join(name);
        if path.is_dir() {
            nothing_temporary(&path);
        }
    }
}

/// Lets there be no room and then room again, and looks what becomes of a store meanwhile.
async fn without_room(
    store: &FileStore,
    expected: StoreErrorKind,
    begin: impl Fn(),
    end: impl Fn(),
) {
    store.create(&key(1), &large(1)).await.unwrap();
    store.create(&key(2), &record(1)).await.unwrap();
    let loaded = Loaded::new(large(1));
    let mut later = large(1);
    later.expires = Timestamp::from_millis(200_000);
    begin();
    for _ in 0..3 {
        let refused = [
            // In a folder that is there, and in one that is not.
            kind(store.create(&neighbour(), &large(1)).await),
            kind(store.create(&key(9), &large(1)).await),
            kind(store.replace(&key(1), &large(2), &loaded).await),
            kind(store.touch(&key(1), &later, &loaded).await),
        ];
        assert_eq!(refused, [Some(expected); 4]);
        nothing_temporary(store.dir());
        let kept = load(store, &key(1)).await.unwrap().unwrap();
        assert_eq!(kept.record, large(1));
        let listed = store.by_subject("cart", &subject("ann"), None, 9).await;
        assert_eq!(listed.unwrap().sessions.len(), 1);
        assert_eq!(store.scan(None, 9).await.unwrap().sessions.len(), 2);
    }
    // What is there can be ended.
    assert!(store.delete(&key(2)).await.unwrap());
    end();
    assert!(store.touch(&key(1), &later, &loaded).await.unwrap());
    store.replace(&key(1), &large(2), &loaded).await.unwrap();
    store.create(&key(9), &large(1)).await.unwrap();
    for byte in [1, 9] {
        assert!(store.delete(&key(byte)).await.unwrap());
    }
    nothing_temporary(store.dir());
}

fn open(dir: &Path, fsync: Fsync) -> FileStore {
    let builder = FileStore::builder(dir.join("sessions"));
    builder.fsync(fsync).open().unwrap()
}

/// Fills the disk with data.
fn fill(dir: &Path) {
    let mut ballast = File::create(dir.join("ballast")).unwrap();
    while ballast.write_all(&[0; 4096]).is_ok() {}
}

fn free(dir: &Path) {
    fs::remove_file(dir.join("ballast")).unwrap();
}

/// Takes all files that the disk has.
fn fill_with_files(dir: &Path) {
    let ballast = dir.join("files");
    fs::create_dir(&ballast).unwrap();
    let mut files = (0..).map(|number: u32| File::create(ballast.join(number.to_string())));
    assert!(files.by_ref().take(1_000).any(|file| file.is_err()));
}

#[tokio::test]
#[ignore = "a child of a_full_disk_loses_nothing"]
async fn child_on_a_small_disk() {
    let Some(dir) = child_task().map(PathBuf::from) else {
        return;
    };
    for fsync in [Fsync::Never, Fsync::File, Fsync::FileAndFolder] {
        let store = open(&dir, fsync);
        let unavailable = StoreErrorKind::Unavailable;
        without_room(&store, unavailable, || fill(&dir), || free(&dir)).await;
        let end = || fs::remove_dir_all(dir.join("files")).unwrap();
        without_room(&store, unavailable, || fill_with_files(&dir), end).await;
    }
    let (begin, end) = (async || fill(&dir), async || free(&dir));
    let store = open(&dir, Fsync::File);
    let report = refusal("disk full", Refuses::Writes, store, begin, end).await;
    println!("{report}kept all");
}

/// Runs a command by way of another.
fn behind(before: &mut Command, inner: &Command) -> std::io::Result<Output> {
    let set = |(name, value)| -> Option<(&OsStr, &OsStr)> { Some((name, value?)) };
    before
        .arg(inner.get_program())
        .args(inner.get_args())
        .envs(inner.get_envs().filter_map(set))
        .output()
}

fn passes_on_a_small_disk(child: &str, options: &str) {
    match on_a_small_disk(child, options) {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            let erred = String::from_utf8_lossy(&output.stderr);
            println!("{said}");
            assert!(output.status.success(), "{said} {erred}");
            assert!(said.contains("kept all"), "{said}");
        }
        // Another test needs no permission.
        Err(why) => println!("skipped: nobody may have a disk of its own here: {why}"),
    }
}

#[test]
fn a_full_disk_loses_nothing() {
    passes_on_a_small_disk("child_on_a_small_disk", "size=1m,nr_inodes=700");
}

/// Mounts the disk anew, so that it may be written to or not.
fn remount(dir: &Path, how: &str) {
    let options = format!("remount,{how}");
    let mut mount = Command::new("mount");
    let mounted = mount.args(["-o", &options]).arg(dir).status();
    assert!(mounted.unwrap().success());
}

#[tokio::test]
#[ignore = "a child of a_disk_that_may_only_be_read_loses_nothing"]
async fn child_on_a_disk_that_is_only_read() {
    let Some(dir) = child_task().map(PathBuf::from) else {
        return;
    };
    for fsync in [Fsync::Never, Fsync::File, Fsync::FileAndFolder] {
        let store = open(&dir, fsync);
        let (begin, end) = (async || remount(&dir, "ro"), async || remount(&dir, "rw"));
        let report = refusal("read-only", Refuses::Writes, store, begin, end).await;
        print!("{report}");
    }
    println!("kept all");
}

/// A file system is mounted so by the kernel when it finds it damaged.
#[test]
fn a_disk_that_may_only_be_read_loses_nothing() {
    passes_on_a_small_disk("child_on_a_disk_that_is_only_read", "size=8m");
}

#[tokio::test]
#[ignore = "a child of a_file_that_may_not_be_so_long_is_too_large"]
async fn child_with_short_files() {
    let Some(dir) = child_task().map(PathBuf::from) else {
        return;
    };
    let limit = |bytes| {
        let now = getrlimit(Resource::Fsize);
        let new = Rlimit {
            current: bytes,
            ..now
        };
        setrlimit(Resource::Fsize, new).unwrap();
    };
    for fsync in [Fsync::Never, Fsync::FileAndFolder] {
        let store = open(&dir, fsync);
        // A part of a file can be written.
        let (begin, end) = (|| limit(Some(10_000)), || limit(None));
        without_room(&store, StoreErrorKind::TooLarge, begin, end).await;
    }
    println!("kept all");
}

#[test]
fn a_file_that_may_not_be_so_long_is_too_large() {
    let dir = tempfile::tempdir().unwrap();
    let task = dir.path().display().to_string();
    let inner = child("child_with_short_files", &task).unwrap();
    // The system would end a program that is not prepared for it.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    let output = behind(&mut shell, &inner).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let erred = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("kept all"), "{said} {erred}");
}
