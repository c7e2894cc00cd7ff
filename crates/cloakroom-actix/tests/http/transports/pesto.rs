//! The query string, as Pesto has it.

use actix_web::{
    HttpResponse,
    http::header,
    web::{self, Redirect, ServiceConfig},
};
use cloakroom_actix::{Session, SessionMiddleware, SessionRejection, Sessions};
use cloakroom_core::{Namespace, SessionManager, Transport, store::Store};
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::{Fault, FaultyStore};

use crate::{
    browser::Cart,
    server::{Answer, Server},
};

type Page = Result<String, SessionRejection>;

async fn count(cart: Session<Cart>) -> Page {
    let visits = cart.update("visits", |visits: &mut u32| {
        *visits += 1;
        *visits
    })?;
    Ok(format!("{visits} {}", cart.url("/next?a=1")))
}

async fn read(cart: Session<Cart>) -> Page {
    let visits: u32 = cart.get_or_default("visits")?;
    Ok(format!("{visits} {:?}", cart.subject()))
}

async fn by_name(sessions: Sessions) -> Page {
    let cart = sessions.open("cart").await?;
    Ok(cart.map_or_else(String::new, |cart| cart.namespace().to_owned()))
}

async fn login(cart: Session<Cart>) -> Result<Redirect, SessionRejection> {
    cart.login("alice")?;
    Ok(Redirect::to("/read?from=login").see_other())
}

async fn logout(cart: Session<Cart>) -> Result<Redirect, SessionRejection> {
    cart.logout()?;
    Ok(Redirect::to("/static").see_other())
}

async fn leave(cart: Session<Cart>) -> Result<Redirect, SessionRejection> {
    cart.insert("left", true)?;
    Ok(Redirect::to("https://other.example/").see_other())
}

async fn cached(_: Session<Cart>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=600"))
        .insert_header((header::REFERRER_POLICY, "unsafe-url"))
        .body("page")
}

/// actix-web makes `None` of a redirect too, and calls the handler.
async fn optional(cart: Option<Session<Cart>>) -> String {
    cart.is_some().to_string()
}

fn routes(store: impl Store) -> impl Fn(&mut ServiceConfig) + Clone {
    let query = Transport::query("sid").unless(|request| request.header_is("user-agent", "bot"));
    let cart = Namespace::new("cart", store).transports([query]);
    let sessions = SessionManager::builder().namespace(cart).build().unwrap();
    move |config| {
        let home = web::resource("/")
            .route(web::get().to(count))
            .route(web::post().to(count));
        let shop =
            web::scope("/shop").service(web::scope("/items").route("/{id}", web::get().to(count)));
        config.service(
            web::scope("")
                .service(home)
                .service(shop)
                .route("/by-name", web::get().to(by_name))
                .route("/login", web::post().to(login))
                .route("/logout", web::post().to(logout))
                .route("/leave", web::get().to(leave))
                .route("/cached", web::get().to(cached))
                .route("/optional", web::get().to(optional))
                .route("/static", web::get().to(async || "static"))
                .default_service(web::to(read))
                .wrap(SessionMiddleware::new(sessions.clone())),
        );
    }
}

async fn server() -> (Server, MemoryStore) {
    let store = MemoryStore::new();
    (Server::of(routes(store.clone())), store)
}

fn assert_guarded(answer: &Answer) {
    assert_eq!(answer.all("referrer-policy"), ["no-referrer"]);
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    assert!(answer.all("set-cookie").is_empty());
    assert!(answer.all("vary").is_empty());
}

/// The token in an address.
fn token(address: &str) -> &str {
    let (_, token) = address.split_once("sid=").expect("a token");
    assert_eq!(token.len(), 64, "{address}");
    token
}

#[actix_web::test]
async fn pesto_p20_the_redirect_and_its_parameters() {
    let (server, store) = server().await;
    let answer = server.get("/?b=%2f+x&a=1&b=3&&c").await;
    assert_eq!(answer.status, 302);
    let location = answer.one("location").unwrap();
    assert!(
        location.starts_with("/?b=%2f+x&a=1&b=3&&c&sid="),
        "{location}"
    );
    assert_eq!(answer.text, "");
    assert_guarded(&answer);
    assert_eq!(store.stats().sessions, 1);
    let answer = server.get(location).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text, format!("1 /next?a=1&sid={}", token(location)));
    assert_guarded(&answer);
    let (_, answer) = server.follow(location).await;
    assert!(answer.text.starts_with("2 "), "{answer:?}");
    assert_eq!(store.stats().sessions, 1);
}

#[actix_web::test]
async fn pesto_p21_unknown_and_malformed_ids_lead_to_a_fresh_one() {
    let (server, _) = server().await;
    let unknown = "A".repeat(64);
    for sid in [
        &*unknown,
        "",
        "x",
        "%00",
        "..%2f..%2fetc%2fpasswd",
        &unknown[1..],
    ] {
        let answer = server.get(&format!("/?sid={sid}&a=1")).await;
        assert_eq!(answer.status, 302);
        let location = answer.one("location").unwrap();
        assert!(location.starts_with("/?a=1&sid="), "{location}");
        assert_ne!(token(location), unknown);
        let (address, answer) = server.follow(location).await;
        assert_eq!(address, location, "no loop");
        assert!(answer.text.starts_with("1 "));
    }
    let known = server.follow("/").await.0;
    let looks_like = format!("/?xsid={}", token(&known));
    let answer = server.get(&looks_like).await;
    assert_eq!(answer.status, 302, "Pesto's regex took this for its own");
}

#[actix_web::test]
async fn pesto_p22_head_and_post_are_not_redirected() {
    let (server, store) = server().await;
    let answer = server.send("HEAD", "/read", &[], "").await;
    assert_eq!(answer.status, 200);
    assert_guarded(&answer);
    assert_eq!(store.stats().sessions, 0);
    let answer = server.send("POST", "/", &[], "").await;
    assert_eq!((answer.status, answer.one("location")), (200, None));
    assert_eq!(answer.text, "1 /next?a=1", "not stored yet");
    assert_guarded(&answer);
    // What follows from a POST has its session.
    let answer = server.send("POST", "/login", &[], "").await;
    let location = answer.one("location").unwrap();
    assert!(location.starts_with("/read?from=login&sid="), "{location}");
    let (_, answer) = server.follow(location).await;
    assert_eq!(answer.text, "0 Some(\"alice\")");
}

#[actix_web::test]
async fn a_rotated_token_arrives_and_the_old_one_is_void() {
    let (server, _) = server().await;
    let (address, _) = server.follow("/").await;
    let before = token(&address).to_owned();
    let login = server
        .send("POST", &format!("/login?sid={before}"), &[], "")
        .await;
    let location = login.one("location").unwrap();
    let after = token(location);
    assert_ne!(after, before);
    assert_eq!(after[..21], before[..21], "the same session");
    let (address, answer) = server.follow(location).await;
    assert_eq!(address, location);
    assert_eq!(answer.text, "1 Some(\"alice\")");
    // A parallel request from before the login: empty, and told nothing.
    let late = server.get(&format!("/read?sid={before}")).await;
    assert_eq!((late.status, &*late.text), (200, "0 None"));
    let logout = server
        .send("POST", &format!("/logout?sid={after}"), &[], "")
        .await;
    assert_eq!(logout.one("location"), Some("/static"));
    let answer = server.get(&format!("/read?sid={after}")).await;
    assert_eq!(answer.status, 302);
}

#[actix_web::test]
async fn no_open_redirect() {
    let (server, _) = server().await;
    for (path, expected) in [
        ("//evil.example/x?a=1", "/.//evil.example/x?a=1&sid="),
        ("///evil.example", "/.///evil.example?sid="),
        ("/\\evil.example", "/./\\evil.example?sid="),
        ("/https://evil.example", "/https://evil.example?sid="),
        ("/?next=//evil.example", "/?next=//evil.example&sid="),
        ("/@evil.example", "/@evil.example?sid="),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 302, "{path}");
        let location = answer.one("location").unwrap();
        assert!(location.starts_with(expected), "{path}: {location}");
    }
    // Whoever sends another host is redirected to a path all the same.
    let absolute = server.get("http://evil.example/read?a=1").await;
    assert!(
        absolute
            .one("location")
            .unwrap()
            .starts_with("/read?a=1&sid=")
    );
    // And a token does not leave with the application's own redirects.
    let (address, _) = server.follow("/").await;
    let answer = server.get(&format!("/leave?sid={}", token(&address))).await;
    assert_eq!(answer.one("location"), Some("https://other.example/"));
    assert_guarded(&answer);
}

#[actix_web::test]
async fn crawlers_and_pages_without_a_session_are_left_alone() {
    let (server, store) = server().await;
    let answer = server
        .send("GET", "/read", &[("User-Agent", "bot")], "")
        .await;
    assert_eq!(answer.status, 200);
    let answer = server.get("/static").await;
    assert_eq!(
        (answer.status, answer.all("referrer-policy").len()),
        (200, 0)
    );
    assert_eq!(store.stats().sessions, 0);
}

#[actix_web::test]
async fn the_application_can_not_weaken_the_headers() {
    let (server, _) = server().await;
    let (address, _) = server.follow("/cached").await;
    assert_guarded(&server.get(&address).await);
}

#[actix_web::test]
async fn what_opens_by_name_is_redirected_too() {
    let (server, _) = server().await;
    assert_eq!(server.get("/by-name").await.status, 302);
    assert_eq!(server.follow("/by-name").await.1.text, "cart");
}

#[actix_web::test]
async fn so_is_what_a_handler_takes_as_an_option() {
    let (server, _) = server().await;
    assert_eq!(server.get("/optional").await.status, 302);
    assert_eq!(server.follow("/optional").await.1.text, "true");
}

#[actix_web::test]
async fn a_nested_route_is_redirected_to_its_whole_address() {
    let (server, _) = server().await;
    let answer = server.get("/shop/items/17?a=1").await;
    let location = answer.one("location").unwrap();
    assert!(
        location.starts_with("/shop/items/17?a=1&sid="),
        "{location}"
    );
    assert!(server.get(location).await.text.starts_with("1 "));
    assert!(server.get(location).await.text.starts_with("2 "));
}

#[actix_web::test]
async fn a_store_that_fails_answers_503() {
    let store = FaultyStore::new(MemoryStore::new());
    store.faults().always(Fault::BeforeEffect);
    let server = Server::of(routes(store));
    let answer = server.get("/").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.one("location"), None);
}
