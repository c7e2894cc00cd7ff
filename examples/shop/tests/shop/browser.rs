//! A visitor's browser, as far as the shop needs one.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, StatusCode,
    body::Bytes,
    client::conn::http1,
    header::{self, HeaderName},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::ring,
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};

use crate::process::Shop;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Which of a shop's two doors.
#[derive(Clone, Copy)]
pub(crate) enum Door {
    Http(SocketAddr),
    Https(SocketAddr),
}

impl Shop {
    pub(crate) fn plain(&self) -> Door {
        Door::Http(self.http)
    }

    pub(crate) fn secure(&self) -> Door {
        Door::Https(self.https)
    }
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        let values = self.headers.get_all(header::SET_COOKIE).iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }

    /// Where a change sends the browser.
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{self:?}");
        self.headers[header::LOCATION].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Keeps cookies as browsers do, and leaves out those for https on plain http.
#[derive(Debug, Clone, Default)]
pub(crate) struct Browser {
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) languages: &'static str,
    /// Which proxy it goes by, if any.
    pub(crate) proxy: &'static str,
}

impl Browser {
    pub(crate) async fn get(&mut self, door: Door, path: &str) -> Reply {
        self.send(door, "GET", path, "").await.unwrap()
    }

    pub(crate) async fn post(&mut self, door: Door, path: &str) -> Reply {
        self.try_post(door, path).await.unwrap()
    }

    /// An error when the shop does not answer.
    pub(crate) async fn try_post(&mut self, door: Door, path: &str) -> Result<Reply, Failure> {
        self.send(door, "POST", path, "").await
    }

    pub(crate) async fn login(&mut self, shop: &Shop, password: &str) -> Reply {
        let form = format!("username=demo&password={password}");
        let reply = self.send(shop.secure(), "POST", "/login", &form).await;
        reply.unwrap()
    }

    pub(crate) async fn state(&mut self, door: Door, namespace: &str) -> Value {
        self.get(door, &format!("/state/{namespace}")).await.json()
    }

    /// The items in the cart, with their counts.
    pub(crate) async fn items(&mut self, shop: &Shop) -> BTreeMap<String, u32> {
        let mut state = self.state(shop.plain(), "cart").await;
        serde_json::from_value(state["values"]["items"].take()).unwrap()
    }

    pub(crate) async fn send(
        &mut self,
        door: Door,
        method: &str,
        path: &str,
        form: &str,
    ) -> Result<Reply, Failure> {
        let is_sent = |name: &str| matches!(door, Door::Https(_)) || !name.starts_with("__");
        let cookies = self.cookies.iter().filter(|(name, _)| is_sent(name));
        let cookies: Vec<_> = cookies.map(|(n, value)| format!("{n}={value}")).collect();
        let headers = [
            (header::COOKIE, cookies.join("; ")),
            (header::ACCEPT_LANGUAGE, self.languages.to_owned()),
            (header::VIA, self.proxy.to_owned()),
        ];
        let headers = headers.into_iter().filter(|(_, value)| !value.is_empty());
        let reply = send_with(door, method, path, headers, form).await?;
        for cookie in reply.set_cookies() {
            let (name, rest) = cookie.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            if attributes.ends_with("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(reply)
    }
}

/// One request on a connection of its own.
pub(crate) async fn send(
    door: Door,
    method: &str,
    path: &str,
    cookies: &str,
    form: &str,
) -> Result<Reply, Failure> {
    send_with(
        door,
        method,
        path,
        [(header::COOKIE, cookies.to_owned())],
        form,
    )
    .await
}

pub(crate) async fn send_with(
    door: Door,
    method: &str,
    path: &str,
    headers: impl IntoIterator<Item = (HeaderName, String)>,
    form: &str,
) -> Result<Reply, Failure> {
    let (Door::Http(address) | Door::Https(address)) = door;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, address.to_string())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::from(form.to_owned()))?;
    let stream = TcpStream::connect(address).await?;
    match door {
        Door::Http(_) => exchange(stream, request).await,
        Door::Https(_) => {
            let connector = TlsConnector::from(Arc::new(client_config()));
            let name = ServerName::from(address.ip());
            exchange(connector.connect(name, stream).await?, request).await
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Reply, Failure> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(Reply {
        status: head.status,
        headers: head.headers,
        body: String::from_utf8(body.into())?,
    })
}

fn client_config() -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth()
}

/// The shop makes its certificate when it starts, so the tests take any.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
