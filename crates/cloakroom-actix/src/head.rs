use std::{borrow::Cow, fmt};

use actix_web::{
    HttpMessage, HttpRequest,
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
};
use cloakroom_core::{RequestHead, ResponseHead, ResponseHeader, Scheme};

/// A request as conditions and transports see it.
///
/// ```
/// use actix_web::test::TestRequest;
/// use cloakroom_actix::RequestView;
/// use cloakroom_core::RequestHead;
/// let request = TestRequest::get().uri("/cart?x=1").to_http_request();
/// let view = RequestView::from(&request);
/// assert!(!view.is_https());
/// assert_eq!(view.path(), "/cart");
/// ```
#[derive(Clone, Copy)]
pub struct RequestView<'a>(&'a HttpRequest);

impl<'a> From<&'a HttpRequest> for RequestView<'a> {
    fn from(request: &'a HttpRequest) -> Self {
        Self(request)
    }
}

impl RequestHead for RequestView<'_> {
    fn method(&self) -> &str {
        self.0.method().as_str()
    }

    fn path(&self) -> &str {
        self.0.uri().path()
    }

    fn query(&self) -> Option<&str> {
        self.0.uri().query()
    }

    fn scheme(&self) -> Scheme {
        match self.0.extensions().get::<Scheme>() {
            Some(scheme) => *scheme,
            None if self.0.app_config().secure() => Scheme::Https,
            None => Scheme::Http,
        }
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        if name == "host"
            && let Some(authority) = self.0.uri().authority()
        {
            // It counts more than the header (RFC 9112, section 3.2.2), and HTTP/2 has it alone.
            let text = authority.as_str();
            let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
            return visit(host.as_bytes());
        }
        let values = match name {
            // The one that most requests with a session ask for is found without parsing its name.
            "cookie" => self.0.headers().get_all(header::COOKIE),
            _ => self.0.headers().get_all(name),
        };
        for value in values {
            visit(value.as_bytes());
        }
    }
}

impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestView({} {})", self.method(), self.path())
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
    let value = match value {
        Cow::Borrowed("Cookie") => Ok(COOKIE),
        Cow::Borrowed("no-store") => Ok(NO_STORE),
        value => HeaderValue::try_from(value.into_owned()),
    };
    let (Some(name), Ok(mut value)) = (name(header), value) else {
        tracing::error!(target: "cloakroom", ?header, "a response header can't be sent");
        return None;
    };
    // What has a token in it is kept out of the tables and logs of HTTP implementations.
    value.set_sensitive(header.may_have_token());
    Some((name, value))
}
