//! A developer at work on the shop.

use std::time::Duration;

use serde_json::json;

use crate::{
    browser::{Browser, Door},
    page::Page,
    process::Shop,
};

const ROWS: &str = "[...document.querySelectorAll('#requests > li')].filter(row => !row.hidden)";

fn address(door: Door, path: &str) -> String {
    match door {
        Door::Http(address) => format!("http://{address}{path}"),
        Door::Https(address) => format!("https://{address}{path}"),
    }
}

/// Somebody who reads, buys and logs in.
async fn visit(shop: &Shop) -> Browser {
    let mut visitor = Browser::default();
    visitor.get(shop.plain(), "/about").await;
    visitor.get(shop.plain(), "/").await;
    visitor.post(shop.plain(), "/cart/add/umbrella").await;
    visitor.post(shop.plain(), "/cart/add/scarf").await;
    visitor.get(shop.plain(), "/cart").await;
    visitor.post(shop.plain(), "/language/en").await;
    visitor.get(shop.plain(), "/login").await;
    visitor.login(shop, "wrong").await;
    visitor.login(shop, "demo").await;
    visitor.get(shop.secure(), "/account").await;
    visitor
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_leads_to_what_became_of_the_page() {
    let Some(page) = Page::open().await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    page.goto(&address(shop.plain(), "/")).await;
    assert_eq!(page.text("#cloakroom-button").await, "Sessions 2/3");
    page.assert_good("the shop with the button").await;
    page.picture("button").await;
    page.click("#cloakroom-button").await;
    page.to_newest_window().await;
    page.until("document.querySelector('#shown h2')?.innerText === 'GET /'")
        .await;
    for (namespace, expected) in [
        (
            "cart",
            "Cookie: not sent: the session is new, and there is nothing in it.",
        ),
        ("account", "not accessed"),
    ] {
        let card = page
            .text(&format!("section[aria-label='Session {namespace}']"))
            .await;
        assert!(card.contains(expected), "{expected}\n{card}");
    }
    assert_eq!(page.complaints().await, Vec::<String>::new());
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_tables_and_the_timeline() {
    let Some(page) = Page::open().await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    visit(&shop).await;
    page.goto(&address(shop.plain(), "/_cloakroom/namespaces"))
        .await;
    let table = page.text("table.configuration").await;
    for expected in [
        "account",
        "cookie __Host-account",
        "Path=/; Secure; HttpOnly; SameSite=Lax",
        "idle 30 min",
        "absolute 12 h",
        "rotated every 1 h",
        "only_if",
        "in the cookie itself",
        "FileStore",
    ] {
        assert!(table.contains(expected), "{expected}\n{table}");
    }
    page.goto(&address(shop.plain(), "/_cloakroom/?path=scarf"))
        .await;
    let cart = page.text("section[aria-label='Session cart']").await;
    for expected in [
        "accessed",
        "changed",
        "{\"umbrella\": 1}",
        "{\"scarf\": 1, \"umbrella\": 1}",
    ] {
        assert!(cart.contains(expected), "{expected}\n{cart}");
    }
    let timeline = page.text("ol.timeline").await;
    for expected in [
        "came in cookie cart",
        "is good",
        "store: load: found",
        "store: replace: done",
    ] {
        assert!(timeline.contains(expected), "{expected}\n{timeline}");
    }
    // The file store takes its time to be durable, and that can be seen.
    assert!(
        timeline.contains(" ms") || timeline.contains(" µs"),
        "{timeline}"
    );
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_requests_appear_by_themselves() {
    let Some(page) = Page::open().await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    page.goto(&address(shop.plain(), "/_cloakroom/")).await;
    page.until("document.getElementById('live').innerText === 'live'")
        .await;
    assert_eq!(page.eval(&format!("{ROWS}.length")).await, 0);
    let mut visitor = Browser::default();
    visitor.post(shop.plain(), "/cart/add/umbrella").await;
    page.until(&format!("{ROWS}.length === 1")).await;
    // Who looks at nothing in particular sees the newest.
    page.until("document.querySelector('#shown h2')?.innerText === 'POST /cart/add/umbrella'")
        .await;
    visitor.get(shop.plain(), "/cart").await;
    page.until("document.querySelector('#shown h2')?.innerText === 'GET /cart'")
        .await;
    let row = page.text("#requests > li").await;
    for expected in ["GET", "/cart", "200", "cart read"] {
        assert!(row.contains(expected), "{expected}\n{row}");
    }
    // Who has chosen one keeps it.
    page.click("#requests > li:last-child a").await;
    page.until("document.querySelector('#shown h2')?.innerText === 'POST /cart/add/umbrella'")
        .await;
    visitor.get(shop.plain(), "/about").await;
    page.until(&format!("{ROWS}.length === 3")).await;
    assert_eq!(page.text("#shown h2").await, "POST /cart/add/umbrella");
    assert_eq!(
        page.eval("location.pathname").await,
        json!("/_cloakroom/requests/1")
    );
    // A feed ends now and then, and begins again. What has come meanwhile is not missed, and what
    // the panel does not keep any more is not listed.
    for _ in 0..200 {
        visitor.get(shop.plain(), "/about").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let numbers = "[...document.querySelectorAll('#requests > li')].map(row => row.dataset.number)";
    let newest: Vec<_> = (104..=203).rev().map(|n: u32| n.to_string()).collect();
    page.until(&format!("{numbers}.join() === '{}'", newest.join(",")))
        .await;
    assert_eq!(page.text("#live").await, "live");
    assert_eq!(page.complaints().await, Vec::<String>::new());
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered_and_walked_with_the_keyboard() {
    let Some(page) = Page::open().await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    visit(&shop).await;
    page.goto(&address(shop.plain(), "/_cloakroom/")).await;
    page.until("document.getElementById('live').innerText === 'live'")
        .await;
    let title = "document.querySelector('#shown h2').innerText";
    page.until(&format!("{title} === 'GET /account'")).await;
    page.press("j").await;
    page.until(&format!("{title} === 'POST /login'")).await;
    page.press("jj").await;
    page.until(&format!("{title} === 'GET /login'")).await;
    page.press("k").await;
    page.until(&format!("{title} === 'POST /login'")).await;
    page.press("n").await;
    page.until(&format!("{title} === 'GET /account'")).await;
    // Words of method, path and status.
    page.press("/").await;
    page.press("post cart").await;
    page.until(&format!("{ROWS}.length === 2")).await;
    assert_eq!(page.text("#shown-count").await, "2 of 10");
    // Letters in the field are no commands.
    assert_eq!(page.text("#shown h2").await, "GET /account");
    page.press("\u{e00c}").await;
    page.until(&format!("{ROWS}.length === 10")).await;
    // By namespace: those that asked for it.
    page.click("#filter select option[value=prefs]").await;
    page.until(&format!("{ROWS}.length < 10 && {ROWS}.length > 2"))
        .await;
    page.click("#filter select option[value='']").await;
    page.eval("document.activeElement.blur()").await;
    page.press("?").await;
    page.until("document.getElementById('help').open").await;
    page.picture("help").await;
    page.press("\u{e00c}").await;
    page.until("!document.getElementById('help').open").await;
    assert_eq!(page.complaints().await, Vec::<String>::new());
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_work_without_scripts() {
    let Some(page) = Page::open().await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    visit(&shop).await;
    page.without_scripts().await;
    page.goto(&address(shop.plain(), "/_cloakroom/")).await;
    page.find("#filter input")
        .await
        .send_keys("umbrella")
        .await
        .unwrap();
    page.click("#filter-button").await;
    page.until("document.querySelectorAll('#requests > li').length === 1")
        .await;
    page.click("#requests a").await;
    page.until("location.pathname === '/_cloakroom/requests/3'")
        .await;
    assert_eq!(page.text("#shown h2").await, "POST /cart/add/umbrella");
    page.click(".foot button").await;
    page.until("document.querySelector('#shown h2').innerText === 'Waiting for the first request'")
        .await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_can_use_it_on_a_desk_and_on_a_phone_by_day_and_by_night() {
    let Some(page) = Page::open().await else {
        return;
    };
    let data = tempfile::tempdir().unwrap();
    let shop = Shop::start(data.path());
    visit(&shop).await;
    for (width, height, device) in [(1280, 900, "desk"), (360, 740, "phone")] {
        page.resize(width, height).await;
        for scheme in ["light", "dark"] {
            page.prefer(scheme).await;
            for (name, path) in [
                ("list", "/_cloakroom/"),
                ("login", "/_cloakroom/requests/9"),
                ("closed", "/_cloakroom/requests/7"),
                ("namespaces", "/_cloakroom/namespaces"),
                ("findings", "/_cloakroom/findings"),
                ("missing", "/_cloakroom/requests/99"),
            ] {
                page.goto(&address(shop.plain(), path)).await;
                let what = format!("{device}-{scheme}-{name}");
                page.picture(&what).await;
                page.assert_good(&what).await;
            }
        }
    }
    page.resize(1280, 860).await;
    page.prefer("light").await;
    page.goto(&address(shop.plain(), "/_cloakroom/requests/9"))
        .await;
    page.until("document.getElementById('live').innerText === 'live'")
        .await;
    page.picture("readme").await;
    page.close().await;
}
