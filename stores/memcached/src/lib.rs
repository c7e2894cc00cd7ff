//! Keeps cloakroom's sessions in memcached (1.6.10 and later).
//!
//! For applications that run memcached anyway and can bear that a session ends before its time:
//! see [what it can't do](#what-it-cant-do) first.
//!
//! ```no_run
//! use cloakroom_memcached::MemcachedStore;
//! use cloakroom_store::{Freshness, Key, NamespaceId, Record, SessionId, Store, Timestamp, Version};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemcachedStore::connect("memcache://localhost").await?;
//! let key = Key::new(NamespaceId::new("cart")?, SessionId::from_bytes([7; 16]));
//! # let (now, in_an_hour) = (Timestamp::EPOCH, Timestamp::MAX);
//! let record = Record::new(Version::from_bits(1), now, in_an_hour, "three apples".into());
//! store.create(&key, &record).await?;
//! let loaded = store.load(&key, Freshness::Any).await?;
//! assert_eq!(loaded.unwrap().record, record);
//! # Ok(()) }
//! ```
//!
//! # What it can't do
//!
//! - **Keep a session for certain.** A server that is full drops what was not used for the longest
//!   time, and all sessions end when it is restarted or flushed. To visitors that is as if they had
//!   logged out. No ended session ever comes back that way, and no old state of one. Give sessions a
//!   server of their own, with memory to spare, and watch its `evictions`.
//! - **List.** There is no `by_subject` and no `scan`: both answer `Unsupported`. So nobody can be
//!   shown where they are logged in, nor be logged out everywhere.
//! - **Take large sessions.** A server keeps items of 1 MiB unless its option `-I` says otherwise,
//!   less up to 600 bytes for what belongs to the record. More is `TooLarge`, before it is sent:
//!   refusing it, the server would drop what is there.
//! - **Keep what it has no memory for.** A server that runs with `-M`, or can't make room, refuses a
//!   change, and drops what it had of that session. That is an error of the kind `Unavailable`.
//! - **Use several servers.** A list of them, or a name that leads now to one and now to another,
//!   loses sessions; a proxy that does not know all commands below does not work.
//! - **Speak TLS or log in.** Whoever reaches the server can read what sessions hold, change it and
//!   end them (though not make a ticket of it): let nobody reach it but the application.
//!
//! # URLs
//!
//! `memcache://host:port`, where the port may be left out (11211), an address of IPv6 stands in
//! brackets, and a name is looked up with each new connection; `memcache+unix:///run/memcached.sock`
//! for a socket of the system. `memcached` may stand for `memcache`.
//!
//! # What is on the server
//!
//! Under the key `{prefix}:{namespace}:{id}`, the id as 32 hexadecimal digits, lies the record as
//! `Record::encode` writes it. Nothing of a key comes from outside: the prefix and the namespace are
//! checked, the id is 16 bytes of the engine's. What lies there and is no record is an error of the
//! kind `Corrupt`; it can be deleted like one.
//!
//! The server drops a record 60 seconds after it has expired, by its own clock, to which it is told
//! the time, not how long from now. One that expires after January 2038, which is more than it can
//! count, is kept until its memory is needed.
//!
//! # What a call costs
//!
//! | call | commands |
//! |---|---|
//! | `load` | 1 `mg` |
//! | `create` | 1 `ms` |
//! | `replace` | 1 `ms`, on condition of the mark (`cas`) that loading or the last write has given |
//! | `replace` that finds another mark | 1 `mg` more: it may have been a touch, and then 1 `ms` more |
//! | `touch` | 1 `mg`, 1 `ms`: the server can't change a part of a record |
//! | `delete` | 1 `md` |
//! | `sweep` | none: the server expires records |
//!
//! So a request costs nothing when it does not use its session, one command when it reads it, two
//! when it changes it, one when it begins it, and two more once in a tenth of the idle time.
//!
//! # When the server is down
//!
//! A call takes at most 400 ms ([`MemcachedStoreBuilder::timeout`]), connecting included. After
//! three calls in a row without an answer calls are refused at once, and the server is asked every
//! 200 ms in the background until it answers. A connection that has broken is replaced by the next
//! call, one that hangs is given up. A write of unknown outcome is never sent again: it is an error
//! of the kind `Unavailable` or `TimedOut`, and the engine looks what became of it.
//!
//! # How it speaks to the server
//!
//! Over one connection, in the meta protocol, by a client of its own. Of the clients there are, one
//! serves a call per connection at a time and has no time limits; the other is declared an
//! experiment, opens a connection for each call under way, and reads a line however long it gets.
//! Here all calls share a connection without waiting for each other's answers, lines and values have
//! limits, and each reply has to carry the number of the command that it answers, so that no visitor
//! is given what is another's. Before anything else the server is asked for its version and
//! settings: one that is older, or runs without compare-and-swap (`-C`), is not used.

mod address;
mod attempt;
mod builder;
mod call;
mod command;
mod dial;
mod error;
mod expiry;
mod link;
mod names;
mod pipe;
mod probe;
mod reply;
mod store;

pub use builder::MemcachedStoreBuilder;
pub use error::OpenError;
pub use store::MemcachedStore;
