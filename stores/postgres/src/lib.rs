//! Keeps sessions in a table of a PostgreSQL database.
//!
//! For applications that have PostgreSQL already, on any number of machines. Every change is a
//! compare-and-swap in the database, so nothing is lost between processes.
//!
//! ```no_run
//! use cloakroom_postgres::PostgresStore;
//! use cloakroom_store::{Freshness, Key, NamespaceId, Record, SessionId, Store, Timestamp, Version};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let store = PostgresStore::connect("postgres://app:secret@localhost/shop").await?;
//! let key = Key::new(NamespaceId::new("cart")?, SessionId::from_bytes([7; 16]));
//! let now = Timestamp::from_millis(1_000);
//! let record = Record::new(Version::from_bits(1), now, now, "three apples".into());
//! store.create(&key, &record).await?;
//! let loaded = store.load(&key, Freshness::Latest).await?;
//! assert_eq!(loaded.unwrap().record, record);
//! # Ok(())
//! # }
//! ```
//!
//! # The table
//!
//! `cloakroom_sessions`, in the first schema of the user's `search_path`, unless the
//! [builder](PostgresStore::builder) says otherwise:
//!
//! | column | type | |
//! |---|---|---|
//! | `id`, `namespace` | `bytea` | the primary key, in this order: ids are random, so rows spread |
//! | `version` | `bigint` | 64 random bits |
//! | `created`, `last_seen`, `expires` | `bigint` | milliseconds since 1970, UTC; past the year 292 million negative |
//! | `subject` | `bytea` | UTF-8, or NULL |
//! | `data` | `bytea` | the engine's |
//!
//! Names and subjects are `bytea` because they are compared byte by byte: no collation is asked, and
//! none that changes with the system can damage an index. `encode(namespace, 'escape')` shows them:
//!
//! ```sql
//! SELECT encode(namespace, 'escape') AS namespace, count(*), max(to_timestamp(last_seen / 1000))
//! FROM cloakroom_sessions GROUP BY 1;
//! ```
//!
//! One index on `expires` serves sweeping, one on `(subject, namespace, id)`, of the rows that have a
//! subject, finds somebody's sessions. A second table, `cloakroom_sessions_schema`, holds the version
//! of the first. [`connect`](PostgresStore::connect) makes what is missing, also when several
//! programs start at once; [`PostgresStore::migrations`] prints it for a database administrator, and
//! a store then needs no right but SELECT, INSERT, UPDATE and DELETE. Telling changes, below, adds a
//! function and triggers.
//!
//! A replace or a touch moves `expires`, which is indexed, so it is no heap-only update: it leaves a
//! dead row, and entries in each index, for autovacuum. On a busy table have that run early, for
//! instance with `ALTER TABLE cloakroom_sessions SET (autovacuum_vacuum_scale_factor = 0.02)`.
//!
//! # What a call costs
//!
//! - **One prepared statement**, without a ping before it and without a transaction around it. A
//!   sweep is one for each 500 rows; it passes by rows that are locked, and judges each again as it
//!   deletes it.
//! - **Loads are pipelined** on two connections ([`readers`](PostgresStoreBuilder::readers)). On a
//!   connection of a sqlx pool, which has one statement at a time, those that wait go out together.
//! - **Writes that wait while a statement is under way go out together with the next**: one
//!   statement over arrays, of up to 128 calls of one kind and 1 MiB, each with its own outcome. A
//!   write that need not wait goes out at once. There are two connections for them
//!   ([`writers`](PostgresStoreBuilder::writers)); a key always takes the same one. Of replaces that
//!   wait and expect the same version of one session, one is sent: the others have lost then.
//! - Sweeps and listings have a connection of their own, made when it is first needed.
//!
//! # What it promises
//!
//! 1. **A locked row holds up nobody else.** A write skips rows that others have locked, and is sent
//!    again for those alone, with growing pauses, until its timeout. No statement waits for the lock
//!    of a row, so no two can wait for each other.
//! 2. **Nothing is sent twice whose outcome is unknown.** A write is sent again only when the server
//!    has said that it was rolled back: after a serialization failure (40001), a deadlock (40P01), a
//!    lock not to be had (55P03), or a skipped row. When the connection ends or the timeout passes
//!    the answer is `Unavailable` or `TimedOut`. Loads and sweeps are sent once more when their
//!    connection is lost.
//! 3. **A server that is down answers.** A call takes at most its
//!    [`timeout`](PostgresStoreBuilder::timeout). A connection that answers nothing is given up and made
//!    again. After three calls in a row without an answer calls fail at once, until the server, asked
//!    five times a second, answers again.
//! 4. **A call that is dropped** before it was sent never happens; one that was sent may. It leaves no
//!    lock and no half-used connection.
//! 5. **What is acknowledged** is as durable as a commit of the server: its `synchronous_commit` and
//!    its replication decide. With `synchronous_commit = off` a crash of the server undoes the last
//!    fraction of a second, so a session that was ended in it is back.
//!
//! All answers come from the server that the URL names. Name a primary: a replica answers loads from
//! the past and refuses writes with `Unavailable`. `target_session_attrs=read-write` in a URL with
//! several hosts finds the primary, also after a fail-over.
//!
//! # Telling what changes
//!
//! [`Watch::watch`](cloakroom_store::Watch::watch) gives a [`PostgresFeed`], which lets a cache in
//! front of the store be coherent across processes: **a change is told as soon as it is committed,
//! and what is served by a cache that follows the feed is at most 500 ms old**, whatever happens to
//! the link. It is by `LISTEN` and `NOTIFY`, and off until
//! [`tell_changes(true)`](PostgresStoreBuilder::tell_changes) has made the triggers that notify: they
//! belong to the table, so whoever writes to it tells, with that setting or without. It costs those
//! who write: commits that notify go one after another in all of the server. [`PostgresFeed`] says
//! how to measure that, and what else it needs.
//!
//! # What it needs
//!
//! - A tokio runtime around each call, with its I/O and timers on. The connections live on the
//!   runtime of the call that makes them; when that ends, the next call makes others.
//! - PostgreSQL 12 or newer. Engines that speak its language work as far as they know these
//!   statements: `unnest` of several arrays, `FOR UPDATE SKIP LOCKED`, `ON CONFLICT DO NOTHING`,
//!   `RETURNING`. No advisory locks, no `ctid`, and no `LISTEN` but to tell changes. An engine that answers
//!   `feature_not_supported` (0A000) to a statement over arrays, as one may that shards and can't lock
//!   rows of several shards at once, is from then on sent one plain statement for each write, which
//!   does wait for a locked row. Citus distributes the table by `id`.
//! - Statements that are prepared, and sessions that are its own: it sets `statement_timeout`,
//!   `lock_timeout`, `default_transaction_isolation` and four settings of the planner. Behind PgBouncer
//!   in transaction mode use [`prepared(false)`](PostgresStoreBuilder::prepared), which does neither.
//! - Sweeping, as the engine does it: an expired row lies there until then.
//! - Data of up to 1 MiB a record; [`max_data_size`](PostgresStoreBuilder::max_data_size) changes it.
//!
//! Rows that others have put into the table are no sessions: those that can't be a record are
//! `Corrupt` when loaded, and no listing shows them.
//!
//! # Features
//!
//! - `tls`: encrypts connections whose URL says `sslmode=require`, and verifies certificate and host
//!   name. Without that in the URL connections are not encrypted, whether the feature is on or not.
//! - `deadpool-postgres-0_14`: `PostgresStore::from_deadpool_0_14` takes connections from a pool of
//!   the application's own.
//! - `sqlx-0_9`: `PostgresStore::from_sqlx_0_9` takes them from a `sqlx::PgPool`. It needs Rust 1.94, as
//!   sqlx does.

mod builder;
mod call;
mod cursor;
mod error;
mod lane;
mod listing;
mod live;
mod migrate;
mod name;
mod pause;
mod reader;
mod row;
mod send;
mod shared;
mod source;
mod sql;
#[cfg(feature = "sqlx-0_9")]
mod sqlx_pool;
mod store;
mod sweep;
mod tell;
#[cfg(feature = "tls")]
mod tls;
mod values;
mod watch;
mod writer;

pub use builder::PostgresStoreBuilder;
pub use error::ConnectError;
pub use store::PostgresStore;
pub use watch::PostgresFeed;
