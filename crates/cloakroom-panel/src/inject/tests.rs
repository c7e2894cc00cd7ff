use super::*;
use cloakroom_core::Scheme;

struct Request {
    method: &'static str,
    dest: Option<&'static str>,
}

const GET: Request = Request {
    method: "GET",
    dest: Some("document"),
};

impl RequestHead for Request {
    fn method(&self) -> &str {
        self.method
    }

    fn path(&self) -> &str {
        "/"
    }

    fn query(&self) -> Option<&str> {
        None
    }

    fn scheme(&self) -> Scheme {
        Scheme::Http
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        if let (Some(dest), "sec-fetch-dest") = (self.dest, name) {
            visit(dest.as_bytes());
        }
    }
}

const BUTTON: Button<'static> = Button {
    base: "/_cloakroom",
    number: 17,
    opened: 2,
    namespaces: 3,
    findings: 1,
};

fn takes(request: &Request, status: u16, headers: &[(&str, &str)]) -> bool {
    let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
    let headers = &headers;
    takes_button(request, &ResponseParts { status, headers })
}

fn injected(headers: &[(&str, &str)], body: &str) -> Option<Injection> {
    let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
    let headers = &headers;
    let response = ResponseParts {
        status: 200,
        headers,
    };
    inject(&response, body.as_bytes(), &BUTTON)
}

#[test]
fn pages_take_the_button() {
    for kind in [
        "text/html",
        "Text/HTML; charset=UTF-8",
        "text/html; charset=\"utf-8\"",
        "text/html;charset=iso-8859-15",
        "text/html; charset=windows-1252",
        "application/xhtml+xml",
    ] {
        assert!(takes(&GET, 200, &[("content-type", kind)]), "{kind}");
    }
    for status in [200, 201, 203, 400, 404, 422, 500, 503] {
        assert!(
            takes(&GET, status, &[("content-type", "text/html")]),
            "{status}"
        );
    }
    let requests = [
        Request {
            method: "POST",
            dest: Some("document"),
        },
        Request {
            method: "GET",
            dest: None,
        },
        Request {
            method: "GET",
            dest: Some("empty"),
        },
    ];
    for request in requests {
        assert!(takes(&request, 200, &[("content-type", "text/html")]));
    }
}

#[test]
fn nothing_else_does() {
    let html = ("content-type", "text/html");
    for headers in [
        &[][..],
        &[("content-type", "application/json")],
        &[("content-type", "text/plain")],
        &[("content-type", "text/html-sandboxed")],
        &[("content-type", "text/event-stream")],
        &[("content-type", "image/svg+xml")],
        &[("content-type", "text/html; charset=utf-16")],
        &[("content-type", "text/html; charset=iso-2022-jp")],
        &[html, ("content-type", "text/plain")],
        &[html, ("content-encoding", "gzip")],
        &[html, ("content-encoding", "br")],
        &[html, ("content-range", "bytes 0-9/100")],
        &[html, ("content-digest", "sha-256=:abc=:")],
        &[html, ("content-disposition", "Attachment; filename=a.html")],
        &[html, ("cache-control", "public, No-Transform")],
    ] {
        assert!(!takes(&GET, 200, headers), "{headers:?}");
    }
    for status in [101, 204, 205, 206, 304] {
        assert!(!takes(&GET, status, &[html]), "{status}");
    }
    let head = Request {
        method: "HEAD",
        dest: None,
    };
    assert!(!takes(&head, 200, &[html]));
    let frame = Request {
        method: "GET",
        dest: Some("iframe"),
    };
    assert!(!takes(&frame, 200, &[html]));
}

#[test]
fn the_button_stands_before_the_end_of_the_body() {
    let page = "<body><p>caf\u{e9}</p><!-- </body> --></body></html>";
    let injection = injected(&[], page).unwrap();
    let body = String::from_utf8(injection.body.clone()).unwrap();
    let (before, rest) = body.split_once("<style>").unwrap();
    let (button, after) = rest.split_once("</a></aside>").unwrap();
    assert_eq!(before, "<body><p>caf\u{e9}</p><!-- </body> -->");
    assert_eq!(after, "</body></html>");
    assert!(button.is_ascii());
    assert!(
        button.contains("href=\"/_cloakroom/requests/17\""),
        "{button}"
    );
    assert!(
        button.ends_with("Sessions <b>2/3</b> <i>1 finding</i>"),
        "{button}"
    );
    assert!(!button.contains("<script"), "{button}");
    assert_eq!(injection.set, [("content-length", body.len().to_string())]);
}

#[test]
fn ranges_of_a_page_with_the_button_are_not_offered() {
    let injection = injected(&[("accept-ranges", "bytes")], "<body></body>").unwrap();
    let none = ("accept-ranges", "none".to_owned());
    assert_eq!(injection.set[1], none);
}

#[test]
fn fragments_pass_untouched() {
    assert_eq!(injected(&[], "<li>one</li>"), None);
    assert_eq!(injected(&[], ""), None);
}

#[test]
fn an_etag_becomes_weak() {
    let page = "<body></body>";
    for (before, after) in [("\"v1\"", Some("W/\"v1\"")), ("W/\"v1\"", None)] {
        let injection = injected(&[("etag", before)], page).unwrap();
        let etag = injection.set.iter().find(|(name, _)| *name == "etag");
        assert_eq!(etag.map(|(_, value)| value.as_str()), after);
    }
}

#[test]
fn the_application_s_policy_is_kept() {
    let page = "<body></body>";
    let of = |policy: &str| {
        let injection = injected(&[("content-security-policy", policy)], page).unwrap();
        String::from_utf8(injection.body).unwrap()
    };
    assert!(of("default-src 'none'").starts_with("<body><aside id="));
    assert!(of("style-src 'nonce-r4nd'").starts_with("<body><style nonce=\"r4nd\">"));
    assert!(of("style-src 'self'").starts_with(
        "<body><link rel=\"stylesheet\" href=\"/_cloakroom/button.css\" /><aside id="
    ));
    let own = "<meta http-equiv=Content-Security-Policy content=\"style-src 'self'\"><body></body>";
    let injection = injected(&[], own).unwrap();
    assert!(!injection.body.windows(6).any(|window| window == b"<style"));
}
