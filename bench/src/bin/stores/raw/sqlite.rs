//! Prepared statements on a table like the store's, on the thread of the caller: reads on one of two
//! connections, writes on a third, durable and each a transaction of its own.

use std::path::Path;
use std::sync::{Arc, Mutex};

use cloakroom_load::Work;
use cloakroom_sqlite::SqliteStore;
use rusqlite::Connection;

use super::{NAMESPACE, id, record};

pub(crate) struct Sqlite {
    reader: Arc<Mutex<Connection>>,
    writer: Arc<Mutex<Connection>>,
    id: Vec<u8>,
    changes: bool,
    count: u64,
}

#[derive(Clone)]
pub(crate) struct Table {
    readers: [Arc<Mutex<Connection>>; 2],
    writer: Arc<Mutex<Connection>>,
}

impl Table {
    pub(crate) fn new(folder: &Path) -> Self {
        let path = folder.join("alone.db");
        let connect = || {
            let connection = Connection::open(&path).expect("opened");
            let wal =
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000";
            connection.execute_batch(wal).expect("set");
            connection
        };
        let writer = connect();
        let make = SqliteStore::migrations("alone").expect("a name");
        writer.execute_batch(&make).expect("a table");
        Self {
            writer: Arc::new(Mutex::new(writer)),
            readers: [(); 2].map(|()| Arc::new(Mutex::new(connect()))),
        }
    }
}

impl Sqlite {
    pub(crate) fn new(table: &Table, number: usize, changes: bool) -> Self {
        let (id, mut count) = (id(number, changes), 0);
        let insert = "INSERT INTO alone \
                      (id, namespace, version, created, last_seen, expires, data) \
                      VALUES (?, CAST(? AS TEXT), 0, 0, 0, 0, ?)";
        let values = (&id, NAMESPACE, record(&mut count));
        let writer = table.writer.lock().expect("no panic");
        writer.execute(insert, values).expect("stored");
        drop(writer);
        Self {
            reader: Arc::clone(&table.readers[number % 2]),
            writer: Arc::clone(&table.writer),
            id,
            changes,
            count,
        }
    }

    fn read(&self) {
        let reader = self.reader.lock().expect("no panic");
        let select = "SELECT version, created, last_seen, expires, subject, data FROM alone \
                      WHERE namespace = 'account' AND id = ?";
        let mut select = reader.prepare_cached(select).expect("prepared");
        let data = select.query_row((&self.id,), |row| row.get(5));
        let data: Vec<u8> = data.expect("loaded");
        assert!(!data.is_empty());
    }

    fn write(&mut self) {
        let data = record(&mut self.count);
        let writer = self.writer.lock().expect("no panic");
        let update = "UPDATE alone SET version = ?1, last_seen = ?1, expires = ?1, data = ?2 \
                      WHERE namespace = 'account' AND id = ?3";
        let mut update = writer.prepare_cached(update).expect("prepared");
        let values = (self.count as i64, data, &self.id);
        assert_eq!(update.execute(values).expect("stored"), 1);
    }
}

impl Work for Sqlite {
    async fn work(&mut self) {
        self.read();
        if self.changes {
            self.write();
        }
    }
}
