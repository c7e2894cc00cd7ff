//! Each finding, where it is due and where it is not.

use std::{sync::Arc, time::Duration};

use cloakroom_core::{
    CallOutcome, Decision, Scheme,
    store::{Operation, StoreErrorKind, Timestamp},
};

use super::*;
use crate::{
    fixture::{AT, changed, cookie, entry, key, namespace, request},
    record::{EntryKind, ReceivedCookie},
};

/// The severities of a kind of finding in one request.
fn found(kind: FindingKind, request: &RecordedRequest) -> Vec<Severity> {
    let findings = examine_request(request).into_iter();
    let findings = findings.filter(|finding| finding.kind == kind);
    let checked = findings.inspect(|finding| {
        assert_eq!(finding.requests, [request.number]);
        assert!(
            finding.what.ends_with('.') && finding.todo.ends_with('.'),
            "{finding:?}"
        );
    });
    checked.map(|finding| finding.severity).collect()
}

/// What a history shows; the oldest request comes first here.
fn in_history(kind: FindingKind, requests: &[RecordedRequest]) -> Option<Finding> {
    let briefs: Vec<_> = requests.iter().rev().map(Brief::of).collect();
    let mut findings = examine(&briefs, Vec::new()).into_iter();
    findings.find(|finding| finding.kind == kind)
}

fn numbered(count: u64, each: impl Fn(u64, &mut RecordedRequest)) -> Vec<RecordedRequest> {
    let made = (1..=count).map(|number| {
        let mut made = request(number);
        each(number, &mut made);
        made
    });
    made.collect()
}

#[test]
fn nothing_is_wrong_with_a_plain_request() {
    let mut request = request(1);
    request.sent = vec![cookie("cart")];
    assert_eq!(examine_request(&request), []);
    assert_eq!(examine(&[Brief::of(&request)], Vec::new()), []);
}

#[test]
fn a_cookie_near_the_limit_of_browsers() {
    for (bytes, expected) in [
        (3583, &[][..]),
        (3584, &[Severity::Advice]),
        (4096, &[Severity::Advice]),
        (4097, &[Severity::Problem]),
    ] {
        let mut request = request(1);
        let mut cookie = cookie("cart");
        cookie.value_length = bytes - cookie.name.len();
        request.sent = vec![cookie];
        assert_eq!(
            found(FindingKind::CookieSize, &request),
            expected,
            "{bytes}"
        );
        request.sent[0].is_removal = true;
        assert_eq!(found(FindingKind::CookieSize, &request), []);
    }
}

#[test]
fn many_cookies() {
    for (bytes, expected) in [(6143, &[][..]), (6144, &[Severity::Advice])] {
        let mut request = request(1);
        request.cookie_bytes = bytes;
        assert_eq!(found(FindingKind::CookieHeaderSize, &request), expected);
    }
}

#[test]
fn secure_on_plain_http() {
    let on = |scheme, host: &str, attributes: &str, forwarded: Option<&str>| {
        let mut request = request(1);
        request.scheme = scheme;
        request.host = host.to_owned();
        request.forwarded_proto = forwarded.map(str::to_owned);
        request.sent = vec![cookie("cart")];
        request.sent[0].attributes = attributes.to_owned();
        found(FindingKind::SecureOnHttp, &request)
    };
    let secure = "Path=/; Secure; HttpOnly";
    assert_eq!(
        on(Scheme::Http, "shop.example:8080", secure, None),
        [Severity::Problem]
    );
    for host in ["localhost:8080", "127.0.0.1", "[::1]:80", "shop.localhost"] {
        assert_eq!(
            on(Scheme::Http, host, secure, None),
            [Severity::Advice],
            "{host}"
        );
    }
    for host in ["localhost.example", "128.0.0.1", "[::2]", ""] {
        assert_eq!(
            on(Scheme::Http, host, secure, None),
            [Severity::Problem],
            "{host}"
        );
    }
    assert_eq!(on(Scheme::Https, "shop.example", secure, None), []);
    assert_eq!(
        on(Scheme::Http, "shop.example", "Path=/; HttpOnly", None),
        []
    );
    // The browser has https, and another finding tells the application so.
    assert_eq!(on(Scheme::Http, "shop.example", secure, Some("https")), []);
}

#[test]
fn a_proxy_that_says_another_scheme() {
    let of = |scheme, forwarded: Option<&str>, name: &str| {
        let mut request = request(1);
        request.scheme = scheme;
        request.forwarded_proto = forwarded.map(str::to_owned);
        request.sent = vec![cookie("cart")];
        request.sent[0].name = name.to_owned();
        let broken = found(FindingKind::PrefixBroken, &request);
        (found(FindingKind::ProxyScheme, &request), broken)
    };
    let problem = || vec![Severity::Problem];
    let nothing = Vec::new;
    let https = Scheme::Https;
    assert_eq!(of(https, None, "__Host-cart"), (nothing(), nothing()));
    assert_eq!(
        of(https, Some("https"), "__Host-cart"),
        (nothing(), nothing())
    );
    assert_eq!(
        of(https, Some("http"), "__Host-cart"),
        (nothing(), problem())
    );
    assert_eq!(
        of(https, Some("HTTP, https"), "__Secure-cart"),
        (nothing(), problem())
    );
    assert_eq!(of(https, Some("http"), "cart"), (nothing(), nothing()));
    assert_eq!(
        of(https, Some("gopher"), "__Host-cart"),
        (nothing(), nothing())
    );
    assert_eq!(
        of(Scheme::Http, Some("https"), "cart"),
        (problem(), nothing())
    );
    assert_eq!(
        of(Scheme::Http, Some("http"), "cart"),
        (nothing(), nothing())
    );
}

#[test]
fn two_cookies_of_one_name() {
    let of = |name: &str, count| {
        let mut request = request(1);
        request.cookies = vec![ReceivedCookie {
            name: name.to_owned(),
            count,
            value_length: 64,
        }];
        found(FindingKind::DuplicateCookie, &request)
    };
    assert_eq!(of("__Host-cart", 2), [Severity::Problem]);
    assert_eq!(of("__Host-cart", 1), []);
    assert_eq!(of("another-s", 2), []);
}

#[test]
fn a_cookie_that_does_not_come_back() {
    let visits = |count| numbered(count, |_, request| request.sent = vec![cookie("cart")]);
    let kind = FindingKind::CookieNotReturned;
    assert_eq!(in_history(kind, &visits(3)).unwrap().requests, [3, 2, 1]);
    assert_eq!(in_history(kind, &visits(2)), None);
    // It came back once.
    let mut requests = visits(4);
    requests[2].cookies = vec![ReceivedCookie {
        name: "__Host-cart".to_owned(),
        count: 1,
        value_length: 64,
    }];
    assert_eq!(in_history(kind, &requests), None);
    // They were several visitors.
    let mut requests = visits(4);
    for (last, request) in (1..).zip(&mut requests) {
        request.peer = Some([10, 0, 0, last].into());
    }
    assert_eq!(in_history(kind, &requests), None);
    // Removals are no cookies to come back.
    let mut requests = visits(4);
    for request in &mut requests {
        request.sent[0].is_removal = true;
    }
    assert_eq!(in_history(kind, &requests), None);
}

#[test]
fn a_namespace_that_never_commits() {
    let tries = |count, last: Decision| {
        numbered(count, |number, request| {
            request.namespaces[0].keys = vec![key("items", None, Some("1"))];
            request.namespaces[0].decision = match number == count {
                true => Some(last),
                false => Some(Decision::NotSavedOnError),
            };
        })
    };
    let kind = FindingKind::NeverCommitted;
    let finding = in_history(kind, &tries(3, Decision::NotSavedUnasked)).unwrap();
    assert_eq!(
        (finding.severity, finding.requests),
        (Severity::Problem, vec![1, 2, 3])
    );
    assert_eq!(in_history(kind, &tries(2, Decision::NotSavedUnasked)), None);
    assert_eq!(
        in_history(kind, &tries(3, Decision::Create(changed()))),
        None
    );
    // Who changes nothing has nothing to store.
    let reads = numbered(9, |_, request| {
        request.namespaces[0].decision = Some(Decision::NothingChanged);
    });
    assert_eq!(in_history(kind, &reads), None);
}

#[test]
fn a_session_that_grows() {
    let sizes = |sizes: &[usize]| {
        let count = u64::try_from(sizes.len()).unwrap();
        numbered(count, |number, request| {
            let at = usize::try_from(number - 1).unwrap();
            request.namespaces[0].bytes_out = Some(sizes[at]);
        })
    };
    let kind = FindingKind::Growing;
    let finding = in_history(kind, &sizes(&[500, 800, 1100, 1100, 1400, 1700])).unwrap();
    assert_eq!(finding.severity, Severity::Advice);
    assert_eq!(finding.requests, [6, 5, 3, 2, 1]);
    assert!(
        finding.what.contains("from 500 B to 1.6 KiB"),
        "{finding:?}"
    );
    for not in [
        // It is small, does not grow much, was smaller meanwhile, or has not grown often enough.
        &[10, 20, 30, 40, 50][..],
        &[5000, 5001, 5002, 5003, 5004],
        &[500, 800, 1100, 700, 1700],
        &[500, 800, 1100, 1400],
    ] {
        assert_eq!(in_history(kind, &sizes(not)), None, "{not:?}");
    }
    // Close to what it may have.
    assert!(in_history(kind, &sizes(&[49_000, 49_100, 49_200, 49_300, 49_400])).is_some());
    // Different sessions do not grow.
    let mut requests = sizes(&[500, 800, 1100, 1400, 1700]);
    for request in &mut requests {
        request.namespaces[0].id = Some(request.number.to_string());
    }
    assert_eq!(in_history(kind, &requests), None);
}

#[test]
fn a_login_without_a_rotation() {
    let of = |change: KeyOf, is_new: bool, login: bool| {
        let mut request = request(1);
        let mut reasons = changed();
        reasons.login = login;
        request.namespaces[0].decision = Some(Decision::Replace(reasons));
        request.namespaces[0].is_new = is_new;
        request.namespaces[0].keys = vec![key(change.0, change.1, change.2)];
        found(FindingKind::LoginWithoutRotation, &request)
    };
    type KeyOf = (&'static str, Option<&'static str>, Option<&'static str>);
    let user = ("User_Id", None, Some("7"));
    assert_eq!(of(user, false, false), [Severity::Problem]);
    assert_eq!(of(user, false, true), []);
    assert_eq!(of(user, true, false), []);
    assert_eq!(of(("items", None, Some("7")), false, false), []);
    assert_eq!(of(("user_id", Some("7"), Some("7")), false, false), []);
    assert_eq!(of(("user_id", Some("7"), None), false, false), []);
}

#[test]
fn a_clock_that_is_ahead() {
    let of = |created: u64, is_new| {
        let mut request = request(1);
        request.namespaces[0].created = Some(Timestamp::from_millis(created));
        request.namespaces[0].is_new = is_new;
        found(FindingKind::ClockSkew, &request)
    };
    assert_eq!(of(AT + 5_000, false), [Severity::Problem]);
    assert_eq!(of(AT + 4_999, false), []);
    assert_eq!(of(AT - 100_000, false), []);
    assert_eq!(of(AT + 5_000, true), []);
}

#[test]
fn a_store_slower_than_its_deadline() {
    let of = |millis, outcome| {
        let mut request = request(1);
        let call = EntryKind::Call {
            operation: Operation::Load,
            freshness: None,
            id: Some("cart-1".to_owned()),
            outcome: Some(outcome),
            took: Some(Duration::from_millis(millis)),
        };
        // Several calls are one finding.
        request.timeline = vec![entry("cart", call.clone()), entry("cart", call)];
        found(FindingKind::SlowStore, &request)
    };
    assert_eq!(of(249, CallOutcome::Found), []);
    assert_eq!(of(250, CallOutcome::Found), [Severity::Advice]);
    assert_eq!(of(500, CallOutcome::Found), [Severity::Problem]);
    let timed_out = CallOutcome::Failed(StoreErrorKind::TimedOut);
    assert_eq!(of(1, timed_out), [Severity::Problem]);
    // The client left.
    assert_eq!(of(1, CallOutcome::GivenUp), []);
    assert_eq!(of(501, CallOutcome::GivenUp), [Severity::Problem]);
}

#[test]
fn one_finding_names_all_its_requests_and_the_worst_comes_first() {
    let mut first = request(1);
    first.sent = vec![cookie("cart")];
    first.sent[0].value_length = 3800;
    let mut second = request(2);
    second.scheme = Scheme::Http;
    second.sent = vec![cookie("cart")];
    second.sent[0].value_length = 3800;
    let findings = [&second, &first].map(examine_request).concat();
    let findings = examine(&[], findings);
    let seen: Vec<_> = findings
        .iter()
        .map(|f| (f.kind, f.requests.as_slice()))
        .collect();
    assert_eq!(
        seen,
        [
            (FindingKind::SecureOnHttp, &[2][..]),
            (FindingKind::CookieSize, &[2, 1]),
        ]
    );
}

#[test]
fn a_namespace_has_its_own_deadlines() {
    let mut request = request(1);
    let mut slow = namespace("audit");
    Arc::make_mut(&mut slow.configuration).call_deadline = Duration::from_secs(5);
    request.namespaces.push(slow);
    let call = EntryKind::Call {
        operation: Operation::Load,
        freshness: None,
        id: Some("audit-1".to_owned()),
        outcome: Some(CallOutcome::Found),
        took: Some(Duration::from_secs(2)),
    };
    request.timeline = vec![entry("audit", call)];
    assert_eq!(found(FindingKind::SlowStore, &request), []);
}
