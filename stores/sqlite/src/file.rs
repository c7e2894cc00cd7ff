//! The database file: made for its owner alone, and told from another that takes its place.

use std::{
    fs::OpenOptions,
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Which file lies at a path. A program that goes on with a file that is deleted or replaced would
/// lose all it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
}

#[cfg(unix)]
pub(crate) fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path)?;
    Ok(Identity {
        device_and_inode: (metadata.dev(), metadata.ino()),
    })
}

/// Elsewhere a file that is open can be neither deleted nor replaced.
#[cfg(not(unix))]
pub(crate) fn identity(path: &Path) -> io::Result<Identity> {
    std::fs::metadata(path).map(|_| Identity {})
}

/// The path, absolute: the process may change its working directory later.
pub(crate) fn absolute(path: &Path) -> io::Result<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    Ok(folder.canonicalize()?.join(name))
}

/// Makes an empty file of mode 0600, if there is none. SQLite gives the files beside it its mode.
///
/// It is made under another name: closing a file descriptor frees all locks that the process has
/// on the file, those of SQLite in another thread too.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    if path.try_exists()? {
        return Ok(());
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}-{number}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    remove(&temporary)?;
    private().open(&temporary)?;
    let linked = std::fs::hard_link(&temporary, path);
    remove(&temporary)?;
    let made = match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // A file system without links.
            private().open(path).map(drop)
        }
        linked => linked,
    };
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Removes what a process of the same number may have left, and what this one has made.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
