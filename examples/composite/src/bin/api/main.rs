//! The api: another program of the domain, without axum. It has the session of the site, and one
//! of its own that the site never sees.
//!
//! `cargo run -p composite --bin api -- --insecure-http` opens it at
//! <http://api.shop.localhost:8084>; the site's `main.rs` says what to do with it. `service.rs` is
//! the api; what is below here is a server for any tower service.

mod service;

use std::{error::Error, io, process::ExitCode, time::Duration};

use cloakroom::{FileStore, Namespace, SessionManager};
use composite::Options;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a program says why it ends")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("api: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program says where it listens")]
async fn run() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let options = Options::read(8084, std::env::args().skip(1))?;
    let sessions = sessions(composite::store(&options.data)?, &options)?;
    let service = service::new(sessions, options.csrf()?);

    let listener = TcpListener::bind(options.http).await?;
    println!("listening on http://{}", listener.local_addr()?);
    println!("{}", options.about_cookies());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // As a rule there are too many connections: some end in a moment.
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        let service = TowerToHyperService::new(service.clone());
        // The timer ends connections whose client never sends a whole head.
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        // One that breaks concerns its client alone.
        tokio::spawn(connection);
    }
}

fn sessions(store: FileStore, options: &Options) -> Result<SessionManager, Box<dyn Error>> {
    let sessions = SessionManager::builder()
        .namespace(composite::account(store.clone(), options))
        .namespace(options.over(Namespace::new(service::CALLS, store)))
        .build()?;
    Ok(sessions)
}
