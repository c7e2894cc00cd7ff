//! What the shop answers, and how it uses its sessions.

use std::{future::Future, net::SocketAddr, pin::Pin};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse, Resource, Responder,
    dev::{HttpServiceFactory, Payload},
    http::{StatusCode, header, uri::Authority},
    middleware::DefaultHeaders,
    web::{self, Data, Form, Json, Path, Redirect},
};
use cloakroom::{
    Level, SessionError, SessionManager,
    actix::{CsrfMiddleware, Session, SessionMiddleware, SessionRejection, Sessions},
    store::SessionId,
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

pub(crate) fn routes(sessions: SessionManager) -> impl HttpServiceFactory {
    let page = |path, resource: fn(Resource) -> Resource| {
        let varies = DefaultHeaders::new().add((header::VARY, "Accept-Language"));
        resource(web::resource(path)).wrap(varies)
    };
    web::scope("")
        .service(page("/", |page| page.route(web::get().to(home))))
        .service(page("/cart", |page| page.route(web::get().to(cart))))
        .service(page("/login", |page| {
            page.route(web::get().to(login_form))
                .route(web::post().to(login))
        }))
        .service(page("/account", |page| page.route(web::get().to(account))))
        .route("/about", web::get().to(about))
        .route("/cart/add/{item}", web::post().to(add))
        .route("/cart/remove/{item}", web::post().to(remove))
        .route("/language/{code}", web::post().to(language))
        .route("/logout", web::post().to(logout))
        .route("/account/end/{id}", web::post().to(end_login))
        .route("/account/end-others", web::post().to(end_others))
        .route("/state", web::get().to(states))
        .route("/state/{namespace}", web::get().to(state_of))
        .route("/style.css", web::get().to(style))
        // No other site makes a visitor's browser buy, log in or log out.
        .wrap(CsrfMiddleware::new())
        .wrap(SessionMiddleware::new(sessions))
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

async fn add(
    request: HttpRequest,
    cart: Session<Cart>,
    item: Path<String>,
) -> Result<HttpResponse, SessionRejection> {
    let item = item.into_inner();
    if !is_item(&item) {
        return Ok(HttpResponse::NotFound().finish());
    }
    // When another request changes the cart at the same time, this runs again on what that one
    // has stored: both items are in it then.
    cart.update("items", move |items: &mut Items| {
        let count = items.entry(item.clone()).or_default();
        *count = count.saturating_add(1);
    })?;
    Ok(to("/cart", &request))
}

async fn remove(
    request: HttpRequest,
    cart: Session<Cart>,
    item: Path<String>,
) -> Result<HttpResponse, SessionRejection> {
    // Whoever has no cart gets none by this.
    if cart.contains("items") {
        let item = item.into_inner();
        cart.update("items", move |items: &mut Items| items.remove(&item))?;
    }
    Ok(to("/cart", &request))
}

async fn language(
    request: HttpRequest,
    prefs: Session<Prefs>,
    code: Path<String>,
) -> Result<HttpResponse, SessionRejection> {
    let Some(language) = Language::of_code(&code) else {
        return Ok(HttpResponse::NotFound().finish());
    };
    prefs.insert("language", language.code())?;
    Ok(to("/", &request))
}

/// `account` is `None` on plain http, where its condition does not hold.
async fn login_form(
    request: HttpRequest,
    account: Option<Session<Account>>,
    page: Page,
    https: Data<SocketAddr>,
) -> HttpResponse {
    match account {
        None => {
            let link = login_link(&request, **https);
            show(page.no_login_here(&link), &request)
        }
        Some(account) if account.subject().is_some() => to("/account", &request),
        Some(_) => show(page.login(false), &request),
    }
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

/// `Session<Account>` answers 403 on plain http.
async fn login(
    request: HttpRequest,
    account: Session<Account>,
    page: Page,
    form: Form<Credentials>,
) -> Result<HttpResponse, SessionRejection> {
    // A real application has a slow hash of the password, compares in constant time and counts
    // failures.
    if (form.username.as_str(), form.password.as_str()) != ("demo", "demo") {
        let mut form_again = show(page.login(true), &request);
        *form_again.status_mut() = StatusCode::UNAUTHORIZED;
        return Ok(form_again);
    }
    // From here on, every cookie that this session had before is worthless.
    account.login("demo")?;
    account.insert("name", "Dana Demo")?;
    let welcome = page.say("You are logged in.", "Sie sind angemeldet.");
    account.flash(Level::Success, welcome)?;
    Ok(to("/account", &request))
}

/// The cart and the language stay: they are sessions of their own.
async fn logout(
    request: HttpRequest,
    account: Session<Account>,
) -> Result<HttpResponse, SessionRejection> {
    account.logout()?;
    Ok(to("/login", &request))
}

async fn account(
    request: HttpRequest,
    account: Option<Session<Account>>,
    page: Page,
) -> Result<HttpResponse, SessionRejection> {
    let Some(account) = account else {
        return Ok(to("/login", &request));
    };
    let Some(subject) = account.subject() else {
        return Ok(to("/login", &request));
    };
    let name: String = account.get_or_default("name")?;
    let logins = logins(&account, &subject).await?;
    // Claimed before the page is made, so that of two pages at the same time one shows them.
    let messages = account.flashes().await?;
    Ok(show(page.account(&name, &logins, &messages), &request))
}

/// Ends one login of the visitor, in whichever browser it is.
async fn end_login(
    request: HttpRequest,
    account: Session<Account>,
    id: Path<String>,
) -> Result<HttpResponse, SessionRejection> {
    let Some(id) = SessionId::parse(&id) else {
        return Ok(HttpResponse::NotFound().finish());
    };
    // The one of this request has a cookie to remove, too.
    if account.id() == Some(id) {
        return logout(request, account).await;
    }
    // Ids are no secrets, so that of somebody else's session ends nothing.
    if let Some(subject) = account.subject() {
        account.subjects()?.end(&subject, id).await?;
    }
    Ok(to("/account", &request))
}

/// Leaves the visitor logged in here alone.
async fn end_others(
    request: HttpRequest,
    account: Session<Account>,
    page: Page,
) -> Result<HttpResponse, SessionRejection> {
    if account.subject().is_some() {
        account.end_others().await?;
        let ended = page.say(
            "You are logged in here alone.",
            "Sie sind nur noch hier angemeldet.",
        );
        account.flash(Level::Info, ended)?;
    }
    Ok(to("/account", &request))
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
    name: Path<String>,
) -> Result<HttpResponse, SessionRejection> {
    match sessions.open(&name).await {
        Ok(session) => Ok(HttpResponse::Ok().json(state(session)?)),
        Err(SessionError::UnknownNamespace { .. }) => Ok(HttpResponse::NotFound().finish()),
        Err(error) => Err(error.into()),
    }
}

async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .body(include_str!("../../shop/src/style.css"))
}

/// What all pages but one show: a handler asks for a `Page` and has read two sessions.
impl FromRequest for Page {
    type Error = SessionRejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, SessionRejection>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let prefs = Session::<Prefs>::from_request(request, payload);
        let cart = Session::<Cart>::from_request(request, payload);
        let accepted = request.headers().get(header::ACCEPT_LANGUAGE).cloned();
        Box::pin(async move {
            let (prefs, cart) = (prefs.await?, cart.await?);
            let accepted = accepted.as_ref().and_then(|header| header.to_str().ok());
            Ok(visitor::page(&prefs, &cart, accepted)?)
        })
    }
}

fn to(path: &'static str, request: &HttpRequest) -> HttpResponse {
    let redirect = Redirect::to(path).see_other().respond_to(request);
    redirect.map_into_boxed_body()
}

fn show(page: Markup, request: &HttpRequest) -> HttpResponse {
    page.respond_to(request).map_into_boxed_body()
}

/// Keeps the host, since cookies belong to one: `localhost` has other cookies than `127.0.0.1`.
fn login_link(request: &HttpRequest, https: SocketAddr) -> String {
    let host = request.headers().get(header::HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let host = authority.as_ref().map_or("localhost", Authority::host);
    format!("https://{host}:{}/login", https.port())
}
