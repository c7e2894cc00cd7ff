//! Which requests a bypass is for.

/// An optional method, and a path whose segments are text or a wildcard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    method: Option<String>,
    segments: Vec<Segment>,
    /// It ends with a slash: whatever lies below is meant too.
    is_subtree: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Text(String),
    Any,
}

impl Pattern {
    /// Reads a pattern, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (method, path) = match text.split_once(' ') {
            Some((method, path)) => (Some(method), path),
            None => (None, text),
        };
        if method.is_some_and(|method| !is_method(method)) {
            return Err("what stands before the space is no method in upper case");
        }
        let Some(rest) = path.strip_prefix('/') else {
            return Err("a path begins with a slash");
        };
        if rest.is_empty() {
            return Err("it would let everything pass: leave the layer out, or name a path");
        }
        if !is_plain(path) {
            return Err(
                "a path has no empty segments, no dots for segments, no query and no spaces",
            );
        }
        let is_subtree = path.ends_with('/');
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let segments = rest.split('/').map(Segment::parse);
        Ok(Self {
            method: method.map(str::to_owned),
            segments: segments.collect::<Result<_, _>>()?,
            is_subtree,
        })
    }

    /// Whether a request is meant. A path that somebody behind might read as another one is none
    /// that is meant.
    pub(crate) fn matches(&self, method: &str, path: &str) -> bool {
        if self.method.as_deref().is_some_and(|own| own != method) {
            return false;
        }
        let mut rest = path
            .strip_prefix('/')
            .into_iter()
            .flat_map(|p| p.split('/'));
        let is_prefix = self.segments.iter().all(|own| match (own, rest.next()) {
            (Segment::Text(own), Some(segment)) => own == segment,
            (Segment::Any, Some(segment)) => !segment.is_empty(),
            (_, None) => false,
        });
        // What is left of `/hooks/` is one empty segment, of `/hooks` none.
        is_prefix && rest.next().is_some() == self.is_subtree && is_plain(path)
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let Some(inner) = text.strip_prefix('{') else {
            return match text.contains(['{', '}', '*']) {
                true => Err("a wildcard is a whole segment, such as {id}"),
                false => Ok(Self::Text(text.to_owned())),
            };
        };
        match inner.strip_suffix('}') {
            Some(name) if !name.is_empty() && name.bytes().all(is_name_byte) => Ok(Self::Any),
            _ => Err("a wildcard is a name in braces, such as {id}"),
        }
    }
}

fn is_method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether nobody reads a path as another one: no empty segments, no dots for segments, plain or
/// encoded, no backslashes, and nothing that no path has.
fn is_plain(path: &str) -> bool {
    let is_odd = |byte: u8| byte <= b' ' || byte >= 0x7f || matches!(byte, b'?' | b'#' | b'\\');
    let mut segments = path.split('/').skip(1).peekable();
    let mut is_plain = !path.bytes().any(is_odd);
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        is_plain &= !segment.is_empty() || is_last;
        is_plain &= !is_dots(segment) && !has_encoded_slash(segment);
    }
    is_plain
}

fn is_dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    // A parameter after a semicolon is cut off by some.
    let name = plain.split(';').next().unwrap_or_default();
    matches!(name, "." | "..")
}

fn has_encoded_slash(segment: &str) -> bool {
    let lower = segment.to_ascii_lowercase();
    lower.contains("%2f") || lower.contains("%5c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_itself_and_one_with_a_slash_is_what_lies_below() {
        for (pattern, method, path, expected) in [
            ("/hook", "POST", "/hook", true),
            ("/hook", "PUT", "/hook", true),
            ("/hook", "POST", "/hook/", false),
            ("/hook", "POST", "/hooks", false),
            ("/hook", "POST", "/hook/1", false),
            ("/hook", "POST", "/Hook", false),
            ("/hook", "POST", "/", false),
            ("/hook", "POST", "hook", false),
            ("/hook", "OPTIONS", "*", false),
            ("/hooks/", "POST", "/hooks/", true),
            ("/hooks/", "POST", "/hooks/a", true),
            ("/hooks/", "POST", "/hooks/a/b/", true),
            ("/hooks/", "POST", "/hooks", false),
            ("/hooks/", "POST", "/hooksmith/a", false),
            ("POST /hook", "POST", "/hook", true),
            ("POST /hook", "PUT", "/hook", false),
            ("/shops/{id}/hook", "POST", "/shops/7/hook", true),
            ("/shops/{id}/hook", "POST", "/shops//hook", false),
            ("/shops/{id}/hook", "POST", "/shops/7/8/hook", false),
            ("/shops/{id}", "POST", "/shops/", false),
            ("/shops/{id}/", "POST", "/shops/7/x", true),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(
                pattern.matches(method, path),
                expected,
                "{pattern:?} {path}"
            );
        }
    }

    #[test]
    fn cve_2025_47910_a_path_that_reads_as_another_one_is_not_meant() {
        let pattern = Pattern::parse("/hooks/").unwrap();
        for path in [
            "/hooks/../admin",
            "/hooks/./a",
            "/hooks/%2e%2E/admin",
            "/hooks/.%2e/admin",
            "/hooks/..;a=1/admin",
            "/hooks/a//b",
            "//hooks/a",
            "/hooks/..%2fadmin",
            "/hooks/..\\admin",
            "/hooks/%5cadmin",
            "/admin/../hooks/a",
        ] {
            assert!(!pattern.matches("POST", path), "{path}");
        }
        assert!(pattern.matches("POST", "/hooks/..a/.b/c%20d"));
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for (text, why) in [
            ("", "begins with a slash"),
            ("hook", "begins with a slash"),
            ("shop.example/hook", "begins with a slash"),
            ("/", "let everything pass"),
            ("POST /", "let everything pass"),
            ("post /hook", "no method"),
            (" /hook", "no method"),
            ("POST  /hook", "begins with a slash"),
            ("/a//b", "no empty segments"),
            ("/a/../b", "no empty segments"),
            ("/a?b=1", "no query"),
            ("/a/*", "whole segment"),
            ("/a/x{id}", "whole segment"),
            ("/a/{id}x", "name in braces"),
            ("/a/{}", "name in braces"),
            ("/a/{rest...}", "name in braces"),
            ("/a/{$}", "name in braces"),
        ] {
            let error = Pattern::parse(text).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }
}
