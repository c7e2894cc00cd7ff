//! A token in a header of the request.

use crate::head::RequestHead;

/// Shows each bearer token (RFC 6750, section 2.1). The scheme's case does not count (RFC 9110,
/// section 11.1); other schemes are somebody else's.
pub(super) fn each_bearer(head: &dyn RequestHead, visit: &mut dyn FnMut(&[u8])) {
    head.header("authorization", &mut |value| {
        let value = value.trim_ascii();
        let scheme = value.split_at_checked(b"bearer".len());
        if let Some((scheme, rest)) = scheme
            && scheme.eq_ignore_ascii_case(b"bearer")
            && rest.first().is_none_or(|byte| *byte == b' ')
        {
            visit(rest.trim_ascii());
        }
    });
}

/// Shows each value of a header that holds nothing but a token.
pub(super) fn each_value(head: &dyn RequestHead, name: &str, visit: &mut dyn FnMut(&[u8])) {
    head.header(name, &mut |value| visit(value.trim_ascii()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Scheme;

    struct Authorization<'a>(&'a [&'a str]);

    impl RequestHead for Authorization<'_> {
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
            Scheme::Https
        }
        fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
            assert_eq!(name, "authorization");
            self.0.iter().for_each(|value| visit(value.as_bytes()));
        }
    }

    #[test]
    fn bearer_tokens_are_found_whatever_the_scheme_s_case() {
        for (headers, tokens) in [
            (vec!["Bearer abc"], vec!["abc"]),
            (vec!["bEARER   abc  "], vec!["abc"]),
            (vec!["Bearer"], vec![""]),
            (vec!["Basic abc", "Bearer x", "Bearer y"], vec!["x", "y"]),
            (
                vec!["Bearerabc", "Bearer\tabc", "BasicBearer abc", ""],
                vec![],
            ),
            (vec!["Bearer a b"], vec!["a b"]),
        ] {
            let mut found = Vec::new();
            each_bearer(&Authorization(&headers), &mut |token| {
                found.push(String::from_utf8(token.to_vec()).unwrap());
            });
            assert_eq!(found, tokens, "{headers:?}");
        }
    }
}
