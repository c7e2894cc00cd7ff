//! What came with a request.

use cloakroom_core::Scheme;

use super::{Finding, FindingKind, Severity, cookies::says_https};
use crate::{page::bytes, record::RecordedRequest};

/// Servers and proxies refuse a request whose header fields have more bytes: 8 KiB with most.
const HEADER_LIMIT: usize = 8192;
const CLOSE: usize = HEADER_LIMIT / 4 * 3;

pub(super) fn examine(request: &RecordedRequest, findings: &mut Vec<Finding>) {
    findings.extend(header_size(request));
    findings.extend(proxy(request));
    findings.extend(duplicates(request));
}

fn header_size(request: &RecordedRequest) -> Option<Finding> {
    if request.cookie_bytes < CLOSE {
        return None;
    }
    let finding = Finding::of(request, FindingKind::CookieHeaderSize, Severity::Advice);
    Some(finding.says(
        format!(
            "The browser sends {} of cookies with each request; many servers and proxies refuse \
             headers of more than {}.",
            bytes(request.cookie_bytes),
            bytes(HEADER_LIMIT)
        ),
        "Keep large sessions in a store, and remove cookies that nothing reads any more.",
    ))
}

fn proxy(request: &RecordedRequest) -> Option<Finding> {
    if request.scheme == Scheme::Https || !says_https(request) {
        return None;
    }
    let finding = Finding::of(request, FindingKind::ProxyScheme, Severity::Problem);
    Some(finding.says(
        "A proxy's header says that the visitor came over https, and the application takes it for \
         plain http: conditions that ask for https do not hold.",
        "Anybody can send that header, so it is not believed by itself. Where only your proxy \
         reaches the application, put Scheme::Https into the request's extensions (guide: \
         deploying behind a proxy).",
    ))
}

fn duplicates(request: &RecordedRequest) -> Vec<Finding> {
    let mut findings = Vec::new();
    for cookie in request.cookies.iter().filter(|cookie| cookie.count > 1) {
        let mut namespaces = request.namespaces.iter();
        let namespace = namespaces
            .find(|namespace| namespace.configuration.cookie_name.as_ref() == Some(&cookie.name));
        let Some(namespace) = namespace else { continue };
        let finding = Finding::of(request, FindingKind::DuplicateCookie, Severity::Problem);
        findings.push(finding.in_namespace(namespace.name()).says(
            format!(
                "The cookie {} came {} times. The browser has several of this name, set for \
                 different paths or domains, maybe by another application.",
                cookie.name, cookie.count
            ),
            "Remove the strange one in the browser. Against those that other hosts of the domain \
             set, keep the name's __Host- prefix: set neither a Domain nor a Path.",
        ));
    }
    findings
}
