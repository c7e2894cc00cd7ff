//! Sessions in files: one file per session, shared by all processes of one machine.
//!
//! For an application on one machine that has no database, or none that its sessions should wait
//! for. Every change is a compare-and-swap under a lock that holds between processes, so several
//! workers may serve the same visitors. For several machines use another store.
//!
//! ```
//! use cloakroom_file::FileStore;
//! use cloakroom_store::{Freshness, Key, NamespaceId, Record, SessionId, Store, Timestamp, Version};
//!
//! # let dir = tempfile::tempdir()?;
//! # let dir = dir.path().join("sessions");
//! let store = FileStore::open(dir)?;
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
//! # What is on the disk
//!
//! ```text
//! sessions/                                     0700, as all folders in it
//!   cart/                                       a namespace
//!     0/7/                                      the first two digits of the id
//!       07070707070707070707070707070707        0600, as all files
//!       .lock                                   locked by whoever writes in this folder
//!     .subjects/ba/ba7816bf…15ad/07070707…      the sessions of a subject, by its SHA-256
//! ```
//!
//! A namespace has at most 272 such folders and 256 lock files, however many sessions come and go.
//! They are never removed, and need not be.
//!
//! A backup may copy the folder at any moment. A restored folder takes effect with the next call.
//!
//! # What it promises
//!
//! 1. **A reader sees a whole record**, before a change or after it. Every write goes to a new file
//!    that then takes the old one's place; readers take no lock.
//! 2. **Writers exclude each other** per leaf folder, threads as well as processes. The system
//!    frees the lock of a process that ends or is killed, at any moment. A write waits at most 5
//!    seconds for another process and then answers `TimedOut`; nothing has happened then.
//! 3. **What is acknowledged survives a `kill -9`.** What a loss of power leaves, [`Fsync`] selects.
//! 4. **A file is believed only if it is whole and in its own place**: it holds its key and
//!    checksums over all of its content. A torn, damaged, copied or renamed file, a link, a device,
//!    a file of another user is an error of the kind `Corrupt`, never another visitor's data. Such
//!    a file can be deleted like a record; a sweep removes it when it has not changed for a day.
//! 5. **No name is made from what a client sends**: an id is 16 bytes written as hex, a subject is
//!    hashed, a namespace is checked when it is configured.
//! 6. **Links below the store's folder are never followed**, neither for a folder nor for a file. A
//!    folder that belongs to another user, or that others may write to, is refused, at each call.
//! 7. **A call whose future is dropped** before its change has begun changes nothing, however long
//!    it has waited for a thread or a lock.
//!
//! # What it needs
//!
//! - A Unix system, and a tokio runtime (of either kind) around each call: the work is done on its
//!   blocking pool. Without one a call is an error of the kind `Other`.
//! - A local file system. Network file systems are not supported: what a lock or a rename means on
//!   them depends on their version, their options and their server. On Linux `open` refuses those
//!   it knows (NFS, SMB, 9p, AFS, Ceph, Lustre and others). FUSE, cluster file systems, and all of
//!   them on other systems, are not told apart, so mind what you mount.
//! - Processes that share the folder run as one user.
//! - Sweeping, as the engine does it: an expired file lies there until then. A corrupt file's age
//!   is that of the file, by the clock of the machine.

#[cfg(not(unix))]
compile_error!("cloakroom-file needs Unix: its guarantees rest on openat, O_NOFOLLOW and rename");

mod builder;
mod edit;
mod error;
mod folder;
mod format;
mod layout;
mod listing;
mod lock;
mod network;
mod pool;
mod read;
mod store;
mod subjects;
mod sweep;
mod tree;

pub use builder::{FileStoreBuilder, Fsync};
pub use error::OpenError;
pub use store::FileStore;
