use std::{fmt::Write, time::Duration};

/// The cookie of a namespace: its name and attributes.
///
/// Defaults: the namespace's name, `__Host-` before it, `Secure`, `HttpOnly`, `SameSite=Lax`,
/// `Path=/`, no `Domain`, no `Max-Age`. With a domain or a path the prefix is `__Secure-`, since
/// browsers refuse `__Host-` then (RFC 6265bis, section 4.1.3). `HttpOnly` can't be switched off.
///
/// ```
/// use cloakroom_core::{Cookie, SameSite};
/// # use cloakroom_core::{Namespace, SessionManager};
/// # let store = cloakroom_memory::MemoryStore::new();
/// let cookie = Cookie::named("sid").path("/admin").same_site(SameSite::Strict);
/// let admin = Namespace::new("admin", store).cookie(cookie);
/// let sessions = SessionManager::builder().namespace(admin).build()?;
/// let info = sessions.namespaces().next().unwrap();
/// assert_eq!(info.cookie_name(), Some("__Secure-sid"));
/// assert_eq!(info.cookie_attributes(), Some("Path=/admin; Secure; HttpOnly; SameSite=Strict"));
/// # Ok::<(), cloakroom_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cookie {
    name: Option<String>,
    domain: Option<String>,
    path: Option<String>,
    same_site: SameSite,
    partitioned: bool,
}

/// Which requests from other sites carry the cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// None at all, following a link included.
    Strict,
    /// Following a link (top-level navigation with a safe method).
    #[default]
    Lax,
    /// All. Needs https.
    None,
}

/// The setting that is wrong, and what to do.
type CookieProblem = (&'static str, String);

/// A browser ignores a cookie whose name and value have more bytes together (RFC 6265bis, 5.6).
pub(crate) const MAX_COOKIE_LENGTH: usize = 4096;

/// A browser ignores an attribute whose value has more bytes (RFC 6265bis, section 5.6).
const MAX_ATTRIBUTE_LENGTH: usize = 1024;

/// Browsers cut a longer Max-Age to this (RFC 6265bis, section 5.5).
const MAX_AGE: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl Cookie {
    /// A cookie with a name of its own, without a prefix: that follows from the attributes.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cookie = Cookie::named("basket");
    /// # let cart = Namespace::new("cart", MemoryStore::new()).cookie(cookie);
    /// # let sessions = SessionManager::builder().namespace(cart).build()?;
    /// # let info = sessions.namespaces().next().unwrap();
    /// assert_eq!(info.cookie_name(), Some("__Host-basket"));
    /// # Ok::<(), ConfigError>(())
    /// ```
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::default()
        }
    }

    /// Sends it to all hosts of a domain, and so to whoever runs one of them.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cookie = Cookie::default().domain("shop.example");
    /// # let cart = Namespace::new("cart", MemoryStore::new()).cookie(cookie);
    /// # let sessions = SessionManager::builder().namespace(cart).build()?;
    /// # let info = sessions.namespaces().next().unwrap();
    /// assert_eq!(info.cookie_name(), Some("__Secure-cart"));
    /// assert!(info.cookie_attributes().unwrap().starts_with("Domain=shop.example;"));
    /// # Ok::<(), ConfigError>(())
    /// ```
    #[must_use]
    pub fn domain(self, domain: impl Into<String>) -> Self {
        Self {
            domain: Some(domain.into()),
            ..self
        }
    }

    /// Sends it to paths that begin with `path` only. It is no protection: other paths of the
    /// host can still get at it.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cookie = Cookie::default().path("/shop");
    /// # let cart = Namespace::new("cart", MemoryStore::new()).cookie(cookie);
    /// # let sessions = SessionManager::builder().namespace(cart).build()?;
    /// # let info = sessions.namespaces().next().unwrap();
    /// assert_eq!(info.cookie_name(), Some("__Secure-cart"));
    /// assert!(info.cookie_attributes().unwrap().starts_with("Path=/shop;"));
    /// # Ok::<(), ConfigError>(())
    /// ```
    #[must_use]
    pub fn path(self, path: impl Into<String>) -> Self {
        Self {
            path: Some(path.into()),
            ..self
        }
    }

    /// Sets `SameSite`.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cookie = Cookie::default().same_site(SameSite::Strict);
    /// # let cart = Namespace::new("cart", MemoryStore::new()).cookie(cookie);
    /// # let sessions = SessionManager::builder().namespace(cart).build()?;
    /// # let info = sessions.namespaces().next().unwrap();
    /// assert!(info.cookie_attributes().unwrap().ends_with("; SameSite=Strict"));
    /// # Ok::<(), ConfigError>(())
    /// ```
    #[must_use]
    pub fn same_site(self, same_site: SameSite) -> Self {
        Self { same_site, ..self }
    }

    /// Keeps it apart per top-level site (CHIPS). Needs `SameSite=None` and https.
    ///
    /// ```
    /// # use {cloakroom_core::*, cloakroom_memory::MemoryStore};
    /// let cookie = Cookie::default().same_site(SameSite::None).partitioned();
    /// # let cart = Namespace::new("cart", MemoryStore::new()).cookie(cookie);
    /// # let sessions = SessionManager::builder().namespace(cart).build()?;
    /// # let info = sessions.namespaces().next().unwrap();
    /// assert!(info.cookie_attributes().unwrap().ends_with("; SameSite=None; Partitioned"));
    /// # Ok::<(), ConfigError>(())
    /// ```
    #[must_use]
    pub fn partitioned(self) -> Self {
        Self {
            partitioned: true,
            ..self
        }
    }

    /// Checks the options and works out what is sent. The errors say which option, and what to do.
    pub(crate) fn compile(
        &self,
        namespace: &str,
        is_secure: bool,
    ) -> Result<CookieSpec, Vec<CookieProblem>> {
        let base = self.name.as_deref().unwrap_or(namespace);
        let path = self.path.as_deref().unwrap_or("/");
        let is_none = self.same_site == SameSite::None;
        let same_site = (is_none && !is_secure)
            .then(|| "SameSite=None needs Secure: drop insecure_http or use Lax".to_owned());
        let partitioned = (self.partitioned && !(is_none && is_secure))
            .then(|| "Partitioned needs SameSite=None and https".to_owned());
        let checked = [
            ("cookie.name", check_name(base)),
            (
                "cookie.domain",
                self.domain.as_deref().and_then(check_domain),
            ),
            ("cookie.path", check_path(path)),
            ("cookie.same_site", same_site),
            ("cookie.partitioned", partitioned),
        ];
        let problems: Vec<CookieProblem> = checked
            .into_iter()
            .filter_map(|(setting, problem)| Some((setting, problem?)))
            .collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let prefix = match (is_secure, self.domain.is_none() && path == "/") {
            (true, true) => "__Host-",
            (true, false) => "__Secure-",
            (false, _) => "",
        };
        Ok(CookieSpec {
            name: format!("{prefix}{base}"),
            attributes: self.attributes(path, is_secure),
            domain: self.domain.clone(),
            path: path.to_owned(),
        })
    }

    fn attributes(&self, path: &str, is_secure: bool) -> String {
        let mut text = String::new();
        if let Some(domain) = &self.domain {
            text.push_str("; Domain=");
            text.push_str(domain);
        }
        text.push_str("; Path=");
        text.push_str(path);
        if is_secure {
            text.push_str("; Secure");
        }
        text.push_str("; HttpOnly; SameSite=");
        text.push_str(match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        });
        if self.partitioned {
            text.push_str("; Partitioned");
        }
        text
    }
}

/// A checked cookie, as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct CookieSpec {
    pub(crate) name: String,
    attributes: String,
    domain: Option<String>,
    path: String,
}

impl CookieSpec {
    /// The value of a `Set-Cookie` header.
    pub(crate) fn set(&self, value: &str, max_age: Option<Duration>) -> String {
        // Without room to spare, a header value takes it over as it is.
        let length = self.name.len() + 1 + value.len() + self.attributes.len();
        let mut text = String::with_capacity(length);
        text.push_str(&self.name);
        text.push('=');
        text.push_str(value);
        text.push_str(&self.attributes);
        if let Some(age) = max_age {
            // Writing to a string does not fail.
            let seconds = age.min(MAX_AGE).as_millis().div_ceil(1000);
            let _ = write!(text, "; Max-Age={seconds}");
        }
        text
    }

    /// The value of a `Set-Cookie` header that removes the cookie. Browsers remove it only when
    /// every attribute is repeated.
    pub(crate) fn remove(&self) -> String {
        format!("{}={}; Max-Age=0", self.name, self.attributes)
    }

    /// `Path=/; Secure; ..`, for people to read.
    pub(crate) fn attributes(&self) -> &str {
        self.attributes.trim_start_matches("; ")
    }

    /// Whether some request would carry both under one name.
    pub(crate) fn collides_with(&self, other: &Self) -> bool {
        self.name == other.name
            && domains_overlap(self.domain.as_deref(), other.domain.as_deref())
            && (path_covers(&self.path, &other.path) || path_covers(&other.path, &self.path))
    }
}

fn check_name(name: &str) -> Option<String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let lower = name.to_ascii_lowercase();
    let mut prefixes = ["__host-", "__secure-", "__http-"].into_iter();
    if name.is_empty() || !name.bytes().all(is_token) {
        return Some(format!(
            "{name:?} is no cookie name: use letters, digits, - and _ (RFC 9110, token)"
        ));
    }
    if prefixes.any(|prefix| lower.starts_with(prefix)) {
        return Some(format!(
            "the cookie name {name:?} has a prefix: leave it out, it follows from the attributes"
        ));
    }
    (name.len() > 256)
        .then(|| "the cookie's name has more than 256 bytes: use a shorter one".to_owned())
}

fn check_domain(domain: &str) -> Option<String> {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    (domain.len() > 253 || !domain.split('.').all(is_label)).then(|| {
        format!(
            "{domain:?} is no cookie domain: use a host name such as example.com, without a dot \
             before it, international names in their xn-- form"
        )
    })
}

fn check_path(path: &str) -> Option<String> {
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b';' && byte != b',';
    if !path.starts_with('/') || !path.bytes().all(is_allowed) {
        return Some(format!(
            "{path:?} is no cookie path: begin with /, percent-encode all but visible ASCII, and \
             use neither ; nor ,"
        ));
    }
    (path.len() > MAX_ATTRIBUTE_LENGTH).then(|| {
        format!(
            "the cookie path has {} bytes, browsers take {MAX_ATTRIBUTE_LENGTH}",
            path.len()
        )
    })
}

fn domains_overlap(a: Option<&str>, b: Option<&str>) -> bool {
    let covers = |a: &str, b: &str| {
        let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
        a == b || b.strip_suffix(&a).is_some_and(|rest| rest.ends_with('.'))
    };
    match (a, b) {
        (Some(a), Some(b)) => covers(a, b) || covers(b, a),
        // A cookie without a domain goes to the host, which may be in the other's domain.
        _ => true,
    }
}

fn path_covers(outer: &str, inner: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || outer.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_strictest_that_work() {
        let spec = Cookie::default().compile("account", true).unwrap();
        assert_eq!(
            spec.set("v", None),
            "__Host-account=v; Path=/; Secure; HttpOnly; SameSite=Lax"
        );
        assert_eq!(
            spec.remove(),
            "__Host-account=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
        );
    }

    #[test]
    fn prefixes_follow_from_the_attributes() {
        let name = |cookie: Cookie, secure| cookie.compile("n", secure).unwrap().name;
        assert_eq!(name(Cookie::default(), true), "__Host-n");
        assert_eq!(name(Cookie::named("sid").path("/a"), true), "__Secure-sid");
        assert_eq!(
            name(Cookie::default().domain("example.com"), true),
            "__Secure-n"
        );
        assert_eq!(name(Cookie::default(), false), "n");
    }

    #[test]
    fn removal_repeats_every_attribute() {
        let cookie = Cookie::named("x")
            .domain("example.com")
            .path("/a")
            .same_site(SameSite::None)
            .partitioned();
        let spec = cookie.compile("n", true).unwrap();
        let set = spec.set("", Some(Duration::ZERO));
        assert_eq!(set, spec.remove());
        assert!(set.contains(
            "; Domain=example.com; Path=/a; Secure; HttpOnly; SameSite=None; Partitioned"
        ));
    }

    #[test]
    fn max_age_is_at_most_400_days() {
        let spec = Cookie::default().compile("n", true).unwrap();
        let set = spec.set("v", Some(Duration::from_secs(500 * 86_400)));
        assert!(set.ends_with("; Max-Age=34560000"), "{set}");
    }

    #[test]
    fn cve_2024_47764_impossible_cookies_do_not_build() {
        let long_path = format!("/{}", "x".repeat(1024));
        for (cookie, secure) in [
            (Cookie::named(""), true),
            (Cookie::named("id; Domain=evil"), true),
            (Cookie::named("a=b"), true),
            (Cookie::named("a\r\nb"), true),
            (Cookie::named("é"), true),
            (Cookie::named("__Host-id"), true),
            (Cookie::named("__secure-id"), false),
            (Cookie::named("x".repeat(257)), true),
            (Cookie::default().domain(".example.com"), true),
            (Cookie::default().domain("evil; Path=/"), true),
            (Cookie::default().domain(""), true),
            (Cookie::default().path("admin"), true),
            (Cookie::default().path("/a; Secure"), true),
            (Cookie::default().path(long_path), true),
            (Cookie::default().same_site(SameSite::None), false),
            (Cookie::default().partitioned(), true),
            (
                Cookie::default().same_site(SameSite::None).partitioned(),
                false,
            ),
        ] {
            let problems = cookie.compile("n", secure).unwrap_err();
            assert!(!problems.is_empty(), "{cookie:?}");
        }
    }

    #[test]
    fn cookies_of_one_name_collide_where_a_request_carries_both() {
        let spec = |cookie: Cookie| cookie.compile("n", true).unwrap();
        let path = |path: &str| spec(Cookie::default().path(path));
        let domain = |domain: &str| spec(Cookie::default().domain(domain));
        assert!(path("/a").collides_with(&path("/a/b")));
        assert!(!path("/a").collides_with(&path("/ab")));
        assert!(!path("/a").collides_with(&path("/b")));
        assert!(domain("example.com").collides_with(&domain("shop.Example.com")));
        assert!(!domain("a.example.com").collides_with(&domain("b.example.com")));
        assert!(!domain("ample.com").collides_with(&domain("example.com")));
        assert!(path("/a").collides_with(&domain("example.com")));
        assert!(!spec(Cookie::named("m")).collides_with(&spec(Cookie::named("n"))));
    }
}
