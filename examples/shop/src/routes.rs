//! What the shop answers, and how it uses its sessions.

use std::net::SocketAddr;

use axum::{
    Form, Json, RequestPartsExt, Router,
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts, uri::Authority},
    middleware::map_response,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use cloakroom::{
    CsrfLayer, Level, Session, SessionError, SessionLayer, SessionManager, SessionRejection,
    Sessions, store::SessionId,
};
use maud::Markup;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    language::Language,
    pages::{self, Page},
    products::is_item,
    sessions::{Account, Cart, Prefs},
    state::state,
    visitor::{self, Items, logins},
};

pub(crate) fn router(sessions: SessionManager, https: SocketAddr) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/cart", get(cart))
        .route("/login", get(login_form).post(login))
        .route("/account", get(account))
        .layer(map_response(vary_on_language))
        .route("/about", get(about))
        .route("/cart/add/{item}", post(add))
        .route("/cart/remove/{item}", post(remove))
        .route("/language/{code}", post(language))
        .route("/logout", post(logout))
        .route("/account/end/{id}", post(end_login))
        .route("/account/end-others", post(end_others))
        .route("/state", get(states))
        .route("/state/{namespace}", get(state_of))
        .route("/style.css", get(style))
        // No other site makes a visitor's browser buy, log in or log out.
        .layer(CsrfLayer::new())
        .layer(SessionLayer::new(sessions))
        .with_state(https)
}

async fn home(page: Page) -> Markup {
    page.home()
}

/// Asks for no session, so none is read and no header is set.
async fn about() -> Markup {
    pages::about()
}

async fn cart(page: Page, cart: Session<Cart>) -> Result<Markup, SessionRejection> {
    Ok(page.cart(&cart.get_or_default("items")?))
}

async fn add(cart: Session<Cart>, Path(item): Path<String>) -> Result<Response, SessionRejection> {
    if !is_item(&item) {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    // When another request changes the cart at the same time, this runs again on what that one
    // has stored: both items are in it then.
    cart.update("items", move |items: &mut Items| {
        let count = items.entry(item.clone()).or_default();
        *count = count.saturating_add(1);
    })?;
    Ok(Redirect::to("/cart").into_response())
}

async fn remove(
    cart: Session<Cart>,
    Path(item): Path<String>,
) -> Result<Redirect, SessionRejection> {
    // Whoever has no cart gets none by this.
    if cart.contains("items") {
        cart.update("items", move |items: &mut Items| items.remove(&item))?;
    }
    Ok(Redirect::to("/cart"))
}

async fn language(
    prefs: Session<Prefs>,
    Path(code): Path<String>,
) -> Result<Response, SessionRejection> {
    let Some(language) = Language::of_code(&code) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    prefs.insert("language", language.code())?;
    Ok(Redirect::to("/").into_response())
}

/// `account` is `None` on plain http, where its condition does not hold.
async fn login_form(
    account: Option<Session<Account>>,
    page: Page,
    State(https): State<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    match account {
        None => page
            .no_login_here(&login_link(&headers, https))
            .into_response(),
        Some(account) if account.subject().is_some() => Redirect::to("/account").into_response(),
        Some(_) => page.login(false).into_response(),
    }
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

/// `Session<Account>` answers 403 on plain http.
async fn login(
    account: Session<Account>,
    page: Page,
    Form(form): Form<Credentials>,
) -> Result<Response, SessionRejection> {
    // A real application has a slow hash of the password, compares in constant time and counts
    // failures.
    if (form.username.as_str(), form.password.as_str()) != ("demo", "demo") {
        let form_again = page.login(true);
        return Ok((StatusCode::UNAUTHORIZED, form_again).into_response());
    }
    // From here on, every cookie that this session had before is worthless.
    account.login("demo")?;
    account.insert("name", "Dana Demo")?;
    let welcome = page.say("You are logged in.", "Sie sind angemeldet.");
    account.flash(Level::Success, welcome)?;
    Ok(Redirect::to("/account").into_response())
}

/// The cart and the language stay: they are sessions of their own.
async fn logout(account: Session<Account>) -> Result<Redirect, SessionRejection> {
    account.logout()?;
    Ok(Redirect::to("/login"))
}

async fn account(
    account: Option<Session<Account>>,
    page: Page,
) -> Result<Response, SessionRejection> {
    let Some(account) = account else {
        return Ok(Redirect::to("/login").into_response());
    };
    let Some(subject) = account.subject() else {
        return Ok(Redirect::to("/login").into_response());
    };
    let name: String = account.get_or_default("name")?;
    let logins = logins(&account, &subject).await?;
    // Claimed before the page is made, so that of two pages at the same time one shows them.
    let messages = account.flashes().await?;
    Ok(page.account(&name, &logins, &messages).into_response())
}

/// Ends one login of the visitor, in whichever browser it is.
async fn end_login(
    account: Session<Account>,
    Path(id): Path<String>,
) -> Result<Response, SessionRejection> {
    let Some(id) = SessionId::parse(&id) else {
        return Ok(StatusCode::NOT_FOUND.into_response());
    };
    // The one of this request has a cookie to remove, too.
    if account.id() == Some(id) {
        return Ok(logout(account).await?.into_response());
    }
    // Ids are no secrets, so that of somebody else's session ends nothing.
    if let Some(subject) = account.subject() {
        account.subjects()?.end(&subject, id).await?;
    }
    Ok(Redirect::to("/account").into_response())
}

/// Leaves the visitor logged in here alone.
async fn end_others(account: Session<Account>, page: Page) -> Result<Redirect, SessionRejection> {
    if account.subject().is_some() {
        account.end_others().await?;
        let ended = page.say(
            "You are logged in here alone.",
            "Sie sind nur noch hier angemeldet.",
        );
        account.flash(Level::Info, ended)?;
    }
    Ok(Redirect::to("/account"))
}

async fn states(sessions: Sessions) -> Result<Json<Value>, SessionRejection> {
    let mut states = Map::new();
    for name in sessions.names() {
        states.insert(name.to_owned(), state(sessions.open(name).await?)?);
    }
    Ok(Json(states.into()))
}

/// Opens this session and no other.
async fn state_of(
    sessions: Sessions,
    Path(name): Path<String>,
) -> Result<Response, SessionRejection> {
    match sessions.open(&name).await {
        Ok(session) => Ok(Json(state(session)?).into_response()),
        Err(SessionError::UnknownNamespace { .. }) => Ok(StatusCode::NOT_FOUND.into_response()),
        Err(error) => Err(error.into()),
    }
}

async fn style() -> impl IntoResponse {
    let css = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (css, include_str!("style.css"))
}

/// What all pages but one show: a handler asks for a `Page` and has read two sessions.
impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = SessionRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, SessionRejection> {
        let prefs = parts.extract_with_state::<Session<Prefs>, _>(state).await?;
        let cart = parts.extract_with_state::<Session<Cart>, _>(state).await?;
        let accepted = parts.headers.get(header::ACCEPT_LANGUAGE);
        let accepted = accepted.and_then(|header| header.to_str().ok());
        Ok(visitor::page(&prefs, &cart, accepted)?)
    }
}

async fn vary_on_language(mut response: Response) -> Response {
    let language = HeaderValue::from_static("Accept-Language");
    response.headers_mut().append(header::VARY, language);
    response
}

/// Keeps the host, since cookies belong to one: `localhost` has other cookies than `127.0.0.1`.
fn login_link(headers: &HeaderMap, https: SocketAddr) -> String {
    let host = headers.get(header::HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let host = authority.as_ref().map_or("localhost", Authority::host);
    format!("https://{host}:{}/login", https.port())
}
