//! A running shop.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::PROGRAM;

/// One process. It is killed when this is dropped.
pub(crate) struct Shop {
    process: Child,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
}

impl Shop {
    /// Starts it on free ports and waits until it says where it listens.
    pub(crate) fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// The same with a store of its own choice.
    pub(crate) fn start_on(store: &str, data: &Path) -> Self {
        Self::start_with(data, &["--store", store])
    }

    fn start_with(data: &Path, options: &[&str]) -> Self {
        Self::start_as(PROGRAM.as_ref(), data, options)
    }

    pub(crate) fn start_as(program: &Path, data: &Path, options: &[&str]) -> Self {
        let mut process = Command::new(program)
            .args(["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.as_mut().unwrap()).lines();
        let line = lines
            .map(Result::unwrap)
            .find(|line| line.starts_with("listening on "))
            .expect("the shop has ended before it listened");
        let address = |scheme: &str| {
            let words = line.split(' ');
            let mut addresses = words.filter_map(|word| word.strip_prefix(scheme));
            addresses.next().unwrap().parse().unwrap()
        };
        Self {
            http: address("http://"),
            https: address("https://"),
            process,
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// `kill`, and whether it has ended well.
    pub(crate) fn terminate(&mut self) -> bool {
        let pid = self.process.id().to_string();
        let killed = Command::new("kill").arg(pid).status().unwrap();
        killed.success() && self.process.wait().unwrap().success()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Everything below a folder, with its size and the time of its last change.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            found.push((entry.path(), metadata.len(), metadata.modified().unwrap()));
            if metadata.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// The files that are named for sessions.
pub(crate) fn sessions(data: &Path) -> Vec<String> {
    let names = files(data).into_iter().filter_map(|(path, ..)| {
        let name = path.file_name()?.to_str()?.to_owned();
        (name.len() == 32).then_some(name)
    });
    names.collect()
}
