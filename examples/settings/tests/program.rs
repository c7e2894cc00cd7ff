//! The program as it is delivered, with the file that it is delivered with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers are no #[test]"
)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const FILE: &str = include_str!("../sessions.toml");

/// Puts the file into a folder like the one that it comes from, so that its data lies beside it.
fn file(folder: &Path, text: &str) -> PathBuf {
    let example = folder.join("examples/settings");
    std::fs::create_dir_all(&example).unwrap();
    let file = example.join("sessions.toml");
    std::fs::write(&file, text).unwrap();
    file
}

fn program(file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_settings"));
    command.arg(file).args(["--http", "127.0.0.1:0"]);
    command
}

/// A running program. It is killed when this is dropped.
struct Running {
    process: Child,
    address: SocketAddr,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.as_mut().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://");
        let address = address
            .expect("it has ended before it listened")
            .parse()
            .unwrap();
        Self { process, address }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Keeps cookies.
#[derive(Default)]
struct Browser(BTreeMap<String, String>);

impl Browser {
    /// The status and body of an answer.
    fn send(&mut self, program: &Running, method: &str, path: &str) -> (String, String) {
        let cookies: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut stream = TcpStream::connect(program.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: {}\r\n\r\n",
            cookies.join("; ")
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        for line in head.lines() {
            if let Some(cookie) = line.strip_prefix("set-cookie: ") {
                let (name, rest) = cookie.split_once('=').unwrap();
                let (value, attributes) = rest.split_once(';').unwrap();
                match attributes.ends_with("Max-Age=0") {
                    true => self.0.remove(name),
                    false => self.0.insert(name.to_owned(), value.to_owned()),
                };
            }
        }
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    fn get(&mut self, program: &Running, path: &str) -> String {
        self.send(program, "GET", path).1
    }

    fn post(&mut self, program: &Running, path: &str) -> String {
        self.send(program, "POST", path).1
    }
}

#[test]
fn three_sessions_from_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let program = Running::start(program(&file(folder.path(), FILE)));
    let mut browser = Browser::default();
    assert_eq!(
        browser.get(&program, "/"),
        "0 items, language en, account closed\n"
    );
    assert!(
        browser.0.is_empty(),
        "a visitor who does nothing has no cookie"
    );

    browser.post(&program, "/cart/add/apple");
    browser.post(&program, "/cart/add/apple");
    browser.post(&program, "/language/de");
    assert_eq!(
        browser.get(&program, "/"),
        "2 items, language de, account closed\n"
    );
    assert_eq!(browser.get(&program, "/account"), "nobody is logged in\n");
    browser.post(&program, "/account/login/dana");
    assert_eq!(browser.get(&program, "/account"), "logged in as dana\n");
    assert!(browser.0.keys().eq(["account", "cart", "prefs"]));

    browser.post(&program, "/account/logout");
    assert_eq!(browser.get(&program, "/account"), "nobody is logged in\n");
    assert_eq!(
        browser.get(&program, "/"),
        "2 items, language de, account closed\n"
    );
    assert!(folder.path().join("data/settings/sessions/cart").is_dir());
}

#[test]
fn sessions_outlive_the_program_and_its_store_is_a_variable_away() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path(), FILE);
    let mut browser = Browser::default();
    for items in 1..=2 {
        let mut command = program(&file);
        command
            .env(
                "SHOP__STORES__MAIN__URL",
                "sqlite:../../data/settings/sessions.db",
            )
            .env("SHOP__NAMESPACES__CART__COOKIE__NAME", "basket");
        let program = Running::start(command);
        browser.post(&program, "/cart/add/pear");
        browser.post(&program, "/language/fr");
        let expected = format!("{items} items, language fr, account closed\n");
        assert_eq!(browser.get(&program, "/"), expected);
    }
    assert!(browser.0.contains_key("basket"));
    assert!(folder.path().join("data/settings/sessions.db").is_file());
}

#[test]
fn a_mistake_in_the_file_ends_it_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path(), &FILE.replace("rotate_every", "rotate_evry"));
    let output = program(&file).output().unwrap();
    assert!(!output.status.success());
    let line = 1 + FILE
        .lines()
        .position(|line| line.starts_with("rotate_every"))
        .unwrap();
    let expected = format!(
        "the session settings are wrong\n  - {}:{line}: namespaces.account.rotate_evry: there is no \
         such setting; did you mean rotate_every?\n",
        file.display()
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}

#[test]
fn a_check_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(&file(folder.path(), FILE))
        .arg("--check")
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"The settings are good.\n");
    assert!(!folder.path().join("data").exists());
}
