//! Where connections come from.

use std::future::pending;

use mysql_async::{Conn, Opts, OptsBuilder};
#[cfg(feature = "sqlx-0_9")]
use sqlx_mysql::MySqlPool;

#[cfg(feature = "sqlx-0_9")]
use crate::wire::Sqlx;
use crate::{
    ConnectError,
    error::Failure,
    wire::{self, Wire},
};
#[cfg(feature = "mysql_async-0_37")]
use crate::{lender::Lender, wire::Driver};

/// What makes connections. It may hold a password, so it is not shown.
pub(crate) enum Source {
    Url(Box<Opts>),
    #[cfg(feature = "mysql_async-0_37")]
    Pool(Lender),
    #[cfg(feature = "sqlx-0_9")]
    Sqlx(MySqlPool),
}

impl Source {
    /// `needs_database`: somebody has to say where the table lies.
    pub(crate) fn from_url(
        url: &str,
        needs_database: bool,
        #[cfg(feature = "tls")] roots: Option<Vec<u8>>,
    ) -> Result<Self, ConnectError> {
        // What the driver says of a bad URL may quote a part of it.
        let opts = Opts::from_url(url).map_err(|_| ConnectError::invalid_url())?;
        #[cfg(not(feature = "tls"))]
        if opts.ssl_opts().is_some() {
            return Err(ConnectError::no_tls());
        }
        if needs_database && opts.db_name().is_none_or(str::is_empty) {
            return Err(ConnectError::no_database());
        }
        // A store behind a proxy, or an SSH tunnel, must not be led to another server by the name
        // of a socket; a replace that writes what is there already has found its row; what the
        // server sends and takes is for the server to say.
        let builder = OptsBuilder::from_opts(opts)
            .prefer_socket(false)
            .client_found_rows(true)
            .max_allowed_packet(None)
            .stmt_cache_size(32);
        #[cfg(feature = "tls")]
        let builder = crate::tls::with_roots(builder, roots)?;
        Ok(Self::Url(Box::new(builder.into())))
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Result<Wire, Failure> {
        match self {
            Self::Url(opts) => {
                let conn = Conn::new((**opts).clone()).await?;
                Ok(Wire::Driver(wire::Driver::new(conn, false)))
            }
            #[cfg(feature = "mysql_async-0_37")]
            Self::Pool(lender) => Ok(Wire::Driver(Driver::new(lender.lend().await?, true))),
            #[cfg(feature = "sqlx-0_9")]
            Self::Sqlx(pool) => Ok(Wire::Sqlx(Sqlx::new(pool.acquire().await?, pool))),
        }
    }

    /// Ends when the application closes the pool, which waits for its connections then.
    #[cfg_attr(
        not(feature = "sqlx-0_9"),
        expect(clippy::unused_self, reason = "another pool does not tell")
    )]
    pub(crate) fn closing(&self) -> impl Future<Output = ()> + Send + 'static {
        #[cfg(feature = "sqlx-0_9")]
        let event = match self {
            Self::Sqlx(pool) => Some(pool.close_event()),
            _ => None,
        };
        #[cfg(not(feature = "sqlx-0_9"))]
        let event = None::<std::future::Ready<()>>;
        async move {
            match event {
                Some(event) => event.await,
                None => pending().await,
            }
        }
    }

    /// Whether others want its connections, so that none is kept without need.
    pub(crate) const fn is_shared(&self) -> bool {
        !matches!(self, Self::Url(_))
    }
}
