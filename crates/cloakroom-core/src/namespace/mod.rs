mod compiled;
mod policy;
mod saving;
mod spoken;
mod transports;

use std::{fmt, sync::Arc, time::Duration};

use cloakroom_store::{AnyStore, Store};

pub(crate) use self::compiled::{Backend, CompiledNamespace};
pub use self::policy::{
    CorruptPolicy, DecodePolicy, EndedPolicy, FailurePolicy, ReplacedTokenPolicy,
};
pub use self::saving::SaveMode;
use crate::{
    codec::Codec, cookie::Cookie, head::RequestHead, limits::Limits, transport::Transport,
};
#[cfg(feature = "client-side")]
use crate::{keys::KeyRing, sealed::Protection};

/// One named, independently configured session of an application.
///
/// Defaults: the cookie of [`Cookie`], the limits of [`Limits::owasp`], no condition, at most
/// 64 KiB of data, MessagePack.
///
/// ```
/// use cloakroom_core::{Limits, Namespace, hours, minutes};
/// # fn namespace(store: impl cloakroom_store::Store) -> Namespace {
/// Namespace::new("account", store)
///     .limits(Limits::idle(minutes(30)).absolute(hours(12)))
///     .rotate_every(hours(1))
///     .only_if(|request| request.is_https())
/// # }
/// ```
#[must_use = "a namespace does nothing until a SessionManager has it"]
pub struct Namespace {
    name: String,
    keeper: Keeper,
    cookie: Cookie,
    /// What there is in the place of the cookie.
    transports: Option<Vec<Transport>>,
    insecure_http: bool,
    settings: Settings,
    condition: Option<Condition>,
    limits_are_set: bool,
    persistent: Option<Duration>,
    /// A setting of client-side namespaces on one that has a store.
    misused: Option<&'static str>,
}

/// Decides from a request whether a namespace is open on it.
pub(crate) type Condition = Arc<dyn Fn(&dyn RequestHead) -> bool + Send + Sync>;

enum Keeper {
    Store(AnyStore),
    #[cfg(feature = "client-side")]
    Cookie {
        keys: KeyRing,
        protection: Protection,
        accepts_replay: bool,
    },
}

/// The settings of a namespace that need no checking beyond their own.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) is_persistent: bool,
    pub(crate) rotate_every: Option<Duration>,
    pub(crate) max_size: usize,
    pub(crate) codec: Codec,
    pub(crate) is_strict: bool,
    pub(crate) save_mode: SaveMode,
    pub(crate) refuses_changes_on_get: bool,
    pub(crate) saves_on_server_error: bool,
    pub(crate) on_store_failure: FailurePolicy,
    pub(crate) on_ended: EndedPolicy,
    pub(crate) on_corrupt: CorruptPolicy,
    pub(crate) on_replaced_token: ReplacedTokenPolicy,
    pub(crate) on_undecodable: DecodePolicy,
}

impl Namespace {
    /// A namespace whose sessions are kept in a store. Stores are cheap to clone, and one may
    /// hold many namespaces.
    ///
    /// The name has 1 to 32 lower-case letters, digits, `-` and `_`, a letter first.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cart = Namespace::new("cart", MemoryStore::new());
    /// let sessions = SessionManager::builder().namespace(cart).build()?;
    /// assert_eq!(sessions.namespaces().next().unwrap().cookie_name(), Some("__Host-cart"));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn new(name: impl Into<String>, store: impl Store) -> Self {
        Self::with_keeper(name.into(), Keeper::Store(store.into_any()))
    }

    /// A client-side namespace: the whole session is in its cookie, encrypted.
    ///
    /// It needs no store, and can't do what needs one. Who has kept an older cookie can bring the
    /// session back to that state; two requests at the same time do not merge their changes, the
    /// last response wins. So `login`, `end` and `rotate` are refused unless
    /// [`accept_replay`](Self::accept_replay) says that this is known.
    ///
    /// ```
    /// # use cloakroom_core::*;
    /// let keys = KeyRing::new(SecretKey::generate()?);
    /// let sessions = SessionManager::builder()
    ///     .namespace(Namespace::in_cookie("prefs", &keys))
    ///     .build()?;
    /// assert!(sessions.namespaces().next().unwrap().is_client_side());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "client-side")]
    pub fn in_cookie(name: impl Into<String>, keys: &KeyRing) -> Self {
        let keeper = Keeper::Cookie {
            keys: keys.clone(),
            protection: Protection::Encrypted,
            accepts_replay: false,
        };
        Self::with_keeper(name.into(), keeper)
    }

    fn with_keeper(name: String, keeper: Keeper) -> Self {
        Self {
            name,
            keeper,
            cookie: Cookie::default(),
            transports: None,
            insecure_http: false,
            settings: Settings {
                limits: Limits::default(),
                is_persistent: false,
                rotate_every: None,
                max_size: 64 * 1024,
                codec: Codec::default(),
                is_strict: false,
                save_mode: SaveMode::default(),
                refuses_changes_on_get: false,
                saves_on_server_error: false,
                on_store_failure: FailurePolicy::default(),
                on_ended: EndedPolicy::default(),
                on_corrupt: CorruptPolicy::default(),
                on_replaced_token: ReplacedTokenPolicy::default(),
                on_undecodable: DecodePolicy::default(),
            },
            condition: None,
            limits_are_set: false,
            persistent: None,
            misused: None,
        }
    }

    /// Signs the cookie instead of encrypting it: whoever has it can read it, and none change it.
    ///
    /// ```
    /// # use cloakroom_core::*;
    /// # let keys = KeyRing::new(SecretKey::generate()?);
    /// let prefs = Namespace::in_cookie("prefs", &keys).signed();
    /// assert!(SessionManager::builder().namespace(prefs).build().is_ok());
    /// # let store = cloakroom_memory::MemoryStore::new();
    /// let cart = Namespace::new("cart", store).signed(); // it is not in its cookie
    /// assert!(SessionManager::builder().namespace(cart).build().is_err());
    /// # Ok::<(), RandomError>(())
    /// ```
    #[cfg(feature = "client-side")]
    pub fn signed(mut self) -> Self {
        match &mut self.keeper {
            Keeper::Cookie { protection, .. } => *protection = Protection::Signed,
            Keeper::Store(_) => self.misused = Some("signed"),
        }
        self
    }

    /// Lets `login`, `end`, `rotate` and the like work on a client-side namespace, although a
    /// copy of the cookie from before stays good until it expires.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use cloakroom_core::*;
    /// # let keys = KeyRing::new(SecretKey::generate().unwrap());
    /// let account = Namespace::in_cookie("account", &keys).accept_replay();
    /// # doc::example_with(account, async |session, _| {
    /// session.login("user-17")?; // an error without accept_replay()
    /// assert!(session.subject().is_some());
    /// # Ok(())
    /// # });
    /// ```
    #[cfg(feature = "client-side")]
    pub fn accept_replay(mut self) -> Self {
        match &mut self.keeper {
            Keeper::Cookie { accepts_replay, .. } => *accepts_replay = true,
            Keeper::Store(_) => self.misused = Some("accept_replay"),
        }
        self
    }

    /// Sets the cookie's name and attributes. [`transports`](Self::transports) take its place.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cookie = Cookie::named("basket").same_site(SameSite::Strict);
    /// let cart = Namespace::new("cart", MemoryStore::new()).cookie(cookie);
    /// let sessions = SessionManager::builder().namespace(cart).build()?;
    /// assert_eq!(sessions.namespaces().next().unwrap().cookie_name(), Some("__Host-basket"));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn cookie(self, cookie: Cookie) -> Self {
        Self { cookie, ..self }
    }

    /// Sends the cookie over plain http too, without `Secure` and prefix: everyone on the way can
    /// read it. For development, and for what nobody minds others to see.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cart = Namespace::new("cart", MemoryStore::new()).insecure_http();
    /// let sessions = SessionManager::builder().namespace(cart).build()?;
    /// let info = sessions.namespaces().next().unwrap();
    /// assert_eq!(info.cookie_name(), Some("cart"));
    /// assert!(!info.cookie_attributes().unwrap().contains("Secure"));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn insecure_http(self) -> Self {
        Self {
            insecure_http: true,
            ..self
        }
    }

    /// Sets the limits.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let limits = Limits::idle(minutes(30)).absolute(hours(12));
    /// let cart = Namespace::new("cart", MemoryStore::new()).limits(limits);
    /// let sessions = SessionManager::builder().namespace(cart).build()?;
    /// assert_eq!(sessions.namespaces().next().unwrap().limits(), limits);
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self.limits_are_set = true;
        self
    }

    /// Keeps the cookie when the browser is closed, until the session's absolute limit. Unless
    /// [`limits`](Self::limits) are set too, the absolute limit is `lifetime` and there is no
    /// idle one. Browsers keep no cookie for more than 400 days.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cart = Namespace::new("cart", MemoryStore::new()).persistent(days(30));
    /// let sessions = SessionManager::builder().namespace(cart).build()?;
    /// assert_eq!(sessions.namespaces().next().unwrap().limits(), Limits::absolute_only(days(30)));
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn persistent(self, lifetime: Duration) -> Self {
        Self {
            persistent: Some(lifetime),
            ..self
        }
    }

    /// Opens the namespace only on requests for which this is true. It is asked once per request,
    /// at most; where it is false the namespace is closed. How a request is known to be https is
    /// the integration's: `cloakroom-tower` reads a `Scheme` from its extensions.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cart = Namespace::new("cart", MemoryStore::new())
    ///     .only_if(|request| request.path().starts_with("/shop"));
    /// let sessions = SessionManager::builder().namespace(cart).build()?;
    /// assert!(sessions.namespaces().next().unwrap().has_condition());
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn only_if(
        self,
        condition: impl Fn(&dyn RequestHead) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            condition: Some(Arc::new(condition)),
            ..self
        }
    }

    /// Rotates the secret of sessions that have a subject, when they are used this long after the
    /// last rotation. At least one minute.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # use std::time::Duration;
    /// let build = |interval| {
    ///     let account = Namespace::new("account", MemoryStore::new()).rotate_every(interval);
    ///     SessionManager::builder().namespace(account).build()
    /// };
    /// assert!(build(hours(1)).is_ok());
    /// assert!(build(Duration::from_secs(1)).is_err());
    /// ```
    pub fn rotate_every(mut self, interval: Duration) -> Self {
        self.settings.rotate_every = Some(interval);
        self
    }

    /// Sets how many bytes the keys and values of a session may have, encoded. Default 64 KiB;
    /// the browser's 4096 bytes bound a client-side session earlier.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cart = Namespace::new("cart", MemoryStore::new()).max_size(1024);
    /// # doc::example_with(cart, async |session, _| {
    /// let error = session.insert("note", "x".repeat(2000)).unwrap_err();
    /// assert!(matches!(error, SessionError::TooLarge { limit: 1024, .. }));
    /// # Ok(())
    /// # });
    /// ```
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.settings.max_size = bytes;
        self
    }

    /// Sets how values are encoded. Changing it makes stored values unreadable.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # #[cfg(feature = "json")]
    /// let cart = Namespace::new("cart", MemoryStore::new()).codec(Codec::Json);
    /// # #[cfg(not(feature = "json"))]
    /// # let cart = Namespace::new("cart", MemoryStore::new());
    /// # doc::example_with(cart, async |session, _| {
    /// session.insert("sizes", [38, 39])?; // the record has [38,39]
    /// assert_eq!(session.get("sizes")?, Some([38, 39]));
    /// # Ok(())
    /// # });
    /// ```
    pub fn codec(mut self, codec: Codec) -> Self {
        self.settings.codec = codec;
        self
    }

    /// Answers 409, and saves nothing, when a request sets a key that it has read and somebody
    /// else has changed since. By default the last writer wins, and it is an event.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cart = Namespace::new("cart", MemoryStore::new()).strict();
    /// # doc::example_with(cart, async |session, mut browser| {
    /// # session.insert("apples", 3)?;
    /// # let session = browser.next().await;
    /// # let other = browser.again().await;
    /// let apples: u32 = session.get_or_default("apples")?;
    /// # other.insert("apples", 7)?;
    /// # other.save().await?;
    /// session.insert("apples", apples + 1)?; // another request has made it 7 meanwhile
    /// assert_eq!(session.save().await.unwrap_err().status(), 409);
    /// # Ok(())
    /// # });
    /// ```
    pub fn strict(mut self) -> Self {
        self.settings.is_strict = true;
        self
    }

    /// Saves changes although the response is a 5xx or the handler panicked. `end` is carried out
    /// at any status, with or without this.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # let store = MemoryStore::new();
    /// let cart = Namespace::new("cart", store.clone()).save_on_server_error();
    /// # doc::example_with(cart, async |session, mut browser| {
    /// session.insert("tries", 1)?;
    /// # browser.commit(500).await;
    /// assert_eq!(store.stats().sessions, 1); // after a 500
    /// # Ok(())
    /// # });
    /// ```
    pub fn save_on_server_error(mut self) -> Self {
        self.settings.saves_on_server_error = true;
        self
    }

    /// Sets what becomes of the response when the store fails at commit.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # use cloakroom_testkit::{Fault, FaultyStore};
    /// # let store = FaultyStore::new(MemoryStore::new());
    /// # let faults = store.faults();
    /// let cart = Namespace::new("cart", store).on_store_failure(FailurePolicy::KeepResponse);
    /// # doc::example_with(cart, async |session, mut browser| {
    /// # faults.always(Fault::BeforeEffect);
    /// session.insert("items", 3)?;
    /// # let verdict = browser.commit(200).await;
    /// assert_eq!(verdict.status(), None); // not 503, although the store is down
    /// # Ok(())
    /// # });
    /// ```
    pub fn on_store_failure(mut self, policy: FailurePolicy) -> Self {
        self.settings.on_store_failure = policy;
        self
    }

    /// Sets what becomes of the response when the changes are void.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cart = Namespace::new("cart", MemoryStore::new()).on_ended(EndedPolicy::Respond401);
    /// # doc::example_with(cart, async |session, mut browser| {
    /// # session.insert("items", 3)?;
    /// # let session = browser.next().await;
    /// # let other = browser.clone().again().await;
    /// # other.end()?;
    /// # other.save().await?;
    /// session.insert("items", 4)?; // another request has ended the session meanwhile
    /// # let verdict = browser.commit(200).await;
    /// assert_eq!(verdict.status(), Some(401));
    /// # Ok(())
    /// # });
    /// ```
    pub fn on_ended(mut self, policy: EndedPolicy) -> Self {
        self.settings.on_ended = policy;
        self
    }

    /// Sets what happens when the store holds something that is no session.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// # use cloakroom_core::store::{Freshness, Key, NamespaceId, Store};
    /// # let store = MemoryStore::new();
    /// let cart = Namespace::new("cart", store.clone()).on_corrupt(CorruptPolicy::Fail);
    /// # doc::example_with(cart, async |session, mut browser| {
    /// # session.insert("items", 3)?;
    /// # session.save().await?;
    /// # let key = Key::new(NamespaceId::new("cart")?, session.id().unwrap());
    /// # let loaded = store.load(&key, Freshness::Latest).await?.unwrap();
    /// # let mut record = loaded.record.clone();
    /// # record.data = record.data.slice(1..);
    /// # store.replace(&key, &record, &loaded).await?;
    /// # browser.end().await;
    /// // The store has lost a byte of the session.
    /// # let opened = browser.try_again().await;
    /// assert!(matches!(opened, Err(SessionError::Corrupt { .. })));
    /// # Ok(())
    /// # });
    /// ```
    pub fn on_corrupt(mut self, policy: CorruptPolicy) -> Self {
        self.settings.on_corrupt = policy;
        self
    }

    /// Sets what happens when a stored value is not of the type that is asked for.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cart = Namespace::new("cart", MemoryStore::new()).on_undecodable(DecodePolicy::Discard);
    /// # doc::example_with(cart, async |session, _| {
    /// session.insert("items", "3 apples")?; // as an older version of the program had it
    /// assert_eq!(session.get::<Vec<String>>("items")?, None);
    /// # Ok(())
    /// # });
    /// ```
    pub fn on_undecodable(mut self, policy: DecodePolicy) -> Self {
        self.settings.on_undecodable = policy;
        self
    }

    /// Sets what happens when a token comes that a rotation has replaced.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let policy = ReplacedTokenPolicy::EndSession;
    /// let cart = Namespace::new("cart", MemoryStore::new()).on_replaced_token(policy);
    /// # let clock = cloakroom_testkit::TestClock::default();
    /// # let sessions = SessionManager::builder().namespace(cart).clock(clock.clone()).build()?;
    /// # let mut owner = doc::Browser::of(&sessions);
    /// # doc::block_on(async {
    /// # owner.again().await.insert("items", 3)?;
    /// # owner.next().await.rotate()?;
    /// # let mut thief = owner.clone();
    /// # owner.next().await;
    /// # owner.end().await;
    /// # clock.advance(minutes(2));
    /// // Two minutes after a rotation somebody comes with the cookie from before.
    /// assert!(thief.again().await.is_new());
    /// # thief.end().await;
    /// assert!(owner.again().await.is_new()); // the session is ended
    /// # Ok::<(), SessionError>(())
    /// # }).unwrap();
    /// # Ok::<(), ConfigError>(())
    /// ```
    pub fn on_replaced_token(mut self, policy: ReplacedTokenPolicy) -> Self {
        self.settings.on_replaced_token = policy;
        self
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.name)
            .field("cookie", &self.cookie)
            .field("transports", &self.transports)
            .field("settings", &self.settings)
            .field("has_condition", &self.condition.is_some())
            .finish_non_exhaustive()
    }
}
