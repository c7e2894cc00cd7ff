//! What lies below the panel's path: which page was asked for, and the answer.

use std::{fmt, net::IpAddr};

use cloakroom_core::{RequestHead, TokenVerdict};

use crate::{
    assets,
    doctor::{Brief, Finding, Severity, examine, examine_request},
    feed::FeedStream,
    page::{self, Filter, Frame, Peeked, Requests},
    panel::Panel,
    peek::{Peek, PeekError},
    random,
    safety::Refusal,
};

/// A request below the panel's path.
#[derive(Clone, Copy)]
pub struct PanelRequest<'a> {
    /// Its head.
    pub head: &'a dyn RequestHead,
    /// Who has sent it, where the integration knows: the other end of the connection, never what a
    /// header says.
    pub peer: Option<IpAddr>,
    /// Its body, of a `POST`; `None` when it has more than [`LARGEST_BODY`] bytes, or can't be read.
    pub body: Option<&'a [u8]>,
}

impl fmt::Debug for PanelRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanelRequest")
            .field("method", &self.head.method())
            .field("path", &self.head.path())
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The largest body that a form of the panel has, in bytes. An integration reads no more.
pub const LARGEST_BODY: usize = 4096;

/// An answer of the panel.
#[derive(Debug)]
pub struct PanelResponse {
    /// The status.
    pub status: u16,
    /// All headers; their names are in lower case. `Content-Length` is the integration's.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: PanelBody,
}

/// The body of an answer.
#[derive(Debug)]
pub enum PanelBody {
    /// All of it.
    Full(String),
    /// Server-sent events, as they happen.
    Feed(FeedStream),
}

/// Answers a request below the panel's path.
///
/// Cancel safe: nothing is changed behind the first await.
pub fn respond(
    panel: &Panel,
    request: &PanelRequest<'_>,
) -> impl Future<Output = PanelResponse> + Send + use<> {
    let panel = panel.clone();
    // Nothing of the head is kept: it is not `Send`.
    let asked = asked(&panel, request);
    let is_head = request.head.method() == "HEAD";
    async move {
        let mut response = match asked {
            Ok(Asked::Peek { number, namespace }) => {
                let peeked = peeked(panel.peek(number, &namespace).await, namespace);
                listed(&panel, &Filter::default(), Some(number), Some(&peeked))
            }
            Ok(asked) => at_once(&panel, asked),
            Err(refused) => refused,
        };
        if is_head {
            response.body = PanelBody::Full(String::new());
        }
        response
    }
}

/// What was asked for.
#[derive(Debug)]
enum Asked {
    Requests(Filter, Option<u64>),
    Namespaces,
    Findings,
    Feed,
    Asset(&'static str, &'static str),
    Peek { number: u64, namespace: String },
    Clear,
}

/// Who may not ask gets an answer right away, and so does what there is not.
fn asked(panel: &Panel, request: &PanelRequest<'_>) -> Result<Asked, PanelResponse> {
    panel
        .check(request)
        .map_err(|refusal| refused(panel, &refusal))?;
    let path = request.head.path();
    let path = path.strip_prefix(panel.base()).unwrap_or(path);
    let is_post = request.head.method() == "POST";
    let Some(body) = request.body else {
        let text = "No form of the panel is as large as this.";
        return Err(simple(panel, 413, "Too large", text));
    };
    let filter = || Filter::of_query(request.head.query());
    let asked = match path.trim_start_matches('/') {
        "" => Asked::Requests(filter(), None),
        "namespaces" => Asked::Namespaces,
        "findings" => Asked::Findings,
        "feed" => Asked::Feed,
        "panel.css" => Asked::Asset("text/css; charset=utf-8", assets::PANEL_CSS),
        "button.css" => Asked::Asset("text/css; charset=utf-8", assets::BUTTON_CSS),
        "panel.js" => Asked::Asset("text/javascript; charset=utf-8", assets::PANEL_JS),
        "clear" if is_post => Asked::Clear,
        path => match numbered(path) {
            Some((number, "")) => Asked::Requests(filter(), Some(number)),
            Some((number, "peek")) if is_post => Asked::Peek {
                number,
                namespace: field(body, "namespace").unwrap_or_default(),
            },
            _ => {
                return Err(simple(
                    panel,
                    404,
                    "Not found",
                    "The panel has no such page.",
                ));
            }
        },
    };
    let changes = matches!(asked, Asked::Peek { .. } | Asked::Clear);
    if changes {
        let token = field(body, "token").unwrap_or_default();
        panel
            .check_token(&token)
            .map_err(|refusal| refused(panel, &refusal))?;
    } else if is_post {
        return Err(simple(
            panel,
            405,
            "Method not allowed",
            "This page is read with GET.",
        ));
    }
    Ok(asked)
}

/// `requests/17/peek`
fn numbered(path: &str) -> Option<(u64, &str)> {
    let rest = path.strip_prefix("requests/")?;
    let (number, rest) = rest.split_once('/').unwrap_or((rest, ""));
    Some((number.parse().ok()?, rest))
}

fn field(body: &[u8], name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(body.get(..LARGEST_BODY).unwrap_or(body));
    let value = fields.find_map(|(other, value)| (other == name).then_some(value));
    value.map(|value| value.into_owned())
}

fn at_once(panel: &Panel, asked: Asked) -> PanelResponse {
    match asked {
        Asked::Requests(filter, number) => listed(panel, &filter, number, None),
        Asked::Namespaces => page_of(panel, 200, counts(&diagnosis(panel)), |frame| {
            frame.namespaces(&page::namespaces(&panel.configuration()))
        }),
        Asked::Findings => {
            let findings = diagnosis(panel);
            let recorded = panel.recordings().len();
            page_of(panel, 200, counts(&findings), |frame| {
                frame.findings(&page::findings(panel.base(), &findings, recorded))
            })
        }
        Asked::Feed => {
            let mut headers = headers("text/event-stream", None);
            // A proxy in between passes it on as it comes.
            headers.push(("x-accel-buffering", "no".to_owned()));
            let body = PanelBody::Feed(FeedStream::new(panel.clone()));
            PanelResponse {
                status: 200,
                headers,
                body,
            }
        }
        Asked::Asset(kind, text) => PanelResponse {
            status: 200,
            headers: headers(kind, None),
            body: PanelBody::Full(text.to_owned()),
        },
        Asked::Clear => {
            panel.clear();
            let mut headers = headers("text/plain; charset=utf-8", None);
            headers.push(("location", format!("{}/", panel.base())));
            PanelResponse {
                status: 303,
                headers,
                body: PanelBody::Full(String::new()),
            }
        }
        Asked::Peek { .. } => simple(panel, 404, "Not found", "The panel has no such page."),
    }
}

/// The list, and the request of this number, or the newest.
fn listed(
    panel: &Panel,
    filter: &Filter,
    number: Option<u64>,
    peeked: Option<&Peeked>,
) -> PanelResponse {
    let follows = number.is_none();
    let recordings = panel.recordings();
    let query = filter.query();
    // One look at each: what is kept of a request is made into what is shown for every look.
    let mut shown = None;
    let mut rows = Vec::new();
    let (mut briefs, mut findings) = (Vec::new(), Vec::new());
    for recording in &recordings {
        recording.view(|request| {
            briefs.push(Brief::of(request));
            findings.extend(examine_request(request));
            let is_admitted = filter.admits(request);
            let is_shown = match number {
                Some(number) => request.number == number,
                None => is_admitted && shown.is_none(),
            };
            if is_shown {
                shown = Some(recording);
            }
            if is_admitted {
                rows.push(page::row(panel.base(), request, &query, is_shown));
            }
        });
    }
    if let (Some(number), None) = (number, shown) {
        let text = format!(
            "Request #{number} is not kept any more: the panel keeps the newest {}.",
            panel.capacity()
        );
        return simple(panel, 404, "Not kept", &text);
    }
    let findings = examine(&briefs, findings);
    let configuration = panel.configuration();
    let namespaces: Vec<_> = configuration.into_iter().map(|row| row.namespace).collect();
    page_of(panel, 200, counts(&findings), |frame| {
        let number = shown.map(|recording| recording.number());
        let shown = shown.map(|r| r.view(|request| page::request(frame, request, peeked)));
        frame.requests(Requests {
            rows,
            recorded: recordings.len(),
            capacity: panel.capacity(),
            filter,
            namespaces: &namespaces,
            shown,
            number,
            follows,
        })
    })
}

/// What the doctor finds in all requests that are kept.
fn diagnosis(panel: &Panel) -> Vec<Finding> {
    let (mut briefs, mut findings) = (Vec::new(), Vec::new());
    for recording in panel.recordings() {
        let (brief, found) = recording.view(|r| (Brief::of(r), examine_request(r)));
        briefs.push(brief);
        findings.extend(found);
    }
    examine(&briefs, findings)
}

fn peeked(peek: Result<Peek, PeekError>, namespace: String) -> Peeked {
    let found = match peek {
        Ok(peek) if peek.is_closed => {
            Err("its condition is false for this request, so nothing can be opened.".to_owned())
        }
        Ok(peek) if !peek.is_found => {
            let verdict = peek.verdicts.first().map(|(_, verdict)| *verdict);
            Err(why_nothing(verdict).to_owned())
        }
        Ok(peek) => Ok(peek.keys),
        Err(error) => Err(error.to_string()),
    };
    Peeked { namespace, found }
}

fn why_nothing(verdict: Option<TokenVerdict>) -> &'static str {
    match verdict {
        None => "the request came without a token, so there is no session to see.",
        Some(TokenVerdict::Late | TokenVerdict::Replaced) => {
            "the request's token has been replaced, so it opens nothing now."
        }
        Some(TokenVerdict::Expired) => "the session has expired.",
        Some(TokenVerdict::Unknown) => "the session is not there any more.",
        Some(_) => "the request's token opens no session.",
    }
}

fn refused(panel: &Panel, refusal: &Refusal) -> PanelResponse {
    simple(panel, refusal.status(), "Refused", refusal.text())
}

/// A page of one sentence, which shows nothing that was recorded.
fn simple(panel: &Panel, status: u16, title: &str, text: &str) -> PanelResponse {
    page_of(panel, status, (0, 0), |frame| frame.refusal(title, text))
}

/// How many problems there are, and how much advice.
fn counts(findings: &[Finding]) -> (usize, usize) {
    let problems = findings.iter().filter(|f| f.severity == Severity::Problem);
    let problems = problems.count();
    (problems, findings.len().saturating_sub(problems))
}

fn page_of(
    panel: &Panel,
    status: u16,
    findings: (usize, usize),
    page: impl FnOnce(&Frame<'_>) -> String,
) -> PanelResponse {
    let Ok(nonce) = random::token() else {
        return PanelResponse {
            status: 500,
            headers: headers("text/plain; charset=utf-8", None),
            body: PanelBody::Full("The operating system gives no random bytes.".to_owned()),
        };
    };
    let frame = Frame {
        base: panel.base(),
        nonce: &nonce,
        token: panel.csrf_token(),
        findings,
    };
    PanelResponse {
        status,
        headers: headers("text/html; charset=utf-8", Some(&nonce)),
        body: PanelBody::Full(page(&frame)),
    }
}

/// Never stored, never in a frame, and nothing from elsewhere.
fn headers(kind: &str, nonce: Option<&str>) -> Vec<(&'static str, String)> {
    let sources = match nonce {
        Some(nonce) => format!(
            "script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
             img-src data:; form-action 'self'; "
        ),
        None => String::new(),
    };
    let policy = format!("default-src 'none'; {sources}base-uri 'none'; frame-ancestors 'none'");
    let fixed = [
        ("cache-control", "no-store"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        // With no-referrer browsers would send `Origin: null` with the panel's own forms.
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ];
    let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
    let mut headers = vec![
        ("content-type", kind.to_owned()),
        ("content-security-policy", policy),
    ];
    headers.extend(fixed);
    headers
}
