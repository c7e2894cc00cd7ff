use std::borrow::Cow;

/// Names a namespace at compile time, for typed extractors.
///
/// ```
/// use cloakroom_core::NamespaceName;
/// struct Cart;
/// impl NamespaceName for Cart {
///     const NAME: &'static str = "cart";
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name a session namespace",
    label = "not a namespace",
    note = "implement it: `impl NamespaceName for {Self} {{ const NAME: &'static str = \"..\"; }}`"
)]
pub trait NamespaceName: 'static {
    /// The name, as the manager has it.
    const NAME: &'static str;
}

/// What a condition and a transport see of a request. An integration implements it for its
/// framework's request.
///
/// ```
/// use cloakroom_core::{RequestHead, Scheme};
///
/// struct Request {
///     target: String,
///     headers: Vec<(String, String)>,
/// }
///
/// impl RequestHead for Request {
///     fn method(&self) -> &str {
///         "GET"
///     }
///
///     fn path(&self) -> &str {
///         self.target.split('?').next().unwrap_or_default()
///     }
///
///     fn query(&self) -> Option<&str> {
///         self.target.split_once('?').map(|(_, query)| query)
///     }
///
///     fn scheme(&self) -> Scheme {
///         Scheme::Https
///     }
///
///     fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
///         for (_, value) in self.headers.iter().filter(|(other, _)| other == name) {
///             visit(value.as_bytes());
///         }
///     }
/// }
///
/// let request = Request {
///     target: "/cart?page=2".to_owned(),
///     headers: vec![("x-app".to_owned(), "shop".to_owned())],
/// };
/// // What a condition of a namespace may ask:
/// assert_eq!((request.method(), request.path()), ("GET", "/cart"));
/// assert_eq!(request.query(), Some("page=2"));
/// assert!(request.is_https());
/// assert!(request.header_is("x-app", "shop"));
/// ```
pub trait RequestHead {
    /// The method, in upper case.
    fn method(&self) -> &str;

    /// The path, as sent.
    fn path(&self) -> &str;

    /// The path as the client has sent it, where a router has cut off what it has matched. The
    /// query transport redirects to it.
    fn target_path(&self) -> &str {
        self.path()
    }

    /// The query string without the question mark, if there is one.
    fn query(&self) -> Option<&str>;

    /// Over which scheme the client has sent it.
    fn scheme(&self) -> Scheme;

    /// Shows each value of a header, in order. `name` is in lower case. `host` gives the authority
    /// of the request's target where there is no such header, as in HTTP/2.
    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8]));

    /// Whether the client has sent it over https.
    fn is_https(&self) -> bool {
        self.scheme() == Scheme::Https
    }

    /// Whether some value of a header, compared byte by byte, equals `value`.
    fn header_is(&self, name: &str, value: &str) -> bool {
        let mut found = false;
        self.header(name, &mut |bytes| found |= bytes == value.as_bytes());
        found
    }
}

/// Over what a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scheme {
    /// Plain http, or not known.
    #[default]
    Http,
    /// https, from the client's end.
    Https,
}

/// The response's headers, as far as the engine changes them. An integration implements it.
///
/// ```
/// use std::borrow::Cow;
/// use cloakroom_core::{ResponseHead, ResponseHeader};
///
/// #[derive(Default)]
/// struct Response(Vec<(ResponseHeader, Cow<'static, str>)>);
///
/// impl ResponseHead for Response {
///     fn values(&self, header: ResponseHeader, visit: &mut dyn FnMut(&[u8])) {
///         for (_, value) in self.0.iter().filter(|(other, _)| *other == header) {
///             visit(value.as_bytes());
///         }
///     }
///
///     fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
///         self.0.push((header, value));
///     }
///
///     fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>) {
///         self.0.retain(|(other, _)| *other != header);
///         self.append(header, value);
///     }
/// }
///
/// let mut response = Response::default();
/// response.append(ResponseHeader::Vary, "Accept".into());
/// response.append(ResponseHeader::Vary, "Cookie".into());
/// response.replace(ResponseHeader::CacheControl, "no-store".into());
/// let mut vary = 0;
/// response.values(ResponseHeader::Vary, &mut |_| vary += 1);
/// assert_eq!(vary, 2);
/// ```
pub trait ResponseHead {
    /// Shows each value of a header, in order.
    fn values(&self, header: ResponseHeader, visit: &mut dyn FnMut(&[u8]));

    /// Adds a value beside those that are there.
    fn append(&mut self, header: ResponseHeader, value: Cow<'static, str>);

    /// Puts a value in the place of those that are there.
    fn replace(&mut self, header: ResponseHeader, value: Cow<'static, str>);
}

/// The response headers that the engine sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResponseHeader {
    /// `Set-Cookie`
    SetCookie,
    /// `Vary`
    Vary,
    /// `Cache-Control`
    CacheControl,
    /// `Location`
    Location,
    /// `Referrer-Policy`
    ReferrerPolicy,
    /// Another one, that a transport answers in. Its name is in lower case.
    Other(&'static str),
}

impl ResponseHeader {
    /// The header's name, in lower case.
    ///
    /// ```
    /// use cloakroom_core::ResponseHeader;
    /// assert_eq!(ResponseHeader::SetCookie.name(), "set-cookie");
    /// assert_eq!(ResponseHeader::Other("x-session-token").name(), "x-session-token");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SetCookie => "set-cookie",
            Self::Vary => "vary",
            Self::CacheControl => "cache-control",
            Self::Location => "location",
            Self::ReferrerPolicy => "referrer-policy",
            Self::Other(name) => name,
        }
    }

    /// Whether its value may have a token in it, and is to be kept out of tables and logs of HTTP
    /// implementations.
    ///
    /// ```
    /// use cloakroom_core::ResponseHeader;
    /// assert!(ResponseHeader::SetCookie.may_have_token());
    /// assert!(!ResponseHeader::Vary.may_have_token());
    /// ```
    #[must_use]
    pub const fn may_have_token(self) -> bool {
        !matches!(self, Self::Vary | Self::CacheControl | Self::ReferrerPolicy)
    }
}

/// Says that the response depends on the request's cookies.
pub(crate) fn vary_on_cookie(head: &mut dyn ResponseHead) {
    if !varies_on("Cookie", head) {
        head.append(ResponseHeader::Vary, Cow::Borrowed("Cookie"));
    }
}

/// Says that the response depends on a header of the request.
pub(crate) fn vary_on(name: &str, head: &mut dyn ResponseHead) {
    if !varies_on(name, head) {
        head.append(ResponseHeader::Vary, Cow::Owned(name.to_owned()));
    }
}

fn varies_on(header: &str, head: &dyn ResponseHead) -> bool {
    let mut varies = false;
    head.values(ResponseHeader::Vary, &mut |value| {
        varies |= value
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|name| name.eq_ignore_ascii_case(header.as_bytes()) || name == b"*");
    });
    varies
}

/// Forbids caches to keep the response, whatever the application allows them: one that kept a
/// `Set-Cookie` would hand out the session to others.
pub(crate) fn forbid_storing(head: &mut dyn ResponseHead) {
    let mut is_forbidden = false;
    head.values(ResponseHeader::CacheControl, &mut |value| {
        is_forbidden |= value
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|directive| directive.eq_ignore_ascii_case(b"no-store"));
    });
    if !is_forbidden {
        head.replace(ResponseHeader::CacheControl, Cow::Borrowed("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Headers(Vec<(ResponseHeader, String)>);

    impl ResponseHead for Headers {
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

    #[test]
    fn vary_is_merged() {
        for (before, after) in [
            (vec![], vec!["Cookie"]),
            (vec!["Accept"], vec!["Accept", "Cookie"]),
            (vec!["Accept, cookie"], vec!["Accept, cookie"]),
            (vec!["*"], vec!["*"]),
            (vec!["X-Cookie"], vec!["X-Cookie", "Cookie"]),
        ] {
            let pairs = before
                .into_iter()
                .map(|v| (ResponseHeader::Vary, v.to_owned()));
            let mut headers = Headers(pairs.collect());
            vary_on_cookie(&mut headers);
            let values: Vec<_> = headers.0.into_iter().map(|(_, value)| value).collect();
            assert_eq!(values, after);
        }
    }

    #[test]
    fn no_store_wins_over_what_the_application_allows() {
        for (before, after) in [
            (vec![], vec!["no-store"]),
            (vec!["public, s-maxage=600"], vec!["no-store"]),
            (vec!["private", "max-age=1"], vec!["no-store"]),
            (vec!["private, No-Store"], vec!["private, No-Store"]),
        ] {
            let pairs = before
                .into_iter()
                .map(|v| (ResponseHeader::CacheControl, v.to_owned()));
            let mut headers = Headers(pairs.collect());
            forbid_storing(&mut headers);
            let values: Vec<_> = headers.0.into_iter().map(|(_, value)| value).collect();
            assert_eq!(values, after);
        }
    }
}
