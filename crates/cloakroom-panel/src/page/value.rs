//! A value of a session, as JSON.

use maud::{Markup, html};

use super::words::bytes;
use crate::record::RecordedValue;

/// Values of more characters are folded.
const SHORT: usize = 100;

/// A value: folded when it is long, dots until they are clicked when it is masked. Whatever it
/// holds, it is text on the page.
pub(super) fn value(value: Option<&RecordedValue>, is_masked: bool) -> Markup {
    let Some(value) = value else {
        return html! { span.none { "–" } };
    };
    let is_long = value.json.chars().nth(SHORT).is_some();
    html! {
        @if is_masked {
            details.mask {
                summary { span.dots { "••••••" } }
                (whole(value))
            }
        } @else if is_long {
            details {
                summary { code { (value.json.chars().take(SHORT).collect::<String>()) "…" } }
                (whole(value))
            }
        } @else {
            code { (value.json) }
        }
        @if value.is_undecodable {
            " " span.chip.notable { "not decoded" }
        }
    }
}

fn whole(value: &RecordedValue) -> Markup {
    html! {
        pre { (indented(&value.json)) }
        @if value.is_cut {
            small { "The beginning; the value has " (bytes(value.bytes)) "." }
        }
    }
}

/// JSON on several lines. It need not be whole: a long value is cut.
fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    let newline = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth.min(MAX_INDENT)));
    };
    let mut chars = json.chars().peekable();
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            (in_string, is_escaped) = match c {
                _ if is_escaped => (true, false),
                '\\' => (true, true),
                '"' => (false, false),
                _ => (true, false),
            };
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                if !matches!(chars.peek(), Some('}' | ']')) {
                    depth += 1;
                    newline(&mut out, depth);
                }
            }
            '}' | ']' => {
                if !out.ends_with(['{', '[']) {
                    depth = depth.saturating_sub(1);
                    newline(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                newline(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out
}

/// Whoever nests deeper gets no more room for it.
const MAX_INDENT: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(json: &str) -> RecordedValue {
        RecordedValue {
            json: json.to_owned(),
            is_cut: false,
            bytes: json.len(),
            is_undecodable: false,
        }
    }

    fn shown(json: &str, is_masked: bool) -> String {
        value(Some(&recorded(json)), is_masked).into_string()
    }

    #[test]
    fn values_are_text() {
        let hostile = r#""<script>alert('1')</script>&\"><img onerror=x>""#;
        for is_masked in [false, true] {
            let html = shown(hostile, is_masked);
            assert!(!html.contains("<script"), "{html}");
            assert!(!html.contains("<img"), "{html}");
            assert!(html.contains("&lt;script&gt;"), "{html}");
        }
    }

    #[test]
    fn long_values_are_folded_and_masked_ones_dots() {
        assert_eq!(shown("1", false), "<code>1</code>");
        let long = format!("\"{}\"", "ä".repeat(SHORT));
        assert!(shown(&long, false).starts_with("<details><summary><code>"));
        let masked = shown("\"hush\"", true);
        let (summary, rest) = masked.split_once("</summary>").unwrap();
        assert!(!summary.contains("hush"), "{summary}");
        assert!(rest.contains("hush"), "{rest}");
        assert_eq!(
            value(None, true).into_string(),
            "<span class=\"none\">–</span>"
        );
    }

    #[test]
    fn json_gets_lines() {
        for (json, lines) in [
            ("1", "1"),
            ("[]", "[]"),
            ("{}", "{}"),
            ("[1,2]", "[\n  1,\n  2\n]"),
            (r#"{"a":{"b":[]}}"#, "{\n  \"a\": {\n    \"b\": []\n  }\n}"),
            (r#"["a,[\"{:",1]"#, "[\n  \"a,[\\\"{:\",\n  1\n]"),
            (r#"{"cut":"of"#, "{\n  \"cut\": \"of"),
            ("]]}", "\n]\n]\n}"),
        ] {
            assert_eq!(indented(json), lines);
        }
        let deep = indented(&"[".repeat(1000));
        assert!(deep.len() < 50_000);
    }
}
