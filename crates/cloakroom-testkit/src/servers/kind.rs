//! What there is to know of each server: its commands, its settings, how it says that it is ready.

use std::{
    env, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use rustix::process::Signal;

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Redis { keeps: bool },
    Postgres,
    MariaDb,
    Memcached,
}

/// A program and its arguments.
pub(super) type Line = Vec<String>;

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Redis { .. } => "redis-server",
            Self::Postgres => "postgres",
            Self::MariaDb => "mariadbd",
            Self::Memcached => "memcached",
        }
    }

    /// The commands that it takes.
    pub(super) const fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Redis { .. } => &["redis-server"],
            Self::Postgres => &["postgres", "initdb"],
            Self::MariaDb => &["mariadbd", "mariadb-install-db"],
            Self::Memcached => &["memcached"],
        }
    }

    /// Whether what it has acknowledged is gone after it was killed.
    pub(super) const fn is_volatile(self) -> bool {
        matches!(self, Self::Redis { keeps: false } | Self::Memcached)
    }

    pub(super) fn url(self, address: SocketAddr) -> String {
        match self {
            Self::Redis { .. } => format!("redis://{address}"),
            Self::Postgres => format!("postgres://cloakroom@{address}/postgres"),
            Self::MariaDb => format!("mysql://cloakroom@{address}/cloakroom"),
            Self::Memcached => format!("memcache://{address}"),
        }
    }

    /// What has to run once before its first start.
    pub(super) fn preparation(self, folder: &Path) -> io::Result<Option<Line>> {
        let data = folder.join("data");
        let data = data.display();
        Ok(match self {
            Self::Redis { .. } | Self::Memcached => None,
            Self::Postgres => Some(line(
                "initdb -U cloakroom -A trust -E UTF8 --locale=C -D",
                [data.to_string()],
            )),
            Self::MariaDb => {
                let statements = "CREATE DATABASE IF NOT EXISTS cloakroom;\n\
                    CREATE USER IF NOT EXISTS cloakroom@'%';\n\
                    GRANT ALL ON *.* TO cloakroom@'%' WITH GRANT OPTION;\n";
                fs::write(folder.join("init.sql"), statements)?;
                Some(line(
                    "mariadb-install-db --no-defaults --skip-test-db --auth-root-authentication-method=normal",
                    [format!("--datadir={data}"), tmpdir(folder)],
                ))
            }
        })
    }

    /// How it is started.
    pub(super) fn start(self, folder: &Path, port: u16) -> Line {
        let data = folder.join("data");
        let data = data.display();
        let port = port.to_string();
        match self {
            Self::Redis { keeps } => {
                let log = match keeps {
                    true => "yes",
                    false => "no",
                };
                let settings = "redis-server --bind 127.0.0.1 --daemonize no --appendfsync always";
                let own = ["--port", &port, "--appendonly", log, "--save", "", "--dir"];
                let own = own.map(str::to_owned).into_iter();
                line(settings, own.chain([folder.display().to_string()]))
            }
            Self::Postgres => line(
                "postgres -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200 -p",
                [port, "-D".to_owned(), data.to_string()],
            ),
            Self::MariaDb => {
                let own = [
                    format!("--datadir={data}"),
                    tmpdir(folder),
                    format!("--init-file={}", folder.join("init.sql").display()),
                    format!("--socket={}", folder.join("socket").display()),
                    format!("--port={port}"),
                ];
                let settings = "mariadbd --no-defaults --bind-address=127.0.0.1 --skip-name-resolve \
                    --max-connections=200";
                line(settings, own)
            }
            Self::Memcached => line("memcached -l 127.0.0.1 -U 0 -p", [port]),
        }
    }

    /// The signal for an end in good order that does not wait for clients.
    pub(super) const fn end(self) -> Signal {
        match self {
            Self::Postgres => Signal::INT,
            Self::Redis { .. } | Self::MariaDb | Self::Memcached => Signal::TERM,
        }
    }

    /// The signal that ends it at once. PostgreSQL has shared memory to give back.
    pub(super) const fn abort(self) -> Signal {
        match self {
            Self::Postgres => Signal::QUIT,
            Self::Redis { .. } | Self::MariaDb | Self::Memcached => Signal::KILL,
        }
    }

    /// What a client says first.
    pub(super) const fn greeting(self) -> &'static [u8] {
        match self {
            Self::Redis { .. } => b"PING\r\n",
            // The start of a session: length, protocol 3.0, parameters.
            Self::Postgres => b"\0\0\0\x2a\0\x03\0\0user\0cloakroom\0database\0postgres\0\0",
            // Here the server speaks first.
            Self::MariaDb => b"",
            Self::Memcached => b"version\r\n",
        }
    }

    /// Whether that is what a server answers that is ready.
    pub(super) fn is_welcome(self, answer: &[u8]) -> bool {
        match self {
            Self::Redis { .. } => answer.starts_with(b"+PONG"),
            // `R`: may come in. A server that is not ready yet sends `E`.
            Self::Postgres => answer.starts_with(b"R"),
            // The version of the protocol behind a packet's head. An error is 0xff.
            Self::MariaDb => answer.get(4) == Some(&10),
            Self::Memcached => answer.starts_with(b"VERSION"),
        }
    }
}

/// Words, and arguments that may hold spaces.
fn line(words: &str, arguments: impl IntoIterator<Item = String>) -> Line {
    let words = words.split_ascii_whitespace().map(str::to_owned);
    words.chain(arguments).collect()
}

/// Where a command is: on the path, or where Debian and Red Hat put those of servers.
pub(super) fn find(command: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let mut versions: Vec<PathBuf> = ["/usr/lib/postgresql", "/usr"]
        .iter()
        .filter_map(|parent| fs::read_dir(parent).ok())
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .map(|version| version.join("bin"))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    let mut found = folders.into_iter().map(|folder| folder.join(command));
    found.find(|file| file.is_file())
}

/// A server that starts removes the temporary tables of one that is being set up in the same folder.
fn tmpdir(folder: &Path) -> String {
    format!("--tmpdir={}", folder.display())
}
