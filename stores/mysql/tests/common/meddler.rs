//! Stands between a store and its server, knows where packets end, and changes what they say.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use mysql_async::Opts;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, lookup_host, tcp},
};

const COM_STMT_EXECUTE: u8 = 0x17;
const OK: u8 = 0x00;

/// What happens to the next packet that it fits, once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trick {
    /// The answer to a statement says that it has affected so many rows.
    Affected(u8),
    /// The answer to a statement that finds rows is an OK instead.
    Nothing,
    /// A statement, the last value of which is text, names another one: its end is changed.
    OtherKey,
    /// A command with these words gets lost.
    Lose(&'static str),
    /// The rows of an answer, from the first one on, do not arrive.
    KeepRows,
}

pub(crate) struct Meddler {
    url: String,
    plan: Arc<Plan>,
}

#[derive(Default)]
struct Plan {
    trick: Mutex<Option<Trick>>,
    made: AtomicUsize,
    closed: AtomicUsize,
}

impl Meddler {
    pub(crate) async fn to(url: &str) -> Self {
        let opts = Opts::from_url(url).unwrap();
        let at = (opts.ip_or_hostname().to_owned(), opts.tcp_port());
        let server = lookup_host(at).await.unwrap().next().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let plan = Arc::new(Plan::default());
        let shared = Arc::clone(&plan);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server, Arc::clone(&shared)));
            }
        });
        let (user, database) = (opts.user().unwrap(), opts.db_name().unwrap());
        Self {
            url: format!("mysql://{user}@{here}/{database}"),
            plan,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn play(&self, trick: Trick) {
        *self.plan.trick.lock().unwrap() = Some(trick);
    }

    /// Whether the trick has met its packet.
    pub(crate) fn has_played(&self) -> bool {
        self.plan.trick.lock().unwrap().is_none()
    }

    /// How many connections were made, and how many of them the store has closed.
    pub(crate) fn connections(&self) -> (usize, usize) {
        let get = |count: &AtomicUsize| count.load(Ordering::SeqCst);
        (get(&self.plan.made), get(&self.plan.closed))
    }
}

impl Plan {
    fn take(&self, fits: impl FnOnce(Trick) -> bool) -> Option<Trick> {
        let mut trick = self.trick.lock().unwrap();
        trick.take_if(|trick| fits(*trick))
    }
}

async fn pass(client: TcpStream, server: SocketAddr, plan: Arc<Plan>) {
    let server = TcpStream::connect(server).await.unwrap();
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    plan.made.fetch_add(1, Ordering::SeqCst);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let executes = Arc::new(AtomicBool::new(false));
    let back = answers(
        from_server,
        to_client,
        Arc::clone(&plan),
        Arc::clone(&executes),
    );
    let back = tokio::spawn(back);
    let _ = commands(from_client, to_server, &plan, &executes).await;
    plan.closed.fetch_add(1, Ordering::SeqCst);
    back.abort();
}

async fn commands(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    plan: &Plan,
    executes: &AtomicBool,
) -> io::Result<()> {
    loop {
        let mut packet = read(&mut from).await?;
        // The first packet of an exchange.
        if packet[3] == 0 {
            executes.store(begins_with(&packet, COM_STMT_EXECUTE), Ordering::SeqCst);
        }
        let other =
            |trick| matches!(trick, Trick::OtherKey) && begins_with(&packet, COM_STMT_EXECUTE);
        if plan.take(other).is_some()
            && let Some(last) = packet.last_mut()
        {
            *last ^= 1;
        }
        let has = |words: &str| {
            packet
                .windows(words.len())
                .any(|part| part == words.as_bytes())
        };
        let lost = plan.take(|trick| matches!(trick, Trick::Lose(words) if has(words)));
        if lost.is_none() {
            to.write_all(&packet).await?;
        }
    }
}

async fn answers(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    plan: Arc<Plan>,
    executes: Arc<AtomicBool>,
) -> io::Result<()> {
    let mut is_silent = false;
    loop {
        let mut packet = read(&mut from).await?;
        let fits = |trick| match trick {
            Trick::Affected(_) => packet[3] == 1 && begins_with(&packet, OK),
            // A row begins like an OK, and comes after the columns.
            Trick::KeepRows => packet[3] > 1 && begins_with(&packet, OK),
            Trick::Nothing => packet[3] == 1 && !begins_with(&packet, OK),
            Trick::OtherKey | Trick::Lose(_) => false,
        };
        if executes.load(Ordering::SeqCst) {
            match plan.take(fits) {
                Some(Trick::Affected(rows)) => packet[5] = rows,
                Some(Trick::Nothing) => {
                    to.write_all(&[7, 0, 0, 1, OK, 0, 0, 2, 0, 0, 0]).await?;
                    is_silent = true;
                }
                Some(_) => is_silent = true,
                None => {}
            }
        }
        if !is_silent {
            to.write_all(&packet).await?;
        }
    }
}

/// A packet with its head: the length in three bytes, and its number in the exchange.
async fn read(from: &mut tcp::OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut packet = vec![0; 4];
    from.read_exact(&mut packet).await?;
    let length = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]);
    packet.resize(4 + usize::try_from(length).unwrap(), 0);
    from.read_exact(&mut packet[4..]).await?;
    Ok(packet)
}

fn begins_with(packet: &[u8], byte: u8) -> bool {
    packet.get(4) == Some(&byte)
}
