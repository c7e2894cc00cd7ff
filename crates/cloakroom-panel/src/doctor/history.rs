//! What shows only over several requests.

use std::{collections::BTreeMap, net::IpAddr};

use super::{Finding, FindingKind, Severity};
use crate::{
    decisions::{decisions, is_write},
    page::bytes,
    record::{Access, Change, RecordedNamespace, RecordedRequest},
};

/// What history needs of a request, so that no request is copied for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Brief {
    number: u64,
    peer: Option<IpAddr>,
    host: String,
    /// The names of the cookies that came.
    cookies: Vec<String>,
    /// The names of the session cookies that were set.
    sent: Vec<String>,
    namespaces: Vec<BriefNamespace>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct BriefNamespace {
    name: String,
    id: Option<String>,
    cookie: Option<String>,
    is_opened: bool,
    has_changes: bool,
    is_stored: bool,
    size: Option<usize>,
    max_size: usize,
}

impl Brief {
    pub(crate) fn of(request: &RecordedRequest) -> Self {
        let set = request.sent.iter().filter(|cookie| !cookie.is_removal);
        Self {
            number: request.number,
            peer: request.peer,
            host: request.host.clone(),
            cookies: request.cookies.iter().map(|c| c.name.clone()).collect(),
            sent: set.map(|cookie| cookie.name.clone()).collect(),
            namespaces: request
                .namespaces
                .iter()
                .map(|n| brief(request, n))
                .collect(),
        }
    }
}

fn brief(request: &RecordedRequest, namespace: &RecordedNamespace) -> BriefNamespace {
    let changes = namespace.keys.iter().map(|key| key.change);
    BriefNamespace {
        name: namespace.name().to_owned(),
        id: namespace.id.clone(),
        cookie: namespace.configuration.cookie_name.clone(),
        is_opened: namespace.access == Access::Opened,
        has_changes: changes
            .into_iter()
            .any(|change| change != Change::Unchanged),
        is_stored: decisions(request, namespace).into_iter().any(is_write),
        size: namespace.bytes_out.or(namespace.bytes_in),
        max_size: namespace.configuration.max_size,
    }
}

/// The newest comes first.
pub(super) fn examine(briefs: &[Brief]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let namespaces = briefs.iter().flat_map(|brief| &brief.namespaces);
    let mut names: Vec<&str> = namespaces.map(|n| n.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        findings.extend(never_committed(briefs, name));
        findings.extend(growing(briefs, name));
        findings.extend(not_returned(briefs, name));
    }
    findings
}

/// The requests that opened a namespace, oldest first.
fn uses<'a>(
    briefs: &'a [Brief],
    name: &str,
) -> impl Iterator<Item = (&'a Brief, &'a BriefNamespace)> {
    briefs.iter().rev().filter_map(move |brief| {
        let mut namespaces = brief.namespaces.iter();
        let namespace = namespaces.find(|namespace| namespace.name == name)?;
        namespace.is_opened.then_some((brief, namespace))
    })
}

fn finding(kind: FindingKind, severity: Severity, name: &str, requests: Vec<u64>) -> Finding {
    Finding {
        kind,
        severity,
        namespace: Some(name.to_owned()),
        requests,
        what: String::new(),
        todo: String::new(),
    }
}

/// One error page does not make it a habit.
const OFTEN: usize = 3;

fn never_committed(briefs: &[Brief], name: &str) -> Option<Finding> {
    if uses(briefs, name).any(|(_, namespace)| namespace.is_stored) {
        return None;
    }
    let changing = uses(briefs, name).filter(|(_, namespace)| namespace.has_changes);
    let requests: Vec<_> = changing.map(|(brief, _)| brief.number).collect();
    if requests.len() < OFTEN {
        return None;
    }
    let count = requests.len();
    let kind = FindingKind::NeverCommitted;
    Some(finding(kind, Severity::Problem, name, requests).says(
        format!("{count} requests changed this session, and none of the changes was stored."),
        "See in a request's timeline what was decided at commit. As a rule the responses are 5xx, \
         or the namespace saves explicitly and save() is not called.",
    ))
}

/// A session that has grown from one request to the next, so often in a row.
const STEPS: usize = 4;
const NOTEWORTHY: usize = 1024;

fn growing(briefs: &[Brief], name: &str) -> Option<Finding> {
    let mut sessions: BTreeMap<&str, Vec<(u64, usize, usize)>> = BTreeMap::new();
    for (brief, namespace) in uses(briefs, name) {
        if let (Some(id), Some(size)) = (&namespace.id, namespace.size) {
            let sizes = sessions.entry(id).or_default();
            // Requests that read it say nothing.
            if sizes.last().is_none_or(|(_, last, _)| *last != size) {
                sizes.push((brief.number, size, namespace.max_size));
            }
        }
    }
    sessions.into_values().find_map(|sizes| {
        let newest = sizes.last_chunk::<{ STEPS + 1 }>()?;
        let [(_, first, _), .., (_, last, max_size)] = newest;
        let is_growing = newest.is_sorted_by(|(_, before, _), (_, after, _)| before < after);
        let is_much = *last >= NOTEWORTHY && *last >= first.saturating_mul(2);
        if !is_growing || !(is_much || last.saturating_mul(4) >= max_size.saturating_mul(3)) {
            return None;
        }
        let requests = newest.iter().rev().map(|(number, ..)| *number).collect();
        let finding = finding(FindingKind::Growing, Severity::Advice, name, requests);
        Some(finding.says(
            format!(
                "The session grew with each of its last {STEPS} changes, from {} to {}; at {} \
                 changes are refused.",
                bytes(*first),
                bytes(*last),
                bytes(*max_size)
            ),
            "Keep only what is needed: drop old entries of lists, and keep what belongs to a user \
             for good in the application's database, with its key in the session.",
        ))
    })
}

/// A browser that was given a cookie, several times, and sends none.
fn not_returned(briefs: &[Brief], name: &str) -> Option<Finding> {
    let mut namespaces = briefs.iter().flat_map(|brief| &brief.namespaces);
    let cookie = namespaces.find_map(|n| (n.name == name).then_some(n.cookie.as_ref()))??;
    let newest = briefs.iter().find(|brief| brief.sent.contains(cookie))?;
    let is_of_visitor = |brief: &&Brief| {
        brief.peer.is_some() && (brief.peer, &brief.host) == (newest.peer, &newest.host)
    };
    let mut sent = Vec::new();
    for brief in briefs.iter().filter(is_of_visitor) {
        if brief.cookies.contains(cookie) {
            return None;
        }
        if brief.sent.contains(cookie) {
            sent.push(brief.number);
        }
    }
    if sent.len() < OFTEN {
        return None;
    }
    let count = sent.len();
    let kind = FindingKind::CookieNotReturned;
    Some(finding(kind, Severity::Advice, name, sent).says(
        format!(
            "The cookie {cookie} was set {count} times for {}, and never came back: each request \
             begins a new session.",
            newest.host
        ),
        "If it is a browser, see in its developer tools why it refuses the cookie: Secure on plain \
         http, a Domain or Path that is not the page's, or a frame of another site. A program needs \
         a cookie jar, or a header transport.",
    ))
}
