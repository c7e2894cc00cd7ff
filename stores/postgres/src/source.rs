//! Where connections come from.

use std::{future::poll_fn, sync::Arc, time::Duration};

use cloakroom_store::StoreErrorKind;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Handle,
    task::AbortHandle,
    time::timeout,
};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, config::SslMode};

#[cfg(feature = "sqlx-0_9")]
use crate::sqlx_pool::{Line, SqlxPool};
use crate::{ConnectError, error::Failure, watch::Told};

/// What makes connections.
pub(crate) enum Source {
    Plain(Box<Config>),
    #[cfg(feature = "tls")]
    Tls(Box<Config>, crate::tls::Connector),
    #[cfg(feature = "deadpool-postgres-0_14")]
    Pool(deadpool_postgres::Pool),
    #[cfg(feature = "sqlx-0_9")]
    Sqlx(SqlxPool),
}

impl Source {
    pub(crate) fn from_url(
        url: &str,
        #[cfg(feature = "tls")] roots: Option<&[u8]>,
    ) -> Result<Self, ConnectError> {
        // What the driver says of a bad URL may quote a part of it.
        let mut config: Config = url.parse().map_err(|_| ConnectError::invalid_url())?;
        if config.get_application_name().is_none() {
            config.application_name("cloakroom");
        }
        if config.get_ssl_mode() == SslMode::Require {
            #[cfg(feature = "tls")]
            return Ok(Self::Tls(Box::new(config), crate::tls::connector(roots)?));
            #[cfg(not(feature = "tls"))]
            return Err(ConnectError::no_tls());
        }
        config.ssl_mode(SslMode::Disable);
        Ok(Self::Plain(Box::new(config)))
    }

    /// A new connection. One that is `brief` may end when it is not used.
    pub(crate) async fn open(
        &self,
        patience: Duration,
        is_brief: bool,
    ) -> Result<Session, Failure> {
        within(patience, self.connect(is_brief)).await
    }

    /// Whether a connection has one statement at a time, so that what waits is better sent together.
    pub(crate) const fn is_serial(&self) -> bool {
        match self {
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(_) => true,
            _ => false,
        }
    }

    /// A new connection whose notifications are heard.
    pub(crate) async fn open_listening(
        &self,
        patience: Duration,
        told: Arc<Told>,
    ) -> Result<Session, Failure> {
        within(patience, self.connect_listening(told)).await
    }

    async fn connect_listening(&self, told: Arc<Told>) -> Result<Session, Failure> {
        match self {
            Self::Plain(config) => {
                let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
                Ok(Session::own(client, hear(connection, told)))
            }
            #[cfg(feature = "tls")]
            Self::Tls(config, connector) => {
                let connected = config.connect(connector.clone()).await;
                let (client, connection) = connected.map_err(refused)?;
                Ok(Session::own(client, hear(connection, told)))
            }
            #[cfg(feature = "deadpool-postgres-0_14")]
            Self::Pool(_) => Err(no_listening()),
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(_) => Err(no_listening()),
        }
    }

    #[cfg_attr(not(feature = "sqlx-0_9"), expect(unused_variables))]
    async fn connect(&self, is_brief: bool) -> Result<Session, Failure> {
        match self {
            Self::Plain(config) => {
                let (client, connection) = config.connect(NoTls).await.map_err(refused)?;
                Ok(Session::own(client, connection))
            }
            #[cfg(feature = "tls")]
            Self::Tls(config, connector) => {
                let connected = config.connect(connector.clone()).await;
                let (client, connection) = connected.map_err(refused)?;
                Ok(Session::own(client, connection))
            }
            #[cfg(feature = "deadpool-postgres-0_14")]
            Self::Pool(pool) => {
                let taken = pool.get().await;
                let client =
                    taken.map_err(|error| Failure::new(StoreErrorKind::Unavailable, error))?;
                Ok(Session::Pooled(Some(client)))
            }
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(pool) => Ok(Session::Sqlx(pool.open(is_brief).await?)),
        }
    }
}

#[cfg(any(feature = "deadpool-postgres-0_14", feature = "sqlx-0_9"))]
fn no_listening() -> Failure {
    Failure::said(
        StoreErrorKind::Unsupported,
        "a pool keeps notifications to itself: to listen to changes, open the store with a URL",
    )
}

async fn within<T>(
    patience: Duration,
    connecting: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match timeout(patience, connecting).await {
        Ok(result) => result,
        Err(_) => Err(Failure::said(
            StoreErrorKind::Unavailable,
            "PostgreSQL took no connection within the connect timeout",
        )),
    }
}

/// Drives a connection to its end.
async fn hear<S, T>(
    mut connection: Connection<S, T>,
    told: Arc<Told>,
) -> Result<(), tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let failure = match poll_fn(|context| connection.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notification(said))) => {
                told.hear(said.payload());
                continue;
            }
            Some(Ok(_)) => continue,
            Some(Err(error)) => Failure::from(error),
            None => Failure::said(StoreErrorKind::Unavailable, "the connection was closed"),
        };
        told.end(failure);
        return Ok(());
    }
}

/// Whatever keeps a connection from being made, the server is of no use now.
fn refused(error: tokio_postgres::Error) -> Failure {
    let mut failure = Failure::from(error);
    failure.kind = StoreErrorKind::Unavailable;
    failure
}

/// A connection. It ends when this is dropped, whatever it waits for.
pub(crate) enum Session {
    Own {
        client: Client,
        driver: AbortHandle,
    },
    #[cfg(feature = "deadpool-postgres-0_14")]
    Pooled(Option<deadpool_postgres::Object>),
    #[cfg(feature = "sqlx-0_9")]
    Sqlx(Line),
}

impl Session {
    fn own(
        client: Client,
        connection: impl Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
    ) -> Self {
        // Calls learn from their own errors how a connection has ended.
        let driver = Handle::current().spawn(async move { drop(connection.await) });
        let driver = driver.abort_handle();
        Self::Own { client, driver }
    }

    /// The driver's own, unless the connection is another driver's.
    pub(crate) fn client(&self) -> Option<&Client> {
        match self {
            Self::Own { client, .. } => Some(client),
            #[cfg(feature = "deadpool-postgres-0_14")]
            Self::Pooled(client) => client.as_ref().map(|client| &***client),
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(_) => None,
        }
    }

    /// Ends it although others may still use it.
    pub(crate) fn abort(&self) {
        match self {
            Self::Own { driver, .. } => driver.abort(),
            // The pool has its driver; the connection ends when its last call is dropped.
            #[cfg(feature = "deadpool-postgres-0_14")]
            Self::Pooled(_) => {}
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(line) => line.abort(),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        match self {
            Self::Own { driver, .. } => driver.abort(),
            // It has settings and statements of the store, so it does not go back.
            #[cfg(feature = "deadpool-postgres-0_14")]
            Self::Pooled(client) => {
                drop(client.take().map(deadpool_postgres::Object::take));
            }
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(_) => {}
        }
    }
}
