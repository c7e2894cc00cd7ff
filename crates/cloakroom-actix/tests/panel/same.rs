//! The application behaves the same with the toolbar on: byte for byte in its headers, call for
//! call in its store.

use actix_web::http::header::{HeaderMap, HeaderValue};

use crate::shop::{Application, Browser, panel, routes, store};

const VISITS: [&str; 17] = [
    "/",
    "/items",
    "/add",
    "/add",
    "/items",
    "/both",
    "/login",
    "/both",
    "/rotate",
    "/items",
    "/form",
    "/fail",
    "/items",
    "/explicit",
    "/login",
    "/logout",
    "/both",
];

/// A status, headers and a body.
type Seen = (u16, Vec<(String, String)>, String);

struct Story {
    answers: Vec<Seen>,
    calls: Vec<String>,
}

async fn story(is_recorded: bool) -> Story {
    let (store, panel) = (store(), panel());
    let around = is_recorded.then(|| panel.clone());
    let mut browser = Browser::new(&Application::new(around, routes(&store)).await);
    let mut answers = Vec::new();
    for path in VISITS {
        let answer = browser.get(path).await;
        let headers = headers(&answer.headers);
        answers.push((answer.status.as_u16(), headers, answer.text));
    }
    let recorded = if is_recorded { VISITS.len() } else { 0 };
    assert_eq!(panel.recordings().len(), recorded);
    let calls = store.take();
    Story {
        answers,
        calls: calls.into_iter().map(|call| format!("{call:?}")).collect(),
    }
}

/// All headers but the one that follows the page's length.
fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let pairs = headers.iter();
    let pairs = pairs.map(|(name, value)| (name.to_string(), text(value)));
    let mut pairs: Vec<_> = pairs.filter(|(name, _)| name != "content-length").collect();
    pairs.sort();
    pairs
}

#[actix_web::test]
async fn every_header_and_every_store_call_is_the_same() {
    let (plain, recorded) = (story(false).await, story(true).await);
    assert!(plain.calls.len() > 15, "{:?}", plain.calls);
    assert_eq!(plain.calls, recorded.calls);
    let headers = plain.answers.iter().flat_map(|(_, headers, _)| headers);
    let cookies = headers.filter(|(name, _)| name == "set-cookie");
    assert!(cookies.count() > 6);
    let both = plain.answers.iter().zip(&recorded.answers);
    for (path, (one, other)) in VISITS.iter().zip(both) {
        assert_eq!((one.0, &one.1), (other.0, &other.1), "{path}");
        match one.2.strip_suffix("</body></html>") {
            // A page, with the button in it.
            Some(rest) => assert!(other.2.starts_with(rest) && other.2.len() > one.2.len()),
            None => assert_eq!(one.2, other.2, "{path}"),
        }
    }
}
