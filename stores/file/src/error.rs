use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
};

use cloakroom_store::{Operation, StoreError, StoreErrorKind};
use rustix::io::Errno;

use crate::format::Corruption;

/// A folder can't serve as a [`FileStore`](crate::FileStore).
///
/// `Display` names the folder and says what to do; what the system said is in
/// [`source`](Error::source).
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug)]
pub(crate) enum Reason {
    Io(io::Error),
    ForeignOwner { owner: u32, user: u32 },
    WritableByOthers { mode: u32 },
    NetworkFileSystem(&'static str),
}

impl OpenError {
    pub(crate) fn new(path: &Path, reason: Reason) -> Self {
        let path = path.to_owned();
        Self { path, reason }
    }

    /// The folder.
    ///
    /// ```
    /// use cloakroom_file::FileStore;
    /// # let dir = tempfile::tempdir()?;
    /// # let file = dir.path().join("notes.txt");
    /// std::fs::write(&file, "no folder")?;
    /// let error = FileStore::open(&file).unwrap_err();
    /// assert_eq!(error.path(), file);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.reason {
            Reason::Io(_) => write!(f, "the session folder {path} can't be opened"),
            Reason::ForeignOwner { owner, user } => write!(
                f,
                "the session folder {path} belongs to user {owner}, but this process runs as user \
                 {user}: run it as that user or use another folder"
            ),
            Reason::WritableByOthers { mode } => write!(
                f,
                "others may write to the session folder {path} (mode {mode:04o}): take that from \
                 them with `chmod go-w`, or use another folder"
            ),
            Reason::NetworkFileSystem(name) => write!(
                f,
                "the session folder {path} lies on {name}, where locks and renames may not hold \
                 between machines: use a local disk or another store, or, if one machine alone \
                 uses it, `allow_network_file_system`"
            ),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.reason {
            Reason::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// What becomes a [`StoreError`] once it is known during which operation it happened.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: StoreErrorKind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    pub(crate) const fn new(kind: StoreErrorKind) -> Self {
        Self { kind, source: None }
    }

    pub(crate) fn because(
        kind: StoreErrorKind,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            source: Some(source.into()),
        }
    }

    /// What the system said about the file or folder `name`.
    pub(crate) fn io(name: &str, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        Self::because(kind_of(&error), format!("{name}: {error}"))
    }

    pub(crate) fn is_corrupt(&self) -> bool {
        self.kind == StoreErrorKind::Corrupt
    }

    pub(crate) fn during(self, operation: Operation) -> StoreError {
        let error = StoreError::new(self.kind, operation);
        match self.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

impl From<Corruption> for Failure {
    fn from(corruption: Corruption) -> Self {
        Self::because(StoreErrorKind::Corrupt, corruption)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let kind = match &error.reason {
            Reason::Io(error) => kind_of(error),
            _ => StoreErrorKind::Other,
        };
        Self::because(kind, error)
    }
}

/// What passes without a change to the program or its settings is `Unavailable`.
fn kind_of(error: &io::Error) -> StoreErrorKind {
    use io::ErrorKind;
    const PASSING: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::IO, Errno::NOLCK];
    let passes = |errno: &Errno| error.raw_os_error() == Some(errno.raw_os_error());
    match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::StaleNetworkFileHandle
        | ErrorKind::OutOfMemory
        | ErrorKind::Interrupted
        | ErrorKind::WouldBlock => StoreErrorKind::Unavailable,
        ErrorKind::TimedOut => StoreErrorKind::TimedOut,
        // By a limit on how long files may be: nothing has changed then.
        ErrorKind::FileTooLarge => StoreErrorKind::TooLarge,
        _ if PASSING.iter().any(passes) => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Other,
    }
}
