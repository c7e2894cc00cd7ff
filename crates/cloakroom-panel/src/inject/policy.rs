//! What a page's content security policies allow the button.

/// How the button is styled. It has no script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Styling {
    /// In a `style` element.
    Inline,
    /// In a `style` element with the nonce that the page's own have.
    Nonce(String),
    /// By a style sheet of the panel's.
    Linked,
    /// Not at all: it is a plain link.
    None,
}

/// The best styling that all policies allow. Those that only report count too: what a developer
/// sees reported should be the application's.
pub(super) fn styling<'a>(headers: impl Iterator<Item = &'a [u8]>) -> Styling {
    let headers: Vec<_> = headers.map(String::from_utf8_lossy).collect();
    let policies = headers.iter().flat_map(|header| header.split(','));
    let sources: Vec<Vec<&str>> = policies.filter_map(style_sources).collect();
    let nonces = sources.iter().flatten().filter_map(|source| nonce(source));
    let nonces = nonces.map(|nonce| Styling::Nonce(nonce.to_owned()));
    [Styling::Inline]
        .into_iter()
        .chain(nonces)
        .chain([Styling::Linked])
        .find(|styling| sources.iter().all(|sources| allows(sources, styling)))
        .unwrap_or(Styling::None)
}

/// From where a policy allows styles; `None` when it says nothing of them.
fn style_sources(policy: &str) -> Option<Vec<&str>> {
    let directive = |name: &str| {
        policy.split(';').find_map(|directive| {
            let mut words = directive.split_ascii_whitespace();
            let is_named = words.next()?.eq_ignore_ascii_case(name);
            is_named.then(|| words.collect::<Vec<_>>())
        })
    };
    directive("style-src-elem")
        .or_else(|| directive("style-src"))
        .or_else(|| directive("default-src"))
}

fn allows(sources: &[&str], styling: &Styling) -> bool {
    let has = |keyword: &str| sources.iter().any(|s| s.eq_ignore_ascii_case(keyword));
    let mut nonces = sources.iter().filter_map(|source| nonce(source));
    match styling {
        // A nonce or a hash beside it makes browsers ignore it.
        Styling::Inline => has("'unsafe-inline'") && !sources.iter().any(|s| is_strict(s)),
        Styling::Nonce(ours) => {
            nonces.any(|nonce| nonce == ours) || allows(sources, &Styling::Inline)
        }
        Styling::Linked => has("'self'") || has("*"),
        Styling::None => true,
    }
}

fn is_strict(source: &str) -> bool {
    let source = source.to_ascii_lowercase();
    ["'nonce-", "'sha256-", "'sha384-", "'sha512-"]
        .iter()
        .any(|beginning| source.starts_with(beginning))
}

/// The nonce in `'nonce-..'`, if it is one that browsers take.
fn nonce(source: &str) -> Option<&str> {
    let (keyword, rest) = source.split_at_checked(7)?;
    let nonce = rest.strip_suffix('\'')?;
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    let is_good = !nonce.is_empty() && nonce.bytes().all(is_base64);
    (keyword.eq_ignore_ascii_case("'nonce-") && is_good).then_some(nonce)
}

#[cfg(test)]
mod tests {
    use super::{Styling, styling};

    fn of(policies: &[&str]) -> Styling {
        styling(policies.iter().map(|policy| policy.as_bytes()))
    }

    #[test]
    fn the_best_that_all_policies_allow() {
        let nonce = |nonce: &str| Styling::Nonce(nonce.to_owned());
        for (policies, expected) in [
            (&[][..], Styling::Inline),
            (
                &["script-src 'none'; frame-ancestors 'none'"],
                Styling::Inline,
            ),
            (&["default-src 'none'"], Styling::None),
            (&["style-src 'none'"], Styling::None),
            (&["style-src"], Styling::None),
            (&["default-src 'self'"], Styling::Linked),
            (&["DEFAULT-SRC 'Self'"], Styling::Linked),
            (&["default-src 'none'; style-src *"], Styling::Linked),
            (&["style-src https://cdn.example"], Styling::None),
            (
                &["default-src 'self'; style-src 'unsafe-inline'"],
                Styling::Inline,
            ),
            (
                &["style-src 'unsafe-inline'; style-src 'none'"],
                Styling::Inline,
            ),
            (
                &["style-src 'none'; style-src-elem 'self'"],
                Styling::Linked,
            ),
            (&["style-src 'unsafe-inline' 'sha256-abc='"], Styling::None),
            (&["style-src 'unsafe-inline' 'nonce-abc='"], nonce("abc=")),
            (&["style-src 'self' 'NONCE-a+/-_'"], nonce("a+/-_")),
            (&["style-src 'nonce-\"><script>'"], Styling::None),
            (&["style-src 'nonce-'"], Styling::None),
            (
                &["style-src 'nonce-a'", "style-src 'nonce-a' 'self'"],
                nonce("a"),
            ),
            (
                &["style-src 'nonce-a'", "style-src 'nonce-b'"],
                Styling::None,
            ),
            (&["style-src 'nonce-a', style-src 'nonce-b'"], Styling::None),
            (
                &["style-src 'nonce-a' 'nonce-b'", "style-src 'nonce-b'"],
                nonce("b"),
            ),
            (
                &["style-src 'nonce-a'", "style-src 'unsafe-inline'"],
                nonce("a"),
            ),
            (
                &["style-src 'nonce-a' 'self'", "style-src 'self'"],
                Styling::Linked,
            ),
            (&["script-src 'self'", "default-src 'none'"], Styling::None),
        ] {
            assert_eq!(of(policies), expected, "{policies:?}");
        }
    }
}
