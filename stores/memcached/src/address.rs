//! URLs, and the addresses they name.

use std::{fmt, path::PathBuf};

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// Host, without the brackets of IPv6, and port.
    Tcp(String, u16),
    /// The path of a socket.
    Unix(PathBuf),
}

const DEFAULT_PORT: u16 = 11211;

impl Address {
    /// Parses a URL. What is wrong is said without repeating any of it: it may hold a password.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no scheme")?;
        if rest.contains(['?', '#', '@']) {
            return Err("it has a login, a query or a fragment, which mean nothing here");
        }
        match scheme {
            "memcache" | "memcached" => parse_tcp(rest.strip_suffix('/').unwrap_or(rest)),
            "memcache+unix" | "memcached+unix" if !rest.starts_with('/') => {
                Err("it names a socket without a whole path, as in memcache+unix:///run/memcached")
            }
            "memcache+unix" | "memcached+unix" => Ok(Self::Unix(rest.into())),
            _ => Err("its scheme is neither memcache nor memcache+unix"),
        }
    }
}

fn parse_tcp(authority: &str) -> Result<Address, &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("its [ has no ]")?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if host.is_empty() {
        return Err("it names no host");
    }
    if host.contains(['/', ',']) {
        return Err("it names more than one server, or has a path");
    }
    let port = match port.strip_prefix(':') {
        Some(port) => port.parse().map_err(|_| "its port is no port")?,
        None if port.is_empty() => DEFAULT_PORT,
        None => return Err("its port is no port"),
    };
    match port {
        0 => Err("its port is no port"),
        port => Ok(Address::Tcp(host.to_owned(), port)),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp(host, port) => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Result<Address, &'static str> {
        Ok(Address::Tcp(host.to_owned(), port))
    }

    #[test]
    fn urls_name_one_server() {
        assert_eq!(Address::parse("memcache://cache"), tcp("cache", 11211));
        assert_eq!(Address::parse("memcache://cache/"), tcp("cache", 11211));
        assert_eq!(
            Address::parse("memcached://10.0.0.1:7000"),
            tcp("10.0.0.1", 7000)
        );
        assert_eq!(Address::parse("memcache://[::1]"), tcp("::1", 11211));
        assert_eq!(Address::parse("memcache://[::1]:7000"), tcp("::1", 7000));
        let socket = Address::parse("memcache+unix:///run/memcached.sock");
        assert_eq!(socket, Ok(Address::Unix("/run/memcached.sock".into())));
    }

    #[test]
    fn other_urls_are_refused_without_being_repeated() {
        for bad in [
            "",
            "hunter2",
            "redis://hunter2",
            "memcache://",
            "memcache://:11211",
            "memcache://hunter2:",
            "memcache://hunter2:0",
            "memcache://hunter2:70000",
            "memcache://hunter2:x",
            "memcache://::1",
            "memcache://[::1",
            "memcache://[::1]7000",
            "memcache://user:hunter2@host",
            "memcache://a,hunter2",
            "memcache://a:1,hunter2:2",
            "memcache://host/hunter2",
            "memcache://host?hunter2",
            "memcache+unix://hunter2",
        ] {
            let error = Address::parse(bad).unwrap_err();
            assert!(!error.contains("hunter2"), "{bad}: {error}");
        }
    }
}
