use actix_web::{HttpMessage, test::TestRequest, web};
use cloakroom_actix::{RequestView, Session, SessionMiddleware};
use cloakroom_core::{Namespace, RequestHead, Scheme, SessionManager};
use cloakroom_memory::MemoryStore;

use crate::{browser::Account, server::Server};

fn scheme(uri: &str, extension: Option<Scheme>) -> Scheme {
    let request = TestRequest::with_uri(uri)
        .insert_header(("x-forwarded-proto", "https"))
        .insert_header(("forwarded", "proto=https"))
        .to_http_request();
    if let Some(scheme) = extension {
        request.extensions_mut().insert(scheme);
    }
    RequestView::from(&request).scheme()
}

#[test]
fn the_extension_counts_and_neither_target_nor_header_does() {
    for uri in ["/", "https://shop.example/", "http://shop.example/"] {
        assert_eq!(scheme(uri, None), Scheme::Http, "{uri}");
        assert_eq!(scheme(uri, Some(Scheme::Https)), Scheme::Https, "{uri}");
        assert_eq!(scheme(uri, Some(Scheme::Http)), Scheme::Http, "{uri}");
    }
}

/// Over TLS it is tested with the shop, `examples/shop-actix`.
#[actix_web::test]
async fn a_server_without_tls_is_plain_whatever_a_client_says() {
    async fn page(account: Option<Session<Account>>) -> String {
        account.is_some().to_string()
    }
    let account = Namespace::new("account", MemoryStore::new());
    let account = account.only_if(|request| request.is_https());
    let sessions = SessionManager::builder()
        .namespace(account)
        .build()
        .unwrap();
    let server = Server::of(move |config| {
        let page = web::resource("/").route(web::get().to(page));
        config.service(page.wrap(SessionMiddleware::new(sessions.clone())));
    });
    let headers = [("X-Forwarded-Proto", "https"), ("Forwarded", "proto=https")];
    for target in ["/", "https://shop.example/"] {
        let answer = server.send("GET", target, &headers, "").await;
        assert_eq!((answer.status, &*answer.text), (200, "false"), "{target}");
    }
}

#[test]
fn a_request_is_seen_as_it_was_sent() {
    let request = TestRequest::post()
        .uri("https://shop.example/c%61rt?a=1&b=%20")
        .append_header(("cookie", "a=1"))
        .append_header(("cookie", "b=2"))
        .to_http_request();
    let view = RequestView::from(&request);
    assert_eq!((view.method(), view.path()), ("POST", "/c%61rt"));
    assert_eq!(view.query(), Some("a=1&b=%20"));
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
        let mut request = TestRequest::with_uri(target);
        if let Some(host) = header {
            request = request.insert_header(("host", host));
        }
        let request = request.to_http_request();
        let mut hosts = Vec::new();
        RequestView::from(&request).header("host", &mut |host| {
            hosts.push(String::from_utf8(host.to_vec()).unwrap());
        });
        assert_eq!(hosts, expected);
    }
}
