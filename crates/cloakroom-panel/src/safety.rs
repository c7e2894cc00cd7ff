//! Who may see the panel.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

use cloakroom_core::{OriginRules, RequestHead};

/// Decides whether whoever has sent a request may see the panel.
type Rule = Box<dyn Fn(&dyn RequestHead, Option<IpAddr>) -> bool + Send + Sync>;

/// Headers that a proxy adds, and no browser.
const PROXY_HEADERS: [&str; 6] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
];

/// Why a request to the panel is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The address of the connection is not known.
    UnknownPeer,
    /// The connection comes from elsewhere.
    ForeignPeer,
    /// A proxy has passed the request on, so it may come from anywhere.
    Proxied,
    /// The rule of the user's says no.
    Rule,
    /// The host that the request was sent to is no name of this machine.
    Host,
    /// The method is neither `GET` nor `HEAD` nor `POST`.
    Method,
    /// A page of another site has made the browser send it.
    CrossOrigin,
    /// A form is not this panel's own.
    Token,
}

impl Refusal {
    /// The status of the response.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Host => 421,
            _ => 403,
        }
    }

    /// Why, and what to do. For developers: it says nothing of sessions.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::UnknownPeer => {
                "The session panel does not know whose connection this is. With axum, serve \
                 app.into_make_service_with_connect_info::<SocketAddr>(); elsewhere on tower put a \
                 ConnectInfo with the connection's address into the request's extensions. Over a Unix \
                 socket, decide with Panel::builder().allow_if(..)."
            }
            Self::ForeignPeer => {
                "The session panel is shown to this machine alone. Open it from here, or allow the \
                 address of the connection with Panel::builder().allow_address(..)."
            }
            Self::Proxied => {
                "The session panel is not shown through a proxy, since a forwarded address may be \
                 anybody's invention. Open the application itself, or decide with \
                 Panel::builder().allow_if(..)."
            }
            Self::Rule => "The session panel is not shown to you, by the rule in allow_if(..).",
            Self::Host => {
                "The session panel answers under localhost and plain addresses alone. Use one of \
                 them, or name this host with Panel::builder().allow_host(..)."
            }
            Self::Method => "The session panel knows GET, HEAD and POST.",
            Self::CrossOrigin => "The session panel takes nothing from pages of other sites.",
            Self::Token => "This form is of another run of the program. Load the page again.",
        }
    }
}

/// The rules of one panel.
#[derive(Default)]
pub(crate) struct Rules {
    addresses: Vec<IpAddr>,
    hosts: Vec<String>,
    rule: Option<Rule>,
}

impl Rules {
    pub(crate) fn allow(&mut self, address: IpAddr) {
        self.addresses.push(address.to_canonical());
    }

    pub(crate) fn allow_host(&mut self, name: &str) {
        self.hosts.push(name.to_ascii_lowercase());
    }

    pub(crate) fn decide(&mut self, rule: Rule) {
        self.rule = Some(rule);
    }

    /// Whether the sender may see the panel.
    pub(crate) fn admit(
        &self,
        head: &dyn RequestHead,
        peer: Option<IpAddr>,
    ) -> Result<(), Refusal> {
        match &self.rule {
            Some(rule) if rule(head, peer) => {}
            Some(_) => return Err(Refusal::Rule),
            None => self.check_peer(head, peer)?,
        }
        match self.knows_host(head) {
            true => Ok(()),
            false => Err(Refusal::Host),
        }
    }

    fn check_peer(&self, head: &dyn RequestHead, peer: Option<IpAddr>) -> Result<(), Refusal> {
        let peer = peer.ok_or(Refusal::UnknownPeer)?.to_canonical();
        if !peer.is_loopback() && !self.addresses.contains(&peer) {
            return Err(Refusal::ForeignPeer);
        }
        match PROXY_HEADERS.iter().any(|name| has(head, name)) {
            true => Err(Refusal::Proxied),
            false => Ok(()),
        }
    }

    /// Whoever owns a name can point it to this machine, and nobody owns an address.
    fn knows_host(&self, head: &dyn RequestHead) -> bool {
        let mut hosts = Vec::new();
        head.header("host", &mut |value| hosts.push(value.to_ascii_lowercase()));
        let [host] = &*hosts else {
            return false;
        };
        let Some(name) = std::str::from_utf8(host).ok().and_then(without_port) else {
            return false;
        };
        let is_local = name == "localhost" || name.ends_with(".localhost");
        is_local || is_address(name) || self.hosts.iter().any(|own| own == name)
    }

    /// Whether a page of another site has made the browser send a request to the panel.
    pub(crate) fn check_origin(&self, head: &dyn RequestHead) -> Result<(), Refusal> {
        if !matches!(head.method(), "GET" | "HEAD" | "POST") {
            return Err(Refusal::Method);
        }
        if OriginRules::new().judge(head).refusal().is_some() {
            return Err(Refusal::CrossOrigin);
        }
        // A link is followed from anywhere; what a page includes or fetches is its own alone.
        let is_own = ["same-origin", "none"]
            .iter()
            .any(|site| head.header_is("sec-fetch-site", site));
        let is_link = head.header_is("sec-fetch-mode", "navigate")
            && head.header_is("sec-fetch-dest", "document");
        match is_own || is_link || !has(head, "sec-fetch-site") {
            true => Ok(()),
            false => Err(Refusal::CrossOrigin),
        }
    }
}

fn has(head: &dyn RequestHead, name: &str) -> bool {
    let mut is_there = false;
    head.header(name, &mut |_| is_there = true);
    is_there
}

/// The host of a `Host` header; `None` for what is none.
fn without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (_, after) = rest.split_once(']')?;
            let name = host.get(..host.len() - after.len())?;
            (
                name,
                after.strip_prefix(':').or(after.is_empty().then_some("")),
            )
        }
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, Some("")),
        },
    };
    let is_port = port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    (is_port && !name.is_empty()).then_some(name)
}

fn is_address(name: &str) -> bool {
    let inside = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    match inside {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => name.parse::<std::net::Ipv4Addr>().is_ok(),
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("addresses", &self.addresses)
            .field("hosts", &self.hosts)
            .field("has_rule", &self.rule.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::Scheme;

    use super::*;
    use crate::record::KeptHead;

    fn head(method: &str, headers: &[(&str, &str)]) -> KeptHead {
        let mut head = KeptHead::new(method, "/_cloakroom/", None, Scheme::Http);
        for (name, value) in headers {
            head.add_header(name, value.as_bytes());
        }
        head
    }

    fn admit(rules: &Rules, peer: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        rules.admit(&head("GET", headers), peer.parse().ok())
    }

    #[test]
    fn only_connections_from_this_machine_are_admitted() {
        let rules = Rules::default();
        for (peer, expected) in [
            ("127.0.0.1", Ok(())),
            ("127.8.9.10", Ok(())),
            ("::1", Ok(())),
            ("::ffff:127.0.0.1", Ok(())),
            ("192.168.1.17", Err(Refusal::ForeignPeer)),
            ("::ffff:192.168.1.17", Err(Refusal::ForeignPeer)),
            ("::7f00:1", Err(Refusal::ForeignPeer)),
            ("0.0.0.0", Err(Refusal::ForeignPeer)),
            ("", Err(Refusal::UnknownPeer)),
        ] {
            let host = [("host", "localhost:3000")];
            assert_eq!(admit(&rules, peer, &host), expected, "{peer}");
        }
    }

    #[test]
    fn a_forwarded_address_is_not_trusted_and_a_proxy_is_not_let_in() {
        let mut rules = Rules::default();
        for header in PROXY_HEADERS {
            let headers = [("host", "localhost"), (header, "127.0.0.1")];
            let far = admit(&rules, "203.0.113.9", &headers);
            assert_eq!(far, Err(Refusal::ForeignPeer), "{header}");
            let near = admit(&rules, "127.0.0.1", &headers);
            assert_eq!(near, Err(Refusal::Proxied), "{header}");
        }
        rules.decide(Box::new(|head, _| head.header_is("via", "1.1 ours")));
        let headers = [("host", "localhost"), ("via", "1.1 ours")];
        assert_eq!(admit(&rules, "127.0.0.1", &headers), Ok(()));
        let other = [("host", "localhost")];
        assert_eq!(admit(&rules, "127.0.0.1", &other), Err(Refusal::Rule));
    }

    #[test]
    fn a_name_that_somebody_else_owns_is_no_host_of_the_panel() {
        let mut rules = Rules::default();
        rules.allow_host("Dev.Example");
        for (host, expected) in [
            ("localhost", true),
            ("LocalHost:3000", true),
            ("shop.localhost:3000", true),
            ("127.0.0.1:3000", true),
            ("192.168.1.5", true),
            ("[::1]:3000", true),
            ("[::1]", true),
            ("dev.example:80", true),
            ("evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("evil-localhost", false),
            ("localhost@evil.example", false),
            ("localhost:80@evil.example", false),
            ("[::1", false),
            ("[::1]x", false),
            ("[localhost]", false),
            ("::1", false),
            ("", false),
            (":80", false),
            ("2130706433", false),
        ] {
            let admitted = admit(&rules, "127.0.0.1", &[("host", host)]);
            let expected = if expected { Ok(()) } else { Err(Refusal::Host) };
            assert_eq!(admitted, expected, "{host}");
        }
        assert_eq!(admit(&rules, "::1", &[]), Err(Refusal::Host));
        let twice = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(admit(&rules, "::1", &twice), Err(Refusal::Host));
    }

    #[test]
    fn other_addresses_are_allowed_one_by_one() {
        let mut rules = Rules::default();
        rules.allow([192, 168, 1, 17].into());
        let host = [("host", "192.168.1.5:3000")];
        assert_eq!(admit(&rules, "192.168.1.17", &host), Ok(()));
        assert_eq!(admit(&rules, "::ffff:192.168.1.17", &host), Ok(()));
        let other = admit(&rules, "192.168.1.18", &host);
        assert_eq!(other, Err(Refusal::ForeignPeer));
    }

    #[test]
    fn pages_of_other_sites_get_nothing_and_send_nothing() {
        use Refusal::{CrossOrigin, Method};
        let host = ("host", "localhost:3000");
        let site = |site| ("sec-fetch-site", site);
        let navigate = ("sec-fetch-mode", "navigate");
        let document = ("sec-fetch-dest", "document");
        let frame = ("sec-fetch-dest", "iframe");
        let own = ("origin", "http://localhost:3000");
        let other = ("origin", "http://localhost:4000");
        for (method, headers, expected) in [
            ("GET", vec![], Ok(())),
            ("GET", vec![site("same-origin")], Ok(())),
            ("GET", vec![site("none"), navigate, document], Ok(())),
            ("GET", vec![site("cross-site"), navigate, document], Ok(())),
            (
                "GET",
                vec![site("cross-site"), navigate, frame],
                Err(CrossOrigin),
            ),
            ("GET", vec![site("cross-site")], Err(CrossOrigin)),
            ("GET", vec![site("same-site")], Err(CrossOrigin)),
            ("POST", vec![site("same-origin"), own], Ok(())),
            ("POST", vec![own], Ok(())),
            ("POST", vec![other], Err(CrossOrigin)),
            ("POST", vec![("origin", "null")], Err(CrossOrigin)),
            (
                "POST",
                vec![site("cross-site"), navigate, document],
                Err(CrossOrigin),
            ),
            ("POST", vec![site("same-site")], Err(CrossOrigin)),
            ("PUT", vec![site("same-origin")], Err(Method)),
            ("OPTIONS", vec![], Err(Method)),
        ] {
            let all = [vec![host], headers.clone()].concat();
            let checked = Rules::default().check_origin(&head(method, &all));
            assert_eq!(checked, expected, "{method} {headers:?}");
        }
    }
}
