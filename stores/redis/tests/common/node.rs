//! Servers with settings of their own: nodes of clusters, sentinels, TLS.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::{raw, tell, until};

/// A server that a test owns. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) port: u16,
    pub(crate) folder: TempDir,
    process: Child,
}

impl Node {
    /// Starts a server with these settings, and waits until it answers; `None` where it is not
    /// installed.
    pub(crate) async fn start(settings: &str) -> Option<Self> {
        Self::start_at(free_port(), settings).await
    }

    /// The same on a port that nobody has.
    pub(crate) async fn start_at(port: u16, settings: &str) -> Option<Self> {
        let node = Self::spawn(port, settings)?;
        node.answers().await;
        Some(node)
    }

    /// Starts one that does not answer as the others do.
    pub(crate) fn spawn(port: u16, settings: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let own = format!("port {port}\nbind 127.0.0.1\nsave \"\"\nappendonly no\n");
        let file = folder.path().join("settings");
        let settings = settings.replace("FOLDER", &folder.path().display().to_string());
        fs::write(&file, own + &settings).unwrap();
        let process = Command::new("redis-server")
            .arg(&file)
            .args(
                settings
                    .contains("sentinel monitor")
                    .then_some("--sentinel"),
            )
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(fs::File::create(folder.path().join("log")).unwrap())
            .spawn();
        match process {
            Ok(process) => Some(Self {
                port,
                folder,
                process,
            }),
            Err(error) => {
                let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
                assert!(!in_ci, "redis-server: {error}");
                eprintln!("skipped: redis-server can't be started: {error}");
                None
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn tell(&self, line: &str) -> redis::Value {
        tell(&mut raw(&self.url()).await, line).await
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(crate) fn signal(&mut self, name: &str) {
        let pid = self.process.id().to_string();
        let signalled = Command::new("kill").args(["-s", name, &pid]).status();
        assert!(signalled.unwrap().success());
    }

    async fn answers(&self) {
        let url = self.url();
        until("the server answers", async || {
            let client = redis::Client::open(url.as_str()).unwrap();
            client.get_multiplexed_async_connection().await.is_ok()
        })
        .await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody has, below those that connections get. A node of a cluster takes the one that
/// is 10000 higher too.
pub(crate) fn free_port() -> u16 {
    use std::hash::{BuildHasher, RandomState};
    loop {
        let random = RandomState::new().hash_one(0) % 11_000;
        let port = 10_000 + u16::try_from(random).unwrap();
        let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if is_free(port) && is_free(port + 10_000) {
            return port;
        }
    }
}

/// Runs a command to its end.
pub(crate) async fn run(command: &str, folder: &Path) {
    let mut words = command.split_ascii_whitespace();
    let mut process = Command::new(words.next().unwrap());
    process.args(words).current_dir(folder);
    let output = tokio::task::spawn_blocking(move || process.output());
    let output = tokio::time::timeout(Duration::from_secs(60), output).await;
    let output = output.unwrap().unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let erred = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command}: {said} {erred}");
}

/// Makes a node serve a whole cluster. Redis 6.2 knows no ranges.
pub(crate) fn all_slots() -> String {
    let slots = (0..16_384).map(|slot| slot.to_string());
    format!("CLUSTER ADDSLOTS {}", slots.collect::<Vec<_>>().join(" "))
}
