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

    fn target_path(&self) -> &str {
        match self.extensions.get::<OriginalPath>() {
            Some(OriginalPath(uri)) => uri.path(),
            None => self.uri.path(),
        }
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
        if name == "host"
            && let Some(authority) = self.uri.authority()
        {
            // It counts more than the header (RFC 9112, section 3.2.2), and HTTP/2 has it alone.
            let text = authority.as_str();
            let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
            return visit(host.as_bytes());
        }
        let values = match name {
            // The one that most requests with a session ask for is found without parsing its name.
            "cookie" => self.headers.get_all(header::COOKIE),
            _ => self.headers.get_all(name),
        };
        for value in values {
            visit(value.as_bytes());
        }
    }
}

/// The request's address as the client has sent it. Routers cut off what they have matched.
#[derive(Clone)]
pub(crate) struct OriginalPath(pub(crate) Uri);

impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestView({} {})", self.method, self.uri.path())
    }
}

/// A response's headers as the engine changes them.
pub(crate) struct ResponseView<'a>(pub(crate) &'a mut HeaderMap);

impl ResponseHead for ResponseView<'_> {
    fn values(&self, header: ResponseHeader, visit: &mut dyn FnMut(&[u8])) {
        let values = name(header).map(|name| self.0.get_all(name));
        for value in values.into_iter().flatten() {
            visit(value.as_bytes());
        }
    }

    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        if let Some((name, value)) = pair(header, value) {
            self.0.append(name, value);
        }
    }

    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
        if let Some((name, value)) = pair(header, value) {
            self.0.insert(name, value);
        }
    }
}

// What is sent most is checked once, by the compiler.
const COOKIE: HeaderValue = HeaderValue::from_static("Cookie");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

fn name(header: ResponseHeader) -> Option<HeaderName> {
    Some(match header {
        ResponseHeader::SetCookie => header::SET_COOKIE,
        ResponseHeader::Vary => header::VARY,
        ResponseHeader::CacheControl => header::CACHE_CONTROL,
        other => HeaderName::from_bytes(other.name().as_bytes()).ok()?,
    })
}

/// The engine has checked what it sends, so that this is never `None`; a log line for what a
/// transport of the application's gets wrong.
fn pair(header: ResponseHeader, value: Cow<'static, str>) -> Option<(HeaderName, HeaderValue)> {
    let pair = name(header).and_then(|name| Some((name, header_value(header, value)?)));
    if pair.is_none() {
        tracing::error!(target: "cloakroom", ?header, "a response header can't be sent");
    }
    pair
}

fn header_value(header: ResponseHeader, value: Cow<'static, str>) -> Option<HeaderValue> {
    let mut value = match value {
        Cow::Borrowed("Cookie") => return Some(COOKIE),
        Cow::Borrowed("no-store") => return Some(NO_STORE),
        value => HeaderValue::try_from(value.into_owned()).ok()?,
    };
    // What has a token in it is kept out of the tables and logs of HTTP implementations.
    value.set_sensitive(header.may_have_token());
    Some(value)
}
