use super::{CsrfRefusal, pattern::Pattern};
use crate::{
    error::{ConfigError, ConfigProblem},
    head::RequestHead,
};

/// Judges a request by what the browser says of where it comes from: the rules of Go 1.25's
/// `CrossOriginProtection`. Pure; an integration calls it.
///
/// In this order:
/// 1. `GET`, `HEAD` and `OPTIONS` pass: handlers of these change nothing.
/// 2. What was [let past](Self::insecure_bypass) passes.
/// 3. `Sec-Fetch-Site`, which every browser sends since 2023, of `same-origin` or `none` (the
///    visitor's own doing) passes. Any other is refused, unless `Origin` is
///    [trusted](Self::trusted_origin).
/// 4. Without it, a request without `Origin` passes: no browser of the last years has sent it.
/// 5. An `Origin` whose host and port are those of the request passes. The scheme is not compared,
///    since behind a proxy it is not known. Any other is refused, unless it is trusted.
///
/// Of a header that comes several times the first value counts. Nothing of the query string is
/// looked at, and no forwarded header.
///
/// It is stricter than Go in what no browser sends: an `Origin` that is not of the form
/// `scheme://host[:port]` equals no host, and a request without a host has none to be equal to.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docs/browser.rs")); }
/// use cloakroom_core::{OriginRules, OriginVerdict};
///
/// let rules = OriginRules::new()
///     .trusted_origin("https://pay.example")?
///     .insecure_bypass("POST /hooks/")?;
/// # let request = doc::Request::default();
/// assert_eq!(rules.judge(&request), OriginVerdict::Safe); // it is a GET
/// # Ok::<(), cloakroom_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct OriginRules {
    trusted: Vec<String>,
    bypasses: Vec<Pattern>,
}

/// What [`OriginRules`] make of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OriginVerdict {
    /// Its method is safe.
    Safe,
    /// It was let past.
    Bypassed,
    /// The browser vouches for it: a page of this origin has sent it, or the visitor.
    SameOrigin,
    /// A page of a trusted origin has sent it.
    Trusted,
    /// Nothing is said of where it comes from: as a rule it was not sent by a browser.
    Unknown,
    /// Another site may have made the browser send it.
    Refused(CsrfRefusal),
}

impl OriginVerdict {
    /// Why it is refused; `None` when it passes.
    ///
    /// ```
    /// use cloakroom_core::{CsrfRefusal, OriginVerdict};
    /// assert_eq!(OriginVerdict::Unknown.refusal(), None);
    /// let refused = OriginVerdict::Refused(CsrfRefusal::CrossOrigin);
    /// assert_eq!(refused.refusal(), Some(CsrfRefusal::CrossOrigin));
    /// ```
    #[must_use]
    pub const fn refusal(self) -> Option<CsrfRefusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

impl OriginRules {
    /// The rules, with nobody trusted and nothing let past.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            trusted: Vec::new(),
            bypasses: Vec::new(),
        }
    }

    /// Lets pass what pages of another origin send: `scheme://host[:port]`, as browsers write it
    /// in `Origin`, compared byte by byte. Each is named in full; `null` is never trusted.
    ///
    /// # Errors
    /// A [`ConfigError`] for what is no origin, or not as browsers write it.
    ///
    /// ```
    /// use cloakroom_core::OriginRules;
    /// assert!(OriginRules::new().trusted_origin("https://pay.example:8443").is_ok());
    /// let error = OriginRules::new().trusted_origin("https://pay.example/").unwrap_err();
    /// assert_eq!(error.problems()[0].setting(), "trusted_origin");
    /// ```
    pub fn trusted_origin(mut self, origin: impl Into<String>) -> Result<Self, ConfigError> {
        let origin = origin.into();
        check_trusted(&origin).map_err(|why| problem("trusted_origin", &origin, why))?;
        self.trusted.push(origin);
        Ok(self)
    }

    /// Lets requests to a path pass, wherever they come from. Insecure, unless their handlers look
    /// at no session: it is meant for calls of other servers, which sign what they send.
    ///
    /// A pattern is a path, such as `/hook`, or all that lies below one, `/hooks/`. `{name}` stands
    /// for any one segment. A method may stand before it: `POST /hook`. A path with dots for
    /// segments or with empty ones is let past by no pattern.
    ///
    /// # Errors
    /// A [`ConfigError`] for what is no such pattern.
    ///
    /// ```
    /// use cloakroom_core::OriginRules;
    /// assert!(OriginRules::new().insecure_bypass("POST /shops/{id}/hook").is_ok());
    /// assert!(OriginRules::new().insecure_bypass("shops/*").is_err());
    /// ```
    pub fn insecure_bypass(mut self, pattern: &str) -> Result<Self, ConfigError> {
        let parsed = Pattern::parse(pattern);
        let parsed = parsed.map_err(|why| problem("insecure_bypass", pattern, why))?;
        self.bypasses.push(parsed);
        Ok(self)
    }

    /// Judges a request. `header("host")` of the head is to give the host that the request was
    /// sent to: where its target has an authority, as in HTTP/2, that one.
    #[must_use]
    pub fn judge(&self, request: &dyn RequestHead) -> OriginVerdict {
        let (method, path) = (request.method(), request.path());
        if matches!(method, "GET" | "HEAD" | "OPTIONS") {
            return OriginVerdict::Safe;
        }
        if self.bypasses.iter().any(|own| own.matches(method, path)) {
            return OriginVerdict::Bypassed;
        }
        let refusal = match first(request, "sec-fetch-site", Site::read) {
            Site::Same => return OriginVerdict::SameOrigin,
            Site::Other => CsrfRefusal::CrossOrigin,
            Site::Unsaid => match first(request, "origin", |origin| compare(request, origin)) {
                Sender::Unsaid => return OriginVerdict::Unknown,
                Sender::Same => return OriginVerdict::SameOrigin,
                Sender::Other => CsrfRefusal::ForeignOrigin,
            },
        };
        match first(request, "origin", |origin| self.trusts(origin)) {
            true => OriginVerdict::Trusted,
            false => OriginVerdict::Refused(refusal),
        }
    }

    fn trusts(&self, origin: &[u8]) -> bool {
        self.trusted.iter().any(|own| own.as_bytes() == origin)
    }
}

/// What `Sec-Fetch-Site` says.
enum Site {
    Unsaid,
    Same,
    Other,
}

impl Site {
    fn read(value: &[u8]) -> Self {
        match value {
            b"" => Self::Unsaid,
            b"same-origin" | b"none" => Self::Same,
            _ => Self::Other,
        }
    }
}

/// What `Origin` says.
enum Sender {
    Unsaid,
    Same,
    Other,
}

fn compare(request: &dyn RequestHead, origin: &[u8]) -> Sender {
    if origin.is_empty() {
        return Sender::Unsaid;
    }
    let sender = Origin::parse(origin);
    let is_same = first(request, "host", |host| {
        sender
            .as_ref()
            .is_some_and(|sender| sender.authority == host)
    });
    match is_same {
        true => Sender::Same,
        false => Sender::Other,
    }
}

/// What is made of the first value of a header, or of an empty one when there is none.
fn first<T>(request: &dyn RequestHead, name: &str, mut read: impl FnMut(&[u8]) -> T) -> T {
    let mut result = None;
    request.header(name, &mut |value| {
        if result.is_none() {
            result = Some(read(value));
        }
    });
    result.unwrap_or_else(|| read(b""))
}

/// An origin as browsers write it: `scheme://host[:port]`, and nothing else.
struct Origin<'a> {
    scheme: &'a [u8],
    /// Host and port.
    authority: &'a [u8],
    port: Option<&'a [u8]>,
}

impl<'a> Origin<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let colon = text.iter().position(|byte| *byte == b':')?;
        let (scheme, rest) = text.split_at_checked(colon)?;
        let authority = rest.strip_prefix(b"://")?;
        let end = match authority.first()? {
            b'[' => authority.iter().position(|byte| *byte == b']')? + 1,
            _ => authority
                .iter()
                .position(|byte| *byte == b':')
                .unwrap_or(authority.len()),
        };
        let (host, rest) = authority.split_at_checked(end)?;
        let port = match rest {
            [] => None,
            [b':', port @ ..] => Some(port),
            _ => return None,
        };
        let is_good = is_scheme(scheme) && is_host(host) && port.is_none_or(is_port);
        is_good.then_some(Self {
            scheme,
            authority,
            port,
        })
    }
}

fn is_scheme(text: &[u8]) -> bool {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(is_inner)
}

fn is_host(text: &[u8]) -> bool {
    if let Some(inner) = text.strip_prefix(b"[") {
        let address = inner.strip_suffix(b"]").unwrap_or_default();
        let is_inner = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        return !address.is_empty() && address.iter().all(is_inner);
    }
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !text.is_empty() && text.iter().all(is_inner)
}

fn is_port(text: &[u8]) -> bool {
    (1..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
}

/// What no browser sends would never be equal to anything, so it is a mistake.
fn check_trusted(text: &str) -> Result<(), &'static str> {
    if text == "null" {
        return Err("\"null\" is what every sandboxed page sends, also those of an attacker");
    }
    if text.contains('*') {
        return Err("each origin is named in full, without wildcards");
    }
    let Some(origin) = Origin::parse(text.as_bytes()) else {
        return Err(
            "an origin is scheme://host or scheme://host:port, without a path or a slash \
                    at its end; names beyond ASCII are written in Punycode",
        );
    };
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("browsers write origins in lower case");
    }
    match (origin.scheme, origin.port) {
        (b"https", Some(b"443")) | (b"http", Some(b"80")) => {
            Err("browsers leave out the port that is the scheme's own")
        }
        _ => Ok(()),
    }
}

fn problem(setting: &'static str, value: &str, why: &str) -> ConfigError {
    ConfigError::new(vec![ConfigProblem {
        namespace: None,
        setting,
        message: format!("{value:?}: {why}"),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(origin: &str) -> Option<&str> {
        let parsed = Origin::parse(origin.as_bytes())?;
        std::str::from_utf8(parsed.authority).ok()
    }

    #[test]
    fn the_authority_of_an_origin_is_host_and_port() {
        for (origin, expected) in [
            ("https://shop.example", "shop.example"),
            ("https://shop.example:8443", "shop.example:8443"),
            ("http://localhost:3000", "localhost:3000"),
            ("http://127.0.0.1", "127.0.0.1"),
            ("http://[::1]:3000", "[::1]:3000"),
            ("https://[2001:db8::1]", "[2001:db8::1]"),
            ("HTTPS://Shop.Example", "Shop.Example"),
            ("chrome-extension://abcdef", "abcdef"),
            ("https://xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(authority(origin), Some(expected));
        }
    }

    #[test]
    fn what_no_browser_writes_is_no_origin() {
        for text in [
            "",
            "null",
            "shop.example",
            "//shop.example",
            "https:shop.example",
            "https:/shop.example",
            "https://",
            "://shop.example",
            "1https://shop.example",
            "https://shop.example/",
            "https://shop.example/path",
            "https://shop.example?a=1",
            "https://shop.example#a",
            "https://evil@shop.example",
            "https://shop.example:",
            "https://shop.example:80a",
            "https://shop.example:123456",
            "https://:443",
            "https://[::1",
            "https://[]",
            "https://[::1]x",
            "https://[::1]:",
            "https://::1",
            " https://shop.example",
            "https://shop.example ",
            "https://shop.example https://evil.example",
            "https://shop.example,https://evil.example",
            "https://shop.example\\evil.example",
            "https://shop%2eexample",
            "https://bücher.example",
        ] {
            assert_eq!(authority(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_trusted_origin_that_no_browser_sends_says_what_is_wrong() {
        for (text, why) in [
            ("", "scheme://host"),
            ("null", "sandboxed"),
            ("https://*.shop.example", "in full"),
            ("shop.example", "scheme://host"),
            ("https://", "scheme://host"),
            ("https://shop.example/", "slash"),
            ("https://shop.example/path", "without a path"),
            ("https://shop.example?query=value", "scheme://host"),
            ("https://shop.example#fragment", "scheme://host"),
            ("https://sh op.example", "scheme://host"),
            ("https://Shop.example", "lower case"),
            ("HTTPS://shop.example", "lower case"),
            ("https://shop.example:443", "leave out the port"),
            ("http://shop.example:80", "leave out the port"),
            ("https://bücher.example", "Punycode"),
        ] {
            let error = OriginRules::new().trusted_origin(text).unwrap_err();
            assert!(error.to_string().contains(why), "{text:?}: {error}");
        }
        for good in [
            "https://shop.example",
            "https://shop.example:80",
            "http://localhost:3000",
            "http://[::1]:3000",
            "chrome-extension://abcdef",
        ] {
            assert!(OriginRules::new().trusted_origin(good).is_ok(), "{good}");
        }
    }
}
