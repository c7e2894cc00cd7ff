//! URLs that name one server, the sentinels of one, or the nodes of a cluster.

use std::{fmt, path::PathBuf};

use percent_encoding::percent_decode_str;

use crate::address::Address;

/// What a URL says.
#[derive(PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) servers: Servers,
    pub(crate) tls: bool,
    pub(crate) login: Login,
    pub(crate) database: i64,
}

/// Where the records are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Servers {
    One(Address),
    Sentinel {
        sentinels: Vec<Address>,
        master: String,
        login: Login,
    },
    Cluster(Vec<Address>),
}

/// A user's name and password.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .finish()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    One,
    Sentinel,
    Cluster,
    Unix,
}

const DEFAULT_PORT: u16 = 6379;
const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// Parses a URL. What is wrong is said without repeating any of it: it may hold a password.
pub(crate) fn parse(url: &str) -> Result<Location, &'static str> {
    let (scheme, rest) = url.split_once("://").ok_or("it has no scheme")?;
    let (scheme, tls) = parse_scheme(scheme)?;
    let (rest, query) = split(rest, '?');
    if rest.contains('#') || query.contains('#') {
        return Err("it has a fragment (#), which means nothing here; write %23 in a password");
    }
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (parse_login(login)?, hosts),
        None => (Login::default(), authority),
    };
    let mut query = Query::parse(query)?;
    let (database, servers) = if scheme == Scheme::Unix {
        let database = query.database.take().unwrap_or(0);
        (database, parse_unix(hosts, path)?)
    } else {
        (
            parse_database(path)?,
            parse_hosts(scheme, hosts, &mut query)?,
        )
    };
    query.nothing_left()?;
    if scheme == Scheme::Cluster && database != 0 {
        return Err("a cluster has only the database 0");
    }
    Ok(Location {
        servers,
        tls,
        login,
        database,
    })
}

fn parse_scheme(scheme: &str) -> Result<(Scheme, bool), &'static str> {
    Ok(match scheme {
        "redis" | "valkey" => (Scheme::One, false),
        "rediss" | "valkeys" => (Scheme::One, true),
        "redis-sentinel" | "valkey-sentinel" => (Scheme::Sentinel, false),
        "rediss-sentinel" | "valkeys-sentinel" => (Scheme::Sentinel, true),
        "redis-cluster" | "valkey-cluster" => (Scheme::Cluster, false),
        "rediss-cluster" | "valkeys-cluster" => (Scheme::Cluster, true),
        "redis+unix" | "valkey+unix" | "unix" => (Scheme::Unix, false),
        _ => {
            return Err(
                "its scheme is none of redis, rediss, redis+unix, redis-sentinel, \
                        rediss-sentinel, redis-cluster, rediss-cluster",
            );
        }
    })
}

fn parse_unix(hosts: &str, path: &str) -> Result<Servers, &'static str> {
    if !hosts.is_empty() || path.len() < 2 {
        return Err("it names no socket: write redis+unix:///path/of/the/socket");
    }
    Ok(Servers::One(Address::Unix(PathBuf::from(decode(path)?))))
}

fn parse_hosts(scheme: Scheme, hosts: &str, query: &mut Query) -> Result<Servers, &'static str> {
    let default_port = match scheme {
        Scheme::Sentinel => DEFAULT_SENTINEL_PORT,
        _ => DEFAULT_PORT,
    };
    let addresses = hosts.split(',').map(|host| parse_host(host, default_port));
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    match scheme {
        Scheme::Cluster => Ok(Servers::Cluster(addresses)),
        Scheme::Sentinel => {
            let missing = "it names no master: write redis-sentinel://host,host?master=name";
            Ok(Servers::Sentinel {
                sentinels: addresses,
                master: query.master.take().ok_or(missing)?,
                login: std::mem::take(&mut query.sentinel),
            })
        }
        Scheme::One | Scheme::Unix => match <[Address; 1]>::try_from(addresses) {
            Ok([address]) => Ok(Servers::One(address)),
            Err(_) => Err("it names several hosts: redis-cluster:// and redis-sentinel:// do"),
        },
    }
}

fn parse_host(text: &str, default_port: u16) -> Result<Address, &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(ipv6) => ipv6.split_once(']').ok_or("a bracket is not closed")?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(port) => port
            .parse()
            .map_err(|_| "a port is no number up to 65535")?,
        None if port.is_empty() => default_port,
        None => return Err("a host can't be read"),
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:%".contains(&byte);
    if host.is_empty() || !host.bytes().all(allowed) {
        return Err("a host is missing or has characters that no host has");
    }
    Ok(Address::Tcp(host.to_owned(), port))
}

fn parse_login(text: &str) -> Result<Login, &'static str> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(decode(password)?)),
        None => (text, None),
    };
    if password.is_none() {
        return Err("it has a user without a password; for a password alone write :password@");
    }
    let user = (!user.is_empty()).then(|| decode(user)).transpose()?;
    Ok(Login { user, password })
}

fn parse_database(path: &str) -> Result<i64, &'static str> {
    match path.trim_matches('/') {
        "" => Ok(0),
        number => parse_number(number),
    }
}

fn parse_number(text: &str) -> Result<i64, &'static str> {
    let number = text.parse::<u16>().map(i64::from);
    number.map_err(|_| "its database is no number")
}

fn decode(text: &str) -> Result<String, &'static str> {
    let decoded = percent_decode_str(text).decode_utf8();
    let decoded = decoded.map_err(|_| "a percent-encoded part is no UTF-8")?;
    Ok(decoded.into_owned())
}

fn split(text: &str, at: char) -> (&str, &str) {
    text.split_once(at).unwrap_or((text, ""))
}

/// What follows the `?`.
#[derive(Default)]
struct Query {
    master: Option<String>,
    sentinel: Login,
    database: Option<i64>,
}

impl Query {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = split(pair, '=');
            let value = decode(value)?;
            match name {
                "master" => query.master = Some(value),
                "sentinel_user" => query.sentinel.user = Some(value),
                "sentinel_password" => query.sentinel.password = Some(value),
                "db" => query.database = Some(parse_number(&value)?),
                _ => return Err("a parameter after the ? is unknown"),
            }
        }
        Ok(query)
    }

    fn nothing_left(&self) -> Result<(), &'static str> {
        if self.database.is_some() {
            return Err("the parameter db is for sockets; else the database is the path, as in /3");
        }
        if self.master.is_some() || self.sentinel != Login::default() {
            return Err("a parameter after the ? is for redis-sentinel:// alone");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Address {
        Address::Tcp(host.to_owned(), port)
    }

    #[test]
    fn one_server() {
        let plain = parse("redis://localhost").unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(plain.servers, Servers::One(tcp("localhost", 6379)));
        assert!(!plain.tls && plain.database == 0 && plain.login == Login::default());

        let full =
            parse("rediss://ann:p%40ss%2F@[::1]:7000/3").unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(full.servers, Servers::One(tcp("::1", 7000)));
        assert!(full.tls && full.database == 3);
        assert_eq!(full.login.user.as_deref(), Some("ann"));
        assert_eq!(full.login.password.as_deref(), Some("p@ss/"));

        let alone = parse("valkey://:p:w@h/").unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(alone.login.user, None);
        assert_eq!(alone.login.password.as_deref(), Some("p:w"));

        let socket =
            parse("redis+unix:///run/redis%20a.sock?db=2").unwrap_or_else(|why| panic!("{why}"));
        let path = PathBuf::from("/run/redis a.sock");
        assert_eq!(socket.servers, Servers::One(Address::Unix(path)));
        assert_eq!(socket.database, 2);
    }

    #[test]
    fn several_servers() {
        let cluster =
            parse("redis-cluster://:pw@a,b:7001,[::1]:7002").unwrap_or_else(|why| panic!("{why}"));
        let nodes = vec![tcp("a", 6379), tcp("b", 7001), tcp("::1", 7002)];
        assert_eq!(cluster.servers, Servers::Cluster(nodes));

        let url = "redis-sentinel://u:pw@a,b:1/4?master=main&sentinel_password=s%26";
        let sentinel = parse(url).unwrap_or_else(|why| panic!("{why}"));
        let Servers::Sentinel {
            sentinels,
            master,
            login,
        } = sentinel.servers
        else {
            panic!("no sentinels");
        };
        assert_eq!(sentinels, [tcp("a", 26379), tcp("b", 1)]);
        assert_eq!((master.as_str(), sentinel.database), ("main", 4));
        assert_eq!(login.password.as_deref(), Some("s&"));
    }

    #[test]
    fn mistakes_are_found_and_never_repeated() {
        for bad in [
            "",
            "hunter2",
            "http://hunter2",
            "redis://",
            "redis://:hunter2@",
            "redis://hunter2@host",
            "redis://host:hunter2",
            "redis://host:70000",
            "redis://host/hunter2",
            "redis://host/-1",
            "redis://host?hunter2=1",
            "redis://host?db=1",
            "redis://host?master=hunter2",
            "redis://host/#hunter2",
            "redis://:hunter#2@host",
            "redis://a,b",
            "redis://a b",
            "redis://[::1",
            "redis://[::1]x",
            "redis://:%ff@host",
            "redis+unix://hunter2",
            "redis-cluster://a,",
            "redis-cluster://a/1",
            "redis-sentinel://a",
            "redis-sentinel://a?master=%ff",
        ] {
            let Err(error) = parse(bad) else {
                panic!("{bad} was taken");
            };
            assert!(!error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let login = Login {
            user: None,
            password: Some("hunter2".to_owned()),
        };
        assert!(!format!("{login:?}").contains("hunter2"));
    }
}
