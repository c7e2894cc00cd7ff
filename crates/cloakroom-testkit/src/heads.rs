//! The heads of a request and of its response, as far as cookies go, for requests that no
//! integration serves.

use std::borrow::Cow;

use cloakroom_core::{RequestHead, ResponseHead, ResponseHeader, Scheme};

/// The head of a request that may carry a token.
#[derive(Debug)]
pub(crate) struct RequestCookie(Option<String>);

impl RequestCookie {
    pub(crate) fn new(name: &str, token: Option<&str>) -> Self {
        Self(token.map(|token| format!("{name}={token}")))
    }
}

impl RequestHead for RequestCookie {
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
        if let (Some(cookie), "cookie") = (&self.0, name) {
            visit(cookie.as_bytes());
        }
    }
}

/// The head of a response.
#[derive(Debug, Default)]
pub(crate) struct ResponseCookies(Vec<(ResponseHeader, String)>);

impl ResponseCookies {
    /// A cookie's new value; empty when it is removed. The last header counts, as in a browser.
    pub(crate) fn change(&self, name: &str) -> Option<String> {
        let is_cookie =
            |(header, _): &&(ResponseHeader, String)| *header == ResponseHeader::SetCookie;
        let (_, header) = self.0.iter().rfind(is_cookie)?;
        let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
        let value = pair.strip_prefix(name)?.strip_prefix('=')?;
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
