//! What the pages show of a recorded request.

use std::sync::Arc;

use cloakroom_core::{CallOutcome, Decision, Scheme, store::Operation};

use super::*;
use crate::{
    fixture::{changed, configuration, cookie, entry, key, namespace, request, value},
    record::{Access, EntryKind, ReceivedCookie, RecordedRequest, RequestEnd},
};

const FRAME: Frame<'static> = Frame {
    base: "/_cloakroom",
    nonce: "n0nce",
    token: "t0ken",
    findings: (0, 0),
};

fn shown(request: &RecordedRequest) -> String {
    super::request(&FRAME, request, None).1.into_string()
}

/// What a reader sees: without tags, entities turned back.
fn text(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        let part = part.split_once('>').map_or(part, |(_, text)| text);
        text.push_str(part);
        text.push(' ');
    }
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    let text = text.replace("&quot;", "\"").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn page(rows: Vec<Markup>, filter: &Filter, shown: Option<(String, Markup)>) -> String {
    FRAME.requests(Requests {
        recorded: rows.len(),
        rows,
        capacity: 100,
        filter,
        namespaces: &["account".to_owned(), "cart".to_owned()],
        number: shown.as_ref().map(|_| 1),
        shown,
        follows: true,
    })
}

#[test]
fn whatever_comes_from_outside_is_text() {
    const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&";
    let hostile = || HOSTILE.to_owned();
    let mut request = request(1);
    request.method = hostile();
    request.host = hostile();
    request.path = hostile();
    request.query = Some(hostile());
    request.content_type = Some(hostile());
    request.location = Some(hostile());
    request.forwarded_proto = Some(hostile());
    request.cookies = vec![ReceivedCookie {
        name: hostile(),
        count: 2,
        value_length: 1,
    }];
    let mut bad = namespace("cart");
    let row = Arc::make_mut(&mut bad.configuration);
    row.namespace = hostile();
    row.cookie_name = Some(hostile());
    row.cookie_attributes = Some(hostile());
    row.transports = vec![hostile()];
    row.store = hostile();
    row.key_ids = vec![hostile()];
    row.notes = vec![hostile()];
    let row = row.clone();
    bad.id = Some(hostile());
    bad.keys = vec![key(HOSTILE, Some(HOSTILE), Some(HOSTILE))];
    bad.keys.push(key(HOSTILE, None, Some(&HOSTILE.repeat(9))));
    bad.may_peek = true;
    request.namespaces = vec![bad];
    request.sent = vec![cookie(HOSTILE)];
    request.sent[0].attributes = hostile();
    let seen = EntryKind::TokenSeen {
        transport: hostile(),
        id: Some(hostile()),
        is_malformed: false,
    };
    let added = EntryKind::Header {
        name: hostile(),
        value: Some(hostile()),
        cookie: None,
    };
    request.timeline = vec![entry(HOSTILE, seen), entry(HOSTILE, added)];
    let peeked = Peeked {
        namespace: hostile(),
        found: Ok(vec![key(HOSTILE, Some(HOSTILE), Some(HOSTILE))]),
    };
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("path", HOSTILE)
        .append_pair("namespace", HOSTILE)
        .finish();
    let filter = Filter::of_query(Some(&query));
    let shown = super::request(&FRAME, &request, Some(&peeked));
    for html in [
        page(
            vec![super::row("/_cloakroom", &request, &filter.query(), true)],
            &filter,
            Some(shown),
        ),
        FRAME.namespaces(&super::namespaces(&[row])),
        FRAME.findings(&super::findings(
            "/_cloakroom",
            &crate::doctor::examine_request(&request),
            1,
        )),
        FRAME.refusal(HOSTILE, HOSTILE),
    ] {
        let own = html.matches("<script").count();
        assert_eq!(own, 1, "{html}");
        assert!(!html.contains("<img"), "{html}");
        assert!(!html.contains("\"'>"), "{html}");
    }
}

/// The panel that this one takes up showed the configuration of each namespace, or that there is
/// none (M62, M63, M72).
#[test]
fn the_configuration_of_each_namespace() {
    let mut account = configuration("account");
    account.has_condition = true;
    let mut prefs = configuration("prefs");
    prefs.is_client_side = true;
    prefs.key_ids = vec!["k1a2b3".to_owned(), "k9z8y7".to_owned()];
    let html = super::namespaces(&[account, prefs]).into_string();
    let text = text(&html);
    for expected in [
        "Namespace Tokens Store Limits Condition Keys Saves",
        "account cookie __Host-account Path=/; Secure; HttpOnly; SameSite=Lax MemoryStore",
        "idle 30 min absolute 12 h a call 500 ms opening 1 s, committing 1 s only_if none",
        "prefs cookie __Host-prefs Path=/; Secure; HttpOnly; SameSite=Lax in the cookie itself",
        "always open k1a2b3 current k9z8y7 on change MessagePack",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let none = super::namespaces(&[]).into_string();
    assert!(none.contains("None is known yet"), "{none}");
}

/// What was accessed, what was not, and where the condition refused (M64, M65, M69, M71).
#[test]
fn which_sessions_were_accessed() {
    let mut request = request(1);
    request.scheme = Scheme::Http;
    for (name, access) in [
        ("account", Access::Closed),
        ("prefs", Access::NotTouched),
        ("admin", Access::Judged),
    ] {
        let mut other = namespace(name);
        other.access = access;
        (other.id, other.created) = (None, None);
        other.may_peek = access == Access::NotTouched;
        request.namespaces.push(other);
    }
    let html = shown(&request);
    let text = text(&html);
    for expected in [
        "cart accessed",
        "account closed Its condition is false for this request, which came over plain http.",
        "prefs not accessed The application did not ask for it: nothing was read, and no cookie is sent. Peek",
        "admin not opened The application saw that it is open",
        "Life: began 1 min before this request, expires in 1 min.",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    // Only what was not opened can be peeked at, and the form is the panel's own.
    assert_eq!(
        html.matches("action=\"/_cloakroom/requests/1/peek\"")
            .count(),
        1
    );
    assert!(html.contains("name=\"token\" value=\"t0ken\""), "{html}");
}

/// In and out, key by key; what was added, changed and removed is marked (M66, M68).
#[test]
fn what_went_in_and_out() {
    let mut request = request(1);
    request.namespaces[0].keys = vec![
        key("added", None, Some("1")),
        key("changed", Some("1"), Some("22")),
        key("removed", Some("1"), None),
        key("same", Some("1"), Some("1")),
    ];
    request.namespaces[0].bytes_in = Some(30);
    request.namespaces[0].bytes_out = Some(2000);
    let text = text(&shown(&request));
    for expected in [
        "30 B → 1.9 KiB",
        "Key In Out Bytes + added added – 1 1 B",
        "~ changed changed 1 22 1 B → 2 B",
        "− removed removed 1 – 1 B",
        "same 1 unchanged 1 B",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn masked_values_are_shown_when_asked_for() {
    let mut request = request(1);
    let mut secret = key("password", None, Some("\"hush\""));
    secret.is_masked = true;
    request.namespaces[0].keys = vec![secret];
    let html = shown(&request);
    assert!(
        html.contains("<details class=\"mask\"><summary><span class=\"dots\">"),
        "{html}"
    );
    assert!(!html.contains("<details class=\"mask\" open"), "{html}");
    let (before, _) = html.split_once("</summary>").unwrap();
    assert!(!before.contains("hush"), "{before}");
}

/// "Why was no cookie set?"
#[test]
fn what_became_of_the_cookie_and_why() {
    let with = |decision: Option<Decision>, is_sent: bool| {
        let mut request = request(1);
        request.namespaces[0].decision = decision;
        if is_sent {
            request.sent = vec![cookie("cart")];
        }
        text(&shown(&request))
    };
    for (decision, is_sent, expected) in [
        (
            Some(Decision::Create(changed())),
            true,
            "Cookie: sent: __Host-cart=…; Path=/; Secure; HttpOnly; SameSite=Lax (75 B)",
        ),
        (
            Some(Decision::NothingChanged),
            false,
            "Cookie: not sent: the client has it already.",
        ),
        (
            Some(Decision::Empty),
            false,
            "Cookie: not sent: the session is new, and there is nothing in it.",
        ),
        (
            Some(Decision::NotSavedOnError),
            false,
            "Cookie: not sent: the response is an error",
        ),
        (
            Some(Decision::NotSavedUnasked),
            false,
            "Cookie: not sent: the namespace saves explicitly",
        ),
        (
            Some(Decision::CookieWithheld),
            false,
            "Cookie: not sent: the request is late",
        ),
        (
            Some(Decision::Failed(Some(503))),
            false,
            "Cookie: not sent: the commit failed.",
        ),
    ] {
        let text = with(decision, is_sent);
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let mut request = request(1);
    request.end = None;
    assert!(text(&shown(&request)).contains("Cookie: not yet: the request is under way."));
    let row = Arc::make_mut(&mut request.namespaces[0].configuration);
    row.cookie_name = None;
    assert!(text(&shown(&request)).contains("do not travel in a cookie"));
}

#[test]
fn the_timeline_says_what_took_how_long() {
    let mut request = request(1);
    let call = EntryKind::Call {
        operation: Operation::Load,
        freshness: None,
        id: Some("cart-1".to_owned()),
        outcome: Some(CallOutcome::Found),
        took: Some(std::time::Duration::from_micros(1605)),
    };
    request.timeline = vec![entry("cart", call)];
    let html = shown(&request);
    assert!(text(&html).contains("+120 µs cart store: load"), "{html}");
    assert!(text(&html).contains("1.60 ms"), "{html}");
    // Of 3210 µs.
    assert!(html.contains("<rect x=\"3.7\" width=\"50.0\""), "{html}");
}

#[test]
fn the_list_says_what_became_of_each_request() {
    let mut one = request(7);
    one.end = Some(RequestEnd::Answered(303));
    one.namespaces[0].decision = Some(Decision::Replace(changed()));
    let mut untouched = namespace("prefs");
    untouched.access = Access::NotTouched;
    one.namespaces.push(untouched);
    let html = super::row("/_cloakroom", &one, "", false).into_string();
    assert!(html.contains("href=\"/_cloakroom/requests/7\""), "{html}");
    assert!(html.contains("data-namespaces=\"cart\""), "{html}");
    assert_eq!(
        text(&html),
        "303 GET /cart 3.21 ms cart changed 22:50:32.109 UTC"
    );
    // An event of the feed has one line.
    assert!(!html.contains('\n'));
    for (end, expected) in [
        (None, "···"),
        (Some(RequestEnd::Dropped), "left"),
        (Some(RequestEnd::Panicked), "panic"),
        (Some(RequestEnd::Failed), "err"),
    ] {
        one.end = end;
        let html = super::row("/_cloakroom", &one, "", false).into_string();
        assert!(text(&html).starts_with(expected), "{html}");
    }
}

#[test]
fn requests_are_filtered_by_words_and_by_namespace() {
    let mut one = request(1);
    one.path = "/Cart/add/umbrella".to_owned();
    let mut untouched = namespace("prefs");
    untouched.access = Access::NotTouched;
    one.namespaces.push(untouched);
    for (query, admits) in [
        ("", true),
        ("path=cart", true),
        ("path=GET+200", true),
        ("path=get+404", false),
        ("path=basket", false),
        ("namespace=cart", true),
        ("namespace=prefs", false),
        ("path=umbrella&namespace=cart", true),
        ("path=basket&namespace=cart", false),
        ("other=1", true),
    ] {
        assert_eq!(
            Filter::of_query(Some(query)).admits(&one),
            admits,
            "{query}"
        );
    }
    let long = format!("path={}", "a".repeat(10_000));
    assert_eq!(Filter::of_query(Some(&long)), Filter::default());
    // It stays in the links.
    let filter = Filter::of_query(Some("path=a%26b&namespace=cart"));
    assert_eq!(Filter::of_query(filter.query().strip_prefix('?')), filter);
    assert_eq!(Filter::default().query(), "");
}

#[test]
fn scripts_and_styles_have_the_nonce_and_nothing_else_is_inline() {
    let mut request = request(1);
    request.namespaces[0].keys = vec![key("items", None, Some("1"))];
    let rows = vec![super::row("/_cloakroom", &request, "", true)];
    let shown = super::request(&FRAME, &request, None);
    let html = page(rows, &Filter::default(), Some(shown));
    for element in ["<script", "<style", "<link rel=\"stylesheet\""] {
        for (at, _) in html.match_indices(element) {
            let tag = html[at..].split('>').next().unwrap();
            assert!(tag.contains("nonce=\"n0nce\""), "{tag}");
        }
    }
    for inline in [
        " style=",
        " onclick=",
        " onload=",
        "javascript:",
        "http://",
        "https://fonts",
    ] {
        let html = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!html.contains(inline), "{inline}\n{html}");
    }
}

#[test]
fn a_long_value_that_was_cut_says_so() {
    let mut request = request(1);
    let mut cut = key("log", None, Some("1"));
    let mut long = value(&format!("\"{}", "a".repeat(500)));
    (long.is_cut, long.bytes) = (true, 70_000);
    cut.after = Some(long);
    request.namespaces[0].keys = vec![cut];
    request.left_out = 3;
    let text = text(&shown(&request));
    assert!(
        text.contains("The beginning; the value has 68.3 KiB."),
        "{text}"
    );
    assert!(
        text.contains("3 entries and values were left out."),
        "{text}"
    );
}
