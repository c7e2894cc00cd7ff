//! What requests see of a server that does not answer, and of its return.

use std::time::Duration;

use cloakroom_store::Store;

use super::{
    link::Link,
    report::OutageReport,
    server::Server,
    trials::{Effect, Trials, Trouble, require},
};

/// Freezes the server under a store, lets it go on, kills it and starts it again, and restarts it
/// while nobody asks, and holds the answers to requests, served through the engine, against what a
/// store with a server promises:
///
/// - a request that opens a session is answered with 503 within 1.2 s;
/// - after ten of them half are answered within 5 ms: the store has a breaker;
/// - a request that opens none is answered as ever;
/// - one second after the server's return every request is answered well, without a restart;
/// - what was acknowledged is there, unless the server [is volatile](Server::is_volatile) and was
///   killed;
/// - a restart between two requests is not noticed: the next request is answered well, although its
///   connection has ended. A volatile server is spared this one.
///
/// The store is connected to the server already and keeps its own settings; the same one is used
/// throughout. Run it on a runtime with several threads.
///
/// # Panics
/// When the store breaks a promise. The message says which, and what was measured.
///
/// # Examples
/// ```no_run
/// use cloakroom_testkit::servers::{Server, outage};
/// # use cloakroom_memory::MemoryStore;
/// # struct MyStore;
/// # impl MyStore { async fn connect(_url: &str) -> MemoryStore { MemoryStore::new() } }
///
/// // #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
/// async fn survives_an_outage() {
///     let Some(mut server) = Server::redis().await else {
///         return;
///     };
///     let store = MyStore::connect(&server.url()).await;
///     println!("{}", outage(&mut server, store).await);
/// }
/// ```
pub async fn outage(server: &mut Server, store: impl Store) -> OutageReport {
    let mut trials = Trials::new(store);
    trials.run(&mut Fault::Frozen(server)).await;
    trials.run(&mut Fault::Killed(server)).await;
    if !server.is_volatile() {
        trials.run(&mut Fault::Restarted(server)).await;
    }
    trials.report
}

/// The same for a link. It swallows everything, refuses connections, is too slow for any answer,
/// is slow, and resets its connections again and again; in between it is restored. Other promises
/// than above are:
///
/// - while it is slow, 20 ms each way, every request is answered well;
/// - while it resets connections a request is answered well or with 503, within 1.2 s;
/// - nothing that was acknowledged is lost.
///
/// The store is connected to the link's [`address`](Link::address).
///
/// # Panics
/// When the store breaks a promise.
pub async fn broken_link(link: &Link, store: impl Store) -> OutageReport {
    let mut trials = Trials::new(store);
    trials.run(&mut Fault::Silent(link)).await;
    trials.run(&mut Fault::Refused(link)).await;
    trials.run(&mut Fault::TooSlow(link)).await;
    trials.run(&mut Fault::Slow(link)).await;
    trials.run(&mut Fault::Reset(link)).await;
    trials.report
}

/// What a server that answers does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refuses {
    /// It does everything. The store has to do something that requests don't see.
    Nothing,
    /// It reads sessions and does not keep changes: its memory or its disk is full, or it may only
    /// be read.
    Writes,
    /// It reads sessions, and keeps a change or does not: where there is room left on a full disk,
    /// nobody knows. One at least it does not keep.
    SomeWrites,
    /// It does nothing: a password is wrong, or a table is missing.
    All,
}

/// Has a server refuse, and do it no more, and holds the answers to requests, served through the
/// engine, against what a store promises:
///
/// - a request for what is refused is answered with 503 within 1.2 s, and has changed nothing;
/// - every other request is answered well;
/// - one second after the end of it every request is answered well, without a restart;
/// - what was acknowledged is there.
///
/// `begin` has the server refuse, and `end` do it no more. `name` is for the report. The store may
/// be one without a server, on a disk that is full for instance.
///
/// # Panics
/// When the store breaks a promise. The message says which, and what was measured.
///
/// # Examples
/// ```no_run
/// use cloakroom_testkit::servers::{Refuses, Server, refusal};
/// # use cloakroom_memory::MemoryStore;
/// # struct MyStore;
/// # impl MyStore { async fn connect(_url: &str) -> MemoryStore { MemoryStore::new() } }
/// # async fn tell(_server: &Server, _command: &str) {}
///
/// // #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
/// async fn survives_a_full_memory() {
///     let Some(server) = Server::redis().await else {
///         return;
///     };
///     let store = MyStore::connect(&server.url()).await;
///     let fill = async || tell(&server, "CONFIG SET maxmemory 1").await;
///     let empty = async || tell(&server, "CONFIG SET maxmemory 0").await;
///     println!("{}", refusal("full", Refuses::Writes, store, fill, empty).await);
/// }
/// ```
pub async fn refusal(
    name: &'static str,
    refuses: Refuses,
    store: impl Store,
    begin: impl AsyncFn(),
    end: impl AsyncFn(),
) -> OutageReport {
    let mut trials = Trials::new(store);
    let mut refusal = Refusal {
        name,
        refuses,
        begin,
        end,
    };
    trials.run(&mut refusal).await;
    trials.report
}

struct Refusal<B, E> {
    name: &'static str,
    refuses: Refuses,
    begin: B,
    end: E,
}

impl<B: AsyncFn(), E: AsyncFn()> Trouble for Refusal<B, E> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn effect(&self) -> Effect {
        Effect::Refusal(self.refuses)
    }

    async fn begin(&mut self) {
        (self.begin)().await;
    }

    async fn end(&mut self) {
        (self.end)().await;
    }
}

/// What is wrong with a server, or with the link to it.
enum Fault<'a> {
    Frozen(&'a mut Server),
    Killed(&'a mut Server),
    Restarted(&'a mut Server),
    Silent(&'a Link),
    Refused(&'a Link),
    TooSlow(&'a Link),
    Slow(&'a Link),
    Reset(&'a Link),
}

/// There and back it is longer than the engine waits for a call.
const TOO_SLOW: Duration = Duration::from_millis(400);
const SLOW: Duration = Duration::from_millis(20);

impl Trouble for Fault<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Frozen(_) => "frozen",
            Self::Killed(_) => "killed",
            Self::Restarted(_) => "restarted",
            Self::Silent(_) => "link silent",
            Self::Refused(_) => "link refused",
            Self::TooSlow(_) => "link too slow",
            Self::Slow(_) => "link slow",
            Self::Reset(_) => "link reset",
        }
    }

    fn effect(&self) -> Effect {
        match self {
            Self::Killed(server) => Effect::Outage {
                loses_all: server.is_volatile(),
            },
            Self::Frozen(_) | Self::Silent(_) | Self::Refused(_) | Self::TooSlow(_) => {
                Effect::Outage { loses_all: false }
            }
            Self::Restarted(_) | Self::Slow(_) => Effect::Refusal(Refuses::Nothing),
            Self::Reset(_) => Effect::Flicker,
        }
    }

    async fn begin(&mut self) {
        match self {
            Self::Frozen(server) => server.freeze(),
            Self::Killed(server) => server.kill(),
            Self::Restarted(server) => server.restart().await,
            Self::Silent(link) => link.black_hole(),
            Self::Refused(link) => link.refuse().await,
            Self::TooSlow(link) => link.slow(TOO_SLOW),
            Self::Slow(link) => link.slow(SLOW),
            Self::Reset(link) => link.cut().await,
        }
    }

    async fn end(&mut self) {
        match self {
            Self::Frozen(server) => server.thaw(),
            Self::Killed(server) => server.restart().await,
            Self::Restarted(_) => {}
            Self::Silent(link)
            | Self::Refused(link)
            | Self::TooSlow(link)
            | Self::Slow(link)
            | Self::Reset(link) => {
                let restored = link.restore().await;
                require(restored.is_ok(), || format!("the link: {restored:?}"));
            }
        }
    }
}
