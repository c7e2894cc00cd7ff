//! Servers with settings of their own, and what only pretends to be one.

use std::{
    fs,
    net::TcpListener as StdListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// A server that a test owns. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    port: u16,
    folder: TempDir,
    process: Child,
}

impl Node {
    /// Starts a server with these options, and waits until it listens; `None` where it is not
    /// installed. `FOLDER` in an option is a folder of its own; with `-s` it listens nowhere else.
    pub(crate) fn start(options: &str) -> Option<Self> {
        if std::env::var_os("CLOAKROOM_TEST_SERVERS").is_some_and(|servers| servers == "no") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let options = options.replace("FOLDER", &folder.path().display().to_string());
        let mut command = Command::new("memcached");
        if !options.contains("-s ") {
            command.args(["-l", "127.0.0.1", "-U", "0", "-p", &port.to_string()]);
        }
        let process = command
            // It refuses to be root's, and takes this for nothing when it is not.
            .args(["-u", "root"])
            .args(options.split_ascii_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("log")).unwrap())
            .spawn();
        match process {
            Ok(process) => {
                let mut node = Self {
                    port,
                    folder,
                    process,
                };
                node.wait(options.contains("-s "));
                Some(node)
            }
            Err(error) => {
                let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
                assert!(!in_ci, "memcached: {error}");
                eprintln!("skipped: memcached can't be started: {error}");
                None
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("memcache://127.0.0.1:{}", self.port)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn wait(&mut self, is_unix: bool) {
        let began = Instant::now();
        loop {
            let listens = match is_unix {
                #[cfg(unix)]
                true => std::os::unix::net::UnixStream::connect(self.file("socket")).is_ok(),
                _ => std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok(),
            };
            if listens {
                return;
            }
            let log = || fs::read_to_string(self.folder.path().join("log"));
            let is_late = began.elapsed() > Duration::from_secs(10);
            let ended = self.process.try_wait().unwrap();
            assert!(
                !is_late && ended.is_none(),
                "memcached: {ended:?} {:?}",
                log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody has, below those that connections get.
fn free_port() -> u16 {
    loop {
        let port = 10_000 + u16::try_from(super::random() % 22_000).unwrap();
        if StdListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A listener that greets like a server and then says what it was told to.
pub(crate) struct Fake {
    pub(crate) url: String,
    /// All lines that came, blocks included.
    pub(crate) heard: mpsc::UnboundedReceiver<String>,
}

pub(crate) const GREETING: &str = "VERSION 1.6.18\r\nSTAT item_size_max 1048576\r\nEND\r\n";

impl Fake {
    /// It says `greeting` to who connects, and `reply` to each line after that. `None` for a reply
    /// is to close the connection; `#` in one stands for the number that it should repeat.
    pub(crate) async fn start(greeting: &'static str, reply: Option<&[u8]>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("memcache://{}", listener.local_addr().unwrap());
        let (sender, heard) = mpsc::unbounded_channel();
        let reply = reply.map(<[u8]>::to_vec);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, reply) = (sender.clone(), reply.clone());
                tokio::spawn(async move {
                    // Whatever goes wrong, the connection ends.
                    let _ = pretend(stream, greeting, reply, sender).await;
                });
            }
        });
        Self { url, heard }
    }
}

async fn pretend(
    stream: TcpStream,
    greeting: &str,
    reply: Option<Vec<u8>>,
    heard: mpsc::UnboundedSender<String>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    for number in 0.. {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            break;
        }
        let _ = heard.send(String::from_utf8_lossy(&line).into_owned());
        match (number, &reply) {
            (0, _) => {}
            (1, _) => stream.get_mut().write_all(greeting.as_bytes()).await?,
            (_, None) => break,
            (_, Some(reply)) => {
                let number = (number - 2).to_string();
                for (at, part) in reply.split(|byte| *byte == b'#').enumerate() {
                    if at > 0 {
                        stream.get_mut().write_all(number.as_bytes()).await?;
                    }
                    stream.get_mut().write_all(part).await?;
                }
            }
        }
    }
    Ok(())
}
