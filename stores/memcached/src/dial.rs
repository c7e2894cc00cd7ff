//! Making a connection, and finding out whom it leads to.

use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, lookup_host},
    task::JoinSet,
};

use crate::{address::Address, pipe::Pipe, reply::Decoder};

/// Why there is no connection.
pub(crate) type DialError = Arc<dyn Error + Send + Sync>;

/// A connection to a server that is known to do.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) pipe: Pipe,
    /// The largest item that the server keeps, in bytes.
    pub(crate) max_item_size: usize,
}

/// Connects, and asks the server what it is. `max_value` is the longest value that is ever read.
pub(crate) async fn dial(address: &Address, max_value: usize) -> Result<Live, DialError> {
    match address {
        Address::Tcp(host, port) => {
            let stream = open_tcp(host, *port).await.map_err(arc)?;
            let (reader, writer) = stream.into_split();
            begin(reader, writer, max_value).await
        }
        #[cfg(unix)]
        Address::Unix(path) => {
            let stream = tokio::net::UnixStream::connect(path).await.map_err(arc)?;
            let (reader, writer) = stream.into_split();
            begin(reader, writer, max_value).await
        }
        #[cfg(not(unix))]
        Address::Unix(_) => Err(arc(io::Error::from(io::ErrorKind::Unsupported))),
    }
}

async fn begin<R, W>(mut reader: R, mut writer: W, max_value: usize) -> Result<Live, DialError>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let server = meet(&mut reader, &mut writer).await?;
    Ok(Live {
        pipe: Pipe::new(reader, writer, Decoder::new(max_value)),
        max_item_size: server.max_item_size,
    })
}

/// Tries all addresses of a host at once: one of them may lead nowhere.
async fn open_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    for address in lookup_host((host, port)).await? {
        attempts.spawn(TcpStream::connect(address));
    }
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    while let Some(attempt) = attempts.join_next().await {
        match attempt.map_err(io::Error::other)? {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                let keep_alive = socket2::TcpKeepalive::new().with_time(KEEP_ALIVE);
                socket2::SockRef::from(&stream).set_tcp_keepalive(&keep_alive)?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Often enough for what forgets idle connections on the way.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a server says of itself.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    max_item_size: usize,
}

/// What a server keeps that does not say.
const USUAL_ITEM_SIZE: usize = 1 << 20;

/// The oldest server whose commands are the ones that are sent. What is older takes the block of a
/// command that it does not know for commands.
const OLDEST: [u32; 3] = [1, 6, 10];

/// More than any server says of itself.
const MAX_GREETING: usize = 64 * 1024;

/// Asks a server for its version and settings.
async fn meet<R, W>(reader: &mut R, writer: &mut W) -> Result<Server, DialError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let asked = writer.write_all(b"version\r\nstats settings\r\n").await;
    asked.map_err(arc)?;
    let mut said = BytesMut::with_capacity(4096);
    while !is_whole(&said) {
        if said.len() > MAX_GREETING {
            return Err(arc(Stranger::NotMemcached));
        }
        let read = reader.read_buf(&mut said).await;
        if read.map_err(arc)? == 0 {
            return Err(arc(io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
    }
    read_greeting(&said).map_err(arc)
}

/// Whether both answers are there, or the first is not what it should be.
fn is_whole(said: &[u8]) -> bool {
    let Some(at) = said.iter().position(|byte| *byte == b'\n') else {
        return false;
    };
    let (version, settings) = said.split_at(at + 1);
    let is_refused = settings.ends_with(b"\r\n") && !settings.starts_with(b"STAT ");
    !version.starts_with(b"VERSION ") || is_refused || settings.ends_with(b"\r\nEND\r\n")
}

fn read_greeting(said: &[u8]) -> Result<Server, Stranger> {
    let text = String::from_utf8_lossy(said);
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.strip_prefix("VERSION "));
    let version = version.ok_or_else(|| match text.contains("unauthenticated") {
        true => Stranger::WantsLogin,
        false => Stranger::NotMemcached,
    })?;
    if is_too_old(version) {
        return Err(Stranger::TooOld(version.chars().take(32).collect()));
    }
    let mut server = Server {
        max_item_size: USUAL_ITEM_SIZE,
    };
    for line in lines {
        let mut words = line.split_ascii_whitespace().skip(1);
        match (words.next(), words.next()) {
            (Some("item_size_max"), Some(size)) => {
                server.max_item_size = size.parse().unwrap_or(USUAL_ITEM_SIZE);
            }
            (Some("cas_enabled"), Some("no")) => return Err(Stranger::NoMarks),
            _ => {}
        }
    }
    Ok(server)
}

fn is_too_old(version: &str) -> bool {
    let mut numbers = version.split(|letter: char| !letter.is_ascii_digit());
    let numbers = [(); 3].map(|()| numbers.next().and_then(|number| number.parse().ok()));
    // What does not say its version has none that is known to do.
    numbers.map(|number: Option<u32>| number.unwrap_or(0)) < OLDEST
}

/// A server that can't be used.
#[derive(Debug, PartialEq, Eq)]
enum Stranger {
    NotMemcached,
    TooOld(String),
    NoMarks,
    WantsLogin,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMemcached => f.write_str("what answers there is not memcached"),
            Self::TooOld(version) => write!(
                f,
                "the server is memcached {version:?}, and 1.6.10 is the oldest that can be used"
            ),
            Self::NoMarks => f.write_str(
                "the server runs without compare-and-swap: start it without its option -C",
            ),
            Self::WantsLogin => f.write_str("the server wants a login, which this store has not"),
        }
    }
}

impl Error for Stranger {}

fn arc<E: Error + Send + Sync + 'static>(error: E) -> DialError {
    Arc::new(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greeting(version: &str, settings: &str) -> Result<Server, Stranger> {
        let said = format!("VERSION {version}\r\n{settings}");
        assert!(is_whole(said.as_bytes()), "{said}");
        read_greeting(said.as_bytes())
    }

    #[test]
    fn a_server_says_what_it_keeps() {
        let settings = "STAT maxbytes 67108864\r\nSTAT item_size_max 2097152\r\nSTAT cas_enabled yes\r\nEND\r\n";
        let server = greeting("1.6.18", settings).unwrap();
        assert_eq!(server.max_item_size, 2 << 20);
        for silent in [
            "ERROR\r\n",
            "STAT maxbytes 1\r\nEND\r\n",
            "STAT item_size_max x\r\nEND\r\n",
        ] {
            let server = greeting("1.6.18", silent).unwrap();
            assert_eq!(server.max_item_size, USUAL_ITEM_SIZE);
        }
    }

    #[test]
    fn a_server_that_will_not_do_is_named() {
        let no_marks = greeting("1.6.18", "STAT cas_enabled no\r\nEND\r\n");
        assert_eq!(no_marks, Err(Stranger::NoMarks));
        for old in [
            "1.4.39", "1.5.22", "1.6.0", "1.6.9", "1.6", "0.9", "x", "", "-1.7",
        ] {
            let error = greeting(old, "END\r\n").unwrap_err();
            assert!(matches!(error, Stranger::TooOld(_)), "{old}: {error}");
        }
        for new in ["1.6.10", "1.6.40_1_gabc", "1.7", "2.0.0-beta"] {
            assert!(greeting(new, "END\r\n").is_ok(), "{new}");
        }
        for other in [
            "-ERR unknown command\r\n",
            "HTTP/1.1 400\r\n",
            "ERROR\r\n",
            "\n",
        ] {
            assert!(is_whole(other.as_bytes()), "{other:?}");
            assert_eq!(read_greeting(other.as_bytes()), Err(Stranger::NotMemcached));
        }
        let login = b"CLIENT_ERROR unauthenticated\r\n";
        assert_eq!(read_greeting(login), Err(Stranger::WantsLogin));
    }

    #[test]
    fn half_a_greeting_is_waited_for() {
        let said = b"VERSION 1.6.18\r\nSTAT maxbytes 1\r\nSTAT END\r\nEND\r\n";
        for length in 0..said.len() {
            assert!(!is_whole(&said[..length]), "{length}");
        }
        assert!(is_whole(said));
    }
}
