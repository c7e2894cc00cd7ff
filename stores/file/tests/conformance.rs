//! The rules of the contract, held against the file store.

use cloakroom_file::{FileStore, FileStoreBuilder, Fsync};
use cloakroom_store::Store;
use cloakroom_testkit::Conformance;
use tempfile::TempDir;

fn builder(dir: &TempDir) -> FileStoreBuilder {
    FileStore::builder(dir.path().join("sessions")).fsync(Fsync::Never)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let cases = Conformance::new(move || std::future::ready(store.clone()));
    println!("{}", cases.run().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_type_erased() {
    let dir = tempfile::tempdir().unwrap();
    let store = builder(&dir).open().unwrap().into_any();
    let cases = Conformance::new(move || std::future::ready(store.clone()));
    cases.run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn keeps_the_contract_with_a_limit_and_the_strictest_fsync() {
    let dir = tempfile::tempdir().unwrap();
    let builder = builder(&dir).max_data_size(64 * 1024);
    let store = builder.fsync(Fsync::FileAndFolder).open().unwrap();
    let cases = Conformance::new(move || std::future::ready(store.clone()));
    cases.max_data(64 * 1024).run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stores_opened_apart_on_one_folder_are_one() {
    let dir = tempfile::tempdir().unwrap();
    let builder = builder(&dir);
    let open = move || std::future::ready(builder.clone().open().unwrap());
    Conformance::new(open).instances(3).run().await;
}
