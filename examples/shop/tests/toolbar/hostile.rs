//! Values that mean harm, and those that not everybody in the room shall read.

use serde_json::Value;

use crate::{application::Application, page::Page};

/// What would break out of a page that did not escape it.
pub(crate) const HOSTILE: &str =
    "</code></td><script>window.harmed = 1</script><img src=x onerror='window.harmed = 2'>";

#[tokio::test(flavor = "multi_thread")]
async fn a_script_in_a_value_stays_text() {
    let Some(page) = Page::open().await else {
        return;
    };
    let application = Application::start();
    page.goto(&application.at("/fill")).await;
    page.goto(&application.at("/<script>window.harmed=3</script>?<script>=1"))
        .await;
    // That there is no such page is no complaint about the panel.
    page.complaints().await;
    for path in [
        "/_cloakroom/requests/1",
        "/_cloakroom/",
        "/_cloakroom/findings",
    ] {
        page.goto(&application.at(path)).await;
        assert_eq!(page.eval("window.harmed").await, Value::Null, "{path}");
        assert_eq!(
            page.eval(
                "document.querySelectorAll('#shown img, #shown script, #requests script').length"
            )
            .await,
            0
        );
    }
    page.goto(&application.at("/_cloakroom/requests/1")).await;
    let table = page.text("table.keys").await;
    // Once as a key, once as a value.
    assert_eq!(table.matches(HOSTILE).count(), 2, "{table}");
    page.assert_good("hostile values").await;
    page.picture("hostile").await;
    assert_eq!(page.complaints().await, Vec::<String>::new());
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn masked_values_are_shown_when_clicked_and_long_ones_unfolded() {
    let Some(page) = Page::open().await else {
        return;
    };
    let application = Application::start();
    page.goto(&application.at("/fill")).await;
    page.goto(&application.at("/_cloakroom/requests/1")).await;
    let table = page.text("table.keys").await;
    for hidden in ["correct horse", "43", "199"] {
        assert!(!table.contains(hidden), "{hidden}\n{table}");
    }
    assert_eq!(
        page.eval("document.querySelectorAll('details.mask').length")
            .await,
        2
    );
    page.picture("masked").await;
    for at in 0..3 {
        // With the keyboard, as with the mouse.
        let summary = format!("document.querySelectorAll('table.keys summary')[{at}]");
        page.eval(&format!("{summary}.focus()")).await;
        page.press(" ").await;
    }
    let table = page.text("table.keys").await;
    for shown in ["correct horse", "43", "199"] {
        assert!(table.contains(shown), "{shown}\n{table}");
    }
    page.picture("unmasked").await;
    page.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peek_shows_what_the_request_did_not_touch() {
    let Some(page) = Page::open().await else {
        return;
    };
    let application = Application::start();
    page.goto(&application.at("/fill")).await;
    page.goto(&application.at("/about")).await;
    for has_scripts in [true, false] {
        if !has_scripts {
            page.assert_good("a peek").await;
            page.picture("peek").await;
            page.without_scripts().await;
        }
        page.goto(&application.at("/_cloakroom/requests/2")).await;
        let card = page.text("section.card").await;
        assert!(
            card.contains("not accessed") && !card.contains("hostile"),
            "{card}"
        );
        page.click("form.peek button").await;
        page.until("document.querySelector('section.card').innerText.includes('Peeked')")
            .await;
        let card = page.text("section.card").await;
        assert!(
            card.contains(HOSTILE) && card.contains("no cookie was sent"),
            "{card}"
        );
        assert!(!card.contains("correct horse"), "{card}");
        // The page stays where it is, and the peek is no request of the application's.
        assert_eq!(
            page.eval("document.querySelectorAll('#requests > li').length")
                .await,
            2
        );
    }
    page.close().await;
}
