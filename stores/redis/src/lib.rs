//! Keeps cloakroom's sessions in Redis (6.2 and later) or Valkey: one server, one that sentinels
//! watch, or a cluster.
//!
//! ```no_run
//! use cloakroom_redis::RedisStore;
//! use cloakroom_store::{Freshness, Key, NamespaceId, Record, SessionId, Store, Timestamp, Version};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::connect("redis://localhost").await?;
//! let key = Key::new(NamespaceId::new("cart")?, SessionId::from_bytes([7; 16]));
//! # let (now, in_an_hour) = (Timestamp::EPOCH, Timestamp::MAX);
//! let record = Record::new(Version::from_bits(1), now, in_an_hour, "three apples".into());
//! store.create(&key, &record).await?;
//! let loaded = store.load(&key, Freshness::Any).await?;
//! assert_eq!(loaded.unwrap().record, record);
//! # Ok(()) }
//! ```
//!
//! # URLs
//!
//! | servers | URL |
//! |---|---|
//! | one | `redis://user:password@host:6379/3`, the last being the database |
//! | one, on a socket of the system | `redis+unix:///run/redis.sock?db=3` |
//! | the one that sentinels name | `redis-sentinel://:password@a:26379,b,c/3?master=name` |
//! | a cluster, by some of its nodes | `redis-cluster://:password@a:7000,b:7000` |
//!
//! `valkey` may stand for `redis`. `rediss`, `rediss-sentinel` and `rediss-cluster` speak TLS, which
//! needs the feature `tls-rustls`; a server is then known by the name or the address in the URL, a
//! node of a cluster by the one that the cluster announces. Sentinels with users of their own get
//! `sentinel_user` and `sentinel_password` after the `?`. What is no letter, digit, `-` or `_` in a
//! password is written as in `%2F`. No error and no `Debug` shows a URL or a password.
//!
//! # What is on the server
//!
//! | key | value | expires |
//! |---|---|---|
//! | `{prefix}:s:{namespace}:{id}` | a string: the record, as `Record::encode` writes it | 60 s after the record |
//! | `{prefix}:u:{namespace}:{subject}` | a sorted set: hints, which sessions may be the subject's | after the last of them |
//!
//! No script touches two keys, so nothing has to lie in one slot of a cluster.
//!
//! # What a call costs
//!
//! | call | commands |
//! |---|---|
//! | `load` | 1 `GETRANGE`, which answers no more than a record may have |
//! | `create` | 1 `SET` |
//! | `replace`, `touch` | 1 script |
//! | `delete` | 1 `DEL` |
//! | `create` and `replace` with a subject that is new to the session | 1 script more, before it |
//! | `replace` and `touch` with a subject, at most once in each idle lifetime | the same |
//! | `sweep` | none: the server expires records |
//! | `by_subject`, a page of at most 250 | 1 script, and 1 `GETRANGE` of 295 bytes per hint, all at once |
//! | `scan`, a page | 1 `INFO`, up to 16 `SCAN`, and 1 `GETRANGE` of 295 bytes per record |
//!
//! Scripts go by their hash. A server that does not know one, after a restart, a fail-over or
//! `SCRIPT FLUSH`, has not run it, and gets its text once. All calls share one connection to each
//! server, on which they don't wait for each other's answers.
//!
//! # The index of subjects
//!
//! A hint is added before the record is written, and verified when it is read: a listing shows a
//! session only if its record is the subject's. Wrong hints that are older than a minute are removed
//! by listings, and by logins where there are more than 64 hints: eight of them are looked at, for
//! which the login waits (two round trips more).
//!
//! # What a server that is down costs
//!
//! A call ends within [400 ms](RedisStoreBuilder::timeout), connecting included. A connection that
//! breaks, or does not answer in that time, is replaced. After three calls in a row without an
//! answer the calls to that server fail at once, until it answers again: it is asked every 200 ms on
//! a new connection. In a cluster only the calls to the lost node fail. When another node or server
//! takes over, calls go there as soon as the cluster, or the sentinels, say so.
//!
//! **No write is sent twice.** A command goes out again only where a server has refused to carry it
//! out (`NOSCRIPT`, `MOVED`, `ASK`, `READONLY`) or where there was no connection to send it on.
//! (The driver's own connection manager and its cluster client are not used: the latter has one
//! number for following redirections and for sending again what broke off.) But the network and a
//! server that hangs may carry out late what was sent before the connection was given up; it finds
//! another version then, or nothing.
//!
//! # Telling what changes
//!
//! [`Watch::watch`](cloakroom_store::Watch::watch) gives a [`RedisFeed`], which lets a cache in front
//! of the store be coherent across processes: the server tells it of each session that is written,
//! usually within a millisecond, and a link that is down ends it within 900 ms. It has connections
//! of its own; what it costs and needs is said there.
//!
//! # What can still be lost
//!
//! - Redis answers before its disk has the change. With `appendonly yes` and `appendfsync everysec`
//!   a crash loses the last second or two, without it everything since the last snapshot. Lost are
//!   logins and changes, and **ends: a session that was ended may be back**. `appendfsync always`
//!   loses nothing that was acknowledged on one server.
//! - Replicas follow asynchronously. **A fail-over may lose what the old primary has acknowledged in
//!   its last moments, ends included**, and what a primary takes that has lost sight of the others,
//!   until it notices (`min-replicas-to-write` and `cluster-node-timeout` bound that). In a
//!   cluster a hint may be lost alone: `by_subject` does not show its session until it has been used
//!   for as long as an idle lifetime. The store reads from primaries only. It does not use `WAIT`, which would hold up all calls on the
//!   connection and still promises nothing after a fail-over.
//! - A full server (`maxmemory`) with the policy `noeviction`, which is the one to use, refuses
//!   creates and changes (`Unavailable`) and still reads and ends sessions. With `allkeys-*` or
//!   `volatile-*` it throws sessions away; an index that is thrown away hides the sessions of its
//!   subject from `by_subject` until they are used for as long as an idle lifetime.
//! - A session's record expires by the server's clock, which has to be right to half a minute.
//!
//! # `scan`
//!
//! It walks all keys of all primaries with `SCAN`. Each record that lives through the walk is on
//! exactly one page, except that one may come twice where the server makes its table of keys smaller
//! between two pages (after most of all its keys have gone), and twice or never where its slot moves
//! to another node meanwhile. A walk that meets a restarted or replaced server ends with an error
//! that says to begin again. What is under a record's key and is no record is passed over, as it is
//! by `by_subject`.
//!
//! # What a user needs
//!
//! `~{prefix}:* +getrange +set +del +eval +evalsha +setrange +pexpireat +pttl +time +zadd +zrem
//! +zrangebylex +zcard +zrandmember +scan +ping +info`, `+select` for a database other than 0,
//! in a cluster `+cluster|slots` and `+asking`, with sentinels `+role`; to
//! [watch](#telling-what-changes) `+client|tracking` and `+role`, in a cluster `+cluster|nodes`
//! instead of the latter. Without `ping` and `info` it works too; a walk then can't notice that the
//! server is another.
//!
//! # What it needs
//!
//! A tokio runtime with its I/O and timers around each call, or the call is an error of the kind
//! `Other`. The runtime that has made a connection may end; the next call makes another.

mod address;
mod attempt;
mod blob;
mod builder;
mod call;
mod cluster;
mod cursor;
mod dial;
mod error;
mod expiry;
mod index;
mod link;
mod names;
mod probe;
mod scan;
mod script;
mod sentinel;
mod servers;
mod store;
mod tls;
mod url;
mod watch;

pub use builder::RedisStoreBuilder;
pub use error::OpenError;
pub use store::RedisStore;
pub use watch::RedisFeed;
