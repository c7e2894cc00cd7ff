use axum::{body::Body, http::Request};
use cloakroom_core::{RequestHead, Scheme};
use cloakroom_tower::RequestView;

fn scheme(uri: &str, extension: Option<Scheme>) -> Scheme {
    let mut request = Request::get(uri)
        .header("x-forwarded-proto", "https")
        .header("forwarded", "proto=https")
        .body(Body::empty())
        .unwrap();
    request.extensions_mut().extend(
        extension
            .map(|scheme| {
                let mut extensions = axum::http::Extensions::new();
                extensions.insert(scheme);
                extensions
            })
            .unwrap_or_default(),
    );
    RequestView::from(&request).scheme()
}

#[test]
fn the_extension_counts_then_the_uri_and_no_header_does() {
    assert_eq!(scheme("/", None), Scheme::Http);
    assert_eq!(scheme("https://shop.example/", None), Scheme::Https);
    assert_eq!(scheme("http://shop.example/", None), Scheme::Http);
    assert_eq!(scheme("/", Some(Scheme::Https)), Scheme::Https);
    assert_eq!(
        scheme("https://shop.example/", Some(Scheme::Http)),
        Scheme::Http
    );
}

#[test]
fn a_request_is_seen_as_it_was_sent() {
    let request = Request::post("https://shop.example/cart?a=1&b=%20")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(())
        .unwrap();
    let view = RequestView::from(&request);
    assert_eq!(
        (view.method(), view.path(), view.query()),
        ("POST", "/cart", Some("a=1&b=%20"))
    );
    let mut values = Vec::new();
    view.header("cookie", &mut |value| values.push(value.to_vec()));
    assert_eq!(values, [b"a=1", b"b=2"]);
    assert!(view.header_is("cookie", "b=2") && !view.header_is("cookie", "b"));
}

#[test]
fn the_host_is_that_of_the_target_where_it_has_one() {
    for (target, header, expected) in [
        ("/", Some("shop.example"), vec!["shop.example"]),
        (
            "https://shop.example:8443/",
            None,
            vec!["shop.example:8443"],
        ),
        (
            "https://u@shop.example/",
            Some("other"),
            vec!["shop.example"],
        ),
        ("/", None, vec![]),
    ] {
        let mut request = Request::get(target);
        if let Some(host) = header {
            request = request.header("host", host);
        }
        let request = request.body(()).unwrap();
        let mut hosts = Vec::new();
        RequestView::from(&request).header("host", &mut |host| {
            hosts.push(String::from_utf8(host.to_vec()).unwrap());
        });
        assert_eq!(hosts, expected);
    }
}
