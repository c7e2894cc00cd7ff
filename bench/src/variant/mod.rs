//! Who serves the requests. One file per variant, all with the same routes:
//!
//! | route | what it does | answer |
//! |---|---|---|
//! | `GET /untouched` | asks for no session | `ok` |
//! | `GET /read` | reads the counter, 0 if there is none | the number |
//! | `POST /change` | reads the counter, adds one, writes it | the new number |
//! | `POST /create` | writes the counter | `ok` |
//! | `POST /fill`, `/fill-large` | writes all keys of a session of that size | `ok` |
//! | `GET /size` | adds up the lengths of all values but the counter | the number |

mod axum_session;
mod bare;
mod identity;
pub mod ours;
mod tower_sessions;

use axum::Router;
use cloakroom_memory::MemoryStore;

use crate::{Client, Workload, untouched};

/// A session layer, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// axum without any layer: what the others are compared to.
    Bare,
    /// A tower layer that does nothing: what no layer can undercut.
    Identity,
    /// tower-sessions with its memory store: what the budgets are relative to.
    TowerSessions,
    /// axum_session without a database.
    AxumSession,
    /// cloakroom with its memory store.
    Ours,
}

impl Variant {
    /// All of them, [`Variant::Bare`] first.
    pub const ALL: &[Self] = &[
        Self::Bare,
        Self::Identity,
        Self::TowerSessions,
        Self::AxumSession,
        Self::Ours,
    ];

    /// The name that tables have.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare axum",
            Self::Identity => "identity layer",
            Self::TowerSessions => "tower-sessions 0.15",
            Self::AxumSession => "axum_session 0.22",
            Self::Ours => "cloakroom",
        }
    }

    /// A router with an empty store of its own. Within a runtime, since a peer starts a task.
    pub async fn router(self) -> Router {
        match self {
            Self::Bare => bare::router(),
            Self::Identity => identity::router(),
            Self::TowerSessions => tower_sessions::router(::tower_sessions::MemoryStore::default()),
            Self::AxumSession => axum_session::router().await,
            Self::Ours => ours::router(MemoryStore::new()),
        }
    }

    /// A client of [`router`](Self::router).
    pub async fn client(self, workload: Workload) -> Client {
        let keeps_sessions = !matches!(self, Self::Bare | Self::Identity);
        Client::new(self.name(), self.router().await, keeps_sessions, workload).await
    }
}
