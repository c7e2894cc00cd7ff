//! One request.

use cloakroom_core::Scheme;
use maud::{Markup, html};

use super::{
    Frame,
    findings::finding,
    list::status,
    sessions::{Peeked, sessions},
    timeline::timeline,
    words::{bytes, clock, took},
};
use crate::{
    doctor::examine_request,
    record::{ReceivedCookie, RecordedRequest},
};

/// A request, whole: its title and its page.
pub(crate) fn request(
    frame: &Frame<'_>,
    request: &RecordedRequest,
    peeked: Option<&Peeked>,
) -> (String, Markup) {
    let title = format!("{} {}", request.method, request.path);
    let findings = examine_request(request);
    let page = html! {
        a.back href={ (frame.base) "/" } { "← All requests" }
        div.title {
            h2 {
                b { (request.method) } " " (request.path)
                @if let Some(query) = &request.query { span.query { "?" (query) } }
            }
            (status(request.end))
        }
        (facts(request))
        @if !findings.is_empty() {
            h3 { "Findings" }
            @for found in &findings { (finding(frame.base, found, false)) }
        }
        h3 { "Sessions, in and out" }
        (sessions(frame, request, peeked))
        h3 { "Timeline" }
        (timeline(request))
        @if request.left_out > 0 {
            p.quiet {
                "There was no room for all of this request: "
                (request.left_out) " entries and values were left out."
            }
        }
    };
    (title, page)
}

fn facts(request: &RecordedRequest) -> Markup {
    let scheme = match request.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    html! {
        dl.facts {
            (fact("At", &html! { time data-at=(request.at.as_millis()) { (clock(request.at)) } }))
            @if let Some(duration) = request.duration { (fact("Took", &html! { (took(duration)) })) }
            (fact("To", &html! { (scheme) "://" (request.host) }))
            @if let Some(peer) = request.peer { (fact("From", &html! { (peer.to_string()) })) }
            @if let Some(proto) = &request.forwarded_proto {
                (fact("A proxy's header says", &html! { (proto) " " small { "not believed" } }))
            }
            @if let Some(kind) = &request.content_type { (fact("Type", &html! { (kind) })) }
            @if let Some(location) = &request.location { (fact("Location", &html! { code { (location) } })) }
            (fact("Cookies received", &cookies(request)))
        }
    }
}

fn fact(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn cookies(request: &RecordedRequest) -> Markup {
    let times = |cookie: &ReceivedCookie| match cookie.count {
        1 => String::new(),
        count => format!(" ×{count}"),
    };
    html! {
        @if request.cookies.is_empty() { "none" }
        @for (at, cookie) in request.cookies.iter().enumerate() {
            @if at > 0 { ", " }
            code { (cookie.name) } (times(cookie))
        }
        @if request.cookie_bytes > 0 { " " small { (bytes(request.cookie_bytes)) } }
    }
}
