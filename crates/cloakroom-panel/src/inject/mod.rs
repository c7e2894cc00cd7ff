//! The button in the application's own pages: which responses get it, where, and which headers
//! change with it. Pure functions over heads and bytes.

mod button;
mod policy;
mod scan;

use cloakroom_core::RequestHead;

use self::{
    button::Button,
    policy::{Styling, styling},
    scan::{end_of_body, has_policy_of_its_own},
};

/// What of a response decides whether its page gets the button. Header names are in lower case.
#[derive(Debug, Clone, Copy)]
pub struct ResponseParts<'a> {
    /// The status.
    pub status: u16,
    /// All headers, in order.
    pub headers: &'a [(&'a str, &'a [u8])],
}

impl<'a> ResponseParts<'a> {
    /// The values of a header, in order.
    fn values(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = move |(other, _): &&(&str, _)| *other == name;
        self.headers.iter().filter(named).map(|(_, value)| *value)
    }

    fn has(self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// Whether a list in a header has a member, without regard to case and parameters.
    fn lists(self, name: &str, member: &str) -> bool {
        let mut members = self
            .values(name)
            .flat_map(|value| value.split(|b| *b == b','));
        members.any(|other| other.trim_ascii().eq_ignore_ascii_case(member.as_bytes()))
    }
}

/// A page with the button in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    /// The page.
    pub body: Vec<u8>,
    /// Headers that get one value in the place of those that they have.
    pub set: Vec<(&'static str, String)>,
}

/// Whether a response may get the button, as far as the heads tell but for who has asked.
fn takes_button(request: &dyn RequestHead, response: &ResponseParts<'_>) -> bool {
    let is_elsewhere = |name| response.has(name);
    request.method() != "HEAD"
        && is_shown_by_itself(request)
        && !matches!(response.status, ..200 | 204..=206 | 304)
        && is_page(response)
        // What is compressed, cut, downloaded, signed, or asked to be left alone.
        && response.values("content-encoding").all(|coding| coding.eq_ignore_ascii_case(b"identity"))
        && !response.lists("cache-control", "no-transform")
        && !VOUCHING.into_iter().any(is_elsewhere)
        && !is_download(response)
}

/// Headers that say something of the body's bytes, which would not be true any more.
const VOUCHING: [&str; 6] = [
    "content-digest",
    "content-md5",
    "content-range",
    "digest",
    "repr-digest",
    "signature",
];

/// Puts the button before the end of a page's body; `None` when it is no whole page.
fn inject(response: &ResponseParts<'_>, body: &[u8], button: &Button<'_>) -> Option<Injection> {
    let (before, after) = body.split_at_checked(end_of_body(body)?)?;
    let styling = match has_policy_of_its_own(body) {
        true => Styling::None,
        false => styling(
            response
                .values("content-security-policy")
                .chain(response.values("content-security-policy-report-only")),
        ),
    };
    let markup = button.markup(&styling);
    let body = [before, markup.as_bytes(), after].concat();
    let mut set = vec![("content-length", body.len().to_string())];
    set.extend(weak_etag(response).map(|etag| ("etag", etag)));
    if response.has("accept-ranges") {
        // A range would be one of the page without the button (RFC 9110, section 14.3).
        set.push(("accept-ranges", "none".to_owned()));
    }
    Some(Injection { body, set })
}

/// Not in a frame: its top page has the button, and one is enough. Browsers that do not say what
/// they load a page for are given the benefit of the doubt.
fn is_shown_by_itself(request: &dyn RequestHead) -> bool {
    const PARTS: [&str; 5] = ["embed", "fencedframe", "frame", "iframe", "object"];
    !PARTS
        .into_iter()
        .any(|part| request.header_is("sec-fetch-dest", part))
}

fn is_page(response: &ResponseParts<'_>) -> bool {
    let mut types = response.values("content-type");
    let (Some(kind), None) = (types.next(), types.next()) else {
        return false;
    };
    let kind = String::from_utf8_lossy(kind).to_ascii_lowercase();
    let mut parts = kind.split(';').map(str::trim);
    if !matches!(parts.next(), Some("text/html" | "application/xhtml+xml")) {
        return false;
    }
    let charset = parts.find_map(|parameter| parameter.strip_prefix("charset="));
    charset.is_none_or(|charset| {
        let charset = charset.trim_matches('"');
        charset == "utf-8" || charset == "us-ascii" || BYTES.iter().any(|c| charset.starts_with(c))
    })
}

/// Encodings of one byte per character, with ASCII in them.
const BYTES: [&str; 2] = ["iso-8859-", "windows-125"];

fn is_download(response: &ResponseParts<'_>) -> bool {
    response.values("content-disposition").any(|value| {
        let kind = value.split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(b"attachment")
    })
}

fn weak_etag(response: &ResponseParts<'_>) -> Option<String> {
    let etag = str::from_utf8(response.values("etag").next()?).ok()?;
    (!etag.starts_with("W/")).then(|| format!("W/{etag}"))
}

#[cfg(test)]
mod tests;
