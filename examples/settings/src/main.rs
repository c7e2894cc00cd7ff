//! An application with three sessions, all of which come from one file.
//!
//! ```text
//! cargo run -p settings                                    # with examples/settings/sessions.toml
//! cargo run -p settings -- FILE --http 127.0.0.1:8082      # with another file
//! cargo run -p settings -- FILE --check                    # says what is wrong, and ends
//! SHOP__NAMESPACES__CART__PERSISTENT=7d cargo run -p settings
//! ```
//!
//! Then, from another terminal:
//!
//! ```text
//! curl -c jar -b jar -X POST localhost:8081/cart/add/apple
//! curl -c jar -b jar -X POST localhost:8081/language/de
//! curl -c jar -b jar -X POST localhost:8081/account/login/dana
//! curl -c jar -b jar localhost:8081/
//! curl -c jar -b jar localhost:8081/account
//! ```
//!
//! Misspell something in the file, and start it again: it says which line it is, and what you may
//! have meant. `app.rs` is the application; it knows the names of the sessions and nothing else of
//! them: neither store, nor key, nor cookie.

mod app;

use std::{error::Error, net::SocketAddr, path::PathBuf, process::ExitCode};

use cloakroom::Settings;
use tokio::net::TcpListener;

#[tokio::main]
#[expect(clippy::print_stderr, reason = "a program says why it ends")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "a program says where it listens")]
async fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::read(std::env::args().skip(1))?;
    let settings = settings(options.file);
    if options.only_check {
        settings.check()?;
        println!("The settings are good.");
        return Ok(());
    }
    let sessions = settings.build().await?;
    let _sweeping = sessions.sweeper().spawn()?;

    let listener = TcpListener::bind(options.http).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app::router(sessions.into_manager())).await?;
    Ok(())
}

/// The file, variables over it, and the condition of one namespace, which only code can say.
fn settings(file: PathBuf) -> Settings {
    Settings::from_file(file)
        .env("SHOP")
        .namespace("account", |account| {
            account.only_if(|request| request.path().starts_with("/account"))
        })
}

struct Options {
    file: PathBuf,
    http: SocketAddr,
    only_check: bool,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            file: PathBuf::from("examples/settings/sessions.toml"),
            http: SocketAddr::from(([127, 0, 0, 1], 8081)),
            only_check: false,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--check" => options.only_check = true,
                "--http" => {
                    let address = arguments.next().unwrap_or_default();
                    options.http = address.parse()?;
                }
                name if name.starts_with('-') => {
                    return Err("options: FILE --http ADDRESS:PORT --check".into());
                }
                _ => options.file = argument.into(),
            }
        }
        Ok(options)
    }
}
