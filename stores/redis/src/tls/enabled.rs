use std::{io, sync::Arc};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};

/// What the application wants.
#[derive(Clone, Default)]
pub(crate) struct TlsOptions {
    /// PEM: whom to trust instead of those whom the system trusts.
    pub(crate) roots: Option<Vec<u8>>,
    /// PEM: a certificate chain, and its key, to show to the server.
    pub(crate) identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// How to speak TLS; made once, for all connections.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
}

impl Tls {
    pub(crate) fn new(options: &TlsOptions) -> Result<Self, String> {
        // Named, because the process may have several providers and no default.
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots(options)?);
        let config = match &options.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
                let chain = chain.map_err(|_| "the client's certificates are no PEM")?;
                let key = PrivateKeyDer::from_pem_slice(key);
                let key = key.map_err(|_| "the client's key is no PEM")?;
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|error| format!("the client's certificate: {error}"))?
            }
        };
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    pub(crate) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        self.connector.connect(name, stream).await
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

fn roots(options: &TlsOptions) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match &options.roots {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| "the root certificates are no PEM")?;
                let added = roots.add(certificate);
                added.map_err(|error| format!("a root certificate: {error}"))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err("there are no root certificates to trust".to_owned());
    }
    Ok(roots)
}
