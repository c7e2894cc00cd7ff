//! What looks wrong, and what to do about it. Pure functions over what was recorded.

mod clients;
mod cookies;
mod history;
mod sessions;
mod stores;

pub(crate) use self::history::Brief;
use crate::record::RecordedRequest;

/// Something that looks wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// How bad it is.
    pub severity: Severity,
    /// The namespace, if it is about one.
    pub namespace: Option<String>,
    /// The requests that show it, by their numbers.
    pub requests: Vec<u64>,
    /// What was seen.
    pub what: String,
    /// What to do.
    pub todo: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Something does not work, or not for everybody.
    Problem,
    /// It works now, and may not for long.
    Advice,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// A cookie is over the browsers' limit, or close to it.
    CookieSize,
    /// The cookies of a request are close to what servers take.
    CookieHeaderSize,
    /// A `Secure` cookie was set over plain http.
    SecureOnHttp,
    /// A proxy says that the visitor came over another scheme than the application believes.
    ProxyScheme,
    /// A cookie whose name has a prefix can't keep what the prefix promises behind this proxy.
    PrefixBroken,
    /// Several cookies of one name came.
    DuplicateCookie,
    /// The browser does not send a cookie back.
    CookieNotReturned,
    /// Changes of a namespace are never stored.
    NeverCommitted,
    /// A session grows and grows.
    Growing,
    /// Somebody seems to have logged in, and the session's secret was not replaced.
    LoginWithoutRotation,
    /// Another machine's clock is not that of this one.
    ClockSkew,
    /// A store call took longer than it may, or nearly.
    SlowStore,
}

/// What one request shows.
pub(crate) fn examine_request(request: &RecordedRequest) -> Vec<Finding> {
    let mut findings = Vec::new();
    cookies::examine(request, &mut findings);
    clients::examine(request, &mut findings);
    sessions::examine(request, &mut findings);
    stores::examine(request, &mut findings);
    findings
}

/// What all requests show together: each finding once, with the requests that show it, the worst
/// first. `briefs` and the findings are those of the newest request first.
pub(crate) fn examine(briefs: &[Brief], of_requests: Vec<Finding>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for finding in of_requests.into_iter().chain(history::examine(briefs)) {
        let is_same = |other: &&mut Finding| {
            (other.kind, other.severity, &other.namespace)
                == (finding.kind, finding.severity, &finding.namespace)
        };
        match findings.iter_mut().find(is_same) {
            Some(known) => {
                let new = finding
                    .requests
                    .iter()
                    .filter(|n| !known.requests.contains(n));
                let new: Vec<_> = new.copied().collect();
                known.requests.extend(new);
            }
            None => findings.push(finding),
        }
    }
    findings.sort_by_key(|finding| (finding.severity, finding.kind));
    findings
}

impl Finding {
    fn of(request: &RecordedRequest, kind: FindingKind, severity: Severity) -> Self {
        Self {
            kind,
            severity,
            namespace: None,
            requests: vec![request.number],
            what: String::new(),
            todo: String::new(),
        }
    }

    fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    fn says(mut self, what: impl Into<String>, todo: impl Into<String>) -> Self {
        self.what = what.into();
        self.todo = todo.into();
        self
    }
}

#[cfg(test)]
mod tests;
