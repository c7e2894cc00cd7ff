use std::{fmt, path::PathBuf};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Address {
    /// Host, without the brackets of IPv6, and port.
    Tcp(String, u16),
    /// The path of a socket.
    Unix(PathBuf),
}

impl Address {
    /// From `host:port` as servers write it: without brackets, or with them.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        Some(Self::Tcp(host.to_owned(), port.parse().ok()?))
    }

    /// The same, where a server that does not know its own name leaves the host out.
    pub(crate) fn or_host_of(self, asked: &Self) -> Self {
        match (self, asked) {
            (Self::Tcp(host, port), Self::Tcp(known, _)) if host.is_empty() || host == "?" => {
                Self::Tcp(known.clone(), port)
            }
            (address, _) => address,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    #[test]
    fn addresses_of_redirections_are_read() {
        assert_eq!(Address::parse("10.0.0.1:7000"), Some(tcp("10.0.0.1", 7000)));
        assert_eq!(Address::parse("::1:7000"), Some(tcp("::1", 7000)));
        assert_eq!(Address::parse("[::1]:7000"), Some(tcp("::1", 7000)));
        for bad in ["", "host", "host:", "host:70000", "host:x"] {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_missing_host_is_that_of_who_was_asked() {
        let asked = tcp("db.example", 7000);
        let moved = Address::parse(":7001").unwrap();
        assert_eq!(moved.or_host_of(&asked), tcp("db.example", 7001));
        assert_eq!(tcp("a", 1).or_host_of(&asked), tcp("a", 1));
    }
}
