//! Keeps [cloakroom]'s sessions in a table of an SQLite database, shared by all processes of one
//! machine.
//!
//! For an application on one machine: no server to run, changes that survive a loss of power, and
//! loads that cost little more than a system call. For several machines use another store; for
//! tests and for what may be lost, `cloakroom-memory`.
//!
//! ```
//! use cloakroom_sqlite::SqliteStore;
//! use cloakroom_store::{
//!     Freshness, Key, NamespaceId, Record, SessionId, Store, Timestamp, Version,
//! };
//!
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("sessions.db");
//! let store = SqliteStore::open(path)?;
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let key = Key::new(NamespaceId::new("cart")?, SessionId::from_bytes([7; 16]));
//! let now = Timestamp::from_millis(1_000);
//! let record = Record::new(Version::from_bits(1), now, now, "three apples".into());
//! store.create(&key, &record).await?;
//! let loaded = store.load(&key, Freshness::Any).await?;
//! assert_eq!(loaded.unwrap().record, record);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it promises
//!
//! 1. **What is acknowledged is on the disk.** Each commit waits for it; [`Synchronous`] says what
//!    the faster modes give up. A process that is killed at any moment loses nothing that it has
//!    acknowledged, in any mode.
//! 2. **A load answers from the database itself**, and sees every change that was acknowledged
//!    before it, by any process. There is no cache that could be behind.
//! 3. **One statement a call**, and two more for each transaction of several. A replace is
//!    `UPDATE .. WHERE version = ..`, a sweep judges each row in the statement that deletes it.
//! 4. **A call is answered within half a second**, though another process holds the lock: a change
//!    waits for that 400 ms at most, is `TimedOut` then, and nothing has happened. Loads and
//!    listings wait for no writer. When the disk itself hangs, calls are given up after 2 seconds,
//!    but for loads that it has caught on the threads of their callers.
//! 5. **It recovers by itself.** A full disk, a missing table, a damaged, deleted or replaced file
//!    is `Unavailable` for as long as it lasts, and no longer; loads look at the file ten times a
//!    second, changes each time. A database that is gone is not made anew before the next
//!    [`open`](SqliteStore::open): that would end all sessions without a word.
//! 6. **A row that is no record is `Corrupt`**, never a panic, and can be deleted. A damaged
//!    *file* is `Unavailable`, so that nobody's session is replaced by an empty one for that.
//! 7. **A call whose future is dropped** before its change has begun changes nothing, and holds
//!    nothing up. What waits for a lock, of this process or of another, has not begun.
//!
//! # What a call costs
//!
//! A **change** goes to the one thread that writes. What comes while that one waits for the disk
//! goes out together with the next commit, up to 256 changes or 20 ms of work, and each call has
//! its own outcome; a change that comes alone is committed at once. So a commit's wait for the
//! disk, 0.1 to 10 ms, is what a lone change costs, and is shared under load.
//! [`SqliteStore::stats`] tells how many changes share a commit.
//!
//! A **load** is answered on the thread of its caller, and its future is ready at once: that takes
//! about 5 µs, where a hand-over to another thread and back adds 5 to 100, up to two switches of
//! threads, and as much work again for the cores. It waits for no lock: where SQLite would wait, the
//! store's own reading thread takes over, as it does for listings. What it may wait for is the
//! disk, when the page is not in memory. So that a disk that hangs
//! can't stop a program, one caller fewer than there are cores loads at the same time
//! ([`inline_loads`](SqliteStoreBuilder::inline_loads)), and for a second after a load that took
//! more than 50 ms all go to the reading thread. On a runtime with one thread a disk that hangs
//! holds up that thread; with `inline_loads(0)` it does not.
//!
//! A store has four threads (writer, reader, log, timer) and up to 16 MiB of cache for each of its
//! connections: three, and one for each inline load. It needs no runtime. The log is moved to the
//! database beside the writer, and has up to about 32 MiB; more for as long as another program keeps
//! a transaction open in which it reads.
//!
//! # The database
//!
//! ```sql
//! CREATE TABLE "cloakroom_sessions" (
//!     namespace TEXT NOT NULL,
//!     id BLOB NOT NULL CHECK (length(id) = 16),
//!     version INTEGER NOT NULL, -- 64 random bits
//!     created INTEGER NOT NULL, -- milliseconds since 1970-01-01 UTC, as all times
//!     last_seen INTEGER NOT NULL,
//!     expires INTEGER NOT NULL,
//!     subject TEXT,
//!     data BLOB NOT NULL,
//!     PRIMARY KEY (namespace, id)
//! ) STRICT;
//! ```
//!
//! Two indexes, for sweeping and for the sessions of a subject, and the table
//! `cloakroom_sessions_schema` with the schema's versions go with it. Opening a store makes them
//! and brings them up to date; [`SqliteStore::migrations`] gives the SQL to whoever does that by hand.
//! Times from the year 292 million on are negative.
//!
//! - The file is made with mode 0600, and so are the log (`-wal`) and the index (`-shm`) beside it.
//!   All three belong together: never copy, move or delete one of them while a program uses it.
//!   `VACUUM INTO` makes a copy at any moment. A restored copy takes effect when it is renamed over
//!   the file after `PRAGMA wal_checkpoint(TRUNCATE)`, with the programs stopped if they can be.
//! - The database is put into WAL mode and stays there. That needs a local disk: on a network file
//!   system it fails, or damages the database. Programs in several containers on one machine may
//!   share it if the volume is local.
//! - The processes run as one user, who may write to the folder too. Where others may write to the
//!   file, they can do anything to the sessions but open them.
//! - Other tables in the file are left alone, so sessions may lie in an application's own database.
//!   The store makes its connections itself, beside those of the application: a pool is there to bound
//!   the connections of a server, while a file has no need of that, and one writer that commits in groups
//!   needs a connection of its own. The application's connections should wait for a lock too
//!   (`busy_timeout`), and take `BEGIN IMMEDIATE` for transactions that write. There is one lock for
//!   writers of the file: a transaction of theirs of more than 400 ms makes changes here `TimedOut`. A
//!   database in memory, or encrypted with a key, is none for this store.
//! - The file does not shrink by itself. What a sweep frees is used again; `VACUUM` gives it back,
//!   and locks the database for as long as it takes.
//! - Deleted data stays in free pages of the file, and in backups, until it is overwritten.
//! - SQLite is compiled in. A program can have one SQLite only, so all crates in it have to agree on the
//!   version of `libsqlite3-sys`: cargo refuses to build otherwise. This one has rusqlite 0.41, and so
//!   `libsqlite3-sys` 0.39. sqlx 0.8 wants 0.30 of it, sqlx 0.9 less than 0.38, `deadpool-sqlite` 0.14 and
//!   `r2d2_sqlite` 0.35 want 0.38: none of them goes together with this store. sqlx for another database
//!   does, with `default-features = false`: its default features put its SQLite into the lock file
//!   although it is not used.
//!
//! [cloakroom]: https://docs.rs/cloakroom

mod address;
mod builder;
mod checkpoint;
mod connection;
mod cursor;
mod error;
mod file;
mod pace;
mod readers;
mod row;
mod schema;
mod shared;
mod statements;
mod stats;
mod store;
mod timer;
mod write;
mod writer;

pub use builder::{SqliteStoreBuilder, Synchronous};
pub use error::OpenError;
pub use stats::Stats;
pub use store::SqliteStore;
