//! A token in the query string: finding it, putting it there, and never into a foreign address.

use crate::{
    head::{RequestHead, Scheme},
    namespace::Condition,
};

/// The parameter that carries the token.
#[derive(Clone)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// Which requests are not redirected.
    pub(super) unless: Option<Condition>,
}

/// Whether a pair of a query string has this name, byte by byte: nothing is decoded, and a `;`
/// separates nothing.
fn has_name(pair: &str, name: &str) -> bool {
    let rest = pair.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

impl Parameter {
    /// Shows each value that the query string has for the parameter, in order.
    pub(super) fn each_value(&self, head: &dyn RequestHead, visit: &mut dyn FnMut(&[u8])) {
        let pairs = head.query().into_iter().flat_map(|query| query.split('&'));
        for pair in pairs.filter(|pair| has_name(pair, &self.name)) {
            let value = pair.split_once('=').map_or("", |(_, value)| value);
            visit(value.as_bytes());
        }
    }

    /// The address to redirect a request to, before the token is in it; `None` where it is not to
    /// be redirected.
    pub(super) fn redirect_base(&self, head: &dyn RequestHead) -> Option<String> {
        let excluded = self.unless.as_ref();
        if head.method() != "GET" || excluded.is_some_and(|excluded| excluded(head)) {
            return None;
        }
        let (path, query) = (head.target_path(), head.query());
        if !path.starts_with('/') || !is_clean(path) || !query.is_none_or(is_clean) {
            return None;
        }
        let mut base = String::with_capacity(path.len() + query.map_or(0, str::len) + 80);
        if is_network_path(path) {
            // It would name another host. The dot goes when it is resolved (RFC 3986, 5.2.4).
            base.push_str("/.");
        }
        base.push_str(path);
        add_pairs(&mut base, query, &self.name);
        Some(base)
    }
}

/// Browsers take a backslash for a slash, drop tabs and line ends, and trim what they can't see.
fn is_clean(text: &str) -> bool {
    !text.bytes().any(|byte| byte <= b' ' || byte == 0x7f)
}

fn is_network_path(path: &str) -> bool {
    path.starts_with("//") || path.starts_with("/\\")
}

/// Appends `?` and the pairs of a query string but for those of one name, as they are.
fn add_pairs(url: &mut String, query: Option<&str>, without: &str) {
    let mut separator = '?';
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        if !has_name(pair, without) {
            url.push(separator);
            url.push_str(pair);
            separator = '&';
        }
    }
    if url.ends_with('?') && query.is_some_and(str::is_empty) {
        url.pop();
    }
}

/// Puts the token into an address of the application, in the place of the one that is there;
/// takes it out where there is none.
pub(crate) fn with_token(url: &str, name: &str, token: Option<&str>) -> String {
    let (url, fragment) = match url.split_once('#') {
        Some((url, fragment)) => (url, Some(fragment)),
        None => (url, None),
    };
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (url, None),
    };
    let mut text = String::with_capacity(url.len() + name.len() + 80);
    text.push_str(path);
    add_pairs(&mut text, query, name);
    if let Some(token) = token {
        add_token(&mut text, name, token);
    }
    if let Some(fragment) = fragment {
        text.push('#');
        text.push_str(fragment);
    }
    text
}

/// Appends the token's pair to an address without a fragment.
pub(super) fn add_token(url: &mut String, name: &str, token: &str) {
    let separator = if url.contains('?') { '&' } else { '?' };
    url.push(separator);
    url.push_str(name);
    url.push('=');
    url.push_str(token);
}

/// The origin that a request came to.
#[derive(Clone)]
pub(crate) struct Origin {
    scheme: Scheme,
    /// Host and port; empty when it is not known.
    host: String,
}

impl Origin {
    pub(super) fn of(head: &dyn RequestHead) -> Self {
        let mut hosts = 0;
        let mut host = String::new();
        head.header("host", &mut |value| {
            hosts += 1;
            host = std::str::from_utf8(value).unwrap_or_default().to_owned();
        });
        if hosts != 1 {
            host.clear();
        }
        let scheme = head.scheme();
        Self { scheme, host }
    }

    fn is_authority(&self, authority: &str) -> bool {
        let default_port = match self.scheme {
            Scheme::Http => ":80",
            Scheme::Https => ":443",
        };
        let host = |text: &str| text.strip_suffix(default_port).unwrap_or(text).to_owned();
        !self.host.is_empty() && host(authority).eq_ignore_ascii_case(&host(&self.host))
    }
}

/// Whether an address leads to a page of the origin for sure, so that a token may go there. What
/// is doubtful, to us or to some browser, does not. An address that keeps to the page it is on, such
/// as a fragment, needs no token.
pub(crate) fn is_of(origin: &Origin, url: &str) -> bool {
    if url.is_empty() || url.starts_with('#') || !is_clean(url) || url.contains('\\') {
        return false;
    }
    if url.starts_with('/') {
        return !is_network_path(url);
    }
    let end = url.find(['/', '?', '#']).unwrap_or(url.len());
    let first_segment = url.get(..end).unwrap_or(url);
    let Some((scheme, _)) = first_segment.split_once(':') else {
        return true;
    };
    let expected = match origin.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let rest = url
        .get(scheme.len()..)
        .and_then(|rest| rest.strip_prefix("://"));
    let Some(rest) = rest.filter(|_| scheme.eq_ignore_ascii_case(expected)) else {
        return false;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    origin.is_authority(rest.get(..end).unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Get<'a>(&'a str, Option<&'a str>);

    impl RequestHead for Get<'_> {
        fn method(&self) -> &str {
            "GET"
        }
        fn path(&self) -> &str {
            self.0
        }
        fn query(&self) -> Option<&str> {
            self.1
        }
        fn scheme(&self) -> Scheme {
            Scheme::Https
        }
        fn header(&self, _: &str, _: &mut dyn FnMut(&[u8])) {}
    }

    fn sid() -> Parameter {
        Parameter {
            name: "sid".to_owned(),
            unless: None,
        }
    }

    fn redirected(path: &str, query: Option<&str>) -> Option<String> {
        let mut url = sid().redirect_base(&Get(path, query))?;
        add_token(&mut url, "sid", "T");
        Some(url)
    }

    #[test]
    fn pesto_row_76_the_name_is_compared_whole_and_nothing_is_cut() {
        for (query, values) in [
            ("sid=1", vec!["1"]),
            ("xsid=1", vec![]),
            ("sidx=1", vec![]),
            ("SID=1", vec![]),
            ("%73id=1", vec![]),
            ("a=sid=1", vec![]),
            ("a;sid=1", vec![]),
            ("a=b&sid=1&sid=2", vec!["1", "2"]),
            ("sid", vec![""]),
            ("sid=", vec![""]),
            ("sid=a=b", vec!["a=b"]),
            ("sid=1;x=2", vec!["1;x=2"]),
            ("sid=1%00", vec!["1%00"]),
            ("", vec![]),
        ] {
            let mut found = Vec::new();
            sid().each_value(&Get("/", Some(query)), &mut |value| {
                found.push(String::from_utf8(value.to_vec()).unwrap());
            });
            assert_eq!(found, values, "{query}");
        }
    }

    #[test]
    fn pesto_p20_other_parameters_are_kept_in_order_and_byte_for_byte() {
        for (path, query, expected) in [
            ("/", None, "/?sid=T"),
            ("/", Some(""), "/?sid=T"),
            ("/a/b", Some("x=1"), "/a/b?x=1&sid=T"),
            ("/a", Some("sid=old"), "/a?sid=T"),
            ("/a", Some("sid"), "/a?sid=T"),
            (
                "/a",
                Some("b=2&sid=old&a=1&sid=x&b=1"),
                "/a?b=2&a=1&b=1&sid=T",
            ),
            (
                "/a",
                Some("x=%2f+%2F&y=%zz&&z"),
                "/a?x=%2f+%2F&y=%zz&&z&sid=T",
            ),
            ("/a", Some("xsid=1&%73id=2"), "/a?xsid=1&%73id=2&sid=T"),
            ("/a", Some("next=?&sid=1"), "/a?next=?&sid=T"),
            ("/ä", Some("ö=ü"), "/ä?ö=ü&sid=T"),
        ] {
            assert_eq!(redirected(path, query).as_deref(), Some(expected));
        }
    }

    #[test]
    fn no_open_redirect() {
        // What browsers make of these (WHATWG URL) stays on the host.
        for (path, expected) in [
            ("//evil.example/x", "/.//evil.example/x?sid=T"),
            ("///evil.example", "/.///evil.example?sid=T"),
            ("/\\evil.example", "/./\\evil.example?sid=T"),
            ("/\\/evil.example", "/./\\/evil.example?sid=T"),
            ("/@evil.example", "/@evil.example?sid=T"),
            ("/.//evil.example", "/.//evil.example?sid=T"),
        ] {
            assert_eq!(redirected(path, None).as_deref(), Some(expected));
        }
        for path in ["", "*", "evil.example", "https://evil.example/"] {
            assert_eq!(redirected(path, None), None, "{path}");
        }
        for hidden in [
            "/\t/evil.example",
            "/\r\nSet-Cookie: x",
            "/a b",
            "/\0",
            "/\x7f",
        ] {
            assert_eq!(redirected(hidden, None), None, "{hidden:?}");
            assert_eq!(redirected("/", Some(hidden)), None, "{hidden:?}");
        }
    }

    #[test]
    fn addresses_get_the_token_before_the_fragment() {
        for (url, with, without) in [
            ("/", "/?sid=T", "/"),
            ("/a?x=1#part", "/a?x=1&sid=T#part", "/a?x=1#part"),
            ("/a?sid=old&x=1", "/a?x=1&sid=T", "/a?x=1"),
            ("/a?sid=old#p?q", "/a?sid=T#p?q", "/a#p?q"),
            ("?page=2", "?page=2&sid=T", "?page=2"),
            ("b", "b?sid=T", "b"),
        ] {
            assert_eq!(with_token(url, "sid", Some("T")), with);
            assert_eq!(with_token(url, "sid", None), without);
        }
    }

    #[test]
    fn a_token_goes_to_no_other_origin() {
        let origin = |scheme, host: &str| Origin {
            scheme,
            host: host.to_owned(),
        };
        let shop = origin(Scheme::Https, "shop.example");
        for url in [
            "/",
            "/a?b#c",
            "/./x",
            "a/b",
            "?x=1",
            "../a",
            "./a:b",
            "/a:b",
            "https://shop.example",
            "https://shop.example/",
            "HTTPS://SHOP.example/a?b",
            "https://shop.example:443/a",
            "https://shop.example?x",
            "https://shop.example#x",
            "/?next=https://evil.example/",
            "/ä",
        ] {
            assert!(is_of(&shop, url), "{url}");
        }
        for url in [
            "",
            "#top",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/a\r\nb",
            " //evil.example",
            "https:evil.example",
            "https:/evil.example",
            "https:///evil.example",
            "http://shop.example/",
            "https://evil.example/",
            "https://shop.example.evil.example/",
            "https://shop.example@evil.example/",
            "https://user@shop.example/",
            "https://shop.example\\@evil.example/",
            "https://shop.example:444/",
            "https://shop.example:/",
            "javascript:alert(1)",
            "mailto:a@b",
            "evil.example:80/",
        ] {
            assert!(!is_of(&shop, url), "{url}");
        }
        assert!(is_of(
            &origin(Scheme::Http, "localhost:3000"),
            "http://localhost:3000/x"
        ));
        assert!(!is_of(
            &origin(Scheme::Http, "localhost:3000"),
            "http://localhost/x"
        ));
        assert!(!is_of(&origin(Scheme::Https, ""), "https:///x"));
        assert!(!is_of(&origin(Scheme::Https, ""), "https://shop.example/"));
    }
}
