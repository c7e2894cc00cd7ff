//! Which requests the rules for origins let pass.

use cloakroom_core::{CsrfRefusal, OriginRules, OriginVerdict, RequestHead, Scheme};
use proptest::prelude::*;

use crate::csrf_table::{BYPASSES, ROWS, TRUSTED};

/// A request's head.
#[derive(Debug, Clone, Default)]
struct Head {
    method: String,
    target: String,
    headers: Vec<(&'static str, Vec<u8>)>,
}

impl Head {
    fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
        }
    }

    fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name, value.as_ref().to_owned()));
        self
    }

    /// With a header where there is a value.
    fn optional(self, name: &'static str, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }
}

impl RequestHead for Head {
    fn method(&self) -> &str {
        &self.method
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    fn scheme(&self) -> Scheme {
        Scheme::Https
    }

    fn header(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.headers.iter().filter(|(other, _)| *other == name) {
            visit(value);
        }
    }
}

fn rules() -> OriginRules {
    let rules = OriginRules::new().trusted_origin(TRUSTED).unwrap();
    BYPASSES.into_iter().fold(rules, |rules, pattern| {
        rules.insecure_bypass(pattern).unwrap()
    })
}

#[test]
fn the_verdicts_are_those_of_go_1_25() {
    assert!(ROWS.len() >= 60);
    let rules = rules();
    for row in ROWS {
        let (method, site, origin, host, target, passes) = *row;
        let sent = |value: &'static str| (value != "-").then_some(value);
        let head = Head::new(method, target)
            .header("host", host)
            .optional("sec-fetch-site", sent(site))
            .optional("origin", sent(origin));
        let verdict = rules.judge(&head);
        assert_eq!(verdict.refusal().is_none(), passes, "{row:?}: {verdict:?}");
    }
}

#[test]
fn a_verdict_says_why() {
    let post = |target| Head::new("POST", target).header("host", "shop.example");
    let rules = rules();
    for (head, expected) in [
        (Head::new("GET", "/"), OriginVerdict::Safe),
        (post("/hooks/a"), OriginVerdict::Bypassed),
        (post("/"), OriginVerdict::Unknown),
        (
            post("/").header("sec-fetch-site", "none"),
            OriginVerdict::SameOrigin,
        ),
        (
            post("/").header("origin", "https://shop.example"),
            OriginVerdict::SameOrigin,
        ),
        (post("/").header("origin", TRUSTED), OriginVerdict::Trusted),
        (
            post("/").header("sec-fetch-site", "same-site"),
            OriginVerdict::Refused(CsrfRefusal::CrossOrigin),
        ),
        (
            post("/").header("origin", "null"),
            OriginVerdict::Refused(CsrfRefusal::ForeignOrigin),
        ),
    ] {
        assert_eq!(rules.judge(&head), expected, "{head:?}");
    }
}

#[test]
fn the_first_of_several_values_counts() {
    let head = Head::new("POST", "/")
        .header("host", "shop.example")
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-site", "same-origin");
    assert!(rules().judge(&head).refusal().is_some());
    let head = Head::new("POST", "/")
        .header("host", "shop.example")
        .header("origin", "https://evil.example")
        .header("origin", "https://shop.example")
        .header("origin", TRUSTED);
    assert!(rules().judge(&head).refusal().is_some());
}

#[test]
fn a_request_without_a_host_has_none_to_be_equal_to() {
    for origin in ["null", "https://", "", "https://shop.example"] {
        let head = Head::new("POST", "/").header("origin", origin);
        let is_unknown = origin.is_empty();
        assert_eq!(rules().judge(&head).refusal().is_none(), is_unknown);
        assert!(rules().judge(&head.header("host", "")).refusal().is_none() == is_unknown);
    }
}

#[test]
fn the_query_and_forwarded_headers_say_nothing() {
    let target = "/?origin=https://shop.example&sec-fetch-site=same-origin&csrf_token=x";
    let head = Head::new("POST", target)
        .header("host", "shop.example")
        .header("origin", "https://evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example")
        .header("referer", "https://shop.example/");
    assert!(rules().judge(&head).refusal().is_some());
}

fn header() -> impl Strategy<Value = Option<Vec<u8>>> {
    let known = [
        "",
        "none",
        "same-origin",
        "same-site",
        "cross-site",
        "null",
        "https://shop.example",
        "https://shop.example:8443",
        "https://trusted.example",
        "https://evil.example",
        "shop.example",
    ];
    let known = prop::sample::select(known.map(|text| text.as_bytes().to_vec()).to_vec());
    let near = "(https?://)?[a-z.@:/\\[\\]?#0-9 ]{0,20}".prop_map(String::into_bytes);
    let any = prop::collection::vec(any::<u8>(), 0..30);
    prop::option::of(prop_oneof![4 => known, 2 => near, 1 => any])
}

proptest! {
    /// Whatever is sent, it passes for one of the reasons that there are.
    #[test]
    fn what_passes_has_a_reason(site in header(), origin in header(), host in header()) {
        let head = Head::new("POST", "/")
            .optional("host", host.clone())
            .optional("sec-fetch-site", site.clone())
            .optional("origin", origin.clone());
        let [site, origin, host] = [site, origin, host].map(Option::unwrap_or_default);
        let is_said = !site.is_empty();
        let is_same = [&b"same-origin"[..], b"none"].contains(&&*site);
        let prefixes: [&[u8]; 2] = [b"https://", b"http://"];
        let is_own = !host.is_empty()
            && prefixes.iter().any(|prefix| origin == [prefix, &*host].concat());
        match rules().judge(&head) {
            OriginVerdict::SameOrigin => prop_assert!(is_same || (!is_said && is_own)),
            OriginVerdict::Trusted => prop_assert!(!is_same && origin == TRUSTED.as_bytes()),
            OriginVerdict::Unknown => prop_assert!(!is_said && origin.is_empty()),
            OriginVerdict::Refused(CsrfRefusal::CrossOrigin) => prop_assert!(is_said && !is_same),
            OriginVerdict::Refused(_) => prop_assert!(!is_said && !origin.is_empty()),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    /// An origin that is accepted when it is configured is trusted, and no other is.
    #[test]
    fn a_trusted_origin_is_one_that_browsers_write(
        text in "(https?|ftp)?(:|://)?[a-zA-Z0-9.*\\-_:@/\\[\\]]{0,16}",
        other in "https://[a-z.]{1,9}",
    ) {
        let Ok(rules) = OriginRules::new().trusted_origin(text.as_str()) else {
            return Ok(());
        };
        let (_, authority) = text.split_once("://").unwrap();
        prop_assert!(!authority.is_empty() && !authority.contains(['/', '@', '*', '?', '#']));
        let from = |origin: &str| Head::new("POST", "/").header("origin", origin);
        prop_assert_eq!(rules.judge(&from(&text)), OriginVerdict::Trusted);
        prop_assert_eq!(rules.judge(&from(&other)).refusal().is_none(), other == text);
    }

    /// A bypass never lets past what lies elsewhere once a path is made simple.
    #[test]
    fn a_bypass_lets_past_only_what_lies_below_it(
        segments in prop::collection::vec("\\.{0,2}|hooks|admin|%2[eE]|%2[fF]|[a-z]{1,3}", 0..5),
    ) {
        let path = format!("/{}", segments.join("/"));
        let head = Head::new("POST", &path)
            .header("host", "shop.example")
            .header("sec-fetch-site", "cross-site");
        let mut simple: Vec<String> = Vec::new();
        let decoded = path.to_lowercase().replace("%2e", ".").replace("%2f", "/");
        for segment in decoded.split('/').filter(|segment| !matches!(*segment, "" | ".")) {
            match segment {
                ".." => drop(simple.pop()),
                segment => simple.push(segment.to_owned()),
            }
        }
        if rules().judge(&head) == OriginVerdict::Bypassed {
            let first = simple.first().cloned().unwrap_or_default();
            prop_assert!(first == "hooks", "{}", path);
        }
    }
}
