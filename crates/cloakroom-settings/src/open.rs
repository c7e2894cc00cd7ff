//! Opens the stores that a plan names.

use std::error::Error;
#[cfg(any(feature = "mysql", feature = "postgres"))]
use std::num::NonZeroUsize;

use cloakroom_core::store::AnyStore;

#[cfg(not(all(
    feature = "memory",
    feature = "file",
    feature = "sqlite",
    feature = "postgres",
    feature = "mysql",
    feature = "redis",
    feature = "memcached",
    feature = "tiered"
)))]
use crate::plan::needs_feature;
use crate::{
    plan::{StoreKind, StorePlan},
    tls::Tls,
};

type Failure = Box<dyn Error + Send + Sync>;

/// What stores say of why they can't be opened shows no password.
pub(crate) async fn open(plan: &StorePlan, tls: Tls) -> Result<AnyStore, String> {
    let opened = match plan.is_tiered {
        true => tiered(plan, tls).await,
        false => alone(plan, tls).await,
    };
    opened.map_err(|error| {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(source) = next {
            let source_text = source.to_string();
            if !text.ends_with(&source_text) {
                text = format!("{text}: {source_text}");
            }
            next = source.source();
        }
        text
    })
}

async fn alone(plan: &StorePlan, tls: Tls) -> Result<AnyStore, Failure> {
    let kind: StoreKind = plan.kind;
    let _ = &tls; // most have no use for it
    match kind {
        #[cfg(feature = "memory")]
        StoreKind::Memory => Ok(AnyStore::new(memory(plan))),
        #[cfg(feature = "file")]
        StoreKind::File => Ok(AnyStore::new(file(plan)?)),
        #[cfg(feature = "sqlite")]
        StoreKind::Sqlite => Ok(AnyStore::new(sqlite(plan)?)),
        #[cfg(feature = "postgres")]
        StoreKind::Postgres => Ok(AnyStore::new(postgres(plan, tls).await?)),
        #[cfg(feature = "mysql")]
        StoreKind::Mysql => Ok(AnyStore::new(mysql(plan, tls).await?)),
        #[cfg(feature = "redis")]
        StoreKind::Redis => Ok(AnyStore::new(redis(plan, tls).await?)),
        #[cfg(feature = "memcached")]
        StoreKind::Memcached => Ok(AnyStore::new(memcached(plan).await?)),
        // The check has said so already.
        #[cfg(not(all(
            feature = "memory",
            feature = "file",
            feature = "sqlite",
            feature = "postgres",
            feature = "mysql",
            feature = "redis",
            feature = "memcached"
        )))]
        kind => Err(needs_feature(kind.name()).into()),
    }
}

#[cfg(not(feature = "tiered"))]
async fn tiered(_: &StorePlan, _: Tls) -> Result<AnyStore, Failure> {
    Err(needs_feature("tiered").into())
}

/// Memory in front. Redis tells what others change, and PostgreSQL does if it is asked to; a copy of
/// what another store holds is served for `max_age`.
#[cfg(feature = "tiered")]
async fn tiered(plan: &StorePlan, tls: Tls) -> Result<AnyStore, Failure> {
    use cloakroom_tiered::{TieredStore, TieredStoreBuilder};

    fn set<B: cloakroom_core::store::Store>(
        mut builder: TieredStoreBuilder<cloakroom_memory::MemoryStore, B>,
        plan: &StorePlan,
    ) -> TieredStoreBuilder<cloakroom_memory::MemoryStore, B> {
        if let Some(age) = plan.options.duration("max_age") {
            builder = builder.max_age(age);
        }
        if let Some(timeout) = plan.options.duration("front_timeout") {
            builder = builder.front_timeout(timeout);
        }
        builder
    }

    let front = memory(plan);
    #[cfg(feature = "redis")]
    if plan.kind == StoreKind::Redis {
        let back = redis(plan, tls).await?;
        let store = set(TieredStore::builder(front, back).watch(), plan).build();
        return Ok(AnyStore::new(store));
    }
    #[cfg(feature = "postgres")]
    if plan.kind == StoreKind::Postgres && plan.options.is_on("tell_changes") {
        let back = postgres(plan, tls).await?;
        let store = set(TieredStore::builder(front, back).watch(), plan).build();
        return Ok(AnyStore::new(store));
    }
    let back = alone(plan, tls).await?;
    let store = set(TieredStore::builder(front, back), plan).build();
    Ok(AnyStore::new(store))
}

#[cfg(feature = "memory")]
fn memory(plan: &StorePlan) -> cloakroom_memory::MemoryStore {
    let mut builder = cloakroom_memory::MemoryStore::builder();
    if let Some(sessions) = plan.options.size("max_sessions") {
        builder = builder.max_sessions(sessions);
    }
    if let Some(bytes) = plan.options.size("max_bytes") {
        builder = builder.max_bytes(bytes);
    }
    builder.build()
}

#[cfg(feature = "file")]
fn file(plan: &StorePlan) -> Result<cloakroom_file::FileStore, cloakroom_file::OpenError> {
    use cloakroom_file::{FileStore, Fsync};
    let mut builder = FileStore::builder(&plan.address);
    if let Some(fsync) = plan.options.choice("fsync") {
        builder = builder.fsync(match fsync {
            "never" => Fsync::Never,
            "file_and_folder" => Fsync::FileAndFolder,
            _ => Fsync::File,
        });
    }
    if let Some(bytes) = plan.options.size("max_data_size") {
        builder = builder.max_data_size(bytes);
    }
    if plan.options.is_on("allow_network_file_system") {
        builder = builder.allow_network_file_system();
    }
    builder.open()
}

#[cfg(feature = "sqlite")]
fn sqlite(plan: &StorePlan) -> Result<cloakroom_sqlite::SqliteStore, cloakroom_sqlite::OpenError> {
    use cloakroom_sqlite::{SqliteStore, Synchronous};
    let mut builder = SqliteStore::builder(&plan.address);
    if let Some(table) = plan.options.text("table") {
        builder = builder.table(table);
    }
    if let Some(mode) = plan.options.choice("synchronous") {
        builder = builder.synchronous(match mode {
            "off" => Synchronous::Off,
            "normal" => Synchronous::Normal,
            _ => Synchronous::Full,
        });
    }
    if let Some(migrate) = plan.options.bool("migrate") {
        builder = builder.migrate(migrate);
    }
    if let Some(bytes) = plan.options.size("max_data_size") {
        builder = builder.max_data_size(bytes);
    }
    if let Some(bytes) = plan.options.number("max_file_size") {
        builder = builder.max_file_size(bytes);
    }
    if let Some(loads) = plan.options.size("inline_loads") {
        builder = builder.inline_loads(loads);
    }
    builder.open()
}

#[cfg(feature = "postgres")]
async fn postgres(
    plan: &StorePlan,
    #[cfg_attr(
        not(feature = "postgres-tls"),
        expect(unused_variables, reason = "no TLS")
    )]
    tls: Tls,
) -> Result<cloakroom_postgres::PostgresStore, cloakroom_postgres::ConnectError> {
    let options = &plan.options;
    let mut builder = cloakroom_postgres::PostgresStore::builder(&plan.address);
    if let Some(schema) = options.text("schema") {
        builder = builder.schema(schema);
    }
    if let Some(table) = options.text("table") {
        builder = builder.table(table);
    }
    if let Some(readers) = plan.options.size("readers").and_then(NonZeroUsize::new) {
        builder = builder.readers(readers);
    }
    if let Some(writers) = plan.options.size("writers").and_then(NonZeroUsize::new) {
        builder = builder.writers(writers);
    }
    if let Some(timeout) = options.duration("timeout") {
        builder = builder.timeout(timeout);
    }
    if let Some(timeout) = options.duration("slow_timeout") {
        builder = builder.slow_timeout(timeout);
    }
    if let Some(timeout) = options.duration("connect_timeout") {
        builder = builder.connect_timeout(timeout);
    }
    if let Some(bytes) = plan.options.size("max_data_size") {
        builder = builder.max_data_size(bytes);
    }
    if let Some(migrate) = options.bool("migrate") {
        builder = builder.migrate(migrate);
    }
    if let Some(prepared) = options.bool("prepared") {
        builder = builder.prepared(prepared);
    }
    if let Some(tell) = options.bool("tell_changes") {
        builder = builder.tell_changes(tell);
    }
    #[cfg(feature = "postgres-tls")]
    if let Some(roots) = tls.roots {
        builder = builder.tls_roots(&roots);
    }
    match options.is_on("connect_lazily") {
        true => builder.connect_lazily(),
        false => builder.connect().await,
    }
}

#[cfg(feature = "mysql")]
async fn mysql(
    plan: &StorePlan,
    #[cfg_attr(
        not(feature = "mysql-tls"),
        expect(unused_variables, reason = "no TLS")
    )]
    tls: Tls,
) -> Result<cloakroom_mysql::MysqlStore, cloakroom_mysql::ConnectError> {
    let options = &plan.options;
    let mut builder = cloakroom_mysql::MysqlStore::builder(&plan.address);
    if let Some(schema) = options.text("schema") {
        builder = builder.schema(schema);
    }
    if let Some(table) = options.text("table") {
        builder = builder.table(table);
    }
    if let Some(connections) = plan.options.size("connections").and_then(NonZeroUsize::new) {
        builder = builder.connections(connections);
    }
    if let Some(timeout) = options.duration("timeout") {
        builder = builder.timeout(timeout);
    }
    if let Some(timeout) = options.duration("slow_timeout") {
        builder = builder.slow_timeout(timeout);
    }
    if let Some(timeout) = options.duration("connect_timeout") {
        builder = builder.connect_timeout(timeout);
    }
    if let Some(bytes) = plan.options.size("max_data_size") {
        builder = builder.max_data_size(bytes);
    }
    if let Some(migrate) = options.bool("migrate") {
        builder = builder.migrate(migrate);
    }
    #[cfg(feature = "mysql-tls")]
    if let Some(roots) = tls.roots {
        builder = builder.tls_roots(&roots);
    }
    match options.is_on("connect_lazily") {
        true => builder.connect_lazily(),
        false => builder.connect().await,
    }
}

#[cfg(feature = "redis")]
async fn redis(
    plan: &StorePlan,
    #[cfg_attr(
        not(feature = "redis-tls"),
        expect(unused_variables, reason = "no TLS")
    )]
    tls: Tls,
) -> Result<cloakroom_redis::RedisStore, cloakroom_redis::OpenError> {
    let options = &plan.options;
    let mut builder = cloakroom_redis::RedisStore::builder(&plan.address);
    if let Some(prefix) = options.text("prefix") {
        builder = builder.prefix(prefix);
    }
    if let Some(timeout) = options.duration("timeout") {
        builder = builder.timeout(timeout);
    }
    if let Some(timeout) = options.duration("connect_timeout") {
        builder = builder.connect_timeout(timeout);
    }
    if let Some(bytes) = plan.options.size("max_data_size") {
        builder = builder.max_data_size(bytes);
    }
    #[cfg(feature = "redis-tls")]
    {
        if let Some(roots) = tls.roots {
            builder = builder.tls_root_certificates(roots.to_vec());
        }
        if let Some([certificate, key]) = tls.identity {
            builder = builder.tls_client_certificate(certificate.to_vec(), key.to_vec());
        }
    }
    match options.is_on("connect_lazily") {
        true => builder.build(),
        false => builder.connect().await,
    }
}

#[cfg(feature = "memcached")]
async fn memcached(
    plan: &StorePlan,
) -> Result<cloakroom_memcached::MemcachedStore, cloakroom_memcached::OpenError> {
    let options = &plan.options;
    let mut builder = cloakroom_memcached::MemcachedStore::builder(&plan.address);
    if let Some(prefix) = options.text("prefix") {
        builder = builder.prefix(prefix);
    }
    if let Some(timeout) = options.duration("timeout") {
        builder = builder.timeout(timeout);
    }
    if let Some(timeout) = options.duration("connect_timeout") {
        builder = builder.connect_timeout(timeout);
    }
    if let Some(bytes) = plan.options.size("max_data_size") {
        builder = builder.max_data_size(bytes);
    }
    match options.is_on("connect_lazily") {
        true => builder.build(),
        false => builder.connect().await,
    }
}
