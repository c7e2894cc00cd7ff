use std::{fmt, sync::Arc, time::Duration};

use cloakroom_store::Operation;
use redis::RedisConnectionInfo;

use crate::{
    OpenError, RedisStore,
    attempt::Target,
    blob,
    call::Call,
    cluster::Cluster,
    dial::Settings,
    link::Link,
    names::Names,
    scan::field,
    script::Scripts,
    sentinel::Sentinels,
    servers::Servers,
    store::Inner,
    tls::{Tls, TlsOptions},
    url::{self, Location, Login},
};

/// The settings of a [`RedisStore`]; made by [`RedisStore::builder`].
#[derive(Clone)]
#[must_use]
pub struct RedisStoreBuilder {
    url: String,
    prefix: String,
    timeout: Duration,
    connect_timeout: Duration,
    max_data_size: usize,
    tls: TlsOptions,
}

impl RedisStoreBuilder {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            prefix: "cloakroom".to_owned(),
            timeout: Duration::from_millis(400),
            connect_timeout: Duration::from_millis(400),
            max_data_size: 1 << 20,
            tls: TlsOptions::default(),
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

    /// How long making a connection may take, with its handshakes and, where there are any, with
    /// asking the sentinels. Default: 400 ms. It may be longer than a call: an attempt goes on
    /// without the calls that have waited for it.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The most data that a record may hold, in bytes. Default: 1 MiB.
    ///
    /// Writing more is `TooLarge`. A record that is larger already, from before the limit was
    /// lowered, is not read: it is `Corrupt`.
    pub const fn max_data_size(mut self, bytes: usize) -> Self {
        self.max_data_size = bytes;
        self
    }

    /// Whom to trust with TLS, in PEM, instead of those whom the system trusts.
    #[cfg(feature = "tls-rustls")]
    pub fn tls_root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.roots = Some(pem.into());
        self
    }

    /// The certificate, with those it was signed by, and the key that the server wants to see with
    /// TLS, both in PEM. Default: none.
    #[cfg(feature = "tls-rustls")]
    pub fn tls_client_certificate(
        mut self,
        chain: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        self.tls.identity = Some((chain.into(), key.into()));
        self
    }

    /// Makes the store without speaking to a server: the first call connects. The program starts
    /// while the server is down, and a wrong password shows with the first request.
    ///
    /// # Errors
    /// When the URL, the prefix or a certificate can't be used, or a timeout is zero.
    ///
    /// ```
    /// use cloakroom_redis::RedisStore;
    /// let store = RedisStore::builder("redis-cluster://a:7000,b:7000,c:7000")
    ///     .prefix("shop")
    ///     .build()?;
    /// assert!(RedisStore::builder("http://localhost").build().is_err());
    /// # Ok::<(), cloakroom_redis::OpenError>(())
    /// ```
    pub fn build(self) -> Result<RedisStore, OpenError> {
        if self.timeout.is_zero() || self.connect_timeout.is_zero() {
            return Err(OpenError::new("a timeout is zero"));
        }
        let location = url::parse(&self.url);
        let location = location.map_err(|what| OpenError::new(format!("its URL: {what}")))?;
        let names = Names::new(self.prefix).map_err(OpenError::new)?;
        let tls = location.tls.then(|| Tls::new(&self.tls)).transpose();
        let settings = Settings {
            redis: connection_info(&location.login).set_db(location.database),
            tls: tls.map_err(OpenError::new)?,
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
        };
        Ok(RedisStore::new(Inner {
            servers: servers(location, settings),
            names,
            scripts: Scripts::new(),
            timeout: self.timeout,
            max_data_size: self.max_data_size,
        }))
    }

    /// Makes the store and asks its servers whether they are there and can be used.
    ///
    /// # Errors
    /// As [`build`](Self::build), and when a server does not answer, refuses the user, or is older
    /// than Redis 6.2.
    ///
    /// ```no_run
    /// use cloakroom_redis::RedisStore;
    /// # async fn open() -> Result<(), cloakroom_redis::OpenError> {
    /// let store = RedisStore::builder("redis-sentinel://s1,s2,s3?master=sessions")
    ///     .prefix("shop")
    ///     .connect()
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub async fn connect(self) -> Result<RedisStore, OpenError> {
        let patience = self.timeout.max(self.connect_timeout);
        let store = self.build()?;
        let call = Call::new(Operation::Scan, patience);
        check(&store, &call).await?;
        Ok(store)
    }
}

impl fmt::Debug for RedisStoreBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("RedisStoreBuilder")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_data_size", &self.max_data_size)
            .finish_non_exhaustive()
    }
}

fn servers(location: Location, settings: Settings) -> Servers {
    let settings = Arc::new(settings);
    let one = |target| Servers::One(Link::new(target, Arc::clone(&settings), None));
    match location.servers {
        url::Servers::One(address) => one(Target::Address(address)),
        url::Servers::Sentinel {
            sentinels,
            master,
            login,
        } => one(Target::Sentinels(Sentinels {
            addresses: sentinels,
            master,
            login: connection_info(&login),
        })),
        url::Servers::Cluster(seeds) => Servers::Cluster(Cluster::new(seeds, settings)),
    }
}

fn connection_info(login: &Login) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default()
        .set_lib_name(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    if let Some(user) = &login.user {
        info = info.set_username(user);
    }
    if let Some(password) = &login.password {
        info = info.set_password(password);
    }
    info
}

async fn check(store: &RedisStore, call: &Call) -> Result<(), OpenError> {
    let failed = |error| OpenError::new("its server does not answer").with_source(error);
    let servers = store.inner().servers.all(call).await.map_err(failed)?;
    for server in servers {
        let ping = redis::cmd("PING");
        match server.ask(call, &ping).await {
            Err(error) if error.kind() == cloakroom_store::StoreErrorKind::Other => {}
            answer => drop(answer.map_err(failed)?),
        }
        let mut info = redis::cmd("INFO");
        info.arg("server");
        // Where the user may not know the version, the first call shows whether it will do.
        let Ok(info) = server.ask(call, &info).await else {
            continue;
        };
        let info = blob::bytes(info, call.operation).map_err(failed)?;
        let version = field(&info, "redis_version").unwrap_or_default();
        if is_too_old(version) {
            let what = format!("its server is Redis {version}, and 6.2 is the oldest it can use");
            return Err(OpenError::new(what));
        }
    }
    Ok(())
}

fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (6, 2),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        for old in ["2.8.19", "5.0.14", "6.0.20", "6.1.240"] {
            assert!(is_too_old(old), "{old}");
        }
        for new in ["6.2.0", "6.10.0", "7.2.4", "10.0.0", "255.255.255", "", "x"] {
            assert!(!is_too_old(new), "{new}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let url = "redis-sentinel://:hunter2@host?master=m&sentinel_password=hunter3";
        let builder = RedisStore::builder(url);
        let shown = format!("{builder:?} {:?}", builder.clone().build().unwrap());
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(shown.contains("cloakroom"), "{shown}");
    }
}
