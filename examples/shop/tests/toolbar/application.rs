//! An application of the tests' own, with what the shop has not: values that mean harm, and pages
//! with policies.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, RawQuery},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use axum_server::Handle;
use cloakroom::{
    MemoryStore, Namespace, NamespaceName, Panel, PanelLayer, Session, SessionLayer,
    SessionManager, SessionRejection,
};

use crate::hostile::HOSTILE;

struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

/// Runs until it is dropped.
pub(crate) struct Application {
    address: SocketAddr,
    handle: Handle<SocketAddr>,
}

impl Application {
    pub(crate) fn start() -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap())
    }

    /// Ends it, and starts it again where it was.
    pub(crate) async fn restart(self) -> Self {
        let address = self.address;
        drop(self);
        while TcpStream::connect(address).is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self::listen(address)
    }

    fn listen(address: SocketAddr) -> Self {
        let cart = Namespace::new(Cart::NAME, MemoryStore::new()).insecure_http();
        let sessions = SessionManager::builder().namespace(cart).build().unwrap();
        let panel = Panel::builder().mask("shoe_size").build().unwrap();
        let app = Router::new()
            .route("/fill", get(fill))
            .route("/enter", get(enter))
            .route("/about", get(async || Html("<body><p>About</p></body>")))
            .route("/policy/{policy}", get(policy))
            .layer(SessionLayer::new(sessions))
            .layer(PanelLayer::new(panel))
            // Browsers ask for it whenever they like: it is not recorded.
            .route("/favicon.ico", get(async || StatusCode::NO_CONTENT));
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let handle = Handle::new();
        let server = axum_server::from_tcp(listener)
            .unwrap()
            .handle(handle.clone());
        tokio::spawn(server.serve(app.into_make_service_with_connect_info::<SocketAddr>()));
        Self { address, handle }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

async fn fill(cart: Session<Cart>) -> Result<Html<&'static str>, SessionRejection> {
    cart.insert("hostile", HOSTILE)?;
    cart.insert(HOSTILE, 1)?;
    cart.insert("password", "correct horse")?;
    cart.insert("shoe_size", 43)?;
    cart.insert("long", (0..200).collect::<Vec<u32>>())?;
    Ok(Html(
        "<!doctype html><html lang=en><title>Filled</title><body><p>Filled</p></body></html>",
    ))
}

/// Logs somebody in as nobody should.
async fn enter(cart: Session<Cart>) -> Result<Html<&'static str>, SessionRejection> {
    cart.insert("user_id", 7)?;
    Ok(Html(
        "<!doctype html><html lang=en><title>In</title><body><p>In</p></body></html>",
    ))
}

/// A page with this policy; `-` for none. Its own style has the nonce `n0nce`.
async fn policy(Path(policy): Path<String>, RawQuery(kind): RawQuery) -> Response {
    let kind = match kind.as_deref() {
        Some("xhtml") => "application/xhtml+xml",
        _ => "text/html; charset=utf-8",
    };
    let page = "<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head><title>A page</title></head>\
                <body><p>A page</p></body></html>";
    let mut response = ([(header::CONTENT_TYPE, kind)], page).into_response();
    if policy != "-" {
        let name = header::CONTENT_SECURITY_POLICY;
        response.headers_mut().insert(name, policy.parse().unwrap());
    }
    response
}
