//! A store for Redis with a connection per call, and what it may do wrong.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use cloakroom_store::{
    Breaker, Freshness, Key, Loaded, Operation, Record, Store, StoreError, StoreErrorKind, Tag,
    Timestamp,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    None,
    /// It asks a server that does not answer again and again.
    NoBreaker,
    /// It never finds out that the server is back.
    NoProbe,
    /// It acknowledges a change that it has not stored, now and then.
    Forgets,
}

#[derive(Debug)]
pub(crate) struct ToyStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: SocketAddr,
    breaker: Breaker,
    defect: Defect,
}

// Bytes 9 to 16 of a record are its version.
const REPLACE: &[u8] = b"\
    local old = redis.call('GET', KEYS[1]) \
    if not old or string.sub(old, 9, 16) ~= ARGV[1] then return 'n' end \
    redis.call('SET', KEYS[1], ARGV[2]) \
    return 'y'";

impl ToyStore {
    pub(crate) fn new(server: SocketAddr, defect: Defect) -> Self {
        Self(Arc::new(Inner {
            server,
            breaker: Breaker::new(),
            defect,
        }))
    }

    async fn ask(
        &self,
        operation: Operation,
        parts: &[&[u8]],
    ) -> Result<Option<Bytes>, StoreError> {
        let call = async {
            let unavailable = |error: io::Error| {
                StoreError::new(StoreErrorKind::Unavailable, operation).with_source(error)
            };
            self.0.send(parts).await.map_err(unavailable)
        };
        if self.0.defect == Defect::NoBreaker {
            return call.await;
        }
        let answer = self.0.breaker.call(operation, call).await;
        if answer.is_err() && self.0.defect != Defect::NoProbe {
            self.probe();
        }
        answer
    }

    fn probe(&self) {
        let Some(probe) = self.0.breaker.take_probe() else {
            return;
        };
        let store = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            while let Some(store) = store.upgrade() {
                let ping = timeout(Duration::from_millis(500), store.send(&[b"PING"]));
                if matches!(ping.await, Ok(Ok(_))) {
                    return probe.close();
                }
                drop(store);
                sleep(Duration::from_millis(200)).await;
            }
        });
    }

    fn forgets(&self, record: &Record) -> bool {
        self.0.defect == Defect::Forgets && record.version.to_bits().is_multiple_of(8)
    }
}

impl Inner {
    /// Sends a command and reads its one answer, a bulk string or a line.
    async fn send(&self, parts: &[&[u8]]) -> io::Result<Option<Bytes>> {
        let mut command = format!("*{}\r\n", parts.len()).into_bytes();
        for part in parts {
            command.extend(format!("${}\r\n", part.len()).into_bytes());
            command.extend([part, b"\r\n".as_slice()].concat());
        }
        let mut stream = TcpStream::connect(self.server).await?;
        stream.write_all(&command).await?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(stream.read_u8().await?);
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        match line.split_at(1) {
            ("-", error) => Err(io::Error::other(error.to_owned())),
            ("$", "-1") => Ok(None),
            ("$", length) => {
                let mut value = vec![0; length.parse().map_err(io::Error::other)?];
                stream.read_exact(&mut value).await?;
                Ok(Some(value.into()))
            }
            (_, line) => Ok(Some(Bytes::from(line.to_owned()))),
        }
    }
}

fn name(key: &Key) -> Vec<u8> {
    format!("{key:?}").into_bytes()
}

impl Store for ToyStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        let found = self.ask(Operation::Load, &[b"GET", &name(key)]).await?;
        Ok(found.map(|bytes| Loaded::new(Record::decode(bytes).unwrap())))
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let record = record.encode().unwrap();
        let set: [&[u8]; 4] = [b"SET", &name(key), &record, b"NX"];
        match self.ask(Operation::Create, &set).await? {
            Some(_) => Ok(Tag::NONE),
            None => Err(StoreError::new(
                StoreErrorKind::AlreadyExists,
                Operation::Create,
            )),
        }
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        if self.forgets(record) {
            return Ok(Tag::NONE);
        }
        let version = expected.record.version.to_bits().to_le_bytes();
        let record = record.encode().unwrap();
        let set: [&[u8]; 6] = [b"EVAL", REPLACE, b"1", &name(key), &version, &record];
        match self.ask(Operation::Replace, &set).await?.as_deref() {
            Some(b"y") => Ok(Tag::NONE),
            _ => Err(StoreError::new(
                StoreErrorKind::Conflict,
                Operation::Replace,
            )),
        }
    }

    async fn touch(&self, _: &Key, _: &Record, _: &Loaded) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let gone = self.ask(Operation::Delete, &[b"DEL", &name(key)]).await?;
        Ok(gone.as_deref() == Some(b"1"))
    }

    async fn sweep(&self, _: Timestamp, _: usize) -> Result<usize, StoreError> {
        Ok(0)
    }
}
