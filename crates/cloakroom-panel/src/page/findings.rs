//! What the doctor found.

use maud::{Markup, html};

use super::words::counted;
use crate::doctor::{Finding, Severity};

/// How many requests of a finding are named.
const NAMED: usize = 12;

/// All findings.
pub(crate) fn findings(base: &str, findings: &[Finding], recorded: usize) -> Markup {
    html! {
        h1 { "Findings" }
        p.quiet { "In the newest " (counted(recorded, "request")) "." }
        @for found in findings { (finding(base, found, true)) }
        @if findings.is_empty() { p { "Nothing looks wrong." } }
    }
}

/// One of them, with the requests that show it if asked for.
pub(super) fn finding(base: &str, finding: &Finding, names_requests: bool) -> Markup {
    let (class, severity) = match finding.severity {
        Severity::Problem => ("bad", "problem"),
        Severity::Advice => ("notable", "advice"),
    };
    html! {
        div.card {
            div.finding.(severity) {
                p {
                    span.chip.(class) { (severity) } " "
                    @if let Some(namespace) = &finding.namespace { span.chip { b { (namespace) } } " " }
                    (finding.what)
                }
                p.todo { b { "What to do: " } (finding.todo) }
                @if names_requests {
                    p.where {
                        small {
                            (counted(finding.requests.len(), "request")) ": "
                            @for (at, number) in finding.requests.iter().take(NAMED).enumerate() {
                                @if at > 0 { ", " }
                                a href={ (base) "/requests/" (number) } { "#" (number) }
                            }
                            @if finding.requests.len() > NAMED { " …" }
                        }
                    }
                }
            }
        }
    }
}
