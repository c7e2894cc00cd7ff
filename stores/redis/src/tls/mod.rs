//! TLS, if the feature `tls-rustls` is there.

#[cfg(not(feature = "tls-rustls"))]
mod disabled;
#[cfg(feature = "tls-rustls")]
mod enabled;

#[cfg(not(feature = "tls-rustls"))]
pub(crate) use disabled::{Tls, TlsOptions};
#[cfg(feature = "tls-rustls")]
pub(crate) use enabled::{Tls, TlsOptions};
