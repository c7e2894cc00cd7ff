use std::{fmt, iter, ops::Range};

use cloakroom_core::{RequestHead, Scheme};

/// A request's head, kept for as long as its recording. An integration makes it.
///
/// It has the request's tokens, which a peek needs, and shows them to nobody: `Debug` gives the
/// method alone. Of a head of more than 16 KiB only a part is kept, and there is no peek then.
///
/// ```
/// use cloakroom_core::{RequestHead, Scheme};
/// use cloakroom_panel::KeptHead;
/// let mut head = KeptHead::new("GET", "/cart", Some("page=2"), Scheme::Https);
/// head.add_header("host", b"shop.example");
/// assert_eq!(head.path(), "/cart");
/// assert!(head.header_is("host", "shop.example"));
/// ```
#[derive(Clone)]
pub struct KeptHead {
    /// Method, path and query, then the headers. All in one block, since each request needs one.
    bytes: Vec<u8>,
    method: Range<usize>,
    path: Range<usize>,
    query: Option<Range<usize>>,
    /// Where the headers begin: of each two lengths, the name and the value.
    headers: usize,
    scheme: Scheme,
    is_whole: bool,
}

/// The most bytes of a head that are kept.
const ROOM: usize = 16 * 1024;

/// A method or a path that is longer is cut.
const LONGEST_TARGET: usize = 2 * 1024;

impl KeptHead {
    /// A head without headers. `path` is the one that the application's routes see.
    #[must_use]
    pub fn new(method: &str, path: &str, query: Option<&str>, scheme: Scheme) -> Self {
        let mut head = Self {
            bytes: Vec::with_capacity(512),
            method: 0..0,
            path: 0..0,
            query: None,
            headers: 0,
            scheme,
            is_whole: true,
        };
        head.method = head.keep_text(method);
        head.path = head.keep_text(path);
        head.query = query.map(|query| head.keep_text(query));
        head.headers = head.bytes.len();
        head
    }

    /// The head of a request, and its headers with names in lower case.
    pub fn of<'a>(
        head: &dyn RequestHead,
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        let mut kept = Self::new(head.method(), head.path(), head.query(), head.scheme());
        // Where the request was sent to stands in its target, if that has an authority.
        head.header("host", &mut |value| kept.add_header("host", value));
        for (name, value) in headers.filter(|(name, _)| *name != "host") {
            kept.add_header(name, value);
        }
        kept
    }

    /// Adds a header; its name is to be in lower case. `host` is to give the authority of the
    /// target where the request has one.
    pub fn add_header(&mut self, name: &str, value: &[u8]) {
        let lengths = [name.len(), value.len()].map(u16::try_from);
        let has_room = self.bytes.len() + 4 + name.len() + value.len() <= ROOM;
        if let [Ok(name_length), Ok(value_length)] = lengths
            && has_room
        {
            self.keep(&name_length.to_le_bytes());
            self.keep(&value_length.to_le_bytes());
            self.keep(name.as_bytes());
            self.keep(value);
        } else {
            self.is_whole = false;
        }
    }

    /// Whether nothing was left out.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The first value of a header, where it is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let mut values = self.values(name);
        values
            .next()
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All values of a header.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let headers = self
            .headers()
            .filter(move |(other, _)| *other == name.as_bytes());
        headers.map(|(_, value)| value)
    }

    fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.bytes.get(self.headers..).unwrap_or_default();
        iter::from_fn(move || {
            let ([a, b, c, d], after) = rest.split_first_chunk()?;
            let length = |low, high| usize::from(u16::from_le_bytes([low, high]));
            let (name, after) = after.split_at_checked(length(*a, *b))?;
            let (value, after) = after.split_at_checked(length(*c, *d))?;
            rest = after;
            Some((name, value))
        })
    }

    fn keep_text(&mut self, text: &str) -> Range<usize> {
        let cut = beginning(text, LONGEST_TARGET);
        self.is_whole &= cut.len() == text.len();
        self.keep(cut.as_bytes())
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    fn str(&self, range: &Range<usize>) -> &str {
        std::str::from_utf8(self.slice(range)).unwrap_or_default()
    }
}

/// The beginning of a text, cut between two characters.
pub(super) fn beginning(text: &str, length: usize) -> &str {
    let mut ends = (0..=length.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

impl RequestHead for KeptHead {
    fn method(&self) -> &str {
        self.str(&self.method)
    }

    fn path(&self) -> &str {
        self.str(&self.path)
    }

    fn query(&self) -> Option<&str> {
        self.query.as_ref().map(|query| self.str(query))
    }

    fn scheme(&self) -> Scheme {
        self.scheme
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        self.values(name).for_each(visit);
    }
}

impl fmt::Debug for KeptHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptHead")
            .field("method", &self.method())
            .field("headers", &self.headers().count())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_is_too_large_is_kept_in_part_and_says_so() {
        let mut head = KeptHead::new("GET", "/", None, Scheme::Http);
        head.add_header("cookie", &vec![b'a'; ROOM - 500]);
        assert!(head.is_whole());
        head.add_header("cookie", &vec![b'b'; 600]);
        assert!(!head.is_whole());
        head.add_header("host", b"localhost");
        assert_eq!(head.values("cookie").count(), 1);
        assert!(head.header_is("host", "localhost"));
        let long = KeptHead::new("GET", &"/ä".repeat(2000), None, Scheme::Http);
        assert!(!long.is_whole() && long.path().len() <= LONGEST_TARGET);
    }

    #[test]
    fn debug_shows_nothing_of_the_request() {
        let mut head = KeptHead::new("GET", "/", Some("sid=secret"), Scheme::Http);
        head.add_header("cookie", b"sid=secret");
        assert!(!format!("{head:?}").contains("secret"));
    }
}
