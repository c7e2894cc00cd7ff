//! TLS as `require_ssl=true` asks for it, with the certificate and the host name verified.

use mysql_async::{Opts, OptsBuilder};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::ConnectError;

/// Trusts the certificates in `roots`, in PEM format, or those that the driver brings along. Changes
/// nothing where the URL does not ask for TLS.
pub(crate) fn with_roots(
    builder: OptsBuilder,
    roots: Option<Vec<u8>>,
) -> Result<OptsBuilder, ConnectError> {
    let Some(ssl) = Opts::from(builder.clone()).ssl_opts().cloned() else {
        return Ok(builder);
    };
    // The driver takes the cryptography that the process has agreed on, and there has to be one.
    // An application that has chosen before keeps its own.
    drop(rustls::crypto::ring::default_provider().install_default());
    let Some(pem) = roots else {
        return Ok(builder);
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    if certificates.is_ok_and(|certificates| !certificates.is_empty()) {
        let ssl = ssl.with_root_certs(vec![pem.into()]);
        Ok(builder.ssl_opts(ssl.with_disable_built_in_roots(true)))
    } else {
        Err(ConnectError::bad_roots())
    }
}
