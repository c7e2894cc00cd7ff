//! The site: one program, one session layer, three applications mounted in it.
//!
//! ```text
//! cargo run -p composite -- --insecure-http              # http://www.shop.localhost:8083
//! cargo run -p composite --bin api -- --insecure-http    # http://api.shop.localhost:8084
//! ```
//!
//! Then, from another terminal (curl and browsers know that names below `localhost` are this
//! machine):
//!
//! ```text
//! curl -c jar -b jar -X POST www.shop.localhost:8083/login/dana
//! curl -c jar -b jar -X POST api.shop.localhost:8084/visits
//! curl -c jar -b jar www.shop.localhost:8083/
//! curl -c jar -b jar -X POST www.shop.localhost:8083/shop/add/apple
//! curl -c jar -b jar -X POST www.shop.localhost:8083/admin/enter
//! curl -c jar -b jar -X POST api.shop.localhost:8084/logout
//! ```
//!
//! `front.rs` and `shop.rs` live on the sessions of the layer around them; `admin.rs` brings one of
//! its own; `mount.rs` finds out at the start whether the two go together.

mod admin;
mod front;
mod mount;
mod shop;

use std::{error::Error, io, process::ExitCode};

use axum::Router;
use cloakroom::{
    FileStore, Namespace, NamespaceName, SessionLayer, SessionManager, Sweeper, days, minutes,
};
use composite::Options;
use tokio::net::TcpListener;

use crate::shop::Cart;

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a program says why it ends")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("site: {error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program says where it listens")]
async fn run() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let options = Options::read(8083, std::env::args().skip(1))?;
    let store = composite::store(&options.data)?;
    let sessions = sessions(store.clone(), &options)?;
    // One of the programs that share a store is enough to sweep it.
    let _sweeping = Sweeper::new(&sessions).every(minutes(10)).spawn()?;

    let app = Router::new()
        .merge(front::routes())
        .nest("/shop", shop::routes());
    let app = mount::at(
        app,
        "/admin",
        admin::application(store, &options)?,
        &sessions,
    )?;
    let app = app
        .layer(options.csrf()?)
        .layer(SessionLayer::new(sessions));

    let listener = TcpListener::bind(options.http).await?;
    println!("listening on http://{}", listener.local_addr()?);
    println!("{}", options.about_cookies());
    axum::serve(listener, app).await?;
    Ok(())
}

/// The sessions that every application of this program may use.
fn sessions(store: FileStore, options: &Options) -> Result<SessionManager, Box<dyn Error>> {
    // Of this host alone: no other host is sent its cookie, nor can set it (`__Host-cart`).
    let cart = Namespace::new(Cart::NAME, store.clone()).persistent(days(30));
    let sessions = SessionManager::builder()
        .namespace(composite::account(store, options))
        .namespace(options.over(cart))
        .build()?;
    Ok(sessions)
}
