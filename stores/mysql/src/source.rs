//! Where connections come from.

use mysql_async::{Opts, OptsBuilder};

use crate::ConnectError;

/// What the driver needs to know of a server. It may hold a password, so it is not shown.
pub(crate) struct Source(Opts);

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
        Ok(Self(builder.into()))
    }

    pub(crate) fn opts(&self) -> Opts {
        self.0.clone()
    }
}
