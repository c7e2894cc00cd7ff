//! Where the accounts and carts are kept: the store that an address names. Nothing else in the shop
//! knows which one it is.

use std::error::Error;

use cloakroom::{
    FileStore, MemcachedStore, MemoryStore, MysqlStore, PostgresStore, RedisStore, SqliteStore,
    TieredStore,
    store::{AnyStore, Store},
};

pub(crate) const ADDRESSES: &str = "memory:, file:FOLDER, sqlite:FILE, postgres://.., mysql://.., redis://.., \
                                    redis-cluster://.., memcache://.., or tiered: before one of them";

pub(crate) async fn open(address: &str) -> Result<AnyStore, Box<dyn Error>> {
    match address.strip_prefix("tiered:") {
        Some(back) => open_behind_memory(back).await,
        None => open_alone(address).await,
    }
}

/// Reads are answered from memory where they can be. Redis tells what other processes change; of
/// other stores a copy is served for a second.
async fn open_behind_memory(back: &str) -> Result<AnyStore, Box<dyn Error>> {
    let front = MemoryStore::new();
    Ok(match scheme(back) {
        "redis" | "rediss" => {
            let back = RedisStore::connect(back).await?;
            TieredStore::builder(front, back).watch().build().into_any()
        }
        _ => TieredStore::new(front, open_alone(back).await?).into_any(),
    })
}

async fn open_alone(address: &str) -> Result<AnyStore, Box<dyn Error>> {
    Ok(match scheme(address) {
        "memory" => MemoryStore::new().into_any(),
        "file" => FileStore::open(address.trim_start_matches("file:"))?.into_any(),
        "sqlite" => SqliteStore::connect(address)?.into_any(),
        "postgres" | "postgresql" => PostgresStore::connect(address).await?.into_any(),
        "mysql" => MysqlStore::connect(address).await?.into_any(),
        "redis" | "rediss" | "redis-cluster" | "redis-sentinel" => {
            RedisStore::connect(address).await?.into_any()
        }
        "memcache" => MemcachedStore::connect(address).await?.into_any(),
        other => return Err(format!("{other:?} is no store; there are {ADDRESSES}").into()),
    })
}

fn scheme(address: &str) -> &str {
    address
        .split_once(':')
        .map_or(address, |(scheme, _)| scheme)
}
