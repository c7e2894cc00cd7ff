//! A small shop with three sessions on one request: who is logged in, what is in the cart, and
//! which language the visitor reads.
//!
//! `cargo run -p shop` opens it at <http://127.0.0.1:8080> and <https://127.0.0.1:8443>.
//!
//! Begin with `sessions.rs`, which says what sessions there are. `routes.rs` uses them, `pages.rs`
//! and `products.rs` know nothing of them, `state.rs` shows what a request sees of them.

mod language;
mod pages;
mod products;
mod routes;
mod sessions;
mod state;
mod stores;

use std::{error::Error, io, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

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

    println!("listening on http://{http_at} and https://{https_at}");
    match options.store {
        None => println!(
            "The shop is open. What it keeps lies in {:?}.",
            options.data
        ),
        Some(_) => println!("The shop is open. Its sessions are in the store that you named."),
    }
    if IS_DEVELOPMENT {
        println!("What its sessions are, and why: http://{http_at}/_cloakroom/");
    }
    println!("Your browser will warn of its certificate, which it has just made itself.");
    println!("Ctrl-C closes it.");
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

struct Options {
    http: SocketAddr,
    https: SocketAddr,
    data: PathBuf,
    store: Option<String>,
}

impl Options {
    fn usage() -> String {
        format!(
            "options: --http ADDRESS:PORT --https ADDRESS:PORT --data FOLDER --store STORE, which is \
             {}",
            stores::ADDRESSES
        )
    }

    /// Where sessions are kept: in files, unless something else was asked for.
    fn store(&self) -> String {
        let files = || format!("file:{}", self.data.join("sessions").display());
        self.store.clone().unwrap_or_else(files)
    }

    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            http: SocketAddr::from(([127, 0, 0, 1], 8080)),
            https: SocketAddr::from(([127, 0, 0, 1], 8443)),
            data: PathBuf::from("data/shop"),
            store: None,
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(Self::usage)?;
            let address = || value.parse().map_err(|_| Self::usage());
            match name.as_str() {
                "--http" => options.http = address()?,
                "--https" => options.https = address()?,
                "--data" => options.data = value.into(),
                "--store" => options.store = Some(value),
                _ => return Err(Self::usage().into()),
            }
        }
        Ok(options)
    }
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
    // Fails only when there is a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = made.signing_key.serialize_der();
    Ok(RustlsConfig::from_der(vec![made.cert.der().to_vec()], key).await?)
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
