use std::{borrow::Cow, fmt};

use cloakroom_core::{RequestHead, ResponseHead, ResponseHeader, Scheme};
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header, request::Parts,
};

/// A request as conditions and transports see it.
///
/// ```
/// use cloakroom_core::RequestHead;
/// use cloakroom_tower::RequestView;
/// let request = http::Request::get("https://shop.example/cart?x=1").body(()).unwrap();
/// let view = RequestView::from(&request);
/// assert!(view.is_https());
/// assert_eq!(view.path(), "/cart");
/// ```
#[derive(Clone, Copy)]
pub struct RequestView<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

impl<'a, B> From<&'a Request<B>> for RequestView<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

impl<'a> From<&'a Parts> for RequestView<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            extensions: &parts.extensions,
        }
    }
}

impl RequestHead for RequestView<'_> {
    fn method(&self) -> &str {
        self.method.as_str()
    }

    fn path(&self) -> &str {
        self.uri.path()
    }

    fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    fn scheme(&self) -> Scheme {
        match self.extensions.get::<Scheme>() {
            Some(scheme) => *scheme,
            None if self.uri.scheme() == Some(&http::uri::Scheme::HTTPS) => Scheme::Https,
            None => Scheme::Http,
        }
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        // The one that each request with a session asks for is found without parsing its name.
        let values = match name {
            "cookie" => self.headers.get_all(header::COOKIE),
            _ => self.headers.get_all(name),
        };
        for value in values {
            visit(value.as_bytes());
        }
    }
}

impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestView({} {})", self.method, self.uri.path())
    }
}

/// A response's headers as the engine changes them.
pub(crate) struct ResponseView<'a>(pub(crate) &'a mut HeaderMap);

impl ResponseHead for ResponseView<'_> {
    fn values(&self, header: ResponseHeader, visit: &mut dyn FnMut(&[u8])) {
        for value in self.0.get_all(name(header)) {
            visit(value.as_bytes());
        }
    }

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        if let Some(value) = header_value(header, value) {
            self.0.append(name(header), value);
        }
    }

    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        if let Some(value) = header_value(header, value) {
            self.0.insert(name(header), value);
        }
    }
}

// What is sent most is checked once, by the compiler.
const COOKIE: HeaderValue = HeaderValue::from_static("Cookie");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

fn name(header: ResponseHeader) -> HeaderName {
    match header {
        ResponseHeader::SetCookie => header::SET_COOKIE,
        ResponseHeader::Vary => header::VARY,
        _ => header::CACHE_CONTROL,
    }
}

/// The engine has checked what it sends, so that this is never `None`; and a log line if it were.
fn header_value(header: ResponseHeader, value: Cow<'static, str>) -> Option<HeaderValue> {
    let result = match value {
        Cow::Borrowed("Cookie") => return Some(COOKIE),
        Cow::Borrowed("no-store") => return Some(NO_STORE),
        Cow::Borrowed(text) => HeaderValue::from_str(text),
        Cow::Owned(text) => HeaderValue::try_from(text),
    };
    match result {
        Ok(mut value) => {
            value.set_sensitive(header == ResponseHeader::SetCookie);
            Some(value)
        }
        Err(_) => {
            tracing::error!(target: "cloakroom", ?header, "a response header can't be sent");
            None
        }
    }
}
