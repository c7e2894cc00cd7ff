use std::borrow::Cow;

use cloakroom_core::{RequestHead, ResponseHead, ResponseHeader, Scheme};

/// A request's head.
#[derive(Clone, Default)]
pub(crate) struct Request {
    /// `GET` when it is empty.
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    /// The path that the client has sent, where it is another.
    pub(crate) target_path: Option<String>,
    pub(crate) scheme: Scheme,
    headers: Vec<(String, Vec<u8>)>,
}

impl Request {
    pub(crate) fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Of a path, and a query string where there is one.
    pub(crate) fn to(method: &str, target: &str) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            scheme: Scheme::Https,
            ..Self::default()
        }
    }

    pub(crate) fn cookie(value: impl Into<Vec<u8>>) -> Self {
        Self::default().header("cookie", value)
    }
}

impl RequestHead for Request {
    fn method(&self) -> &str {
        match &*self.method {
            "" => "GET",
            method => method,
        }
    }

    fn path(&self) -> &str {
        &self.path
    }

    fn target_path(&self) -> &str {
        self.target_path.as_deref().unwrap_or(&self.path)
    }

    fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    fn scheme(&self) -> Scheme {
        self.scheme
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.headers.iter().filter(|(other, _)| other == name) {
            visit(value);
        }
    }
}

/// A response's head.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(ResponseHeader, String)>,
}

impl Response {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
        }
    }

    /// With a header of the application's.
    pub(crate) fn header(mut self, header: ResponseHeader, value: &str) -> Self {
        self.headers.push((header, value.to_owned()));
        self
    }

    pub(crate) fn all(&self, header: ResponseHeader) -> Vec<&str> {
        let headers = self.headers.iter().filter(|(name, _)| *name == header);
        headers.map(|(_, value)| value.as_str()).collect()
    }

    /// The `Set-Cookie` headers.
    pub(crate) fn cookies(&self) -> Vec<&str> {
        self.all(ResponseHeader::SetCookie)
    }

    /// The one `Set-Cookie` header.
    pub(crate) fn only_cookie(&self) -> &str {
        let cookies = self.cookies();
        assert_eq!(cookies.len(), 1, "{cookies:?}");
        cookies[0]
    }

    /// The `Max-Age` of the one cookie.
    pub(crate) fn max_age(&self) -> Option<u64> {
        let attributes = self.only_cookie().split("; ");
        let mut ages = attributes.filter_map(|text| text.strip_prefix("Max-Age="));
        ages.next().map(|age| age.parse().unwrap())
    }
}

impl ResponseHead for Response {
    fn values(&self, header: ResponseHeader, visit: &mut dyn FnMut(&[u8])) {
        for value in self.all(header) {
            visit(value.as_bytes());
        }
    }

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.headers.push((header, value.into_owned()));
    }

    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        self.headers.retain(|(name, _)| *name != header);
        self.append(header, value);
    }
}
