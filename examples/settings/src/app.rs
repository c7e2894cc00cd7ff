//! The application. It says nothing of where its sessions are, or for how long.

use std::collections::BTreeMap;

use axum::{
    Router,
    extract::Path,
    routing::{get, post},
};
use cloakroom::{NamespaceName, Session, SessionLayer, SessionManager, SessionRejection, Sessions};

/// Who is logged in.
struct Account;

impl NamespaceName for Account {
    const NAME: &'static str = "account";
}

/// What the visitor is about to buy.
struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

/// Which language the visitor reads.
struct Prefs;

impl NamespaceName for Prefs {
    const NAME: &'static str = "prefs";
}

/// How many of each item.
type Items = BTreeMap<String, u32>;

pub(crate) fn router(sessions: SessionManager) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/cart/add/{item}", post(add))
        .route("/language/{code}", post(language))
        .route("/account", get(account))
        .route("/account/login/{name}", post(login))
        .route("/account/logout", post(logout))
        .layer(SessionLayer::new(sessions))
}

async fn home(
    sessions: Sessions,
    cart: Session<Cart>,
    prefs: Session<Prefs>,
) -> Result<String, SessionRejection> {
    let items: Items = cart.get_or_default("items")?;
    let language: Option<String> = prefs.get("language")?;
    let account = if sessions.is_open("account")? {
        "open"
    } else {
        "closed"
    };
    Ok(format!(
        "{} items, language {}, account {account}\n",
        items.values().sum::<u32>(),
        language.as_deref().unwrap_or("en"),
    ))
}

async fn add(cart: Session<Cart>, Path(item): Path<String>) -> Result<String, SessionRejection> {
    let added = format!("{item} is in the cart\n");
    // Runs again when another request changes the cart at the same time.
    cart.update("items", move |items: &mut Items| {
        let count = items.entry(item.clone()).or_default();
        *count = count.saturating_add(1);
    })?;
    Ok(added)
}

async fn language(
    prefs: Session<Prefs>,
    Path(code): Path<String>,
) -> Result<&'static str, SessionRejection> {
    prefs.insert("language", code)?;
    Ok("your language is set\n")
}

async fn account(account: Session<Account>) -> String {
    match account.subject() {
        Some(name) => format!("logged in as {name}\n"),
        None => "nobody is logged in\n".to_owned(),
    }
}

/// A real application asks for a password here.
async fn login(
    account: Session<Account>,
    Path(name): Path<String>,
) -> Result<String, SessionRejection> {
    account.login(name.as_str())?;
    Ok(format!("welcome, {name}\n"))
}

async fn logout(account: Session<Account>) -> Result<&'static str, SessionRejection> {
    account.logout()?;
    Ok("good bye\n")
}
