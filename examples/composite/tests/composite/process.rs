//! The running programs.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

/// One process. It is killed when this is dropped.
pub(crate) struct Program {
    process: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Program {
    /// Starts it on a free port and waits until it says which.
    fn start(program: &str, data: &Path, options: &[&str]) -> Self {
        let mut process = Command::new(program)
            .args(["--http", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.as_mut().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address.expect("it has ended before it listened");
        Self {
            address: address.parse().unwrap(),
            process,
        }
    }

    pub(crate) fn site(data: &Path, options: &[&str]) -> Self {
        Self::start(env!("CARGO_BIN_EXE_site"), data, options)
    }

    pub(crate) fn api(data: &Path, options: &[&str]) -> Self {
        Self::start(env!("CARGO_BIN_EXE_api"), data, options)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
