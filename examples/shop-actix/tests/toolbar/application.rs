//! An application of the tests' own, with what the shop has not: values that mean harm, and pages
//! with policies.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::header,
    web::{self, Html, Path},
};
use cloakroom::{
    MemoryStore, Namespace, NamespaceName, Panel, SessionManager,
    actix::{PanelMiddleware, Session, SessionMiddleware, SessionRejection},
};

use crate::hostile::HOSTILE;

struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

/// Runs until it is dropped.
pub(crate) struct Application {
    address: SocketAddr,
    handle: ServerHandle,
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
        let app = move || {
            let recorded = web::scope("")
                .route("/fill", web::get().to(fill))
                .route("/enter", web::get().to(enter))
                .route("/about", web::get().to(about))
                .route("/policy/{policy}", web::get().to(policy))
                .wrap(SessionMiddleware::new(sessions.clone()))
                .wrap(PanelMiddleware::new(panel.clone()));
            // Browsers ask for it whenever they like: it is not recorded.
            let icon = web::get().to(HttpResponse::NoContent);
            App::new().route("/favicon.ico", icon).service(recorded)
        };
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let server = HttpServer::new(app).workers(2).disable_signals();
        let server = server.listen(listener).unwrap().run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { address, handle }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // It is told at once; only who wants to wait for it awaits this.
        drop(self.handle.stop(false));
    }
}

async fn fill(cart: Session<Cart>) -> Result<Html, SessionRejection> {
    cart.insert("hostile", HOSTILE)?;
    cart.insert(HOSTILE, 1)?;
    cart.insert("password", "correct horse")?;
    cart.insert("shoe_size", 43)?;
    cart.insert("long", (0..200).collect::<Vec<u32>>())?;
    Ok(Html::new(
        "<!doctype html><html lang=en><title>Filled</title><body><p>Filled</p></body></html>",
    ))
}

/// Logs somebody in as nobody should.
async fn enter(cart: Session<Cart>) -> Result<Html, SessionRejection> {
    cart.insert("user_id", 7)?;
    Ok(Html::new(
        "<!doctype html><html lang=en><title>In</title><body><p>In</p></body></html>",
    ))
}

async fn about() -> Html {
    Html::new("<body><p>About</p></body>")
}

/// A page with this policy; `-` for none. Its own style has the nonce `n0nce`.
async fn policy(policy: Path<String>, request: HttpRequest) -> HttpResponse {
    let kind = match request.query_string() {
        "xhtml" => "application/xhtml+xml",
        _ => "text/html; charset=utf-8",
    };
    let page = "<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><head><title>A page</title></head>\
                <body><p>A page</p></body></html>";
    let mut response = HttpResponse::Ok();
    if *policy != "-" {
        response.insert_header((header::CONTENT_SECURITY_POLICY, &**policy));
    }
    response.content_type(kind).body(page)
}
