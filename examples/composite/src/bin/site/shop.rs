//! The shop. It is mounted somewhere, and knows the sessions around it by their names alone.

use axum::{
    Router,
    extract::Path,
    routing::{get, post},
};
use cloakroom::{Key, NamespaceName, Session, SessionRejection};
use composite::Account;

/// What the visitor is about to buy.
pub(crate) struct Cart;

impl NamespaceName for Cart {
    const NAME: &'static str = "cart";
}

const ITEMS: Key<Vec<String>> = Key::new("items");

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/", get(cart))
        .route("/add/{item}", post(add))
}

async fn cart(account: Session<Account>, cart: Session<Cart>) -> Result<String, SessionRejection> {
    let name = account.subject();
    let name = name.map_or_else(|| "a visitor".to_owned(), |name| name.to_string());
    let items = cart.get_or_default(ITEMS)?;
    Ok(format!("shop: {name} has [{}]\n", items.join(", ")))
}

async fn add(cart: Session<Cart>, Path(item): Path<String>) -> Result<String, SessionRejection> {
    let added = format!("shop: {item} is in the cart\n");
    cart.update(ITEMS, move |items| items.push(item.clone()))?;
    Ok(added)
}
