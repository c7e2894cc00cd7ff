//! How much of a body is read for its token, in process and over a socket.

use std::time::Duration;

use actix_web::http::header;
use cloakroom_core::CsrfRefusal;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use super::{
    FORM, manager,
    tokens::{app, required, routes},
};
use crate::server::Server;

/// A form with this token, of so many bytes.
fn form(token: &str, size: usize) -> String {
    let start = format!("csrf_token={token}&a=");
    let rest = "x".repeat(size - start.len());
    start + &rest
}

#[actix_web::test]
async fn one_beyond_the_bound_is_413() {
    let (mut browser, _, refusals) = app(required().body_limit(1000)).await;
    let token = browser.get("/page").await.token().to_owned();
    let fits = form(&token, 1000);
    assert_eq!(browser.post_form("/echo", &*fits).await.text, fits);
    let answer = browser.post_form("/echo", form(&token, 1001)).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.refusal, Some(CsrfRefusal::BodyTooLarge));
    assert_eq!(answer.all(header::CACHE_CONTROL), ["no-store"]);
    assert_eq!(refusals.of_account(), [CsrfRefusal::BodyTooLarge]);
    // With the header it is the handler's business.
    let headers = [("content-type", FORM), ("x-csrf-token", &*token)];
    let request = browser.post("/echo", &headers);
    let large = form(&token, 5000);
    let answer = browser.send(request.set_payload(large.clone())).await;
    assert_eq!(answer.text, large);
}

#[actix_web::test]
async fn the_bound_is_64_kib_unless_it_is_set() {
    let (mut browser, _, _) = app(required()).await;
    let token = browser.get("/page").await.token().to_owned();
    for (size, expected) in [(64 * 1024, 200), (64 * 1024 + 1, 413)] {
        let answer = browser.post_form("/echo", form(&token, size)).await;
        assert_eq!(answer.status, expected);
    }
}

/// A visitor of a real server: what comes before the body of a form.
struct Visitor {
    server: Server,
    cookie: String,
    token: String,
}

impl Visitor {
    async fn new() -> Self {
        let (manager, _, _) = manager();
        let server = Server::of(routes(required().body_limit(1000), manager));
        let page = server.get("/page").await;
        let (_, after) = page.text.split_once(r#"value=""#).unwrap();
        Self {
            cookie: page.cookie().to_owned(),
            token: after.split('"').next().unwrap().to_owned(),
            server,
        }
    }

    async fn post(&self, header: (&str, &str), body: &str) -> (u16, String) {
        let headers = [("Cookie", &*self.cookie), ("Content-Type", FORM), header];
        let answer = self.server.send("POST", "/echo", &headers, body).await;
        (answer.status, answer.text)
    }
}

fn chunked(chunks: &[&str]) -> String {
    let chunk = |text: &&str| format!("{:x}\r\n{text}\r\n", text.len());
    let chunks: String = chunks.iter().map(chunk).collect();
    chunks + "0\r\n\r\n"
}

#[actix_web::test]
async fn one_in_chunks_is_read_as_one() {
    let visitor = Visitor::new().await;
    let (head, tail) = visitor.token.split_at(20);
    let body = chunked(&["a=1&csrf_to", "ken=", head, tail, "&b=2"]);
    let answer = visitor.post(("Transfer-Encoding", "chunked"), &body).await;
    let expected = format!("a=1&csrf_token={}&b=2", visitor.token);
    assert_eq!(answer, (200, expected));
}

#[actix_web::test]
async fn one_in_chunks_is_bounded_too() {
    let visitor = Visitor::new().await;
    let fits = form(&visitor.token, 1000);
    let chunks = ("Transfer-Encoding", "chunked");
    let answer = visitor.post(chunks, &chunked(&[&fits])).await;
    assert_eq!(answer, (200, fits.clone()));
    let answer = visitor.post(chunks, &chunked(&[&fits, "x"])).await;
    assert_eq!(answer.0, 413);
}

#[actix_web::test]
async fn what_never_comes_is_not_waited_for_where_no_token_can_be_good() {
    let visitor = Visitor::new().await;
    // Nothing of the body is sent, and no session either.
    let headers = [("Content-Type", FORM), ("Content-Length", "500")];
    assert_eq!(
        first_line(&visitor, &headers, "").await,
        "HTTP/1.1 403 Forbidden"
    );
    // A session, and a body that says that it is too large by never ending.
    let headers = [
        ("Cookie", &*visitor.cookie),
        ("Content-Type", FORM),
        ("Transfer-Encoding", "chunked"),
    ];
    let begun = format!("3e9\r\n{}", "x".repeat(1001));
    let line = first_line(&visitor, &headers, &begun).await;
    assert_eq!(line, "HTTP/1.1 413 Payload Too Large");
}

/// What the server says while the client has not said all.
async fn first_line(visitor: &Visitor, headers: &[(&str, &str)], begun: &str) -> String {
    let server = &visitor.server;
    let socket = server.begin("POST", "/echo", headers, begun).await;
    let mut lines = tokio::io::BufReader::new(socket).lines();
    let line = tokio::time::timeout(Duration::from_secs(20), lines.next_line()).await;
    line.expect("an answer").unwrap().unwrap()
}

#[actix_web::test]
async fn a_client_that_breaks_off_is_told_so() {
    let visitor = Visitor::new().await;
    let headers = [
        ("Cookie", &*visitor.cookie),
        ("Content-Type", FORM),
        ("Transfer-Encoding", "chunked"),
    ];
    let token = format!("csrf_token={}", visitor.token);
    let broken = format!("{:x}\r\n{token}\r\nno length\r\n", token.len());
    let server = &visitor.server;
    let mut socket = server.begin("POST", "/echo", &headers, &broken).await;
    socket.shutdown().await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}
