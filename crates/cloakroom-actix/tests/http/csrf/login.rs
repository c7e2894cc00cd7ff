//! A login form that is protected: nobody is logged in by another site, as somebody else.

use actix_web::{
    http::header,
    web::{self, Html},
};
use cloakroom_actix::{CsrfForm, CsrfMiddleware, Session, SessionMiddleware, SessionRejection};
use cloakroom_core::CsrfRefusal;
use serde::Deserialize;

use super::{FORM, manager};
use crate::browser::{Account, Browser};

#[derive(Deserialize)]
struct Login {
    name: String,
    password: String,
}

async fn form(account: Session<Account>) -> Result<Html, SessionRejection> {
    let form = account.csrf().open_form("/login")?;
    let fields = "<input name=name><input name=password type=password>";
    Ok(Html::new(format!(
        "{form}{fields}<button>Log in</button></form>"
    )))
}

async fn login(
    account: Session<Account>,
    form: CsrfForm<Login, Account>,
) -> Result<String, SessionRejection> {
    if form.password != "secret" {
        return Ok("wrong password".to_owned());
    }
    account.login(form.name.as_str())?;
    Ok(account.csrf().hidden_field()?) // the next page has a form too
}

async fn who(account: Session<Account>) -> String {
    account
        .subject()
        .map_or("nobody".to_owned(), |subject| subject.to_string())
}

async fn browser() -> Browser {
    let (manager, _, _) = manager();
    Browser::new(|config| {
        let login = web::resource("/login")
            .route(web::get().to(form))
            .route(web::post().to(login));
        config.service(
            web::scope("")
                .service(login)
                .route("/who", web::get().to(who))
                .wrap(CsrfMiddleware::new())
                .wrap(SessionMiddleware::new(manager)),
        );
    })
    .await
}

fn fields(token: &str) -> String {
    format!("csrf_token={token}&name=ann&password=secret")
}

#[actix_web::test]
async fn the_form_logs_in_and_its_token_is_void_then() {
    let mut browser = browser().await;
    let page = browser.get("/login").await;
    assert!(
        page.text
            .starts_with(r#"<form method="post" action="/login"><input type="hidden""#)
    );
    assert!(
        page.headers.contains_key(header::SET_COOKIE),
        "the token needs a session"
    );
    assert_eq!(page.all(header::CACHE_CONTROL), ["no-store"]);
    let token = page.token().to_owned();
    let wrong = format!("csrf_token={token}&name=ann&password=guess");
    assert_eq!(
        browser.post_form("/login", wrong).await.text,
        "wrong password"
    );
    let welcome = browser.post_form("/login", fields(&token)).await;
    assert_eq!(welcome.status, 200);
    assert_eq!(browser.get("/who").await.text, "ann");
    let again = browser.post_form("/login", fields(&token)).await;
    assert_eq!(again.refusal, Some(CsrfRefusal::WrongToken));
    let next = browser.post_form("/login", fields(welcome.token())).await;
    assert_eq!(next.status, 200, "a token of the page behind the login");
}

#[actix_web::test]
async fn another_site_logs_nobody_in() {
    // The attacker has a session and a token of their own, and makes the victim's browser post it.
    let victims = browser().await;
    let mut attacker = victims.clone();
    let token = attacker.get("/login").await.token().to_owned();
    for has_visited in [false, true] {
        let mut victim = victims.clone();
        if has_visited {
            victim.get("/login").await;
        }
        // An old browser that says nothing of the origin.
        let request = victim.post("/login", &[("content-type", FORM)]);
        let answer = victim.send(request.set_payload(fields(&token))).await;
        assert_eq!(answer.status, 403);
        // One of today.
        let headers = [
            ("content-type", FORM),
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ];
        let request = victim.post("/login", &headers);
        let answer = victim.send(request.set_payload(fields(&token))).await;
        assert_eq!(answer.refusal, Some(CsrfRefusal::CrossOrigin));
        assert_eq!(victim.get("/who").await.text, "nobody");
    }
}

#[actix_web::test]
async fn two_tabs_have_tokens_of_their_own_until_one_logs_in() {
    let mut browser = browser().await;
    let one = browser.get("/login").await.token().to_owned();
    let other = browser.get("/login").await.token().to_owned();
    assert_ne!(one, other);
    let answer = browser.post_form("/login", fields(&one)).await;
    assert_eq!(answer.status, 200);
    // The other tab is from before the login.
    assert_eq!(
        browser.post_form("/login", fields(&other)).await.status,
        403
    );
    let answer = browser.get("/login").await;
    assert_eq!(
        browser
            .post_form("/login", fields(answer.token()))
            .await
            .status,
        200
    );
}
