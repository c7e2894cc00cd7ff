use std::{error::Error, fmt, net::IpAddr};

use cloakroom_core::RequestHead;

use crate::{panel::Panel, random, record::Masks, safety::Rules};

/// Settings of a [`Panel`].
///
/// The panel shows what is in sessions, so by default it is there in debug builds alone, and for
/// those alone whose connection comes from this machine. No forwarded address is trusted: behind a
/// proxy every connection comes from it, so a request that a proxy has marked is refused.
///
/// ```
/// use cloakroom_panel::Panel;
/// let panel = Panel::builder()
///     .capacity(20)
///     .mask("shoe_size") // beside passwords, tokens and the like
///     .build()?;
/// assert_eq!(panel.base(), "/_cloakroom");
/// # Ok::<(), cloakroom_panel::PanelError>(())
/// ```
#[must_use = "build() makes the panel"]
pub struct PanelBuilder {
    base: String,
    capacity: usize,
    masks: Masks,
    rules: Rules,
    shows_in_release: bool,
}

impl PanelBuilder {
    pub(crate) fn new() -> Self {
        Self {
            base: "/_cloakroom".to_owned(),
            capacity: 100,
            masks: Masks::default(),
            rules: Rules::default(),
            shows_in_release: false,
        }
    }

    /// Sets how many requests are kept, 1 to 1000; each takes up to 80 KiB. Default 100.
    pub fn capacity(mut self, requests: usize) -> Self {
        self.capacity = requests;
        self
    }

    /// Masks the values of keys whose name has `part` in it, whatever the case, until somebody
    /// clicks on them. Names such as `password`, `secret` and `token` are masked anyway.
    pub fn mask(mut self, part: &str) -> Self {
        self.masks.add(part);
        self
    }

    /// Sets the path below which the panel answers. Default `/_cloakroom`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.base = path.into();
        self
    }

    /// Shows the panel to another address than this machine's, such as that of a phone in the same
    /// room. It is the address of the connection; forwarded ones do not count.
    ///
    /// ```
    /// # use cloakroom_panel::Panel;
    /// let panel = Panel::builder().allow_address([192, 168, 1, 17]).build()?;
    /// # Ok::<(), cloakroom_panel::PanelError>(())
    /// ```
    pub fn allow_address(mut self, address: impl Into<IpAddr>) -> Self {
        self.rules.allow(address.into());
        self
    }

    /// Decides instead of all rules on addresses and proxies who may see the panel. `None` where
    /// the address of the connection is not known. What a header says may be anybody's invention.
    ///
    /// ```
    /// # use cloakroom_panel::Panel;
    /// let panel = Panel::builder()
    ///     .allow_if(|_, peer| peer.is_some_and(|peer| peer.is_loopback()))
    ///     .build()?;
    /// # Ok::<(), cloakroom_panel::PanelError>(())
    /// ```
    pub fn allow_if(
        mut self,
        rule: impl Fn(&dyn RequestHead, Option<IpAddr>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.rules.decide(Box::new(rule));
        self
    }

    /// Answers under another name than `localhost` and plain addresses. Any other name in `Host`
    /// is refused, since its owner can point it to this machine, and read the panel by it (DNS
    /// rebinding).
    pub fn allow_host(mut self, name: &str) -> Self {
        self.rules.allow_host(name);
        self
    }

    /// Lets the panel be there in builds without debug assertions, and so in production: it shows
    /// what is in the sessions of all visitors to whoever the other rules let in.
    pub fn show_session_contents_in_release_builds(mut self) -> Self {
        self.shows_in_release = true;
        self
    }

    /// Checks everything and makes the panel.
    ///
    /// # Errors
    /// A [`PanelError`] that says what to do.
    ///
    /// ```
    /// use cloakroom_panel::Panel;
    /// let error = Panel::builder().path("debug/").build().unwrap_err();
    /// assert!(error.to_string().contains("begin with a slash"));
    /// ```
    pub fn build(self) -> Result<Panel, PanelError> {
        self.build_for(!cfg!(debug_assertions))
    }

    fn build_for(self, is_release: bool) -> Result<Panel, PanelError> {
        if is_release && !self.shows_in_release {
            return Err(PanelError::ReleaseBuild);
        }
        if !(1..=1000).contains(&self.capacity) {
            return Err(PanelError::Capacity(self.capacity));
        }
        if !is_base(&self.base) {
            return Err(PanelError::Path(self.base));
        }
        let csrf_token = random::token().map_err(|_| PanelError::Random)?;
        Ok(Panel::new(
            self.base,
            self.capacity,
            self.masks,
            self.rules,
            csrf_token,
        ))
    }
}

/// It goes into addresses, headers and pages as it is.
fn is_base(path: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let segments = path.strip_prefix('/').map(|rest| rest.split('/'));
    segments.is_some_and(|mut segments| {
        segments.all(|segment| !matches!(segment, "" | "." | "..") && segment.bytes().all(is_plain))
    })
}

impl fmt::Debug for PanelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PanelBuilder")
            .field("base", &self.base)
            .field("capacity", &self.capacity)
            .field("rules", &self.rules)
            .field("shows_in_release", &self.shows_in_release)
            .finish_non_exhaustive()
    }
}

/// A panel that does not work, or is not safe. For whoever starts the program.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PanelError {
    /// It is a release build, and nobody has said that the panel is wanted there.
    ReleaseBuild,
    /// No such number of requests can be kept.
    Capacity(usize),
    /// The path is none below which a panel can answer.
    Path(String),
    /// The operating system has no random bytes.
    Random,
}

impl fmt::Display for PanelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReleaseBuild => f.write_str(
                "the session panel shows what is in visitors' sessions, and this is a release \
                 build: leave the panel out, or call show_session_contents_in_release_builds()",
            ),
            Self::Capacity(capacity) => write!(
                f,
                "the session panel can't keep {capacity} requests: capacity is 1 to 1000"
            ),
            Self::Path(path) => write!(
                f,
                "the session panel can't answer below {path:?}: the path is to begin with a slash, \
                 not to end with one, and to have letters, digits, '-', '_' and '.' alone"
            ),
            Self::Random => f.write_str("the operating system has no random bytes for the panel"),
        }
    }
}

impl Error for PanelError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_build_has_no_panel_unless_the_setting_says_so() {
        let error = Panel::builder().build_for(true).unwrap_err();
        assert_eq!(error, PanelError::ReleaseBuild);
        assert!(
            error
                .to_string()
                .contains("show_session_contents_in_release_builds")
        );
        let loud = Panel::builder().show_session_contents_in_release_builds();
        assert!(loud.build_for(true).is_ok());
        assert!(Panel::builder().build_for(false).is_ok());
    }

    #[test]
    fn settings_that_can_not_work_are_refused() {
        for path in [
            "", "/", "debug", "/debug/", "/a//b", "/../a", "/a b", "/\"x", "/ä",
        ] {
            let built = Panel::builder().path(path).build();
            assert_eq!(built.unwrap_err(), PanelError::Path(path.to_owned()));
        }
        assert!(Panel::builder().path("/dev/sessions.v1").build().is_ok());
        for capacity in [0, 1001] {
            assert!(Panel::builder().capacity(capacity).build().is_err());
        }
    }
}
