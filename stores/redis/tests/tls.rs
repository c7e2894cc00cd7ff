//! TLS, and sockets of the system.
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

use cloakroom_redis::RedisStore;
use cloakroom_store::{Change, Store, Watch};
use common::{a_key, a_record, feeds::change, load, node::Node};

async fn works(store: RedisStore) {
    let key = a_key();
    let mut feed = store.watch().await.unwrap();
    store.create(&key, &a_record(None)).await.unwrap();
    assert_eq!(change(&mut feed).await.0, Change::Key(key));
    assert!(load(&store, &key).await.is_some());
    assert!(store.delete(&key).await.unwrap());
}

#[tokio::test]
async fn a_socket_of_the_system_will_do() {
    let Some(node) = Node::start("unixsocket FOLDER/socket\n").await else {
        return;
    };
    let url = format!("redis+unix://{}/socket?db=2", node.path().display());
    works(RedisStore::connect(&url).await.unwrap()).await;
}

#[cfg(feature = "tls-rustls")]
mod rustls {
    use std::{fs, path::Path};

    use super::{
        common::{
            node::{all_slots, free_port, run},
            until,
        },
        *,
    };

    /// A certificate of our own for `localhost`, and one for a client.
    async fn make_certificates(folder: &Path) {
        let make = |name: &str, days: u8| {
            format!(
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days {days} \
                 -keyout {name}.key -out {name}.crt -subj /CN={name} -addext subjectAltName=DNS:localhost \
                 -addext basicConstraints=critical,CA:FALSE"
            )
        };
        run(&make("server", 2), folder).await;
        run(&make("client", 2), folder).await;
    }

    fn settings(folder: &Path, port: u16) -> String {
        let folder = folder.display();
        format!(
            "tls-port {port}\ntls-cert-file {folder}/server.crt\ntls-key-file {folder}/server.key\n\
             tls-ca-cert-file {folder}/client.crt\n"
        )
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_node_is_known_by_the_name_that_it_announces() {
        let files = tempfile::tempdir().unwrap();
        make_certificates(files.path()).await;
        let port = free_port();
        let settings = settings(files.path(), port)
            + "cluster-enabled yes\ntls-cluster yes\ncluster-announce-hostname localhost\n\
               cluster-preferred-endpoint-type hostname\n";
        let Some(node) = Node::start(&settings).await else {
            return;
        };
        node.tell(&all_slots()).await;
        until("the cluster is whole", async || {
            let info = node.tell("CLUSTER INFO").await;
            format!("{info:?}").contains("cluster_state:ok")
        })
        .await;
        let pem = |name: &str| fs::read(files.path().join(name)).unwrap();
        let store = RedisStore::builder(&format!("rediss-cluster://localhost:{port}"))
            .tls_root_certificates(pem("server.crt"))
            .tls_client_certificate(pem("client.crt"), pem("client.key"));
        works(store.connect().await.unwrap()).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_with_tls_is_known_by_its_certificate() {
        let files = tempfile::tempdir().unwrap();
        make_certificates(files.path()).await;
        let file = |name: &str| files.path().join(name);
        let port = free_port();
        let settings = settings(files.path(), port);
        let Some(node) = Node::start(&settings).await else {
            return;
        };
        let pem = |name: &str| fs::read(file(name)).unwrap();
        let url = format!("rediss://localhost:{port}");
        let builder = || RedisStore::builder(&url).tls_root_certificates(pem("server.crt"));
        let known = || builder().tls_client_certificate(pem("client.crt"), pem("client.key"));
        works(known().connect().await.unwrap()).await;

        // Nobody whom the system trusts has signed it; the server wants to see a certificate; it is
        // not for this name; it speaks no TLS.
        assert!(RedisStore::connect(&url).await.is_err());
        assert!(builder().connect().await.is_err());
        let plain = format!("rediss://localhost:{}", node.port);
        for url in [format!("rediss://127.0.0.1:{port}"), plain] {
            let builder = RedisStore::builder(&url)
                .tls_root_certificates(pem("server.crt"))
                .tls_client_certificate(pem("client.crt"), pem("client.key"));
            assert!(builder.connect().await.is_err(), "{url}");
        }
        let nonsense = RedisStore::builder(&url).tls_root_certificates("nonsense");
        assert!(nonsense.build().is_err());
    }
}
