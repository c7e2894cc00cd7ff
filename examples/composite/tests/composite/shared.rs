//! Two programs, one session.

use reqwest::{Client, Method, StatusCode, Url, header};

use crate::browser::{Browser, World};

#[tokio::test]
async fn a_login_at_one_is_a_login_at_the_other() {
    let (world, browser) = (World::start(), Browser::new());
    browser.post(world.site("/login/dana")).await;
    let seen = browser.get(world.api("/")).await;
    assert_eq!(seen, "api: dana, en, 0 visits\n");

    let browser = Browser::new();
    browser.post(world.api("/login/ada")).await;
    let seen = browser.get(world.site("/")).await;
    assert_eq!(seen, "site: ada, en, 0 visits\n");
}

#[tokio::test]
async fn a_change_in_one_is_seen_in_the_other() {
    let (world, browser) = (World::start(), Browser::new());
    browser.post(world.site("/language/de")).await;
    browser.post(world.api("/visits")).await;
    browser.post(world.site("/visits")).await;
    let seen = "nobody, de, 2 visits\n";
    assert_eq!(browser.get(world.site("/")).await, format!("site: {seen}"));
    assert_eq!(browser.get(world.api("/")).await, format!("api: {seen}"));

    // A login at either keeps what was there before it, and changes the cookie of both.
    let before = browser.cookies(&world.site("/"));
    browser.post(world.api("/login/dana")).await;
    assert_ne!(browser.cookies(&world.site("/")), before);
    let seen = browser.get(world.site("/")).await;
    assert_eq!(seen, "site: dana, de, 2 visits\n");
}

#[tokio::test]
async fn a_logout_at_one_ends_both_and_its_cookie_opens_nothing_afterwards() {
    let world = World::start();
    for ends_at_site in [true, false] {
        let browser = Browser::new();
        browser.post(world.site("/login/dana")).await;
        browser.post(world.api("/visits")).await;
        let stolen = browser.cookies(&world.site("/"));
        let end = match ends_at_site {
            true => world.site("/logout"),
            false => world.api("/logout"),
        };
        browser.post(end).await;
        for url in [world.site("/"), world.api("/")] {
            // The removal has the domain, so the cookie is gone at both.
            assert_eq!(browser.sends(&url), [""; 0]);
            let seen = browser.get(url.clone()).await;
            assert!(seen.ends_with("nobody, en, 0 visits\n"), "{seen}");
            let with_stolen = World::replay(&url, &stolen).await;
            assert!(
                with_stolen.ends_with("nobody, en, 0 visits\n"),
                "{with_stolen}"
            );
        }
    }
}

#[tokio::test]
async fn what_one_program_has_for_itself_the_other_is_not_sent() {
    let (world, browser) = (World::start(), Browser::new());
    browser.post(world.site("/login/dana")).await;
    browser.post(world.site("/shop/add/apple")).await;
    let calls = browser.post(world.api("/calls")).await;
    assert_eq!(calls, "api: 1 calls\n");
    assert_eq!(browser.sends(&world.site("/")), ["account", "cart"]);
    assert_eq!(browser.sends(&world.api("/")), ["account", "calls"]);

    // Nor does a logout touch it.
    browser.post(world.api("/logout")).await;
    let cart = browser.get(world.site("/shop")).await;
    assert_eq!(cart, "shop: a visitor has [apple]\n");
    assert_eq!(browser.post(world.api("/calls")).await, "api: 2 calls\n");
}

/// Many tabs, each of which counts at both programs in turns, while others choose a language.
#[tokio::test(flavor = "multi_thread")]
async fn parallel_changes_from_both_lose_nothing() {
    const TABS: u32 = 10;
    const COUNTS: u32 = 10;
    let (world, browser) = (World::start(), Browser::new());
    browser.post(world.site("/login/dana")).await;
    let tabs = (0..TABS).map(|tab| {
        let (browser, urls) = (
            browser.clone(),
            [world.site("/visits"), world.api("/visits")],
        );
        let language = world.site("/language/de");
        tokio::spawn(async move {
            let mut refused = 0;
            for count in 0..COUNTS {
                let url = &urls[usize::from((tab + count) % 2 == 0)];
                // A machine that is busy with other things answers some with 503; visitors try
                // again then.
                while browser.send(Method::POST, url.clone()).await.status() != StatusCode::OK {
                    refused += 1;
                    assert!(refused < 100);
                }
                browser.send(Method::POST, language.clone()).await;
            }
            refused
        })
    });
    let mut refused = 0;
    for tab in tabs.collect::<Vec<_>>() {
        refused += tab.await.unwrap();
    }
    println!(
        "{} counts by two programs, {refused} were 503",
        TABS * COUNTS
    );
    let seen = browser.get(world.api("/")).await;
    assert_eq!(seen, format!("api: dana, de, {} visits\n", TABS * COUNTS));
    assert_eq!(
        browser.get(world.site("/")).await,
        seen.replace("api:", "site:")
    );
}

/// Hosts of one domain are one site for the browser, so `SameSite` does not help.
#[tokio::test]
async fn pages_of_other_hosts_of_the_domain_may_not_post_unless_they_are_trusted() {
    let (world, browser) = (World::start(), Browser::new());
    browser.post(world.site("/login/dana")).await;
    let origin_of = |url: Url| url.origin().ascii_serialization();
    let (site, api) = (world.site("/visits"), world.api("/visits"));
    let (of_site, of_api) = (origin_of(site.clone()), origin_of(api.clone()));
    // The api trusts the site, and not the other way round.
    for (origin, url, expected) in [
        (&*of_api, &api, StatusCode::OK),
        (&*of_site, &api, StatusCode::OK),
        (&*of_site, &site, StatusCode::OK),
        (&*of_api, &site, StatusCode::FORBIDDEN),
        ("http://blog.shop.localhost", &api, StatusCode::FORBIDDEN),
        ("http://evil.example", &api, StatusCode::FORBIDDEN),
        ("null", &api, StatusCode::FORBIDDEN),
    ] {
        let status = browser.post_from(origin, url.clone()).await;
        assert_eq!(status, expected, "{origin} at {url}");
    }
    let seen = browser.get(world.api("/")).await;
    assert_eq!(seen, "api: dana, en, 3 visits\n");
}

impl World {
    /// A client without a jar sends this cookie.
    async fn replay(url: &Url, cookies: &str) -> String {
        let here = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let client = Client::builder().resolve(url.host_str().unwrap(), here);
        let client = client.no_proxy().build().unwrap();
        let request = client.get(url.clone()).header(header::COOKIE, cookies);
        request.send().await.unwrap().text().await.unwrap()
    }
}
