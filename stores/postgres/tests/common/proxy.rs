//! A way to the server that can be blocked, cut and frozen, and that counts what passes.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};
use tokio_postgres::{Config, config::Host};

pub(crate) struct Proxy {
    target: (String, u16),
    port: u16,
    accepting: Option<JoinHandle<()>>,
    wire: Arc<Wire>,
}

struct Wire {
    is_frozen: watch::Sender<bool>,
    /// Goes up when all connections are cut.
    era: watch::Sender<u64>,
    executed: AtomicU64,
    waited: AtomicU64,
    connected: AtomicUsize,
}

impl Proxy {
    pub(crate) async fn before(url: &str) -> Self {
        let config: Config = url.parse().unwrap();
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            _ => "127.0.0.1".to_owned(),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let mut proxy = Self {
            target: (host, port),
            port: 0,
            accepting: None,
            wire: Arc::new(Wire {
                is_frozen: watch::Sender::new(false),
                era: watch::Sender::new(0),
                executed: AtomicU64::new(0),
                waited: AtomicU64::new(0),
                connected: AtomicUsize::new(0),
            }),
        };
        proxy.start().await;
        proxy
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Takes connections, again on the same port after a stop.
    pub(crate) async fn start(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.port = listener.local_addr().unwrap().port();
        let (target, wire) = (self.target.clone(), Arc::clone(&self.wire));
        self.accepting = Some(tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                wire.connected.fetch_add(1, Ordering::Relaxed);
                let (target, wire) = (target.clone(), Arc::clone(&wire));
                tokio::spawn(async move {
                    let mut thawed = wire.is_frozen.subscribe();
                    thawed.wait_for(|is_frozen| !is_frozen).await.unwrap();
                    let server = TcpStream::connect(target).await.unwrap();
                    wire.join(client, server).await;
                });
            }
        }));
    }

    /// Refuses connections and cuts those there are.
    pub(crate) async fn stop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
        self.cut();
    }

    pub(crate) fn cut(&self) {
        self.wire.era.send_modify(|era| *era += 1);
    }

    /// Takes connections and bytes, and passes none on.
    pub(crate) fn freeze(&self) {
        self.wire.is_frozen.send_replace(true);
    }

    pub(crate) fn thaw(&self) {
        self.wire.is_frozen.send_replace(false);
    }

    /// How many statements were executed.
    pub(crate) fn executed(&self) -> u64 {
        self.wire.executed.load(Ordering::Relaxed)
    }

    /// How often somebody waited for the server to be ready: for statements, and for pings.
    pub(crate) fn waited(&self) -> u64 {
        self.wire.waited.load(Ordering::Relaxed)
    }

    /// How many connections were taken.
    pub(crate) fn connected(&self) -> usize {
        self.wire.connected.load(Ordering::Relaxed)
    }
}

impl Wire {
    async fn join(&self, client: TcpStream, server: TcpStream) {
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let mut era = self.era.subscribe();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            _ = era.changed() => {}
            () = self.pass(from_client, to_server, true) => {}
            () = self.pass(from_server, to_client, false) => {}
        }
    }

    async fn pass(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_client: bool) {
        let mut thawed = self.is_frozen.subscribe();
        let mut messages = Messages::default();
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length) = from.read(&mut buffer).await {
            thawed.wait_for(|is_frozen| !is_frozen).await.unwrap();
            if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
            if is_client {
                let (executed, waited) = messages.count(&buffer[..length]);
                self.executed.fetch_add(executed, Ordering::Relaxed);
                self.waited.fetch_add(waited, Ordering::Relaxed);
            }
        }
    }
}

/// Counts in what a client sends the messages that execute, `Execute` and simple `Query`, and those
/// after which the server says that it is ready, `Sync` and simple `Query`.
#[derive(Default)]
struct Messages {
    rest: Vec<u8>,
    has_started: bool,
}

impl Messages {
    fn count(&mut self, bytes: &[u8]) -> (u64, u64) {
        self.rest.extend_from_slice(bytes);
        let mut count = (0, 0);
        loop {
            // The first message has no type.
            let head = usize::from(self.has_started);
            let Some(length) = self.rest.get(head..head + 4) else {
                return count;
            };
            let length = u32::from_be_bytes(length.try_into().unwrap());
            let whole = head + usize::try_from(length).unwrap();
            if self.rest.len() < whole {
                return count;
            }
            count.0 += u64::from(self.has_started && b"EQ".contains(&self.rest[0]));
            count.1 += u64::from(self.has_started && b"SQ".contains(&self.rest[0]));
            self.has_started = true;
            self.rest.drain(..whole);
        }
    }
}
