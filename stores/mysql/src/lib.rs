//! Keeps sessions in a table of a MySQL or MariaDB database.
//!
//! For applications that have one already, on any number of machines. Every change is a
//! compare-and-swap in the database, so nothing is lost between processes.
//!
//! ```no_run
//! use cloakroom_mysql::MysqlStore;
//! use cloakroom_store::{Freshness, Key, NamespaceId, Record, SessionId, Store, Timestamp, Version};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MysqlStore::connect("mysql://app:secret@localhost/shop").await?;
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
//! `cloakroom_sessions`, in the database that the URL names, unless the
//! [builder](MysqlStore::builder) says otherwise:
//!
//! | column | type | |
//! |---|---|---|
//! | `id`, `namespace` | `VARBINARY` | the primary key, in this order: ids are random, so rows spread |
//! | `version` | `BIGINT UNSIGNED` | 64 random bits |
//! | `created`, `last_seen`, `expires` | `BIGINT UNSIGNED` | milliseconds since 1970, UTC |
//! | `subject` | `VARBINARY(255)` | UTF-8, or NULL |
//! | `data` | `LONGBLOB` | the engine's |
//!
//! Names and subjects are binary because they are compared byte by byte: no collation takes `Ann` for
//! `ann`. `CONVERT(.. USING utf8mb4)` shows them:
//!
//! ```sql
//! SELECT CONVERT(namespace USING utf8mb4) AS namespace, COUNT(*),
//!        FROM_UNIXTIME(MAX(last_seen) / 1000)
//! FROM cloakroom_sessions GROUP BY 1;
//! ```
//!
//! One index on `expires` serves sweeping, one on `(subject, namespace, id)` finds somebody's
//! sessions. A second table, `cloakroom_sessions_schema`, holds the version of the first.
//! [`connect`](MysqlStore::connect) makes what is missing, also when several programs start at once;
//! [`MysqlStore::migrations`] prints it for a database administrator, and a store then needs no right
//! but SELECT, INSERT, UPDATE and DELETE on the table and SELECT on the other.
//!
//! # What a call costs
//!
//! - **One prepared statement**, without a ping before it and without a transaction around it; one more
//!   for a delete of what is not there. A connection prepares a statement when it first needs it.
//! - A sweep looks for up to 500 rows at a time, passing by those that are locked, and deletes them by
//!   their keys, 50 in a statement, judging each again.
//! - MySQL's protocol has one statement at a time on a connection, so calls take turns on up to
//!   [`connections`](MysqlStoreBuilder::connections) of them. Writes of one key go one after the other.
//!   Sweeps and listings have a connection of their own.
//! - A connection that has been idle for 10 s is pinged in the background, so that it is neither closed
//!   by the server nor found dead by a call.
//!
//! # What it promises
//!
//! 1. **A locked row holds up nobody else.** MariaDB says at once that a row is locked; the write is
//!    sent again, with growing pauses and without a connection in between, until its timeout. MySQL
//!    has the write wait, on one connection for each locked key.
//! 2. **Nothing is sent twice whose outcome is unknown.** A write is sent again only when the server
//!    has said that it was rolled back or not begun: after a deadlock (1213), a lock not to be had
//!    (1205), a row that has changed (1020), a prepared statement that it has lost (1243, 1615), or a
//!    connection that was idle for too long (4031). When the connection ends or the timeout passes the
//!    answer is `Unavailable` or `TimedOut`. Loads and listings are sent once more when their
//!    connection is lost. The driver, `mysql_async`, sends nothing again by itself.
//! 3. **A server that is down answers.** A call takes at most its
//!    [`timeout`](MysqlStoreBuilder::timeout). A connection that has not answered in time is given up.
//!    After three calls in a row without an answer calls fail at once, until the server, asked for a new
//!    connection up to five times a second, gives one.
//! 4. **A call that is dropped** before it was sent never happens; one that was sent may. It leaves no
//!    lock and no half-used connection. On MySQL a write that waits for a locked row goes on waiting
//!    for it, up to 1 s, although nobody waits for the write any more; MariaDB has none.
//! 5. **What is acknowledged** has been committed, and is as durable as a commit of the server: its
//!    `innodb_flush_log_at_trx_commit`, `sync_binlog` and its replication decide. With a value other
//!    than 1 a crash may undo the last second, so a session that was ended in it is back. The word OK
//!    is not enough: an answer that can't be that of its statement, such as an insert of no row, is an
//!    error of unknown outcome (`Other`), and its connection is closed.
//!
//! Killing is survived like an outage. After `KILL` MariaDB closes a connection without a word, whether
//! it has committed the statement under way or not: the outcome is unknown, the error `Unavailable`.
//! After `KILL QUERY` it says that the statement was rolled back (1317), and the connection stays.
//! Of a DELETE that it ends early, for that or for `max_statement_time`, MariaDB (seen with 10.11) may say
//! OK instead, and that nothing was deleted, with the row still there. So a delete that has found nothing
//! is followed by a SELECT, and sent again if that finds something: only then is nothing there.
//!
//! After the server was restarted quietly a write may meet the end of its connection, once; all other
//! idle connections are replaced then.
//!
//! All answers come from the server that the URL names. Name a primary: a replica answers loads from
//! the past, and one that is read-only refuses writes with `Unavailable`.
//!
//! # What it needs
//!
//! - A tokio runtime around each call, with its I/O and timers on. The connections live on the
//!   runtime of the call that makes them; when that ends, the next call makes others.
//! - MariaDB 10.6 or newer, with which it is tested, or MySQL 8.0 or newer, for which it is written
//!   and with which it is not tested. Group replication and Galera roll back what is in each other's
//!   way, as a deadlock.
//! - Sessions that are its own: it sets `NAMES binary`, the isolation level READ COMMITTED,
//!   `sql_mode`, `wait_timeout` and time limits. `binlog_format` has to be ROW or MIXED, which are the defaults.
//! - Sweeping, as the engine does it: an expired row lies there until then.
//! - Data of up to 1 MiB a record; [`max_data_size`](MysqlStoreBuilder::max_data_size) changes it. The
//!   server's `max_allowed_packet` has to have room for it; else the record is `TooLarge`.
//!
//! Rows that others have put into the table are no sessions: those that can't be a record are
//! `Corrupt` when loaded, and no listing shows them.
//!
//! # Features
//!
//! - `tls`: encrypts connections whose URL says `require_ssl=true`, and verifies certificate and host
//!   name. Without that in the URL connections are not encrypted, whether the feature is on or not. If
//!   the process has not chosen a provider of cryptography for rustls, opening such a store makes it
//!   `ring`.
//! - `mysql_async-0_37`: `MysqlStore::from_mysql_async_0_37` takes connections from a
//!   `mysql_async::Pool` of the application's own.
//! - `sqlx-0_9`: `MysqlStore::from_sqlx_0_9` takes them from a `sqlx::MySqlPool`. It needs Rust 1.94, as
//!   sqlx does.

mod builder;
mod cursor;
mod error;
#[cfg(feature = "mysql_async-0_37")]
mod lender;
mod listing;
mod live;
mod migrate;
mod name;
mod pause;
mod pool;
mod row;
mod shared;
mod source;
mod sql;
mod store;
mod sweep;
#[cfg(feature = "tls")]
mod tls;
mod turns;
mod wire;

pub use builder::MysqlStoreBuilder;
pub use error::ConnectError;
pub use store::MysqlStore;
