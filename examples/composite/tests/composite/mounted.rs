//! Applications within the site.

use reqwest::{Method, StatusCode};

use crate::browser::{Browser, World};

#[tokio::test]
async fn mounted_applications_share_the_sessions_of_the_layer_around_them() {
    let (world, browser) = (World::start(), Browser::new());
    browser.post(world.site("/shop/add/apple")).await;
    browser.post(world.site("/shop/add/pear")).await;
    browser.post(world.site("/login/dana")).await;
    let cart = browser.get(world.site("/shop")).await;
    assert_eq!(cart, "shop: dana has [apple, pear]\n");
}

#[tokio::test]
async fn an_application_with_a_session_of_its_own_sees_those_around_it_too() {
    let (world, browser) = (World::start(), Browser::new());
    let names = browser.get(world.site("/admin/sessions")).await;
    assert_eq!(names, "admin: account, cart, admin\n");

    let refused = browser.send(Method::POST, world.site("/admin/enter")).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    browser.post(world.site("/login/dana")).await;
    let entered = browser.post(world.site("/admin/enter")).await;
    assert_eq!(entered, "admin: at your service, dana\n");
    assert_eq!(browser.get(world.site("/admin")).await, "admin: 1 looks\n");
    assert_eq!(browser.get(world.site("/admin")).await, "admin: 2 looks\n");

    // Its cookie is for its own path, at its own host.
    assert_eq!(browser.sends(&world.site("/admin")), ["account", "admin"]);
    assert_eq!(browser.sends(&world.site("/shop")), ["account"]);
    assert_eq!(browser.sends(&world.api("/admin")), ["account"]);
}

#[tokio::test]
async fn the_session_of_an_inner_application_is_worth_nothing_without_its_account() {
    let (world, browser) = (World::start(), Browser::new());
    browser.post(world.site("/login/dana")).await;
    browser.post(world.site("/admin/enter")).await;
    // Another program, at another host, which has never heard of it.
    browser.post(world.api("/logout")).await;
    assert_eq!(browser.sends(&world.site("/admin")), ["admin"]);
    for login in [None, Some("/login/eve"), Some("/login/dana")] {
        // With nobody, with somebody else, and with the same person in another session.
        if let Some(login) = login {
            browser.post(world.api(login)).await;
        }
        let panel = browser.send(Method::GET, world.site("/admin")).await;
        assert_eq!(panel.status(), StatusCode::FORBIDDEN, "{login:?}");
    }
    browser.post(world.site("/admin/enter")).await;
    browser.get(world.site("/admin")).await;
}
