use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::{fs::chown, process::CommandExt as _},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{
    disk::disk,
    kind::{Kind, Line, find},
    process::{Heir, Process},
};
use crate::{
    random::{SplitMix64, fresh_seed},
    service::{absent, servers_are_wanted},
};

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that one test owns, to freeze it, kill it and start it again.
///
/// It listens on a port of its own on the loopback interface, lets everybody in, and keeps its data
/// in a folder of its own. Dropping it ends the server and removes the folder; when the test process
/// is killed, a shell that it has left behind does. Run by root, the server runs as `nobody`.
///
/// The constructors give `None`, and say so on standard error, where the server is not installed;
/// with `CI=true` they panic, and with `CLOAKROOM_TEST_SERVERS=no` they say nothing, as
/// [`service`](crate::service()) does. `scripts/services` in cloakroom's repository installs the
/// servers.
///
/// All methods panic when the operating system does not do what it is asked, as a test should. The
/// synchronous ones block the thread for some milliseconds, [`stop`](Self::stop) for up to 10 s.
///
/// # Examples
/// ```no_run
/// use cloakroom_testkit::servers::Server;
///
/// // #[tokio::test(flavor = "multi_thread")]
/// async fn survives_a_restart() {
///     let Some(mut server) = Server::redis().await else {
///         return;
///     };
///     let url = server.url(); // redis://127.0.0.1:23456
///     server.kill();
///     server.restart().await;
/// }
/// ```
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    port: u16,
    process: Option<Process>,
    heir: Heir,
    folder: TempDir,
}

impl Server {
    /// Redis, which keeps everything in memory.
    pub async fn redis() -> Option<Self> {
        Self::new(Kind::Redis { keeps: false }).await
    }

    /// Redis that writes each change to its log on the disk before it acknowledges it.
    pub async fn redis_with_log() -> Option<Self> {
        Self::new(Kind::Redis { keeps: true }).await
    }

    /// PostgreSQL. The user of the URL is a superuser without a password.
    pub async fn postgres() -> Option<Self> {
        Self::new(Kind::Postgres).await
    }

    /// MariaDB. The user of the URL has all rights and no password.
    pub async fn mariadb() -> Option<Self> {
        Self::new(Kind::MariaDb).await
    }

    /// memcached.
    pub async fn memcached() -> Option<Self> {
        Self::new(Kind::Memcached).await
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its address as drivers take it, such as `postgres://cloakroom@127.0.0.1:23456/postgres`. The
    /// scheme of memcached's is `memcache`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_at(self.address())
    }

    /// The same at another address, that of a [`Link`](super::Link) for instance.
    #[must_use]
    pub fn url_at(&self, address: SocketAddr) -> String {
        self.kind.url(address)
    }

    /// Whether killing it loses what it has acknowledged.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        self.kind.is_volatile()
    }

    /// Stops all its processes where they are (`SIGSTOP`). From then on nothing is answered, but the
    /// kernel still accepts some connections for it.
    pub fn freeze(&mut self) {
        if let Some(process) = &self.process {
            self.must("be frozen", process.freeze());
            let told = process.numbers().and_then(|all| self.heir.tell(&all));
            self.must("be frozen", told);
        }
    }

    /// Lets a frozen server go on.
    pub fn thaw(&mut self) {
        if let Some(process) = &self.process {
            self.must("be thawed", process.thaw());
        }
    }

    /// Ends it as a power cut would (`SIGKILL`), frozen or not. Its data stays for
    /// [`restart`](Self::restart).
    pub fn kill(&mut self) {
        self.end("be killed", |process, _| process.kill());
    }

    /// Ends it in good order, closing its connections. Its data stays for
    /// [`restart`](Self::restart).
    pub fn stop(&mut self) {
        self.end("be stopped", |process, kind| process.end(kind.end()));
    }

    /// Starts it again, on the same port and with the same data, and returns when it answers. It
    /// stops it first if it runs.
    pub async fn restart(&mut self) {
        self.stop();
        let started = self.start();
        self.must("be started", started);
        self.wait().await;
    }

    async fn new(kind: Kind) -> Option<Self> {
        if !servers_are_wanted() {
            return None;
        }
        if let Some(missing) = kind
            .commands()
            .iter()
            .find(|command| find(command).is_none())
        {
            absent(&format!(
                "{missing} is not installed, so there is no server to freeze and kill; scripts/services start brings it"
            ));
            return None;
        }
        match Self::set_up(kind).await {
            Ok(mut server) => {
                server.restart().await;
                Some(server)
            }
            Err(error) => fail(&format!("{} could not be set up: {error}", kind.name())),
        }
    }

    async fn set_up(kind: Kind) -> io::Result<Self> {
        let folder = new_folder()?;
        let heir = Heir::appoint(folder.path())?;
        let server = Self {
            kind,
            port: free_port()?,
            process: None,
            heir,
            folder,
        };
        if let Some(line) = kind.preparation(server.folder.path())? {
            let mut command = server.command(&line)?;
            let done = tokio::task::spawn_blocking(move || command.status()).await;
            if !done.map_err(io::Error::other)??.success() {
                return Err(io::Error::other(server.log()));
            }
        }
        Ok(server)
    }

    fn start(&mut self) -> io::Result<()> {
        let line = self.kind.start(self.folder.path(), self.port);
        let process = Process::start(&mut self.command(&line)?)?;
        self.heir.tell(&process.numbers()?)?;
        self.process = Some(process);
        Ok(())
    }

    /// Waits until it answers.
    async fn wait(&mut self) {
        let began = Instant::now();
        while !matches!(
            timeout(Duration::from_secs(1), self.is_ready()).await,
            Ok(Ok(true))
        ) {
            let ended = self.process.as_mut().map_or(Ok(None), Process::ended);
            if let Some(status) = self.must("be watched", ended) {
                // Its number may be another's by now.
                self.process = None;
                self.fail(&format!("has ended: {status}"));
            }
            if began.elapsed() > PATIENCE {
                self.fail("does not answer");
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    async fn is_ready(&self) -> io::Result<bool> {
        let mut stream = TcpStream::connect(self.address()).await?;
        stream.write_all(self.kind.greeting()).await?;
        let mut answer = [0; 64];
        let length = stream.read(&mut answer).await?;
        let answer = answer.get(..length).unwrap_or_default();
        Ok(self.kind.is_welcome(answer))
    }

    fn end(&mut self, what: &str, end: impl FnOnce(&mut Process, Kind) -> io::Result<()>) {
        if let Some(mut process) = self.process.take() {
            let ended = end(&mut process, self.kind).and_then(|()| self.heir.tell(&[]));
            self.must(what, ended);
        }
    }

    /// A command in the server's folder, with the server's rights, that writes into its log.
    fn command(&self, line: &Line) -> io::Result<Command> {
        let (name, arguments) = line.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let program = find(name).ok_or(io::ErrorKind::NotFound)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some((user, group)) = nobody()? {
            command.uid(user).gid(group);
        }
        Ok(command)
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The end of what it has written.
    fn log(&self) -> String {
        let log = fs::read(self.log_file()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let end = lines.len().saturating_sub(15);
        lines.get(end..).unwrap_or_default().join("\n")
    }

    #[track_caller]
    fn must<T>(&self, what: &str, result: io::Result<T>) -> T {
        match result {
            Ok(value) => value,
            Err(error) => self.fail(&format!("could not {what}: {error}")),
        }
    }

    #[track_caller]
    fn fail(&self, what: &str) -> ! {
        fail(&format!("{} {what}\n{}", self.kind.name(), self.log()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // A panic here could hide why the test fails.
            let _ = process.end(self.kind.abort());
        }
    }
}

#[expect(clippy::panic, reason = "how a test learns that it can't be run")]
#[track_caller]
fn fail(what: &str) -> ! {
    panic!("{what}");
}

/// A folder that the server's user may use, who can't enter those of root.
fn new_folder() -> io::Result<TempDir> {
    let prefix = "cloakroom-server-";
    Ok(match nobody()? {
        None => TempDir::with_prefix(prefix)?,
        Some((user, group)) => {
            let parent = disk().unwrap_or_else(|| PathBuf::from("/tmp"));
            let folder = TempDir::with_prefix_in(prefix, parent)?;
            chown(folder.path(), Some(user), Some(group))?;
            folder
        }
    })
}

/// The user and the group that servers run as, if not as ours: they refuse to be root's.
fn nobody() -> io::Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let id = |which| -> io::Result<u32> {
        let output = Command::new("id").args([which, "nobody"]).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().map_err(io::Error::other)
    };
    Ok(Some((id("-u")?, id("-g")?)))
}

/// A port that nobody listens on, below those that connections get: none must take it between two
/// starts.
pub(super) fn free_port() -> io::Result<u16> {
    let mut random = SplitMix64::new(fresh_seed());
    for _ in 0..100 {
        let port = u16::try_from(10_000 + random.below(22_000)).map_err(io::Error::other)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}
