//! What a developer meets with an application of their own.

use crate::{application::Application, page::Page};

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_is_told_in_the_page_on_the_panel_and_with_the_request() {
    let Some(page) = Page::open().await else {
        return;
    };
    let application = Application::start();
    page.goto(&application.at("/fill")).await;
    page.goto(&application.at("/enter")).await;
    assert_eq!(
        page.text("#cloakroom-button").await,
        "Sessions 1/1 1 finding"
    );
    page.picture("button-finding").await;
    page.click("#cloakroom-button a").await;
    page.to_newest_window().await;
    for place in [".finding", "#requests > li"] {
        page.until(&format!("document.querySelector('{place}')"))
            .await;
    }
    page.goto(&application.at("/_cloakroom/findings")).await;
    let finding = page.text(".finding").await;
    for expected in [
        "problem",
        "cart",
        "The key user_id looks like a login",
        "What to do:",
    ] {
        assert!(finding.contains(expected), "{expected}\n{finding}");
    }
    assert_eq!(page.text("nav .count").await, "1");
    page.picture("findings").await;
    page.assert_good("findings").await;
    page.click(".finding a").await;
    page.until("document.querySelector('#shown h2')?.innerText === 'GET /enter'")
        .await;
    page.picture("finding").await;
    page.assert_good("a request with a finding").await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_program_is_started_again_its_new_requests_are_shown() {
    let Some(page) = Page::open().await else {
        return;
    };
    let application = Application::start();
    page.goto(&application.at("/fill")).await;
    page.goto(&application.at("/about")).await;
    page.goto(&application.at("/_cloakroom/requests/1")).await;
    page.until("document.getElementById('live').innerText === 'live'")
        .await;
    let application = application.restart().await;
    let visit = format!("fetch('{}').then(r => r.status)", application.at("/about"));
    // The page finds out by itself, and leaves the request of the former run.
    page.until("location.pathname === '/_cloakroom/'").await;
    page.eval(&visit).await;
    page.until("document.querySelector('#shown h2')?.innerText === 'GET /about'")
        .await;
    assert_eq!(
        page.eval("document.querySelectorAll('#requests > li').length")
            .await,
        1
    );
    page.close().await;
}
