//! Prepared statements on a table like the store's, all workers on one connection.

use std::sync::Arc;

use cloakroom_load::Work;
use cloakroom_postgres::PostgresStore;
use tokio_postgres::{Client, NoTls, Statement};

use super::{NAMESPACE, id, record};

pub(crate) struct Postgres {
    table: Table,
    id: Vec<u8>,
    changes: bool,
    count: u64,
}

#[derive(Clone)]
pub(crate) struct Table {
    client: Arc<Client>,
    select: Statement,
    update: Statement,
}

/// A connection that lives as long as its client.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("connected");
    tokio::spawn(connection);
    client
}

impl Table {
    pub(crate) async fn new(url: &str) -> Self {
        let client = connect(url).await;
        let make = PostgresStore::migrations(None, "alone").expect("a name");
        client.batch_execute(&make).await.expect("a table");
        let select = "SELECT version, created, last_seen, expires, subject, data FROM alone \
                      WHERE id = $1 AND namespace = $2";
        let update = "UPDATE alone SET version = $3, last_seen = $3, expires = $3, data = $4 \
                      WHERE id = $1 AND namespace = $2";
        Self {
            select: client.prepare(select).await.expect("prepared"),
            update: client.prepare(update).await.expect("prepared"),
            client: Arc::new(client),
        }
    }
}

impl Postgres {
    pub(crate) async fn new(table: Table, number: usize, changes: bool) -> Self {
        let (id, mut count) = (id(number, changes), 0);
        let data = record(&mut count);
        let insert = "INSERT INTO alone (id, namespace, version, created, last_seen, expires, data) \
                      VALUES ($1, $2, 0, 0, 0, 0, $3) ON CONFLICT DO NOTHING";
        let inserted = table
            .client
            .execute(insert, &[&id, &NAMESPACE, &data])
            .await;
        inserted.expect("stored");
        Self {
            table,
            id,
            changes,
            count,
        }
    }
}

impl Work for Postgres {
    async fn work(&mut self) {
        let Table {
            client,
            select,
            update,
        } = &self.table;
        let row = client.query_one(select, &[&self.id, &NAMESPACE]).await;
        assert!(!row.expect("loaded").get::<_, &[u8]>(5).is_empty());
        if self.changes {
            let data = record(&mut self.count);
            let version = self.count as i64;
            let updated = client
                .execute(update, &[&self.id, &NAMESPACE, &version, &data])
                .await;
            assert_eq!(updated.expect("stored"), 1);
        }
    }
}
