//! Several named, independent sessions on one request, for Rust web applications.
//!
//! `account`, `cart`, `prefs`: each has its own cookie, keys, store, limits and condition. A
//! request pays for those that it touches, and for no other. Parallel requests lose no changes,
//! what was ended stays ended, and a leaked store opens no session.
//!
//! ```
//! # #[cfg(all(feature = "axum", feature = "memory"))]
//! # fn example() -> Result<axum::Router, cloakroom::ConfigError> {
//! use axum::{Router, extract::Path, response::Redirect, routing::post};
//! use cloakroom::{
//!     Limits, MemoryStore, Namespace, NamespaceName, Session, SessionLayer, SessionManager,
//!     SessionRejection, days, hours, minutes,
//! };
//!
//! struct Cart;
//! impl NamespaceName for Cart {
//!     const NAME: &'static str = "cart";
//! }
//!
//! async fn add(cart: Session<Cart>, Path(item): Path<String>) -> Result<Redirect, SessionRejection> {
//!     // May run again, when another request changes the cart at the same time.
//!     cart.update("items", move |items: &mut Vec<String>| items.push(item.clone()))?;
//!     Ok(Redirect::to("/cart"))
//! }
//!
//! let store = MemoryStore::new();
//! let sessions = SessionManager::builder()
//!     .namespace(
//!         Namespace::new("account", store.clone())
//!             .limits(Limits::idle(minutes(30)).absolute(hours(12)))
//!             .only_if(|request| request.is_https()),
//!     )
//!     .namespace(Namespace::new("cart", store).persistent(days(30)))
//!     .build()?; // finds every mistake
//!
//! let app = Router::new()
//!     .route("/cart/add/{item}", post(add))
//!     .layer(SessionLayer::new(sessions));
//! # Ok(app)
//! # }
//! # #[cfg(all(feature = "axum", feature = "memory"))]
//! # example().unwrap();
//! ```
//!
//! # Features
//! None is on by default.
//! - `axum`: extractors for axum 0.8, and the tower layer.
//! - `tower`: the layer alone.
//! - `actix`: middleware and extractors for actix-web 4, in the module `actix`.
//! - `panel`: the debug toolbar, for development: what the sessions of each request are, and why. It
//!   goes with one of the three above.
//! - `memory`, `file`, `sqlite`, `postgres`, `mysql`, `redis`, `memcached`: stores. `tiered`: one of
//!   them in front of another.
//! - `postgres-tls`, `mysql-tls`, `redis-tls`: encrypted connections to them.
//! - `postgres-deadpool-0_14`, `postgres-sqlx-0_9`, `mysql-mysql_async-0_37`, `mysql-sqlx-0_9`: on a pool
//!   that the application has already.
//! - `client-side`: namespaces whose sessions are in their cookies.
//! - `json`: values encoded as JSON.
//! - `settings`: all of this from a TOML, INI or JSON file, or from the environment.
//!
//! To write a store, depend on `cloakroom-store` and test it with `cloakroom-testkit`.

/// Sessions for actix-web 4.
#[cfg(feature = "actix")]
pub use cloakroom_actix as actix;
pub use cloakroom_core::{
    Clock, Codec, ConfigError, ConfigProblem, Cookie, CorruptPolicy, Csrf, CsrfRefusal,
    CsrfTokenRules, DecodePolicy, EndedPolicy, ErrorResponse, Event, EventKind, FailurePolicy,
    Flash, FlashQueue, FormError, Key, KeyName, KeyOf, Level, Limits, Namespace, NamespaceInfo,
    NamespaceName, Observer, OriginRules, Random, RandomError, ReadOnlySession,
    ReplacedTokenPolicy, RequestHead, RequestSessions, ResponseHead, ResponseHeader, Rotation,
    SameSite, SaveMode, Scheme, SessionError, SessionHandle, SessionManager, SessionManagerBuilder,
    SessionPage, SessionRedirect, SessionSummary, SessionsHandle, Subjects, Sweeper, Sweeping,
    SystemClock, Token, TokenTransport, Transport, TransportInfo, Unopened, VoidReason, days,
    hours, minutes,
};
#[cfg(feature = "client-side")]
pub use cloakroom_core::{KeyError, KeyId, KeyRing, SecretKey};
#[cfg(feature = "file")]
pub use cloakroom_file::FileStore;
#[cfg(feature = "memcached")]
pub use cloakroom_memcached::MemcachedStore;
#[cfg(feature = "memory")]
pub use cloakroom_memory::MemoryStore;
#[cfg(feature = "mysql")]
pub use cloakroom_mysql::MysqlStore;
#[cfg(feature = "panel")]
pub use cloakroom_panel::{Panel, PanelBuilder, PanelError};
#[cfg(feature = "postgres")]
pub use cloakroom_postgres::PostgresStore;
#[cfg(feature = "redis")]
pub use cloakroom_redis::RedisStore;
#[cfg(feature = "settings")]
pub use cloakroom_settings::{
    ConfiguredSessions, Settings, SettingsError, SettingsFormat, SettingsProblem,
};
#[cfg(feature = "sqlite")]
pub use cloakroom_sqlite::SqliteStore;
#[cfg(feature = "tiered")]
pub use cloakroom_tiered::TieredStore;
#[cfg(all(feature = "panel", feature = "tower"))]
pub use cloakroom_tower::{ConnectInfo, PanelLayer, PanelService};
#[cfg(feature = "axum")]
pub use cloakroom_tower::{CsrfForm, Session, SessionRejection, Sessions};
#[cfg(feature = "tower")]
pub use cloakroom_tower::{
    CsrfLayer, CsrfService, CsrfTokenLayer, RequestView, SessionLayer, SessionService,
};

/// The contract between the engine and its stores.
pub use cloakroom_core::store;

// The README's example compiles, or the tests fail.
#[cfg(all(doctest, feature = "axum", feature = "file"))]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// So do those of the guide.
#[cfg(all(doctest, feature = "axum", feature = "client-side", feature = "memory"))]
mod guide {
    #[cfg(all(feature = "actix", feature = "file"))]
    #[doc = include_str!("../../../docs/getting-started.md")]
    struct GettingStarted;
    #[doc = include_str!("../../../docs/namespaces.md")]
    struct Namespaces;
    #[cfg(feature = "file")]
    #[doc = include_str!("../../../docs/composite.md")]
    struct Composite;
    #[doc = include_str!("../../../docs/values.md")]
    struct Values;
    #[doc = include_str!("../../../docs/flash.md")]
    struct Flash;
    #[doc = include_str!("../../../docs/csrf.md")]
    struct Csrf;
    #[doc = include_str!("../../../docs/login.md")]
    struct Login;
    #[doc = include_str!("../../../docs/streaming.md")]
    struct Streaming;
    #[doc = include_str!("../../../docs/keys.md")]
    struct Keys;
    #[doc = include_str!("../../../docs/proxy.md")]
    struct Proxy;
    #[doc = include_str!("../../../docs/testing.md")]
    struct Testing;
    #[doc = include_str!("../../../docs/transports.md")]
    struct Transports;
    #[doc = include_str!("../../../docs/moving.md")]
    struct Moving;
    #[doc = include_str!("../../../docs/four-systems.md")]
    struct FourSystems;
    #[cfg(all(feature = "actix", feature = "panel"))]
    #[doc = include_str!("../../../docs/panel.md")]
    struct Panel;
    #[cfg(feature = "settings")]
    #[doc = include_str!("../../../docs/settings.md")]
    struct Settings;
}
