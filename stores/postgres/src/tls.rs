//! TLS as `sslmode=require` asks for it, with the certificate and the host name verified.

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::ConnectError;

pub(crate) type Connector = MakeRustlsConnect;

/// Trusts the certificates in `roots`, in PEM format, or those that the system trusts.
pub(crate) fn connector(roots: Option<&[u8]>) -> Result<Connector, ConnectError> {
    let mut store = RootCertStore::empty();
    match roots {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(ConnectError::tls)?;
                store.add(certificate).map_err(ConnectError::tls)?;
            }
        }
        None => {
            let certificates = rustls_native_certs::load_native_certs().certs;
            store.add_parsable_certificates(certificates);
        }
    }
    if store.is_empty() {
        return Err(ConnectError::tls(NoRoots));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(ConnectError::tls)?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[derive(Debug)]
struct NoRoots;

impl fmt::Display for NoRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no root certificate to trust")
    }
}

impl std::error::Error for NoRoots {}
