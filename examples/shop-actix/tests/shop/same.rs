//! The two shops side by side: what one answers, the other does.

use std::path::{Path, PathBuf};

use hyper::{HeaderMap, header};

use crate::{
    browser::{Browser, Door, Reply, send_with},
    process::Shop,
};

/// The shop on axum, which cargo builds beside this one.
fn other() -> PathBuf {
    let program = Path::new(crate::PROGRAM).with_file_name("shop");
    if !program.exists() {
        let built = std::process::Command::new(env!("CARGO"))
            .args(["build", "--quiet", "-p", "shop"])
            .status();
        assert!(built.unwrap().success());
    }
    program
}

/// What is different each time: ids, times and ports, by what they look like.
fn without_chance(text: &str, shop: &Shop) -> String {
    let mut text = text.to_owned();
    for address in [shop.http, shop.https] {
        text = text.replace(&format!(":{}", address.port()), ":PORT");
    }
    let mut out = String::new();
    let mut word = String::new();
    for letter in text.chars().chain([' ']) {
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
            continue;
        }
        let is_id = word.len() == 32 && word.chars().all(|letter| letter.is_ascii_hexdigit());
        let is_time = word.len() == 13 && word.chars().all(|letter| letter.is_ascii_digit());
        out.push_str(match (is_id, is_time) {
            (true, _) => "ID",
            (_, true) => "TIME",
            _ => &word,
        });
        word.clear();
        out.push(letter);
    }
    out
}

/// All headers but those that a framework or its server adds to every response.
fn headers(reply: &HeaderMap, shop: &Shop) -> Vec<String> {
    let framework = [
        header::DATE,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
    ];
    let own = reply.iter().filter(|(name, _)| !framework.contains(name));
    let mut lines: Vec<_> = own
        .map(|(name, value)| {
            let value = value.to_str().unwrap();
            let value = match value.split_once('=') {
                // A token, and its length.
                Some((cookie, rest)) if *name == header::SET_COOKIE => {
                    let (token, attributes) = rest.split_once(';').unwrap();
                    format!("{cookie}=<{}>;{attributes}", token.len())
                }
                _ => without_chance(value, shop),
            };
            format!("{name}: {value}")
        })
        .collect();
    lines.sort();
    lines
}

fn summary(reply: &Reply, shop: &Shop) -> (u16, Vec<String>, String) {
    let mut body = without_chance(&reply.body, shop);
    if body.starts_with('{') {
        // The order of its members follows the features that serde_json was built with.
        let mut members: Vec<_> = body.split(['{', ',', '}']).collect();
        members.sort_unstable();
        body = members.join(",");
    }
    (reply.status.as_u16(), headers(&reply.headers, shop), body)
}

/// A visit from the first page to the logout, and what goes wrong in it.
const VISIT: [(bool, &str, &str, &str); 26] = [
    (false, "GET", "/", ""),
    (false, "GET", "/about", ""),
    (false, "GET", "/style.css", ""),
    (false, "GET", "/cart", ""),
    (false, "POST", "/cart/add/lantern", ""),
    (false, "POST", "/cart/add/lantern", ""),
    (false, "GET", "/cart", ""),
    (false, "POST", "/cart/remove/lantern", ""),
    (false, "POST", "/cart/add/no..item", ""),
    (false, "POST", "/language/de", ""),
    (false, "POST", "/language/xx", ""),
    (false, "GET", "/", ""),
    (false, "GET", "/login", ""),
    (false, "POST", "/login", "username=demo&password=demo"),
    (false, "GET", "/account", ""),
    (true, "GET", "/account", ""),
    (true, "GET", "/login", ""),
    (true, "POST", "/login", "username=demo&password=wrong"),
    (true, "POST", "/login", "username=demo&password=demo"),
    (true, "GET", "/account", ""),
    (true, "GET", "/account", ""),
    (true, "GET", "/state", ""),
    (true, "GET", "/state/prefs", ""),
    (true, "GET", "/state/nothing", ""),
    (true, "POST", "/account/end-others", ""),
    (true, "POST", "/logout", ""),
];

async fn visit(shop: &Shop, proxy: &'static str) -> Vec<(u16, Vec<String>, String)> {
    let mut browser = Browser {
        proxy,
        ..Browser::default()
    };
    let mut replies = Vec::new();
    for (is_secure, method, path, form) in VISIT {
        let door = match is_secure {
            true => shop.secure(),
            false => shop.plain(),
        };
        let reply = browser.send(door, method, path, form).await.unwrap();
        replies.push(summary(&reply, shop));
    }
    replies
}

#[tokio::test]
async fn a_whole_visit_is_answered_alike() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let actix = Shop::start(here.path());
    let axum = Shop::start_as(&other(), there.path(), &[]);
    // Who comes by a proxy has no button of the debug toolbar in the pages.
    for (proxy, pages) in [("1.1 proxy", 0), ("", 10)] {
        let (ours, theirs) = (visit(&actix, proxy).await, visit(&axum, proxy).await);
        for (step, (ours, theirs)) in VISIT.iter().zip(ours.iter().zip(&theirs)) {
            assert_eq!(ours, theirs, "{step:?}");
        }
        let has_button = |(_, _, body): &&(_, _, String)| body.contains("/_cloakroom/requests/");
        assert_eq!(ours.iter().filter(has_button).count(), pages);
    }
}

#[tokio::test]
async fn what_another_site_sends_is_refused_alike() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let actix = Shop::start(here.path());
    let axum = Shop::start_as(&other(), there.path(), &[]);
    for value in ["cross-site", "same-site", "same-origin", "none"] {
        let mut replies = Vec::new();
        for shop in [&actix, &axum] {
            let site = header::HeaderName::from_static("sec-fetch-site");
            let headers = [(site, value.to_owned())];
            let reply = send_with(shop.plain(), "POST", "/cart/add/lantern", headers, "");
            replies.push(summary(&reply.await.unwrap(), shop));
        }
        assert_eq!(replies[0], replies[1], "{value}");
        assert_eq!(replies[0].0 == 403, value.ends_with("-site"), "{value}");
    }
}

#[tokio::test]
async fn a_visitor_of_one_is_known_to_the_other() {
    let data = tempfile::tempdir().unwrap();
    let axum = Shop::start_as(&other(), data.path(), &[]);
    let actix = Shop::start(data.path());
    let mut browser = Browser::default();
    browser.post(axum.plain(), "/cart/add/lantern").await;
    browser.post(axum.plain(), "/language/de").await;
    browser.login(&axum, "demo").await;
    assert_eq!(subject(&mut browser, actix.secure()).await, "demo");
    let page = browser.get(actix.plain(), "/cart").await.body;
    assert!(page.contains("Ihr Warenkorb"), "{page}");
    browser.post(actix.plain(), "/cart/add/lantern").await;
    assert_eq!(browser.items(&axum).await["lantern"], 2);
    browser.post(actix.secure(), "/logout").await;
    let account = browser.get(axum.secure(), "/account").await;
    assert_eq!(account.location(), "/login");
}

async fn subject(browser: &mut Browser, door: Door) -> String {
    let state = browser.state(door, "account").await;
    state["subject"].as_str().unwrap_or_default().to_owned()
}
