//! Whatever address a client sends or an application answers with: no token leaves the origin. The
//! judge is a reader of addresses that is the browsers' (WHATWG URL).

use cloakroom_core::{SessionError, SessionHandle, Transport};
use proptest::{collection::vec, prelude::*, sample::select, test_runner::TestRunner};
use tokio::runtime::Builder;
use url::Url;

use crate::support::{ACCOUNT, Request, World};

const PAGE: &str = "https://shop.example/a/b?x=1";

/// What addresses are made of, and what makes readers disagree.
fn pieces() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "/",
        "//",
        "\\",
        ".",
        "..",
        ":",
        "@",
        "?",
        "#",
        "&",
        "=",
        ";",
        "%2f",
        "%5c",
        "%2e",
        "\t",
        "\n",
        "\r",
        " ",
        "\0",
        "\x7f",
        "\u{a0}",
        "ä",
        "sid",
        "sid=",
        "sid=1",
        "xsid=1",
        "a",
        "1",
        "a=b",
        "https:",
        "HTTPS:",
        "http:",
        "javascript:",
        "data:",
        "shop.example",
        "evil.example",
        ":443",
        ":80",
        "[::1]",
        "user@",
        "*",
        "|",
    ]);
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn world() -> World {
    World::with(|namespace| namespace.transports([Transport::query("sid")]))
}

/// Where a request without a session is redirected to.
async fn redirect(world: &World, request: Request) -> Option<String> {
    match world.begin_with(request).try_open(ACCOUNT).await {
        Err(SessionError::Redirect { to, .. }) => Some(to.location().to_owned()),
        Ok(_) => None,
        Err(error) => panic!("{error}"),
    }
}

async fn session(world: &World) -> SessionHandle {
    let location = redirect(world, Request::to("GET", "/")).await.unwrap();
    let request = Request::to("GET", &location).header("host", "shop.example");
    world.begin_with(request).open(ACCOUNT).await
}

fn run(strategy: impl Strategy<Value = String>, check: impl Fn(&str)) {
    let config = ProptestConfig {
        cases: 4000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let checked = TestRunner::new(config).run(&strategy, |text| {
        check(&text);
        Ok(())
    });
    checked.unwrap();
}

/// The values of the parameter, as everybody reads them.
fn tokens(address: &Url) -> Vec<&str> {
    let pairs = address.query().unwrap_or_default().split('&');
    let values = pairs.filter_map(|pair| pair.strip_prefix("sid="));
    values.collect()
}

#[test]
fn links_and_redirects_of_the_application_take_no_token_to_another_origin() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let world = world();
    let session = runtime.block_on(session(&world));
    let page = Url::parse(PAGE).unwrap();
    run(pieces(), |address| {
        let changed = session.url(address);
        if changed != address {
            let read = page.join(&changed).unwrap();
            assert_eq!(read.origin(), page.origin(), "{address:?}");
            let [token] = tokens(&read)[..] else {
                panic!("{address:?}: {changed:?}");
            };
            assert_eq!(token.len(), 64, "{address:?}: {changed:?}");
            // Twice is once.
            assert_eq!(session.url(&changed), changed);
        }
    });
}

#[test]
fn a_redirect_leads_to_the_same_page() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let world = world();
    let page = Url::parse(PAGE).unwrap();
    run(pieces().prop_map(|text| format!("/{text}")), |target| {
        let request = Request::to("GET", target);
        let Some(location) = runtime.block_on(redirect(&world, request)) else {
            return;
        };
        let read = page.join(&location).unwrap();
        assert_eq!(read.origin(), page.origin(), "{target:?}");
        let pairs: Vec<_> = location.split_once('?').unwrap().1.split('&').collect();
        let (last, others) = pairs.split_last().unwrap();
        assert_eq!(last.len(), "sid=".len() + 64, "{target:?}: {location:?}");
        let before = target.split_once('?').map_or("", |(_, query)| query);
        let kept = before.split('&').filter(|pair| {
            let name = pair.split('=').next();
            name != Some("sid")
        });
        let kept: Vec<_> = kept.collect();
        assert!(
            kept == others || (kept == [""] && others.is_empty()),
            "{target:?}: {location:?}"
        );
    });
}
