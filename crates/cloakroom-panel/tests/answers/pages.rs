//! Pages, and who gets them.

use cloakroom_panel::PanelResponse;

use crate::visitor::{Application, full, header};

fn nonce(response: &PanelResponse) -> String {
    let policy = header(response, "content-security-policy");
    let (_, rest) = policy.split_once("script-src 'nonce-").unwrap();
    rest.split('\'').next().unwrap().to_owned()
}

#[tokio::test]
async fn every_page_is_strict_and_its_own() {
    let application = Application::new();
    application
        .visit("/cart", "", Some(("items", "umbrella")))
        .await;
    for page in [
        "",
        "/",
        "/?path=cart&namespace=cart",
        "/requests/1",
        "/namespaces",
        "/findings",
    ] {
        let response = application.get(page).await;
        assert_eq!(response.status, 200, "{page}");
        assert_eq!(
            header(&response, "content-type"),
            "text/html; charset=utf-8"
        );
        assert_eq!(header(&response, "cache-control"), "no-store");
        assert_eq!(header(&response, "x-frame-options"), "DENY");
        assert_eq!(
            header(&response, "cross-origin-resource-policy"),
            "same-origin"
        );
        let nonce = nonce(&response);
        assert_eq!(
            header(&response, "content-security-policy"),
            format!(
                "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
                 connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; \
                 frame-ancestors 'none'"
            )
        );
        let html = full(response);
        assert_eq!(
            html.matches(&format!("nonce=\"{nonce}\"")).count(),
            2,
            "{page}"
        );
        let again = application.get(page).await;
        assert_ne!(self::nonce(&again), nonce, "a nonce is used once");
    }
}

#[tokio::test]
async fn the_newest_request_is_shown_and_any_other_by_its_number() {
    let application = Application::new();
    let (_, cookie) = application
        .visit("/first", "", Some(("items", "umbrella")))
        .await;
    application
        .visit("/second", &cookie, Some(("items", "hat")))
        .await;
    let newest = full(application.get("/").await);
    assert!(newest.contains("data-number=\"2\""), "{newest}");
    assert!(newest.contains("data-follows=\"true\""), "{newest}");
    for expected in [
        "<b>GET</b> /second",
        "&quot;umbrella&quot;",
        "&quot;hat&quot;",
        "changed",
    ] {
        assert!(newest.contains(expected), "{expected}\n{newest}");
    }
    let first = full(application.get("/requests/1").await);
    assert!(first.contains("<b>GET</b> /first"), "{first}");
    assert!(first.contains("data-follows=\"false\""), "{first}");
    // The list has both, the newest first.
    let (at_first, at_second) = (first.find(">/first<"), first.find(">/second<"));
    assert!(at_second.unwrap() < at_first.unwrap());
    // No token and no secret: of 64 characters the public id is what may be seen.
    let secret = cookie.split_once('=').unwrap().1;
    for page in [newest, first] {
        assert!(!page.contains(secret) && !page.contains(&secret[24..]));
    }
}

#[tokio::test]
async fn what_is_not_kept_is_not_found() {
    let application = Application::new();
    for _ in 0..6 {
        application.visit("/about", "", None).await;
    }
    let response = application.get("/requests/1").await;
    assert_eq!(response.status, 404);
    let page = full(response);
    assert!(
        page.contains("Request #1 is not kept any more: the panel keeps the newest 5."),
        "{page}"
    );
    for nothing in [
        "/requests/x",
        "/requests/",
        "/requests/2/peek",
        "/requests/2/x",
        "/etc",
        "/clear",
    ] {
        assert_eq!(application.get(nothing).await.status, 404, "{nothing}");
    }
    let wrong = application.post("/namespaces", "").await;
    assert_eq!(wrong.status, 405);
}

#[tokio::test]
async fn the_list_is_filtered() {
    let application = Application::new();
    application
        .visit("/cart", "", Some(("items", "umbrella")))
        .await;
    application.visit("/about", "", None).await;
    for (query, cart, about) in [
        ("", true, true),
        ("?path=CART", true, false),
        ("?path=get+200", true, true),
        ("?path=404", false, false),
        ("?namespace=nothing", false, false),
    ] {
        let page = full(application.get(&format!("/{query}")).await);
        let has = |path: &str| page.contains(&format!("<span class=\"path\">{path}</span>"));
        assert_eq!((has("/cart"), has("/about")), (cart, about), "{query}");
    }
    // The links keep it.
    let page = full(application.get("/?path=cart").await);
    assert!(
        page.contains("href=\"/_cloakroom/requests/1?path=cart&amp;namespace=\""),
        "{page}"
    );
}

#[tokio::test]
async fn who_may_not_look_sees_nothing() {
    let application = Application::new();
    application
        .visit("/hidden-path", "", Some(("items", "umbrella")))
        .await;
    for page in ["/", "/requests/1", "/findings", "/feed", "/panel.js"] {
        for peer in [Some([192, 168, 1, 17].into()), None] {
            let response = application.ask("GET", page, peer, "").await;
            assert_eq!(response.status, 403);
            assert_eq!(header(&response, "cache-control"), "no-store");
            let html = full(response);
            assert!(html.contains("Refused"), "{html}");
            for hidden in ["hidden-path", "umbrella", "name=\"token\"", "cart"] {
                assert!(!html.contains(hidden), "{hidden}\n{html}");
            }
        }
    }
}

#[tokio::test]
async fn assets_come_from_the_panel_itself() {
    let application = Application::new();
    for (asset, kind) in [
        ("/panel.css", "text/css; charset=utf-8"),
        ("/button.css", "text/css; charset=utf-8"),
        ("/panel.js", "text/javascript; charset=utf-8"),
    ] {
        let response = application.get(asset).await;
        assert_eq!(header(&response, "content-type"), kind);
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert!(!full(response).is_empty());
    }
}

#[tokio::test]
async fn all_can_be_thrown_away_by_the_panel_s_own_form() {
    let application = Application::new();
    application.visit("/cart", "", None).await;
    for form in ["", "token=", "token=0123456789abcdef0123456789abcdef"] {
        assert_eq!(application.post("/clear", form).await.status, 403, "{form}");
    }
    assert_eq!(application.panel.recordings().len(), 1);
    let form = format!("token={}", application.token().await);
    let response = application.post("/clear", &form).await;
    assert_eq!(
        (response.status, header(&response, "location")),
        (303, "/_cloakroom/")
    );
    assert_eq!(application.panel.recordings().len(), 0);
    let page = full(application.get("/").await);
    assert!(page.contains("Waiting for the first request"), "{page}");
}

#[tokio::test]
async fn the_configuration_is_known_after_the_first_request() {
    let application = Application::new();
    assert!(full(application.get("/namespaces").await).contains("None is known yet"));
    application.visit("/about", "", None).await;
    let page = full(application.get("/namespaces").await);
    for expected in [
        "<th class=\"name\" scope=\"row\">account</th>",
        "only_if",
        "cookie __Host-account",
        "always open",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
}

#[tokio::test]
async fn findings_are_counted_on_every_page() {
    let application = Application::new();
    // Over plain http, so the cookie of `cart` is not Secure; nothing is wrong with it.
    application
        .visit("/cart", "", Some(("items", "umbrella")))
        .await;
    assert!(full(application.get("/findings").await).contains("Nothing looks wrong."));
    // Somebody seems to log in, without a login.
    let (_, cookie) = application.visit("/cart", "", Some(("items", "hat"))).await;
    application
        .visit("/enter", &cookie, Some(("user_id", "7")))
        .await;
    let page = full(application.get("/findings").await);
    assert!(
        page.contains("The key user_id looks like a login"),
        "{page}"
    );
    assert!(page.contains("href=\"/_cloakroom/requests/3\""), "{page}");
    let page = full(application.get("/namespaces").await);
    assert!(
        page.contains("<span class=\"count bad\">1</span>"),
        "{page}"
    );
}
