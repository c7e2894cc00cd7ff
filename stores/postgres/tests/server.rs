//! A server of the test's own, to be frozen, killed and restarted as a whole. Without PostgreSQL's
//! programs (`CLOAKROOM_TEST_POSTGRES_BIN` or a usual place) there is nothing to test.
#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)] // helpers are no #[test]

mod common;

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use cloakroom_postgres::PostgresStore;
use cloakroom_store::{Loaded, Store};
use common::{RECOVERY, create, key, kind, load, record, recovers};

/// Who runs the server when root runs the tests, which PostgreSQL refuses.
const NOBODY: u32 = 65_534;

struct Server {
    bin: PathBuf,
    dir: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Server {
    fn start(name: &str) -> Option<Self> {
        let mut server = Self::make(name)?;
        server.run(&[]);
        Some(server)
    }

    fn make(name: &str) -> Option<Self> {
        let Some(bin) = bin() else {
            println!("skipped: PostgreSQL's programs are not here");
            return None;
        };
        let dir = std::env::temp_dir().join(format!("cloakroom-{name}-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        if is_root() {
            chown(&dir, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let server = Self {
            bin,
            dir,
            port,
            process: None,
        };
        let mut init = server.command("initdb");
        init.args(["--username=cloakroom", "--auth=trust", "--no-sync", "-D"]);
        assert!(
            init.arg(server.dir.join("data"))
                .status()
                .unwrap()
                .success()
        );
        Some(server)
    }

    fn run(&mut self, settings: &[&str]) {
        let mut run = self.command("postgres");
        run.arg("-D").arg(self.dir.join("data"));
        run.args([
            "-p",
            &self.port.to_string(),
            "-c",
            "listen_addresses=127.0.0.1",
        ]);
        run.arg("-k").arg(&self.dir);
        run.args(settings.iter().flat_map(|setting| ["-c", setting]));
        self.process = Some(run.spawn().unwrap());
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    fn url(&self) -> String {
        format!("postgres://cloakroom@127.0.0.1:{}/postgres", self.port)
    }

    /// Sends a signal to the server and all its processes.
    fn signal(&self, signal: &str) {
        let own = self.process.as_ref().unwrap().id().to_string();
        let mut all = vec![own.clone()];
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let parent = stat
                .rsplit(')')
                .next()
                .and_then(|rest| rest.split_whitespace().nth(1));
            if parent == Some(&own) {
                all.push(entry.file_name().into_string().unwrap());
            }
        }
        Command::new("kill").arg(signal).args(all).status().unwrap();
    }

    fn kill(&mut self) {
        self.signal("-KILL");
        self.process.take().unwrap().wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn bin() -> Option<PathBuf> {
    if let Some(bin) = std::env::var_os("CLOAKROOM_TEST_POSTGRES_BIN") {
        return Some(bin.into());
    }
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    versions.sort();
    versions.pop()
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().unwrap().uid() == 0
}

async fn open(server: &Server) -> (PostgresStore, Loaded) {
    let begin = Instant::now();
    loop {
        match PostgresStore::connect(&server.url()).await {
            Ok(store) => {
                let loaded = create(&store, &key(1), &record("a")).await;
                return (store, loaded);
            }
            Err(error) => assert!(begin.elapsed() < Duration::from_secs(20), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The longest that a call takes, while calls fail for some time.
async fn fails(store: &PostgresStore, loaded: &Loaded) -> (Duration, Duration) {
    let mut took = Vec::new();
    for _ in 0..6 {
        let begin = Instant::now();
        let key = key(1);
        let next = record("b");
        let (read, wrote) = tokio::join!(load(store, &key), store.replace(&key, &next, loaded));
        assert!(read.is_err() && kind(wrote).is_some());
        took.push(begin.elapsed());
    }
    (
        took.iter().max().copied().unwrap(),
        took.last().copied().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_and_thawed() {
    let Some(server) = Server::start("frozen") else {
        return;
    };
    let (store, loaded) = open(&server).await;
    server.signal("-STOP");
    let (longest, last) = fails(&store, &loaded).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (_, later) = fails(&store, &loaded).await;
    server.signal("-CONT");
    let recovery = recovers(&store).await;
    println!("frozen: at most {longest:?}, then {last:?}, {later:?}; back after {recovery:?}");
    assert!(longest < Duration::from_millis(490));
    assert!(last < Duration::from_millis(20) && later < Duration::from_millis(20));
    assert!(recovery < RECOVERY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_restarted() {
    let Some(mut server) = Server::start("killed") else {
        return;
    };
    let (store, loaded) = open(&server).await;
    server.kill();
    let (longest, last) = fails(&store, &loaded).await;
    // A killed server leaves a file that says it still runs, with the id of a process that is gone.
    server.run(&[]);
    let url = server.url();
    let up = async {
        while tokio_postgres::connect(&url, tokio_postgres::NoTls)
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
            // It refuses to start as long as a process of the killed one is left.
            let process = server.process.as_mut().unwrap();
            if process.try_wait().unwrap().is_some() {
                server.run(&[]);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), up)
        .await
        .unwrap();
    let recovery = recovers(&store).await;
    println!("killed: at most {longest:?}, then {last:?}; back after {recovery:?}");
    assert!(longest < Duration::from_millis(490) && last < Duration::from_millis(20));
    assert!(recovery < RECOVERY);
    assert_eq!(load(&store, &key(1)).await.unwrap().unwrap(), loaded);
}

#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_encrypted_and_the_certificate_is_verified() {
    let Some(mut server) = Server::make("tls") else {
        return;
    };
    let (key_file, pem_file) = (server.dir.join("key"), server.dir.join("pem"));
    let mut make = Command::new("openssl");
    make.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    make.args([
        "-days",
        "2",
        "-subj",
        "/CN=test",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]);
    make.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]);
    make.arg(&key_file).arg("-out").arg(&pem_file);
    if !make
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        println!("skipped: openssl is not here");
        return;
    }
    if is_root() {
        chown(&key_file, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let key_setting = format!("ssl_key_file={}", key_file.display());
    let pem_setting = format!("ssl_cert_file={}", pem_file.display());
    server.run(&["ssl=on", &key_setting, &pem_setting]);
    drop(open(&server).await);

    let url = format!("{}?sslmode=require", server.url());
    let unknown = PostgresStore::connect(&url).await.unwrap_err();
    assert!(
        common::told(&unknown).contains("certificate"),
        "{}",
        common::told(&unknown)
    );
    let garbage = PostgresStore::builder(&url).tls_roots(b"no certificate");
    let garbage = garbage.connect().await.unwrap_err();
    assert!(garbage.to_string().contains("certificates"), "{garbage}");
    let pem = fs::read(&pem_file).unwrap();
    let other_name = url.replace("127.0.0.1", "localhost");
    let other_name = PostgresStore::builder(&other_name)
        .tls_roots(&pem)
        .connect()
        .await;
    assert!(common::told(&other_name.unwrap_err()).contains("certificate"));

    let store = PostgresStore::builder(&url)
        .tls_roots(&pem)
        .connect()
        .await
        .unwrap();
    assert!(load(&store, &key(1)).await.unwrap().is_some());
    let count = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
                 WHERE a.application_name = 'cloakroom' AND s.ssl";
    let encrypted = common::client(&server.url())
        .await
        .query_one(count, &[])
        .await
        .unwrap();
    assert_eq!(encrypted.get::<_, i64>(0), 4, "two readers, two writers");
}
