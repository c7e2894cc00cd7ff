//! The clients of the servers alone: a worker reads a record by its key, and writes it if it is to
//! change it, without looking at it.

pub(crate) mod memcached;
mod mysql;
mod postgres;
mod redis;
mod sqlite;

pub(crate) use mysql::{Mysql, Table as MysqlTable, connect as mysql};
pub(crate) use postgres::{Postgres, Table as PostgresTable, connect as postgres};
pub(crate) use redis::Redis;
pub(crate) use sqlite::{Sqlite, Table as SqliteTable};

/// How many bytes a record of the benches has, nearly.
const SIZE: usize = 300;

const NAMESPACE: &[u8] = b"account";

/// The id of a worker's record.
fn id(number: usize, changes: bool) -> Vec<u8> {
    let mut id = vec![changes.into(); 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    id
}

/// Another record each time: writing what is there already is nothing to some databases.
fn record(count: &mut u64) -> Vec<u8> {
    *count += 1;
    let mut record = vec![b'x'; SIZE];
    record[..8].copy_from_slice(&count.to_le_bytes());
    record
}
