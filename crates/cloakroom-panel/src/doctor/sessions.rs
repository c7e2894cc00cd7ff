//! What a request did with its sessions.

use std::time::Duration;

use cloakroom_core::{Decision, Reasons};

use super::{Finding, FindingKind, Severity};
use crate::decisions::decisions;
use crate::record::{Change, RecordedNamespace, RecordedRequest};

/// Clocks of servers are seldom further apart.
const SKEW: Duration = Duration::from_secs(5);

pub(super) fn examine(request: &RecordedRequest, findings: &mut Vec<Finding>) {
    for namespace in &request.namespaces {
        findings.extend(login_without_rotation(request, namespace));
        findings.extend(clock_skew(request, namespace));
    }
}

/// Keys that applications tell by who is logged in.
const LOGIN_KEYS: [&str; 12] = [
    "account",
    "account_id",
    "auth",
    "authenticated",
    "current_user",
    "logged_in",
    "login",
    "uid",
    "user",
    "user_id",
    "userid",
    "username",
];

fn login_without_rotation(
    request: &RecordedRequest,
    namespace: &RecordedNamespace,
) -> Option<Finding> {
    // A session that began with this request has a secret that nobody could know before.
    if namespace.is_new {
        return None;
    }
    let reasons = decisions(request, namespace)
        .into_iter()
        .map(|one| match one {
            Decision::Replace(reasons) | Decision::Queue(reasons) => Some(reasons),
            _ => None,
        });
    let reasons: Vec<Reasons> = reasons.flatten().collect();
    if reasons.is_empty() || reasons.iter().any(|why| why.login || why.revocation) {
        return None;
    }
    let is_login = |key: &str| LOGIN_KEYS.contains(&key.to_ascii_lowercase().as_str());
    let mut added = namespace
        .keys
        .iter()
        .filter(|key| key.change == Change::Added);
    let key = added.find(|key| is_login(&key.key))?;
    let kind = FindingKind::LoginWithoutRotation;
    let finding = Finding::of(request, kind, Severity::Problem);
    Some(finding.in_namespace(namespace.name()).says(
        format!(
            "The key {} looks like a login, and the session's secret was not replaced with it: \
             whoever knew the token before is logged in, too.",
            key.key
        ),
        "Call login(subject) on the session when somebody logs in. It replaces the secret, begins \
         the absolute limit again, and lets you list and end the user's sessions.",
    ))
}

fn clock_skew(request: &RecordedRequest, namespace: &RecordedNamespace) -> Option<Finding> {
    let ahead = namespace
        .created?
        .as_millis()
        .checked_sub(request.at.as_millis())?;
    let ahead = Duration::from_millis(ahead);
    if namespace.is_new || ahead < SKEW {
        return None;
    }
    let finding = Finding::of(request, FindingKind::ClockSkew, Severity::Problem);
    Some(finding.in_namespace(namespace.name()).says(
        format!(
            "The session was created {} s in the future: the machine that did it has a clock that \
             is ahead, or this one's is behind. Limits are judged wrongly by as much.",
            ahead.as_secs()
        ),
        "Let all machines that use the store keep their clocks by NTP.",
    ))
}
