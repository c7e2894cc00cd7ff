use std::time::Duration;

use cloakroom_store::Operation;

use crate::{
    MemcachedStore, OpenError,
    address::Address,
    call::Call,
    link::{Link, Settings},
    names::Names,
    store::{Inner, max_value},
};

/// The settings of a [`MemcachedStore`]; made by [`MemcachedStore::builder`].
#[derive(Clone)]
#[must_use]
pub struct MemcachedStoreBuilder {
    url: String,
    prefix: String,
    timeout: Duration,
    connect_timeout: Duration,
    max_data_size: usize,
}

impl MemcachedStoreBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            prefix: "cloakroom".to_owned(),
            timeout: Duration::from_millis(400),
            connect_timeout: Duration::from_millis(400),
            max_data_size: 1 << 20,
        }
    }

    /// What the names of all keys begin with, up to a colon: 1 to 64 letters, digits and `-_.:/`.
    /// Default: `cloakroom`. Stores with different prefixes never see each other's sessions.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a call may take, connecting included. Default: 400 ms, which is less than the
    /// engine waits for a call; after it the call is an error of the kind `TimedOut`. More than a day
    /// is a day.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long making a connection may take, with asking the server for its version and settings.
    /// Default: 400 ms. It may be longer than a call: an attempt goes on without the calls that
    /// have waited for it.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The most data that a record may hold, in bytes. Default: 1 MiB. The server's own limit,
    /// which it tells when it is connected to, holds beside it: by default 1 MiB for a record with
    /// all that belongs to it.
    ///
    /// Writing more is `TooLarge`. A record that is larger already, from before the limit was
    /// lowered, is not read: it is `Corrupt`.
    pub const fn max_data_size(mut self, bytes: usize) -> Self {
        self.max_data_size = bytes;
        self
    }

    /// Makes the store without speaking to the server: the first call connects. The program starts
    /// while the server is down, and a server that can't be used shows with the first request.
    ///
    /// # Errors
    /// When the URL or the prefix can't be used, or a timeout is zero.
    ///
    /// ```
    /// use cloakroom_memcached::MemcachedStore;
    /// let store = MemcachedStore::builder("memcache://localhost").prefix("shop").build()?;
    /// assert!(MemcachedStore::builder("http://localhost").build().is_err());
    /// # Ok::<(), cloakroom_memcached::OpenError>(())
    /// ```
    pub fn build(self) -> Result<MemcachedStore, OpenError> {
        if self.timeout.is_zero() || self.connect_timeout.is_zero() {
            return Err(OpenError::new("a timeout is zero"));
        }
        let server = Address::parse(&self.url);
        let server = server.map_err(|what| OpenError::new(format!("its URL: {what}")))?;
        let names = Names::new(self.prefix).map_err(OpenError::new)?;
        let settings = Settings {
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            max_value: max_value(self.max_data_size),
        };
        Ok(MemcachedStore::new(Inner {
            link: Link::new(server, settings),
            names,
            timeout: self.timeout,
            max_data_size: self.max_data_size,
        }))
    }

    /// Makes the store and connects to its server.
    ///
    /// # Errors
    /// As [`build`](Self::build), and when the server does not answer, is older than 1.6.10, runs
    /// without compare-and-swap, wants a login, or is not memcached.
    ///
    /// ```no_run
    /// use cloakroom_memcached::MemcachedStore;
    /// # async fn open() -> Result<(), cloakroom_memcached::OpenError> {
    /// let store = MemcachedStore::builder("memcache+unix:///run/memcached/memcached.sock")
    ///     .prefix("shop")
    ///     .connect()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(self) -> Result<MemcachedStore, OpenError> {
        let patience = self.timeout.max(self.connect_timeout);
        let store = self.build()?;
        let deadline = Call::new(Operation::Load, patience).deadline;
        let connected = store.inner().link.connect(deadline).await;
        connected.map_err(|error| OpenError::new("its server can't be used").with_source(error))?;
        Ok(store)
    }
}

impl std::fmt::Debug for MemcachedStoreBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // What somebody takes for a URL may hold a password.
        f.debug_struct("MemcachedStoreBuilder")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_data_size", &self.max_data_size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_settings_are_refused_without_repeating_the_url() {
        let builder = MemcachedStore::builder("memcache://user:hunter2@host");
        let error = builder.clone().build().unwrap_err();
        let shown = format!("{builder:?} {error:?} {error}");
        assert!(!shown.contains("hunter2"), "{shown}");
        let builder = MemcachedStore::builder("memcache://host");
        assert!(builder.clone().build().is_ok());
        for wrong in [
            builder.clone().prefix("a b"),
            builder.clone().timeout(Duration::ZERO),
            builder.clone().connect_timeout(Duration::ZERO),
        ] {
            assert!(wrong.clone().build().is_err(), "{wrong:?}");
        }
    }
}
