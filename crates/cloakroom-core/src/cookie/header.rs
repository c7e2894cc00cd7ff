use crate::head::RequestHead;

/// Shows each value that the request's cookies have for `name`, in order.
///
/// Names and values are compared as bytes: no percent-decoding, no case folding, no quotes. The
/// first `=` splits a pair; a pair without one, or without a name, is no cookie of ours
/// (CVE-2020-7070, CVE-2022-31629, CVE-2023-23934). Several `Cookie` headers read as one, as
/// HTTP/2 splits them (RFC 9113, section 8.2.3).
pub(crate) fn each_value(head: &dyn RequestHead, name: &str, visit: &mut dyn FnMut(&[u8])) {
    head.header("cookie", &mut |header| {
        let mut rest = Some(header);
        while let Some(pairs) = rest {
            let end = memchr::memchr(b';', pairs).unwrap_or(pairs.len());
            let (pair, after) = pairs.split_at_checked(end).unwrap_or((pairs, &[]));
            rest = after.split_first().map(|(_, after)| after);
            let pair = pair.trim_ascii();
            let value = pair
                .strip_prefix(name.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="));
            if let Some(value) = value {
                visit(value);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Scheme;

    struct Headers<'a>(&'a [&'a str]);

    impl RequestHead for Headers<'_> {
        fn method(&self) -> &str {
            "GET"
        }
        fn path(&self) -> &str {
            "/"
        }
        fn query(&self) -> Option<&str> {
            None
        }
        fn scheme(&self) -> Scheme {
            Scheme::Http
        }
        fn header(&self, _: &str, visit: &mut dyn FnMut(&[u8])) {
            self.0.iter().for_each(|value| visit(value.as_bytes()));
        }
    }

    fn values(headers: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        each_value(&Headers(headers), "__Host-id", &mut |value| {
            found.push(String::from_utf8(value.to_vec()).unwrap());
        });
        found
    }

    #[test]
    fn several_headers_and_several_values_are_read_in_order() {
        assert_eq!(
            values(&["a=b; __Host-id=1;__Host-id=2", "__Host-id=3"]),
            ["1", "2", "3"]
        );
        assert_eq!(values(&["__Host-id=a=b; __Host-id="]), ["a=b", ""]);
    }

    #[test]
    fn cve_2020_7070_and_2022_31629_names_are_not_decoded() {
        for mangled in [
            "__host-id=1",
            "__HOST-ID=1",
            "%5F%5FHost-id=1",
            "..Host-id=1",
            "__Host-id%20=1",
            "__Host-id =1",
            "\"__Host-id\"=1",
            "__Host-idx=1",
            "x__Host-id=1",
        ] {
            assert!(values(&[mangled]).is_empty(), "{mangled}");
        }
    }

    #[test]
    fn cve_2023_23934_nameless_cookies_are_not_ours() {
        for nameless in [
            "=__Host-id=1",
            "__Host-id",
            "; =; ;;",
            "=",
            "a==__Host-id=1",
        ] {
            assert!(values(&[nameless]).is_empty(), "{nameless}");
        }
    }
}
