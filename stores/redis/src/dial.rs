//! Making a connection.

use std::{
    error::Error,
    fmt,
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use futures_util::future::select_ok;
use redis::{
    AsyncConnectionConfig, Cmd, ProtocolVersion, RedisConnectionInfo, RedisError, RedisResult,
    Value,
    aio::{AsyncPushSender, ConnectionLike, MultiplexedConnection},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::AbortHandle,
};

use crate::{address::Address, tls::Tls};

/// What all connections of a store have in common.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) redis: RedisConnectionInfo,
    pub(crate) tls: Option<Tls>,
    /// For a call of the store, connecting included.
    pub(crate) timeout: Duration,
    /// For a connection, with its handshakes.
    pub(crate) connect_timeout: Duration,
}

/// Why there is no connection.
pub(crate) type DialError = Arc<dyn Error + Send + Sync>;

/// A connection. It is closed when it is dropped; what was not sent then never will be.
pub(crate) struct Live {
    connection: MultiplexedConnection,
    driver: AbortHandle,
    began: Instant,
    under_way: Arc<AtomicUsize>,
}

impl Live {
    /// Sends a command and waits for its answer. The driver sends nothing twice.
    pub(crate) async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let _under_way = UnderWay::new(&self.under_way);
        self.connection.clone().req_packed_command(command).await
    }

    /// Sends a command to a node that is still taking over its slot.
    pub(crate) async fn send_asking(&self, command: &Cmd) -> RedisResult<Value> {
        // One write, so that no command of another task comes in between.
        let mut pipeline = redis::pipe();
        pipeline.cmd("ASKING").ignore();
        pipeline.add_command(command.clone());
        let mut connection = self.connection.clone();
        let (value,) = pipeline.query_async::<(Value,)>(&mut connection).await?;
        Ok(value)
    }

    /// Whether it has broken: then the driver has nothing more to do.
    pub(crate) fn is_closed(&self) -> bool {
        self.driver.is_finished()
    }

    /// How long it has been there.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A command that somebody waits for.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}

/// Connects and logs in.
pub(crate) async fn dial(address: &Address, settings: &Settings) -> Result<Live, DialError> {
    dial_as(address, settings, &settings.redis).await
}

/// Connects and logs in as somebody else: sentinels have users of their own.
pub(crate) async fn dial_as(
    address: &Address,
    settings: &Settings,
    login: &RedisConnectionInfo,
) -> Result<Live, DialError> {
    connect(address, settings, login, AsyncConnectionConfig::new()).await
}

/// Connects and logs in for what the server says unasked, which RESP3 has a place for.
pub(crate) async fn dial_listening(
    address: &Address,
    settings: &Settings,
    hear: impl AsyncPushSender,
) -> Result<Live, DialError> {
    let login = settings.redis.clone().set_protocol(ProtocolVersion::RESP3);
    let config = AsyncConnectionConfig::new().set_push_sender(hear);
    connect(address, settings, &login, config).await
}

async fn connect(
    address: &Address,
    settings: &Settings,
    login: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
) -> Result<Live, DialError> {
    let stream = open(address, settings.tls.as_ref()).await.map_err(arc)?;
    // The time limits are the callers', who know when to give a connection up.
    let config = config
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUED);
    let made = MultiplexedConnection::new_with_config(login, stream, config).await;
    let (connection, driver) = made.map_err(arc::<RedisError>)?;
    let under_way = Arc::new(AtomicUsize::new(0));
    let driver = driven(driver, Arc::clone(&under_way));
    Ok(Live {
        connection,
        driver: tokio::spawn(driver).abort_handle(),
        began: Instant::now(),
        under_way,
    })
}

/// How many commands may wait to be written. With fewer a busy program waits for room again and again.
const QUEUED: usize = 1024;

/// Drives a connection. While several commands are under way, what else is ready goes first: so the
/// commands of all who have just got an answer, or have just begun, go out with one write, which
/// costs more than a turn. A lone command does not wait for a turn that brings it no company.
async fn driven(driver: impl Future<Output = ()>, under_way: Arc<AtomicUsize>) {
    let mut driver = pin!(driver);
    let mut has_let_others_go = false;
    poll_fn(|context| {
        has_let_others_go = !has_let_others_go && under_way.load(Ordering::Relaxed) > 1;
        if has_let_others_go {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        driver.as_mut().poll(context)
    })
    .await;
}

trait Stream: AsyncRead + AsyncWrite + Send {}
impl<S: AsyncRead + AsyncWrite + Send> Stream for S {}

async fn open(address: &Address, tls: Option<&Tls>) -> io::Result<Pin<Box<dyn Stream>>> {
    match (address, tls) {
        (Address::Tcp(host, port), None) => Ok(Box::pin(open_tcp(host, *port).await?)),
        (Address::Tcp(host, port), Some(tls)) => {
            let stream = open_tcp(host, *port).await?;
            Ok(Box::pin(tls.connect(host, stream).await?))
        }
        #[cfg(unix)]
        (Address::Unix(path), _) => Ok(Box::pin(tokio::net::UnixStream::connect(path).await?)),
        #[cfg(not(unix))]
        (Address::Unix(_), _) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Tries all addresses of a host at once: one of them may lead nowhere.
async fn open_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let found: Vec<SocketAddr> = lookup_host((host, port)).await?.collect();
    let attempts = found.into_iter().map(|to| Box::pin(TcpStream::connect(to)));
    let attempts: Vec<_> = attempts.collect();
    if attempts.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the host has no address",
        ));
    }
    let (stream, _) = select_ok(attempts).await?;
    stream.set_nodelay(true)?;
    let keep_alive = socket2::TcpKeepalive::new().with_time(KEEP_ALIVE);
    socket2::SockRef::from(&stream).set_tcp_keepalive(&keep_alive)?;
    Ok(stream)
}

/// Often enough for what forgets idle connections on the way.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

fn arc<E: Error + Send + Sync + 'static>(error: E) -> DialError {
    Arc::new(error)
}
