//! GET, and SET with a time to live, all workers on one connection.

use cloakroom_load::Work;
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;

use super::record;

pub(crate) struct Redis {
    connection: MultiplexedConnection,
    name: String,
    changes: bool,
    count: u64,
}

impl Redis {
    pub(crate) async fn new(
        mut connection: MultiplexedConnection,
        number: usize,
        changes: bool,
    ) -> Self {
        let name = format!("alone:{number}:{changes}");
        let mut count = 0;
        let set = connection.set_ex(&name, record(&mut count), 86_400);
        let () = set.await.expect("stored");
        Self {
            connection,
            name,
            changes,
            count,
        }
    }
}

impl Work for Redis {
    async fn work(&mut self) {
        let value: Vec<u8> = self.connection.get(&self.name).await.expect("loaded");
        assert!(!value.is_empty());
        if self.changes {
            let record = record(&mut self.count);
            let set = self.connection.set_ex(&self.name, record, 86_400);
            let () = set.await.expect("stored");
        }
    }
}
