//! Who is measured.

use axum::Router;
use cloakroom_bench::{Variant, Workload, ours};
use cloakroom_core::store::Store;
use cloakroom_load::{Client, Crew, Work};

use crate::counter::Counter;

/// Somebody whose reading and changing is measured.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) read: Box<dyn Crew>,
    pub(crate) change: Box<dyn Crew>,
}

/// Those who take turns, and the server that counts what it is told.
pub(crate) struct Group {
    pub(crate) subjects: Vec<Subject>,
    pub(crate) counter: Counter,
}

/// The names of the rows, by which the goals find them.
pub(crate) const BARE: &str = "bare axum";
pub(crate) const RAW: &str = "the client alone";
pub(crate) const MEMORY: &str = "cloakroom, memory alone";
pub(crate) const OURS: &str = "cloakroom";
pub(crate) const UNWATCHED: &str = "cloakroom, without `watch`";
pub(crate) const DEFAULT: &str = "tower-sessions, default";
pub(crate) const BEST: &str = "tower-sessions, best";

impl Subject {
    pub(crate) fn new(name: &'static str, read: Box<dyn Crew>, change: Box<dyn Crew>) -> Self {
        Self { name, read, change }
    }

    /// axum without sessions.
    pub(crate) async fn bare(width: usize) -> Self {
        let router = Variant::Bare.router().await;
        Self::http(BARE, router, false, (width, false)).await
    }

    /// cloakroom with a store.
    pub(crate) async fn ours(name: &'static str, store: impl Store, crew: (usize, bool)) -> Self {
        Self::http(name, ours::router(store), true, crew).await
    }

    async fn http(
        name: &'static str,
        router: Router,
        keeps_sessions: bool,
        (width, is_shared): (usize, bool),
    ) -> Self {
        let crew = async |workload| {
            let client = Client::new(name, router.clone(), keeps_sessions, workload).await;
            Box::new(client.crew(width, is_shared).await)
        };
        let (read, change) = (crew(Workload::Read).await, crew(Workload::Change).await);
        Self::new(name, read, change)
    }

    /// A client of the server, without sessions. `worker` is given a number, and whether it changes
    /// what it reads.
    pub(crate) async fn raw<W: Work>(width: usize, worker: impl AsyncFn(usize, bool) -> W) -> Self {
        let crew = async |changes| {
            let mut crew = Vec::new();
            for number in 0..width {
                crew.push(worker(number, changes).await);
            }
            Box::new(crew)
        };
        Self::new(RAW, crew(false).await, crew(true).await)
    }
}
