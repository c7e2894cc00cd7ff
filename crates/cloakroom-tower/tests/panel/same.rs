//! The application behaves the same with the toolbar on: byte for byte in its headers, call for
//! call in its store.

use axum::http::HeaderMap;
use cloakroom_memory::MemoryStore;
use cloakroom_testkit::SpyStore;

use crate::shop::{Browser, panel, router, with_panel};

const VISITS: [&str; 16] = [
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
    let store = SpyStore::new(MemoryStore::new());
    let panel = panel();
    let app = match is_recorded {
        true => with_panel(router(&store), &panel),
        false => router(&store),
    };
    let mut browser = Browser::new(app);
    let mut answers = Vec::new();
    for path in VISITS {
        let answer = browser.get(path).await;
        answers.push((
            answer.status.as_u16(),
            headers(&answer.headers),
            answer.text,
        ));
    }
    assert_eq!(
        panel.recordings().len(),
        if is_recorded { VISITS.len() } else { 0 }
    );
    let calls = store.take();
    Story {
        answers,
        calls: calls.into_iter().map(|call| format!("{call:?}")).collect(),
    }
}

/// All headers but the one that follows the page's length.
fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
    let pairs = headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)));
    let mut pairs: Vec<_> = pairs.filter(|(name, _)| name != "content-length").collect();
    pairs.sort();
    pairs
}

#[tokio::test]
async fn every_header_and_every_store_call_is_the_same() {
    let (plain, recorded) = (story(false).await, story(true).await);
    assert!(plain.calls.len() > 15, "{:?}", plain.calls);
    assert_eq!(plain.calls, recorded.calls);
    let cookies = |story: &Story| -> Vec<_> {
        let headers = story
            .answers
            .iter()
            .flat_map(|(_, headers, _)| headers.clone());
        headers.filter(|(name, _)| name == "set-cookie").collect()
    };
    assert!(cookies(&plain).len() > 6);
    for (path, (one, other)) in VISITS
        .iter()
        .zip(plain.answers.iter().zip(&recorded.answers))
    {
        assert_eq!((one.0, &one.1), (other.0, &other.1), "{path}");
        match *path {
            // A page, with the button in it; its token is random each time in the same way.
            "/form" => {
                let rest = one.2.strip_suffix("</body></html>").unwrap();
                assert!(other.2.starts_with(rest) && other.2.len() > one.2.len());
            }
            _ => assert_eq!(one.2, other.2, "{path}"),
        }
    }
}
