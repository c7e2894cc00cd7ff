use std::{
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustix::net::sockopt::set_socket_linger;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{Mutex, mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until},
};

use super::server::free_port;

/// The network between a store and its server, which a test can break.
///
/// A store connects to [`address`](Self::address) and speaks with the server at the other end. At
/// first everything passes. It needs the tokio runtime that it was made on, and ends when it is
/// dropped.
///
/// # Examples
/// ```no_run
/// use std::time::Duration;
/// use cloakroom_testkit::servers::{Link, Server};
///
/// // #[tokio::test(flavor = "multi_thread")]
/// async fn survives_a_cut() {
///     let Some(server) = Server::redis().await else {
///         return;
///     };
///     let link = Link::to(server.address()).await.unwrap();
///     let url = server.url_at(link.address());
///     link.slow(Duration::from_millis(100));
///     link.cut().await;
///     link.restore().await.unwrap();
/// }
/// ```
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    server: SocketAddr,
    pace: watch::Sender<Pace>,
    connections: Connections,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

type Connections = Arc<Mutex<JoinSet<()>>>;

/// How what is sent gets on.
#[derive(Debug, Clone, Copy)]
enum Pace {
    After(Duration),
    Never,
    /// What is sent, and the connection that it is sent on, is lost.
    Lost,
    /// Connections are reset.
    Cut,
}

impl Link {
    /// A link to a server, on a free port of the loopback interface.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub async fn to(server: SocketAddr) -> io::Result<Self> {
        let link = Self {
            address: (Ipv4Addr::LOCALHOST, free_port()?).into(),
            server,
            pace: watch::Sender::new(Pace::After(Duration::ZERO)),
            connections: Connections::default(),
            accepting: Mutex::default(),
        };
        link.listen().await?;
        Ok(link)
    }

    /// Where the store connects to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Delays what is sent from now on, in each direction, by `delay`. Nothing overtakes anything,
    /// and as much gets through as before.
    pub fn slow(&self, delay: Duration) {
        self.pace.send_replace(Pace::After(delay));
    }

    /// Lets nothing through and says nothing: connections stay, new ones are made, and nobody
    /// answers. [`restore`](Self::restore) delivers what was sent in the meantime, as a network does.
    pub fn black_hole(&self) {
        self.pace.send_replace(Pace::Never);
    }

    /// Loses what is sent from now on, as a firewall does that has forgotten its connections: what
    /// follows it in its direction is lost too, and so is a connection that is made meanwhile. Nobody
    /// says so. After [`restore`](Self::restore) new ones pass.
    pub fn lose(&self) {
        self.pace.send_replace(Pace::Lost);
    }

    /// Resets all connections. New ones pass.
    pub async fn cut(&self) {
        let before = self.pace.send_replace(Pace::Cut);
        let mut connections = self.connections.lock().await;
        while connections.join_next().await.is_some() {}
        self.pace.send_replace(before);
    }

    /// Resets all connections and refuses new ones.
    pub async fn refuse(&self) {
        if let Some(accepting) = self.accepting.lock().await.take() {
            accepting.abort();
            // The listener is closed when the task has ended.
            let _ = accepting.await;
        }
        self.cut().await;
    }

    /// Lets everything pass again.
    ///
    /// # Errors
    /// When somebody else has taken the port while connections were refused.
    pub async fn restore(&self) -> io::Result<()> {
        self.pace.send_replace(Pace::After(Duration::ZERO));
        self.listen().await
    }

    async fn listen(&self) -> io::Result<()> {
        let mut accepting = self.accepting.lock().await;
        if accepting.is_none() {
            let listener = TcpListener::bind(self.address).await?;
            let connections = Arc::clone(&self.connections);
            let (server, pace) = (self.server, self.pace.subscribe());
            *accepting = Some(tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    let mut connections = connections.lock().await;
                    while connections.try_join_next().is_some() {}
                    connections.spawn(pass(client, server, pace.clone()));
                }
            }));
        }
        Ok(())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.get_mut().take() {
            accepting.abort();
        }
    }
}

/// One connection, from its beginning to its end.
async fn pass(mut client: TcpStream, server: SocketAddr, pace: watch::Receiver<Pace>) {
    let mut cut = pace.clone();
    let is_cut = |pace: &Pace| matches!(pace, Pace::Cut);
    let is_lost = matches!(*pace.borrow(), Pace::Lost);
    let connected = tokio::select! {
        connected = TcpStream::connect(server), if !is_lost => connected,
        _ = cut.wait_for(is_cut) => Err(io::ErrorKind::ConnectionReset.into()),
    };
    let Ok(mut server) = connected else {
        return reset(&client);
    };
    // The link alone decides what is late.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let is_over = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let there = carry(from_client, to_server, pace.clone());
        let back = carry(from_server, to_client, pace);
        tokio::select! {
            both = async { tokio::try_join!(there, back) } => both.is_ok(),
            _ = cut.wait_for(is_cut) => false,
        }
    };
    if !is_over {
        reset(&client);
        reset(&server);
    }
}

/// Closing a socket says `RST` instead of `FIN`.
fn reset(socket: &TcpStream) {
    let _ = set_socket_linger(socket, Some(Duration::ZERO));
}

/// Carries bytes one way. Each piece has its time, so that a delay does not hold up the next.
async fn carry(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut pace: watch::Receiver<Pace>,
) -> io::Result<()> {
    let (send, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(1024);
    let delays = pace.clone();
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            let piece = buffer.get(..length).unwrap_or_default();
            let pace = *delays.borrow();
            let due = match pace {
                Pace::After(delay) => Instant::now() + delay,
                Pace::Never | Pace::Cut => Instant::now(),
                Pace::Lost => return pending().await,
            };
            if length == 0 || send.send((due, piece.to_vec())).await.is_err() {
                return io::Result::Ok(());
            }
        }
    };
    let write = async move {
        while let Some((due, piece)) = under_way.recv().await {
            sleep_until(due).await;
            let passes = |pace: &Pace| matches!(pace, Pace::After(_));
            pace.wait_for(passes).await.map_err(io::Error::other)?;
            to.write_all(&piece).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write).map(|_| ())
}
