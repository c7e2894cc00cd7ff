//! Prepared statements on a table like the store's, on as many connections as the store has.

use std::sync::Arc;

use cloakroom_load::Work;
use cloakroom_mysql::MysqlStore;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Row, Statement};
use tokio::sync::Mutex;

use super::{NAMESPACE, id, record};

const CONNECTIONS: usize = 8;

pub(crate) struct Mysql {
    connection: Arc<Mutex<Connection>>,
    id: Vec<u8>,
    changes: bool,
    count: u64,
}

struct Connection {
    conn: Conn,
    select: Statement,
    update: Statement,
}

#[derive(Clone)]
pub(crate) struct Table(Vec<Arc<Mutex<Connection>>>);

pub(crate) async fn connect(url: &str) -> Conn {
    let options = Opts::from_url(url).expect("an address");
    Conn::new(options).await.expect("connected")
}

impl Table {
    pub(crate) async fn new(url: &str) -> Self {
        let make = MysqlStore::migrations(None, "alone").expect("a name");
        let mut maker = connect(url).await;
        maker.query_drop(make).await.expect("a table");
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut conn = connect(url).await;
            let select = "SELECT version, created, last_seen, expires, subject, data FROM alone \
                          WHERE id = ? AND namespace = ?";
            let update = "UPDATE alone SET version = ?, last_seen = ?, expires = ?, data = ? \
                          WHERE id = ? AND namespace = ?";
            let select = conn.prep(select).await.expect("prepared");
            let update = conn.prep(update).await.expect("prepared");
            connections.push(Arc::new(Mutex::new(Connection {
                conn,
                select,
                update,
            })));
        }
        Self(connections)
    }
}

impl Mysql {
    pub(crate) async fn new(table: &Table, number: usize, changes: bool) -> Self {
        let (id, mut count) = (id(number, changes), 0);
        let connection = Arc::clone(&table.0[number % CONNECTIONS]);
        let insert = "INSERT IGNORE INTO alone \
                      (id, namespace, version, created, last_seen, expires, data) \
                      VALUES (?, ?, 0, 0, 0, 0, ?)";
        let values = (&id, NAMESPACE, record(&mut count));
        let mut locked = connection.lock().await;
        locked.conn.exec_drop(insert, values).await.expect("stored");
        drop(locked);
        Self {
            connection,
            id,
            changes,
            count,
        }
    }
}

impl Work for Mysql {
    async fn work(&mut self) {
        let mut connection = self.connection.lock().await;
        let Connection { conn, select, .. } = &mut *connection;
        let row = conn.exec_first(&*select, (&self.id, NAMESPACE)).await;
        let row: Option<Row> = row.expect("loaded");
        assert!(row.is_some());
        drop(connection);
        if self.changes {
            let data = record(&mut self.count);
            let count = self.count;
            let values = (count, count, count, data, &self.id, NAMESPACE);
            let mut connection = self.connection.lock().await;
            let Connection { conn, update, .. } = &mut *connection;
            conn.exec_drop(&*update, values).await.expect("stored");
        }
    }
}
