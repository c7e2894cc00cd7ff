//! Who serves the requests, with the routes of the benches on axum.

mod bare;
mod ours;
mod peer;

use actix_session::storage::CookieSessionStore;
use cloakroom_bench::Workload;
use cloakroom_memory::MemoryStore;

use crate::client::Application;

/// Where the Redis is that all use.
#[cfg(feature = "stores")]
pub(crate) const REDIS_URL: &str = "CLOAKROOM_TEST_REDIS_URL";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// actix-web without sessions: what the others are compared to.
    Bare,
    /// cloakroom with its memory store.
    Ours,
    /// actix-session, the session encrypted in its cookie.
    PeerCookie,
    #[cfg(feature = "stores")]
    OursRedis,
    #[cfg(feature = "stores")]
    PeerRedis,
}

impl Variant {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare actix-web",
            Self::Ours => "cloakroom",
            Self::PeerCookie => "actix-session, cookie",
            #[cfg(feature = "stores")]
            Self::OursRedis => "cloakroom, Redis",
            #[cfg(feature = "stores")]
            Self::PeerRedis => "actix-session, Redis",
        }
    }

    pub(crate) fn keeps_sessions(self) -> bool {
        self != Self::Bare
    }

    pub(crate) fn is_in_cookie(self) -> bool {
        self == Self::PeerCookie
    }

    /// 4 KiB are too large for a cookie.
    pub(crate) fn can(self, workload: Workload) -> bool {
        !(self.is_in_cookie() && workload.is_large())
    }

    /// An application of its own.
    pub(crate) async fn application(self) -> Application {
        match self {
            Self::Bare => Application::new(bare::routes).await,
            Self::Ours => Application::new(ours::routes(MemoryStore::new())).await,
            Self::PeerCookie => Application::new(peer::routes(CookieSessionStore::default())).await,
            #[cfg(feature = "stores")]
            Self::OursRedis => {
                let store = cloakroom_redis::RedisStore::connect(&redis_url()).await;
                Application::new(ours::routes(store.expect("connected"))).await
            }
            #[cfg(feature = "stores")]
            Self::PeerRedis => {
                let store = actix_session::storage::RedisSessionStore::new(redis_url()).await;
                Application::new(peer::routes(store.expect("connected"))).await
            }
        }
    }
}

#[cfg(feature = "stores")]
fn redis_url() -> String {
    std::env::var(REDIS_URL).expect("the address of a Redis")
}
