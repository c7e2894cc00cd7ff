//! The button in pages whose policies allow much, little or nothing.

use crate::{application::Application, page::Page};

const POSITION: &str = "getComputedStyle(document.getElementById('cloakroom-button')).position";

#[tokio::test(flavor = "multi_thread")]
async fn the_button_keeps_every_policy() {
    let Some(page) = Page::open().await else {
        return;
    };
    let application = Application::start();
    for (policy, position) in [
        ("-", "fixed"),
        ("default-src 'self'", "fixed"),
        ("default-src 'none'; style-src 'nonce-n0nce'", "fixed"),
        ("style-src 'unsafe-inline'", "fixed"),
        (
            "style-src 'unsafe-inline' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
            "static",
        ),
        ("default-src 'none'", "static"),
        (
            "require-trusted-types-for 'script'; default-src 'self'",
            "fixed",
        ),
        ("sandbox allow-popups", "fixed"),
    ] {
        let encoded = policy.replace(' ', "%20").replace('/', "%2F");
        page.goto(&application.at(&format!("/policy/{encoded}")))
            .await;
        page.until("document.getElementById('cloakroom-button')")
            .await;
        assert_eq!(
            page.text("#cloakroom-button").await,
            "Sessions 0/1",
            "{policy}"
        );
        page.until(&format!("{POSITION} === '{position}'")).await;
        let complaints = page.complaints().await;
        assert_eq!(complaints, Vec::<String>::new(), "{policy}");
    }
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_stands_in_xhtml_too() {
    let Some(page) = Page::open().await else {
        return;
    };
    let application = Application::start();
    for policy in ["-", "default-src%20'self'"] {
        page.goto(&application.at(&format!("/policy/{policy}?xhtml")))
            .await;
        // What is not well-formed is an error page in the place of the page.
        assert_eq!(page.text("p").await, "A page");
        page.until(&format!("{POSITION} === 'fixed'")).await;
    }
    page.close().await;
}
