//! Each store of tower-sessions, as its own documentation sets it up and as it is fastest.

use axum::Router;
use std::str::FromStr;
use tower_sessions::{CachingSessionStore, SessionStore};
use tower_sessions_moka_store::MokaStore;
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};
use tower_sessions_sqlx_store::sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use tower_sessions_sqlx_store::sqlx::postgres::{PgPool, PgPoolOptions};
use tower_sessions_sqlx_store::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tower_sessions_sqlx_store::{MySqlStore, PostgresStore, SqliteStore};

use crate::routes;

/// The routes with a store of that name and with those settings.
pub(crate) async fn router(store: &str, settings: &str, url: &str) -> Router {
    let is_default = match settings {
        "default" => true,
        "best" => false,
        _ => panic!("there are no settings {settings}"),
    };
    match store {
        "redis" => routes::router(redis(is_default, url).await),
        "postgres" => routes::router(postgres(is_default, url).await),
        "mysql" => routes::router(mysql(is_default, url).await),
        "sqlite" => routes::router(sqlite(is_default, url).await),
        "tiered" => {
            let cache = MokaStore::new(Some(2_000));
            let store = CachingSessionStore::new(cache, redis(is_default, url).await);
            routes::router(store)
        }
        _ => panic!("tower-sessions has no store {store}"),
    }
}

async fn redis(is_default: bool, url: &str) -> impl SessionStore + Clone {
    // The six are of the README. All requests are pipelined, and one connection does that best.
    let connections = if is_default { 6 } else { 1 };
    let config = Config::from_url(url).expect("an address");
    let pool = Pool::new(config, None, None, None, connections).expect("a pool");
    pool.connect();
    pool.wait_for_connect().await.expect("connected");
    RedisStore::new(pool)
}

async fn postgres(is_default: bool, url: &str) -> impl SessionStore + Clone {
    let pool = match is_default {
        true => PgPool::connect(url).await,
        false => {
            let options = PgPoolOptions::new().test_before_acquire(false);
            options.max_connections(10).connect(url).await
        }
    };
    let store = PostgresStore::new(pool.expect("connected"));
    store.migrate().await.expect("a table");
    store
}

async fn mysql(is_default: bool, url: &str) -> impl SessionStore + Clone {
    let pool = match is_default {
        true => MySqlPool::connect(url).await,
        false => {
            let options = MySqlPoolOptions::new().test_before_acquire(false);
            options.max_connections(10).connect(url).await
        }
    };
    let store = MySqlStore::new(pool.expect("connected"));
    store.migrate().await.expect("a table");
    store
}

/// `url` is the path of a folder.
async fn sqlite(is_default: bool, url: &str) -> impl SessionStore + Clone {
    let pool = match is_default {
        true => SqlitePool::connect(&format!("sqlite:{url}/default.db?mode=rwc")).await,
        false => {
            let options = SqliteConnectOptions::from_str(&format!("sqlite:{url}/best.db"))
                .expect("an address")
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal);
            let pool = SqlitePoolOptions::new().test_before_acquire(false);
            pool.connect_with(options).await
        }
    };
    let store = SqliteStore::new(pool.expect("opened"));
    store.migrate().await.expect("a table");
    store
}
