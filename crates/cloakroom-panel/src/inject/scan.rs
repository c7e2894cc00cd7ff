//! Finds the end of a page's body, as a browser would.

/// Where the last `</body>` of a page begins that is neither in a comment nor in the text of a
/// script, a style or the like; `None` when there is none.
pub(super) fn end_of_body(page: &[u8]) -> Option<usize> {
    // UTF-16 says so by its first bytes, whatever the header says.
    if page.starts_with(b"\xFE\xFF") || page.starts_with(b"\xFF\xFE") {
        return None;
    }
    let mut found = None;
    let mut rest = page;
    while let Some(tag) = from(rest, b"<") {
        if is_tag(tag, b"</body") {
            found = Some(page.len() - tag.len());
        }
        rest = after(tag);
    }
    found
}

/// Whether the page has a content security policy beside those of its headers.
pub(super) fn has_policy_of_its_own(page: &[u8]) -> bool {
    const NAME: &[u8] = b"content-security-policy";
    page.windows(NAME.len())
        .any(|window| window.eq_ignore_ascii_case(NAME))
}

/// Elements whose content is text, whatever it looks like.
const TEXT: [&[u8]; 8] = [
    b"script",
    b"style",
    b"textarea",
    b"title",
    b"xmp",
    b"iframe",
    b"noembed",
    b"noframes",
];

/// What follows the tag, comment or text element that begins here. What is not ended takes all.
fn after(tag: &[u8]) -> &[u8] {
    if tag.starts_with(b"<!-->") || tag.starts_with(b"<!--->") {
        return behind(tag, b">");
    }
    if tag.starts_with(b"<!--") {
        return behind(tag.get(4..).unwrap_or_default(), b"-->");
    }
    if tag.starts_with(b"<![CDATA[") {
        return behind(tag, b"]]>");
    }
    let is_markup = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'!' | b'?');
    if !tag.get(1).is_some_and(is_markup) {
        return tag.get(1..).unwrap_or_default();
    }
    let content = behind_tag(tag);
    let names = TEXT.into_iter();
    match names.into_iter().find(|name| is_opening(tag, name)) {
        Some(name) => text_end(content, name),
        None => content,
    }
}

/// Where `</name` stands in the text of an element.
fn text_end<'a>(content: &'a [u8], name: &[u8]) -> &'a [u8] {
    let end = [b"</", name].concat();
    let mut rest = content;
    while let Some(tag) = from(rest, b"<") {
        if is_tag(tag, &end) {
            return tag;
        }
        rest = tag.get(1..).unwrap_or_default();
    }
    b""
}

fn is_opening(tag: &[u8], name: &[u8]) -> bool {
    is_tag(tag, &[b"<", name].concat())
}

/// Whether a tag begins like this and its name ends there.
fn is_tag(tag: &[u8], beginning: &[u8]) -> bool {
    let Some((head, rest)) = tag.split_at_checked(beginning.len()) else {
        return false;
    };
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
    head.eq_ignore_ascii_case(beginning) && rest.first().is_none_or(ends)
}

/// What follows a tag; a `>` in the quotes of an attribute does not end it.
fn behind_tag(tag: &[u8]) -> &[u8] {
    let mut quote = None;
    // A quote that no `=` is before is part of a name.
    let mut is_value = false;
    for (at, byte) in tag.iter().enumerate() {
        match (quote, *byte) {
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'>') => return tag.get(at + 1..).unwrap_or_default(),
            (None, byte @ (b'"' | b'\'')) if is_value => quote = Some(byte),
            _ => {}
        }
        is_value = *byte == b'=' || (is_value && byte.is_ascii_whitespace());
    }
    b""
}

/// The bytes from `needle` on.
fn from<'a>(bytes: &'a [u8], needle: &[u8]) -> Option<&'a [u8]> {
    let at = match needle {
        [byte] => bytes.iter().position(|other| other == byte),
        _ => bytes.windows(needle.len()).position(|w| w == needle),
    };
    bytes.get(at?..)
}

/// The bytes behind `needle`; none when it is not there.
fn behind<'a>(bytes: &'a [u8], needle: &[u8]) -> &'a [u8] {
    from(bytes, needle)
        .and_then(|found| found.get(needle.len()..))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::end_of_body;

    /// `|` stands where the end of the body is to be found.
    #[test]
    fn the_last_end_of_the_body_is_found() {
        for page in [
            "<!doctype html><html><body><p>a</p>|</body></html>",
            "<body>a|</BODY >",
            "<body>a</body>b|</body\n>",
            "<body>|</body><!-- </body> -->",
            "<body>|</body><!-- <p title='</body>",
            "<body><!-- </body> -->|</body>",
            "<body><!--></body>-->|</body>",
            "<body><script>'</body>'</script>|</body>",
            "<body><script>a < b; '</body>'</script >|</body>",
            "<body><script src='a>b'></body></script>|</body>",
            "<body><SCRIPT></body></Script>|</body>",
            "<body><scripted></body></scripted>|</body>",
            "<body><textarea></body></textarea>|</body>",
            "<title></body></title><body>|</body>",
            "<body><style>a::after{content:'</body>'}</style>|</body>",
            "<body><a title='</body>'>b</a>|</body>",
            "<body><a title=\"'</body>\">b</a>|</body>",
            "<body><a title = \"'</body>\">b</a>|</body>",
            "<body><p don't>it's</p>|</body>",
            "<body>1 < 2, 3 <4, a<<b>|</body>",
            "<body><![CDATA[</body>]]>|</body>",
            "<body>|</body></bodyguard>",
        ] {
            let expected = page.find('|').unwrap();
            let page = page.replacen('|', "", 1);
            assert_eq!(end_of_body(page.as_bytes()), Some(expected), "{page}");
        }
    }

    #[test]
    fn what_is_no_whole_page_has_no_end() {
        for page in [
            "",
            "<",
            "</",
            "<li>a fragment</li>",
            "<body>never ended",
            "<!-- </body>",
            "<body>a </ b</body>",
            "<script></body>",
            "<script>",
            "<a title='</body>",
            "&lt;/body&gt;",
            "\u{feff}",
        ] {
            assert_eq!(end_of_body(page.as_bytes()), None, "{page}");
        }
        let utf16: Vec<u8> = "\u{feff}</body>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(end_of_body(&utf16), None);
        assert_eq!(end_of_body(b"\xFF\xFE</body>"), None);
    }
}
