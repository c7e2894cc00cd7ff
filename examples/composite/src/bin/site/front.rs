//! The front page, and logging in and out.

use axum::{
    Router,
    extract::Path,
    routing::{get, post},
};
use cloakroom::{Session, SessionRejection};
use composite::{Account, LANGUAGE, count, describe};

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/", get(home))
        .route("/login/{name}", post(login))
        .route("/logout", post(logout))
        .route("/visits", post(visit))
        .route("/language/{code}", post(language))
}

async fn home(account: Session<Account>) -> Result<String, SessionRejection> {
    Ok(format!("site: {}\n", describe(&account)?))
}

/// A real application asks for a password here, in a form with a token.
async fn login(
    account: Session<Account>,
    Path(name): Path<String>,
) -> Result<String, SessionRejection> {
    account.login(name.as_str())?;
    Ok(format!("site: welcome, {name}\n"))
}

/// Ends the session for every program that has it.
async fn logout(account: Session<Account>) -> Result<&'static str, SessionRejection> {
    account.logout()?;
    Ok("site: good bye\n")
}

async fn visit(account: Session<Account>) -> Result<&'static str, SessionRejection> {
    count(&account)?;
    Ok("site: counted\n")
}

async fn language(
    account: Session<Account>,
    Path(code): Path<String>,
) -> Result<&'static str, SessionRejection> {
    account.insert(LANGUAGE, code)?;
    Ok("site: your language is set\n")
}
