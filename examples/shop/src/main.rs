//! A small shop with three sessions on one request: who is logged in, what is in the cart, and
//! which language the visitor reads.
//!
//! `cargo run -p shop` opens it at <http://127.0.0.1:8080> and <https://127.0.0.1:8443>.
//!
//! Begin with `sessions.rs`, which says what sessions there are. `routes.rs` uses them, `pages.rs`
//! and `products.rs` know nothing of them, `state.rs` shows what a request sees of them. But for
//! `main.rs` and `routes.rs`, the shop on actix-web is made of the same files.

mod certificate;
mod language;
mod options;
mod pages;
mod products;
mod routes;
mod sessions;
mod state;
mod stores;
mod visitor;

use std::{error::Error, io, net::SocketAddr, process::ExitCode, time::Duration};

use axum::{Extension, Router};
use axum_server::{
    Handle, Server,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use cloakroom::{Panel, PanelError, PanelLayer, Scheme, Sweeper, minutes};
use tokio::{
    net::{TcpListener, TcpSocket},
    signal::unix::{SignalKind, signal},
};

use crate::{certificate::Certificate, options::Options};

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a program says why it ends")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop: {error}");
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
    let app = with_panel(routes::router(sessions, https_at))?;
    let closing_time = closing_time()?;
    let handle = Handle::<SocketAddr>::new();

    let http = Server::from_listener(http).handle(handle.clone()).serve(
        app.clone()
            .into_make_service_with_connect_info::<SocketAddr>(),
    );
    // This is how `request.is_https()` comes to know.
    let app = app.layer(Extension(Scheme::Https));
    let https = Server::from_listener(https)
        .acceptor(RustlsAcceptor::new(certificate().await?))
        .handle(handle.clone())
        .serve(app.into_make_service_with_connect_info::<SocketAddr>());
    tokio::spawn(async move {
        closing_time.await;
        // Takes no more requests, and ends when those under way are answered.
        handle.graceful_shutdown(Some(Duration::from_secs(10)));
    });

    println!("{}", options.greeting(http_at, https_at));
    if IS_DEVELOPMENT {
        println!("What its sessions are, and why: http://{http_at}/_cloakroom/");
    }
    tokio::try_join!(http, https)?;
    Ok(())
}

/// In the builds of `cargo run`, and not in those of `cargo run --release`.
const IS_DEVELOPMENT: bool = cfg!(debug_assertions);

/// The debug toolbar is for development: it shows what is in sessions.
fn with_panel(app: Router) -> Result<Router, PanelError> {
    if !IS_DEVELOPMENT {
        return Ok(app);
    }
    Ok(app.layer(PanelLayer::new(Panel::builder().build()?)))
}

fn listen(address: SocketAddr) -> Result<TcpListener, String> {
    let listening = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        // Of a crowd that comes at once, all but the usual 128 would wait a second at the door.
        socket.listen(1024)
    };
    listening().map_err(|error: io::Error| format!("can't listen on {address}: {error}"))
}

async fn certificate() -> Result<RustlsConfig, Box<dyn Error>> {
    let made = Certificate::make()?;
    Ok(RustlsConfig::from_der(vec![made.certificate], made.key).await?)
}

/// Waits for Ctrl-C or a polite `kill`, from the moment of the call on.
fn closing_time() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
