use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::{
    FileStore, OpenError,
    error::Reason,
    network::network_file_system,
    tree::{self, Tree},
};

/// When a write waits for the disk.
///
/// What a store has acknowledged survives a crash or a `kill -9` of the process in every mode.
/// The modes differ in what a crash of the machine, or a loss of its power, leaves:
///
/// | mode | the last writes and deletes | every other record |
/// |---|---|---|
/// | `Never` | may be undone, back to some seconds ago, or leave a torn file | whole |
/// | `File` | may be undone, back to some seconds ago | whole |
/// | `FileAndFolder` | are there | whole |
///
/// An undone delete is a session that is back after its end. A torn file is never taken for a
/// record: it is an error of the kind `Corrupt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Fsync {
    /// No write waits.
    Never,
    /// The file is on the disk before it takes its place. The default.
    #[default]
    File,
    /// As `File`, and the folder is on the disk before the store answers, after a delete too.
    FileAndFolder,
}

/// The settings of a [`FileStore`]; made by [`FileStore::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct FileStoreBuilder {
    dir: PathBuf,
    fsync: Fsync,
    max_data_size: usize,
    allow_network_file_system: bool,
}

impl FileStoreBuilder {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            fsync: Fsync::default(),
            max_data_size: 1 << 20,
            allow_network_file_system: false,
        }
    }

    /// When a write waits for the disk. Default: [`Fsync::File`].
    ///
    /// ```
    /// use cloakroom_file::{FileStore, Fsync};
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path().join("sessions");
    /// let store = FileStore::builder(dir).fsync(Fsync::FileAndFolder).open()?;
    /// assert!(format!("{store:?}").contains("FileAndFolder"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn fsync(mut self, fsync: Fsync) -> Self {
        self.fsync = fsync;
        self
    }

    /// The most data that a record may hold, in bytes. Default: 1 MiB.
    ///
    /// Writing more is `TooLarge`. A file that is larger already, from before the limit was
    /// lowered, is not read: it is `Corrupt`.
    ///
    /// ```
    /// use cloakroom_file::FileStore;
    /// use cloakroom_store::StoreErrorKind;
    /// # use cloakroom_store::{Key, NamespaceId, Record, SessionId, Store, Timestamp, Version};
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path().join("sessions");
    /// # let key = Key::new(NamespaceId::new("cart")?, SessionId::from_bytes([7; 16]));
    /// # let now = Timestamp::from_millis(1_000);
    /// # let record = Record::new(Version::from_bits(1), now, now, vec![0; 1025].into());
    /// let store = FileStore::builder(dir).max_data_size(1024).open()?;
    /// # let created = tokio::runtime::Runtime::new()?.block_on(store.create(&key, &record));
    /// // A record with 1025 bytes of data:
    /// assert_eq!(created.unwrap_err().kind(), StoreErrorKind::TooLarge);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn max_data_size(mut self, bytes: usize) -> Self {
        self.max_data_size = bytes;
        self
    }

    /// Takes a folder on a network file system all the same. Default: refused.
    ///
    /// Safe only if a single machine uses the folder: a lock of one machine may mean nothing to
    /// another, so two of them may overwrite each other's changes and undo each other's deletes.
    ///
    /// ```
    /// use cloakroom_file::FileStore;
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path().join("sessions");
    /// // The only machine that mounts this folder:
    /// let store = FileStore::builder(&dir).allow_network_file_system().open()?;
    /// assert_eq!(store.dir(), dir.canonicalize()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const fn allow_network_file_system(mut self) -> Self {
        self.allow_network_file_system = true;
        self
    }

    /// Opens the store, and makes its folder (mode 0700) if it is not there.
    ///
    /// # Errors
    /// When the folder can't be made or opened, belongs to another user, may be written to by
    /// others, or lies on a network file system.
    ///
    /// ```
    /// use cloakroom_file::{FileStore, Fsync};
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path().join("sessions");
    /// let store = FileStore::builder(dir)
    ///     .fsync(Fsync::FileAndFolder)
    ///     .max_data_size(64 * 1024)
    ///     .open()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(self) -> Result<FileStore, OpenError> {
        let failed = |error| OpenError::new(&self.dir, Reason::Io(error));
        make(&self.dir).map_err(failed)?;
        // The process may change its working directory later.
        let dir = self.dir.canonicalize().map_err(failed)?;
        let folder = tree::open_root(&dir)?;
        if !self.allow_network_file_system
            && let Some(name) = network_file_system(&folder).map_err(failed)?
        {
            return Err(OpenError::new(&dir, Reason::NetworkFileSystem(name)));
        }
        Ok(FileStore::new(Tree {
            dir,
            fsync: self.fsync,
            max_data_size: self.max_data_size,
        }))
    }
}

fn make(dir: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}
