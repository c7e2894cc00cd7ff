//! Which transports a namespace may have, and which two namespaces may have together.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use super::{CompiledTransport, Kind, Parameter, Transport, TransportSet, Transports, Way};
use crate::cookie::{Cookie, CookieSpec};

/// Headers that mean something else, in requests or in responses.
const TAKEN: [&str; 22] = [
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "host",
    "keep-alive",
    "location",
    "origin",
    "proxy-authorization",
    "referer",
    "referrer-policy",
    "set-cookie",
    "te",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
];

const MAX_NAME_LENGTH: usize = 256;

/// What is wrong, by setting.
type Report<'a> = &'a mut dyn FnMut(&'static str, String);

impl Transports {
    /// Checks the transports of a namespace; `declared` is `None` where it has the cookie alone.
    pub(crate) fn compile(
        declared: Option<&[Transport]>,
        cookie: &Cookie,
        namespace: &str,
        is_secure: bool,
        report: Report<'_>,
    ) -> Option<Self> {
        let Some(declared) = declared else {
            let spec = compile_cookie(cookie, namespace, is_secure, report)?;
            return Some(Self::Cookie(spec));
        };
        if declared.is_empty() || declared.len() > TransportSet::ROOM {
            let most = TransportSet::ROOM;
            report(
                "transports",
                format!("give a namespace 1 to {most} of them"),
            );
            return None;
        }
        let compiled: Vec<_> = declared
            .iter()
            .map(|transport| transport.compile(namespace, is_secure, report))
            .collect();
        let mut compiled: Vec<_> = compiled.into_iter().collect::<Option<_>>()?;
        for (index, transport) in compiled.iter().enumerate() {
            let mut earlier = compiled.iter().take(index);
            if let Some(what) = earlier.find_map(|other| transport.kind.reads_what(&other.kind)) {
                report("transports", format!("it has {what} twice: leave one out"));
                return None;
            }
        }
        let is_query = |transport: &&CompiledTransport| matches!(transport.kind, Kind::Query(_));
        if compiled.iter().filter(is_query).count() > 1 {
            report(
                "transports",
                "one parameter is enough: leave the others out".to_owned(),
            );
            return None;
        }
        // The plain case, declared.
        if compiled.len() == 1
            && let Some(CompiledTransport {
                kind: Kind::Cookie(_),
                ..
            }) = compiled.first()
            && let Some(CompiledTransport {
                kind: Kind::Cookie(cookie),
                ..
            }) = compiled.pop()
        {
            return Some(Self::Cookie(cookie));
        }
        Some(Self::Several(compiled.into()))
    }

    /// What some request would carry for both, or some response, and the setting that it is about.
    pub(crate) fn clash_with(&self, other: &Self) -> Option<(&'static str, String)> {
        match (self, other) {
            (Self::Cookie(ours), Self::Cookie(theirs)) => cookies_clash(ours, theirs),
            (Self::Cookie(one), Self::Several(all)) | (Self::Several(all), Self::Cookie(one)) => {
                all.iter().find_map(|transport| match &transport.kind {
                    Kind::Cookie(cookie) => cookies_clash(one, cookie),
                    _ => None,
                })
            }
            (Self::Several(ours), Self::Several(theirs)) => ours.iter().find_map(|ours| {
                let mut theirs = theirs.iter();
                theirs.find_map(|theirs| ours.kind.clash_with(&theirs.kind))
            }),
        }
    }
}

fn cookies_clash(ours: &CookieSpec, theirs: &CookieSpec) -> Option<(&'static str, String)> {
    let name = &theirs.name;
    ours.collides_with(theirs).then(|| {
        let what = format!("the cookie {name:?} too, on an overlapping path and domain");
        ("cookie", format!("has {what}: rename one"))
    })
}

impl Kind {
    fn clash_with(&self, other: &Self) -> Option<(&'static str, String)> {
        if let (Self::Cookie(ours), Self::Cookie(theirs)) = (self, other) {
            return cookies_clash(ours, theirs);
        }
        let what = self.reads_what(other).or_else(|| self.answers_in(other))?;
        Some(("transports", format!("has {what} too: rename one")))
    }
}

impl Kind {
    /// What both read from a request.
    fn reads_what(&self, other: &Self) -> Option<String> {
        match (self, other) {
            (Self::Cookie(ours), Self::Cookie(theirs)) => ours
                .collides_with(theirs)
                .then(|| format!("the cookie {:?}", ours.name)),
            (Self::Header { name, .. }, Self::Header { name: other, .. }) => {
                (name == other).then(|| format!("the header {name:?}"))
            }
            (Self::Query(ours), Self::Query(theirs)) => {
                (ours.name == theirs.name).then(|| format!("the parameter {:?}", ours.name))
            }
            _ => None,
        }
    }

    /// What both write into a response.
    fn answers_in(&self, other: &Self) -> Option<String> {
        match (self, other) {
            (Self::Header { answer, .. }, Self::Header { answer: other, .. }) => {
                (answer == other).then(|| format!("the response's header {answer:?}"))
            }
            _ => None,
        }
    }
}

impl Transport {
    #[cfg(feature = "client-side")]
    pub(crate) fn is_cookie(&self) -> bool {
        matches!(self.way, Way::Cookie(_))
    }

    fn compile(
        &self,
        namespace: &str,
        is_secure: bool,
        report: Report<'_>,
    ) -> Option<CompiledTransport> {
        if let Some(misused) = self.misused {
            report("transports", misused.to_owned());
        }
        let kind = match &self.way {
            Way::Cookie(cookie) => {
                Kind::Cookie(compile_cookie(cookie, namespace, is_secure, report)?)
            }
            Way::Bearer { answer } => Kind::Header {
                name: "authorization",
                is_bearer: true,
                answer: header_name(answer, report)?,
            },
            Way::Header { name, answer } => {
                let answer = answer.as_ref().unwrap_or(name);
                Kind::Header {
                    name: header_name(name, report)?,
                    is_bearer: false,
                    answer: header_name(answer, report)?,
                }
            }
            Way::Query { parameter, unless } => {
                check_parameter(parameter, report)?;
                Kind::Query(Parameter {
                    name: parameter.clone(),
                    unless: unless.clone(),
                })
            }
            Way::Custom(transport) => Kind::Custom(transport.clone()),
        };
        Some(CompiledTransport {
            kind,
            begins_if: self.begins_if.clone(),
        })
    }
}

fn compile_cookie(
    cookie: &Cookie,
    namespace: &str,
    is_secure: bool,
    report: Report<'_>,
) -> Option<CookieSpec> {
    cookie
        .compile(namespace, is_secure)
        .map_err(|problems| problems.into_iter().for_each(|(s, m)| report(s, m)))
        .ok()
}

/// The name in lower case, if it is one that a token may be in (RFC 9110, section 5.6.2).
pub(crate) fn header_name(name: &str, report: Report<'_>) -> Option<&'static str> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let lower = name.to_ascii_lowercase();
    let problem = if name.is_empty() || !name.bytes().all(is_token) {
        format!("{name:?} is no header name: use letters, digits and -")
    } else if name.len() > MAX_NAME_LENGTH {
        format!("a header name has at most {MAX_NAME_LENGTH} bytes: use a shorter one")
    } else if lower == "authorization" {
        "the header Authorization has a scheme before its token: use Transport::bearer()".to_owned()
    } else if lower == "cookie" || lower == "set-cookie" {
        "a cookie is more than its header: use Transport::cookie(..)".to_owned()
    } else if TAKEN.contains(&&*lower) || lower.starts_with(':') {
        format!("the header {name:?} means something else: use one of your own, such as X-Session")
    } else {
        return Some(interned(lower));
    };
    report("transports", problem);
    None
}

/// Letters that no client and no proxy writes in another way (RFC 3986, section 2.3).
fn check_parameter(name: &str, report: Report<'_>) -> Option<()> {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME_LENGTH || !name.bytes().all(is_unreserved) {
        let message = format!(
            "{name:?} is no parameter name: use 1 to {MAX_NAME_LENGTH} letters, digits, -, ., _ \
             and ~"
        );
        report("transports", message);
        return None;
    }
    Some(())
}

/// Names of headers are kept for ever, each once: there are as many as the program has, and so
/// [`ResponseHeader`](crate::ResponseHeader) needs no lifetime.
fn interned(name: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(&*name) {
        return known;
    }
    let name: &'static str = name.leak();
    names.insert(name);
    name
}
