//! The browser: a jar for one cookie, and the heads that go to and fro.

use std::borrow::Cow;

use cloakroom_core::{RequestHead, ResponseHead, ResponseHeader, Scheme};

/// The name of the cookie of the namespace that races are run on.
pub(super) const COOKIE: &str = "__Host-race";

/// The namespace that races are run on.
pub(super) const NAMESPACE: &str = "race";

/// The head of a request that may carry a cookie.
#[derive(Debug)]
pub(super) struct Head {
    cookie: Option<String>,
}

impl Head {
    pub(super) fn new(token: Option<&str>) -> Self {
        let cookie = token.map(|token| format!("{COOKIE}={token}"));
        Self { cookie }
    }
}

impl RequestHead for Head {
    fn method(&self) -> &str {
        "POST"
    }

    fn path(&self) -> &str {
        "/"
    }

    fn query(&self) -> Option<&str> {
        None
    }

    fn scheme(&self) -> Scheme {
        Scheme::Https
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        if let (Some(cookie), "cookie") = (&self.cookie, name) {
            visit(cookie.as_bytes());
        }
    }
}

/// The head of a response, as far as cookies go.
#[derive(Debug, Default)]
pub(super) struct ResponseCookies(Vec<(ResponseHeader, String)>);

impl ResponseCookies {
    /// The cookie's new value; empty when it is removed. The last header counts, as in a browser.
    pub(super) fn change(&self) -> Option<String> {
        let is_cookie =
            |(header, _): &&(ResponseHeader, String)| *header == ResponseHeader::SetCookie;
        let (_, header) = self.0.iter().rfind(is_cookie)?;
        let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
        let value = pair.strip_prefix(COOKIE)?.strip_prefix('=')?;
        let is_removal = attributes
            .split(';')
            .any(|attribute| attribute.trim() == "Max-Age=0");
        Some(match is_removal {
            true => String::new(),
            false => value.to_owned(),
        })
    }
}

impl ResponseHead for ResponseCookies {
    fn values(&self, header: ResponseHeader, visit: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.0.iter().filter(|(name, _)| *name == header) {
            visit(value.as_bytes());
        }
    }

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.0.push((header, value.into_owned()));
    }

    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.0.retain(|(name, _)| *name != header);
        self.append(header, value);
    }
}
