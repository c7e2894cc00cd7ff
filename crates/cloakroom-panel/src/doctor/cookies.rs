//! What browsers make of the cookies that a response sets.

use cloakroom_core::Scheme;

use super::{Finding, FindingKind, Severity};
use crate::{
    page::bytes,
    record::{RecordedCookie, RecordedRequest},
};

/// Browsers drop a cookie whose name and value have more bytes together.
const BROWSER_LIMIT: usize = 4096;
/// From here on there is little room left: seven eighths of the limit.
const CLOSE: usize = BROWSER_LIMIT / 8 * 7;

pub(super) fn examine(request: &RecordedRequest, findings: &mut Vec<Finding>) {
    for cookie in request.sent.iter().filter(|cookie| !cookie.is_removal) {
        findings.extend(size(request, cookie));
        findings.extend(secure_on_http(request, cookie));
        findings.extend(prefix(request, cookie));
    }
}

fn size(request: &RecordedRequest, cookie: &RecordedCookie) -> Option<Finding> {
    let size = cookie.name.len().saturating_add(cookie.value_length);
    let severity = match size {
        ..CLOSE => return None,
        CLOSE..=BROWSER_LIMIT => Severity::Advice,
        _ => Severity::Problem,
    };
    let verdict = match severity {
        Severity::Problem => "browsers drop it, and the session with it",
        Severity::Advice => "there is little room left",
    };
    let finding = Finding::of(request, FindingKind::CookieSize, severity);
    Some(finding.in_namespace(&cookie.namespace).says(
        format!(
            "The cookie {} has {} with its name; browsers take {}: {verdict}.",
            cookie.name,
            bytes(size),
            bytes(BROWSER_LIMIT)
        ),
        "Keep less in this session, or keep it in a store: Namespace::new(name, store) in the \
         place of Namespace::in_cookie.",
    ))
}

fn secure_on_http(request: &RecordedRequest, cookie: &RecordedCookie) -> Option<Finding> {
    // Behind a proxy that speaks https the browser keeps it; that is a finding of its own.
    let is_plain = request.scheme == Scheme::Http && !says_https(request);
    if !is_plain || !has_attribute(cookie, "Secure") {
        return None;
    }
    let (severity, what) = match is_this_machine(&request.host) {
        true => (
            Severity::Advice,
            "Chromium and Firefox take it on this machine's own address, Safari drops it",
        ),
        false => (Severity::Problem, "browsers drop it"),
    };
    let finding = Finding::of(request, FindingKind::SecureOnHttp, severity);
    Some(finding.in_namespace(&cookie.namespace).says(
        format!(
            "The cookie {} is Secure and was set over plain http: {what}.",
            cookie.name
        ),
        "Open the application over https. To develop without it, give this namespace \
         insecure_http() in development alone.",
    ))
}

fn prefix(request: &RecordedRequest, cookie: &RecordedCookie) -> Option<Finding> {
    let has_prefix = cookie.name.starts_with("__Host-") || cookie.name.starts_with("__Secure-");
    if !has_prefix || !says_http(request) {
        return None;
    }
    let finding = Finding::of(request, FindingKind::PrefixBroken, Severity::Problem);
    Some(finding.in_namespace(&cookie.namespace).says(
        format!(
            "The proxy's header says that the visitor came over plain http, and browsers refuse \
             the cookie {} there: its prefix promises https.",
            cookie.name
        ),
        "Let the proxy redirect http to https. If the visitor did come over https, the proxy sends \
         a wrong X-Forwarded-Proto or Forwarded header: set it there.",
    ))
}

pub(super) fn says_https(request: &RecordedRequest) -> bool {
    forwarded(request) == Some("https")
}

fn says_http(request: &RecordedRequest) -> bool {
    forwarded(request) == Some("http")
}

/// What the first of the proxies says, which is the one that the visitor talked to.
fn forwarded(request: &RecordedRequest) -> Option<&'static str> {
    let first = request.forwarded_proto.as_deref()?.split(',').next()?;
    let first = first.trim();
    ["https", "http"]
        .into_iter()
        .find(|scheme| first.eq_ignore_ascii_case(scheme))
}

fn has_attribute(cookie: &RecordedCookie, name: &str) -> bool {
    let mut attributes = cookie.attributes.split(';');
    attributes.any(|attribute| attribute.trim().eq_ignore_ascii_case(name))
}

/// Whether a `Host` header names the machine that the browser runs on.
pub(super) fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.to_ascii_lowercase();
    let is_loopback = |address: std::net::IpAddr| address.is_loopback();
    name == "localhost" || name.ends_with(".localhost") || name.parse().is_ok_and(is_loopback)
}
