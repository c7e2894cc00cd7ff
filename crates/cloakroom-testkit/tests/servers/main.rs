//! Servers that freeze and die, links that break, and what the kit says of stores above them.

#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "these are tests"
)]

mod toy;

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use cloakroom_memory::MemoryStore;
use cloakroom_store::Operation;
use cloakroom_testkit::{
    Fault, Faults, FaultyStore,
    servers::{Link, Refuses, Server, broken_link, outage, refusal},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::toy::{Defect, ToyStore};

const SOON: Duration = Duration::from_millis(200);

/// A client of Redis.
struct Client(TcpStream);

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    async fn ask(&mut self, command: &str) -> std::io::Result<String> {
        self.0
            .write_all(format!("{command}\r\n").as_bytes())
            .await?;
        self.answer().await
    }

    async fn answer(&mut self) -> std::io::Result<String> {
        let mut answer = [0; 100];
        match self.0.read(&mut answer).await? {
            0 => Err(std::io::ErrorKind::UnexpectedEof.into()),
            length => Ok(String::from_utf8_lossy(&answer[..length]).into_owned()),
        }
    }

    async fn pings(&mut self) -> bool {
        self.ask("PING")
            .await
            .is_ok_and(|answer| answer == "+PONG\r\n")
    }
}

#[tokio::test]
async fn a_frozen_server_does_not_answer_and_a_thawed_one_does() {
    let Some(mut server) = Server::redis().await else {
        return;
    };
    let mut client = Client::connect(server.address()).await;
    assert!(client.pings().await);
    server.freeze();
    assert!(timeout(SOON, client.pings()).await.is_err());
    // The kernel accepts for it.
    let mut new = Client::connect(server.address()).await;
    assert!(timeout(SOON, new.pings()).await.is_err());
    server.thaw();
    for client in [&mut client, &mut new] {
        let answer = timeout(Duration::from_secs(1), client.answer()).await;
        assert_eq!(answer.unwrap().unwrap(), "+PONG\r\n");
    }
}

#[tokio::test]
async fn a_killed_server_comes_back_on_its_port() {
    for (keeps, server) in [
        (false, Server::redis().await),
        (true, Server::redis_with_log().await),
    ] {
        let Some(mut server) = server else {
            return;
        };
        assert_eq!(server.is_volatile(), !keeps);
        let (address, url) = (server.address(), server.url());
        let mut client = Client::connect(address).await;
        assert_eq!(client.ask("SET k v").await.unwrap(), "+OK\r\n");
        server.freeze();
        server.kill();
        assert!(!client.pings().await);
        assert!(TcpStream::connect(address).await.is_err());
        server.restart().await;
        assert_eq!((server.address(), server.url()), (address, url));
        let mut client = Client::connect(address).await;
        let kept = client.ask("EXISTS k").await.unwrap();
        assert_eq!(kept == ":1\r\n", keeps);
        server.stop();
        assert!(TcpStream::connect(address).await.is_err());
        drop(server);
    }
}

/// Says something that each server answers: the greeting of its protocol.
async fn greet(address: SocketAddr, greeting: &[u8]) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(greeting).await?;
    stream.read(&mut [0; 64]).await
}

async fn freezes_and_dies(server: Option<Server>, greeting: &[u8]) {
    let Some(mut server) = server else {
        return;
    };
    let address = server.address();
    assert!(greet(address, greeting).await.unwrap() > 0);
    server.freeze();
    assert!(timeout(SOON, greet(address, greeting)).await.is_err());
    server.thaw();
    assert!(greet(address, greeting).await.unwrap() > 0);
    server.freeze();
    server.kill();
    assert!(greet(address, greeting).await.is_err());
    server.restart().await;
    assert!(greet(address, greeting).await.unwrap() > 0);
}

#[tokio::test]
async fn memcached_freezes_and_dies() {
    freezes_and_dies(Server::memcached().await, b"version\r\n").await;
}

#[tokio::test]
async fn mariadb_freezes_and_dies() {
    freezes_and_dies(Server::mariadb().await, b"").await;
}

#[tokio::test]
async fn postgres_freezes_and_dies_with_its_children() {
    let start = b"\0\0\0\x2a\0\x03\0\0user\0cloakroom\0database\0postgres\0\0";
    let Some(mut server) = Server::postgres().await else {
        return;
    };
    // A connection is a process of its own.
    let mut client = TcpStream::connect(server.address()).await.unwrap();
    client.write_all(start).await.unwrap();
    let mut answer = [0; 1024];
    let mut length = 0;
    // It says `Z` when it is ready for a query.
    while !answer[..length].ends_with(b"Z\0\0\0\x05I") {
        length = client.read(&mut answer).await.unwrap();
    }
    let query = b"Q\0\0\0\x0dselect 1\0";
    server.freeze();
    client.write_all(query).await.unwrap();
    assert!(timeout(SOON, client.read(&mut answer)).await.is_err());
    server.thaw();
    let answered = timeout(Duration::from_secs(1), client.read(&mut answer)).await;
    assert!(answered.unwrap().unwrap() > 0);
    drop(client);
    freezes_and_dies(Some(server), start).await;
}

#[tokio::test]
async fn what_a_server_leaves_is_nothing() {
    let Some(server) = Server::postgres().await else {
        return;
    };
    let text = format!("{server:?}");
    let (_, folder) = text.split_once("path: \"").unwrap();
    let (folder, _) = folder.split_once('"').unwrap();
    assert!(std::fs::exists(folder).unwrap());
    drop(server);
    assert!(!std::fs::exists(folder).unwrap());
}

#[tokio::test]
async fn a_server_ends_with_a_test_that_is_killed() {
    const IS_CHILD: &str = "CLOAKROOM_TEST_IS_CHILD";
    if std::env::var_os(IS_CHILD).is_some() {
        let mut server = Server::redis().await.unwrap();
        server.freeze();
        println!("at {}", server.address());
        return std::future::pending().await;
    }
    if Server::redis().await.is_none() {
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "a_server_ends_with_a_test_that_is_killed",
        ])
        .env(IS_CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut addresses = lines.map_while(Result::ok).filter_map(|line| {
        // The harness may have begun the line.
        let (_, address) = line.split_once("at ")?;
        address.parse::<SocketAddr>().ok()
    });
    let address = addresses.next().unwrap();
    assert!(TcpStream::connect(address).await.is_ok());
    child.kill().unwrap();
    child.wait().unwrap();
    let began = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(began.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_link_delays_cuts_refuses_swallows_and_loses() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    assert!(
        server
            .url_at(link.address())
            .ends_with(&link.address().port().to_string())
    );
    let mut client = Client::connect(link.address()).await;
    assert!(client.pings().await);

    link.slow(Duration::from_millis(50));
    let began = Instant::now();
    assert!(client.pings().await);
    assert!(
        began.elapsed() >= Duration::from_millis(100),
        "there and back"
    );
    link.restore().await.unwrap();

    link.cut().await;
    let error = client.ask("PING").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let mut client = Client::connect(link.address()).await;
    assert!(client.pings().await);

    link.black_hole();
    assert!(timeout(SOON, client.pings()).await.is_err());
    let mut new = Client::connect(link.address()).await;
    assert!(timeout(SOON, new.pings()).await.is_err());
    link.restore().await.unwrap();
    assert_eq!(client.answer().await.unwrap(), "+PONG\r\n");
    assert_eq!(new.answer().await.unwrap(), "+PONG\r\n");

    link.lose();
    let mut new = Client::connect(link.address()).await;
    for client in [&mut client, &mut new] {
        assert!(timeout(SOON, client.pings()).await.is_err());
    }
    link.restore().await.unwrap();
    for client in [&mut client, &mut new] {
        assert!(timeout(SOON, client.pings()).await.is_err(), "never again");
    }
    let mut client = Client::connect(link.address()).await;
    assert!(client.pings().await);

    link.refuse().await;
    assert!(!client.pings().await);
    let refused = TcpStream::connect(link.address()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    link.restore().await.unwrap();
    assert!(Client::connect(link.address()).await.pings().await);
}

#[tokio::test]
async fn a_slow_link_carries_as_much() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    link.slow(Duration::from_millis(100));
    let mut client = Client::connect(link.address()).await;
    let began = Instant::now();
    for _ in 0..20 {
        client.0.write_all(b"PING\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut answers = [0; 20 * 7];
    client.0.read_exact(&mut answers).await.unwrap();
    // One after the other they would take four seconds.
    assert!(began.elapsed() < Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_good_store_survives_an_outage() {
    for server in [Server::redis().await, Server::redis_with_log().await] {
        let Some(mut server) = server else {
            return;
        };
        let store = ToyStore::new(server.address(), Defect::None);
        let report = outage(&mut server, store).await;
        println!("{report}");
        let [frozen, killed, restarted @ ..] = report.trials.as_slice() else {
            panic!("{report}");
        };
        assert_eq!(restarted.is_empty(), server.is_volatile());
        assert!(frozen.kept >= 20);
        assert_eq!(killed.kept == 0, server.is_volatile());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_good_store_survives_a_broken_link() {
    let Some(server) = Server::redis().await else {
        return;
    };
    let link = Link::to(server.address()).await.unwrap();
    let store = ToyStore::new(link.address(), Defect::None);
    println!("{}", broken_link(&link, store).await);
}

/// Has a store refuse with a fault, and gives what the kit says of it if that is an error.
async fn refused(refuses: Refuses, begin: fn(&Faults)) -> Result<(), String> {
    let store = FaultyStore::new(MemoryStore::new());
    let faults = store.faults();
    let local = tokio::task::LocalSet::new();
    let trial = local.spawn_local(async move {
        let (begin, end) = (async || begin(&faults), async || faults.clear());
        let report = refusal("a trial", refuses, store, begin, end).await;
        println!("{report}");
        assert_eq!(report.trials.len(), 1);
        assert!(report.trials[0].kept >= 20);
    });
    match local.run_until(trial).await {
        Ok(()) => Ok(()),
        Err(error) => Err(*error.into_panic().downcast::<String>().unwrap()),
    }
}

const WRITES: [Operation; 4] = [
    Operation::Create,
    Operation::Replace,
    Operation::Touch,
    Operation::Delete,
];

#[tokio::test]
async fn refusals_are_what_they_are_said_to_be() {
    let writes = |faults: &Faults| {
        for operation in WRITES {
            faults.always_on(operation, Fault::BeforeEffect);
        }
    };
    let some = |faults: &Faults| faults.always_on(Operation::Create, Fault::BeforeEffect);
    let all = |faults: &Faults| faults.always(Fault::Timeout);
    let nothing = |_: &Faults| {};
    assert_eq!(refused(Refuses::Writes, writes).await, Ok(()));
    assert_eq!(refused(Refuses::SomeWrites, some).await, Ok(()));
    assert_eq!(refused(Refuses::SomeWrites, writes).await, Ok(()));
    assert_eq!(refused(Refuses::All, all).await, Ok(()));
    assert_eq!(refused(Refuses::Nothing, nothing).await, Ok(()));

    let said = refused(Refuses::Nothing, writes).await.unwrap_err();
    assert!(said.contains("a trial: not 200"), "{said}");
    let said = refused(Refuses::SomeWrites, nothing).await.unwrap_err();
    assert!(said.contains("a trial: nothing was refused"), "{said}");
    let said = refused(Refuses::SomeWrites, all).await.unwrap_err();
    assert!(said.contains("a trial: not 200"), "{said}");
    let said = refused(Refuses::Writes, all).await.unwrap_err();
    assert!(said.contains("a trial: not 200"), "{said}");
    let said = refused(Refuses::All, writes).await.unwrap_err();
    assert!(said.contains("a trial: not 503"), "{said}");
}

/// What the kit says of a store that breaks a promise.
async fn said_of(defect: Defect) -> Option<String> {
    let mut server = Server::redis_with_log().await?;
    let store = ToyStore::new(server.address(), defect);
    let trial = tokio::spawn(async move { outage(&mut server, store).await });
    let panic = trial.await.unwrap_err().into_panic();
    Some(*panic.downcast::<String>().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_without_a_breaker_is_found_out() {
    if let Some(said) = said_of(Defect::NoBreaker).await {
        assert!(said.contains("frozen: no breaker"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_never_tries_again_is_found_out() {
    if let Some(said) = said_of(Defect::NoProbe).await {
        assert!(said.contains("frozen: it does not work again"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_acknowledges_too_early_is_found_out() {
    if let Some(said) = said_of(Defect::Forgets).await {
        assert!(said.contains("was acknowledged"), "{said}");
    }
}
