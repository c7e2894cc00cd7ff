//! `mg` and `ms`, each worker on a connection of its own.

use std::collections::BTreeMap;

use cloakroom_load::Work;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::record;

pub(crate) struct Memcached {
    stream: BufReader<TcpStream>,
    name: String,
    changes: bool,
    count: u64,
}

impl Memcached {
    pub(crate) async fn new(url: &str, number: usize, changes: bool) -> Self {
        let address = url.rsplit('/').next().expect("an address");
        let stream = TcpStream::connect(address).await.expect("connected");
        stream.set_nodelay(true).expect("set");
        let mut own = Self {
            stream: BufReader::new(stream),
            name: format!("alone:{number}:{changes}"),
            changes,
            count: 0,
        };
        own.set().await;
        own
    }

    /// What the server has counted.
    pub(crate) async fn counts(&mut self) -> BTreeMap<String, u64> {
        self.say(b"stats\r\n").await;
        let mut counts = BTreeMap::new();
        loop {
            let line = self.line().await;
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["END"] => return counts,
                ["STAT", name, count] if name.starts_with("cmd_") && name != "cmd_meta" => {
                    counts.insert(name.to_owned(), count.parse().expect("a number"));
                }
                _ => {}
            }
        }
    }

    async fn set(&mut self) {
        let record = record(&mut self.count);
        let command = format!("ms {} {} T86400\r\n", self.name, record.len());
        self.say(&[command.as_bytes(), &record, b"\r\n"].concat())
            .await;
        assert_eq!(self.line().await, "HD");
    }

    async fn get(&mut self) {
        let command = format!("mg {} v\r\n", self.name);
        self.say(command.as_bytes()).await;
        let line = self.line().await;
        let length = line.strip_prefix("VA ").expect("a value");
        let length: usize = length.parse().expect("a number");
        let mut value = vec![0; length + 2];
        self.stream.read_exact(&mut value).await.expect("the value");
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("sent");
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).await.expect("an answer");
        line.trim_end().to_owned()
    }
}

impl Work for Memcached {
    async fn work(&mut self) {
        self.get().await;
        if self.changes {
            self.set().await;
        }
    }
}
