//! The shop on actix-web. It is made of the files of `examples/shop`, but for this one and
//! `routes.rs`: those alone know which framework they run on.
//!
//! `cargo run -p shop-actix` opens it at <http://127.0.0.1:8080> and <https://127.0.0.1:8443>.

#[path = "../../shop/src/certificate.rs"]
mod certificate;
#[path = "../../shop/src/language.rs"]
mod language;
#[path = "../../shop/src/options.rs"]
mod options;
#[path = "../../shop/src/pages.rs"]
mod pages;
#[path = "../../shop/src/products.rs"]
mod products;
mod routes;
#[path = "../../shop/src/sessions.rs"]
mod sessions;
#[path = "../../shop/src/state.rs"]
mod state;
#[path = "../../shop/src/stores.rs"]
mod stores;
#[path = "../../shop/src/visitor.rs"]
mod visitor;

use std::{
    error::Error,
    io,
    net::{SocketAddr, TcpListener},
    process::ExitCode,
};

use actix_web::{App, HttpServer, web};
use cloakroom::{Panel, PanelError, Sweeper, actix::PanelMiddleware, minutes};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};

use crate::{certificate::Certificate, options::Options};

#[actix_web::main]
#[expect(clippy::print_stderr, reason = "a program says why it ends")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop-actix: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program says where it listens")]
async fn run() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let options = Options::read(std::env::args().skip(1))?;

    std::fs::create_dir_all(&options.data)?;
    let store = stores::open(&options.store()).await?;
    let sessions = sessions::manager(&options.data, store)?;
    let _sweeping = Sweeper::new(&sessions).every(minutes(10)).spawn()?;

    let (http, https) = (listen(options.http)?, listen(options.https)?);
    let (http_at, https_at) = (http.local_addr()?, https.local_addr()?);
    let panel = panel()?;
    // Called once for each worker; all of them have the one manager, and the one panel.
    let app = move || {
        App::new()
            .app_data(web::Data::new(https_at))
            .service(routes::routes(sessions.clone()))
            .wrap(PanelMiddleware::new(panel.clone()))
    };
    // Of https, actix-web tells each request itself: this is how `request.is_https()` comes to know.
    let server = HttpServer::new(app)
        .shutdown_timeout(10)
        .listen(http)?
        .listen_rustls_0_23(https, tls()?)?
        .run();
    println!("{}", options.greeting(http_at, https_at));
    if IS_DEVELOPMENT {
        println!("What its sessions are, and why: http://{http_at}/_cloakroom/");
    }
    server.await?;
    Ok(())
}

/// In the builds of `cargo run`, and not in those of `cargo run --release`.
const IS_DEVELOPMENT: bool = cfg!(debug_assertions);

/// The debug toolbar is for development: it shows what is in sessions.
fn panel() -> Result<Option<Panel>, PanelError> {
    match IS_DEVELOPMENT {
        true => Panel::builder().build().map(Some),
        false => Ok(None),
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).map_err(|error| format!("can't listen on {address}: {error}"))
}

fn tls() -> Result<ServerConfig, Box<dyn Error>> {
    let made = Certificate::make()?;
    let chain = vec![CertificateDer::from(made.certificate)];
    let key = PrivatePkcs8KeyDer::from(made.key).into();
    let config = ServerConfig::builder().with_no_client_auth();
    Ok(config.with_single_cert(chain, key)?)
}
