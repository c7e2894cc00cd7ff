use std::io;

use tokio::net::TcpStream;

/// Nothing to want.
#[derive(Clone, Default)]
pub(crate) struct TlsOptions {}

/// Never made.
#[derive(Debug, Clone)]
pub(crate) enum Tls {}

impl Tls {
    pub(crate) fn new(_: &TlsOptions) -> Result<Self, String> {
        Err("it asks for TLS, which needs the feature `tls-rustls`".to_owned())
    }

    pub(crate) async fn connect(&self, _: &str, _: TcpStream) -> io::Result<TcpStream> {
        match *self {}
    }
}
