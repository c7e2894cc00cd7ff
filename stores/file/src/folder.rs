//! Folders and the files in them, reached without following a symbolic link.

use std::{
    fs::{File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use cloakroom_store::StoreErrorKind;
use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags},
    io::Errno,
};

use crate::{error::Failure, format::Corruption};

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
// Without NONBLOCK, opening a named pipe would wait for its writer.
const FILE: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);
const FOLDER_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder(File);

impl Folder {
    /// The folder at a path of the application's own, where links are followed.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let folder = rustix::fs::openat(CWD, path, FOLDER, Mode::empty())?;
        Ok(Self(folder.into()))
    }

    pub(crate) fn metadata(&self) -> io::Result<Metadata> {
        self.0.metadata()
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn file_system(&self) -> io::Result<rustix::fs::StatFs> {
        Ok(rustix::fs::fstatfs(&self.0)?)
    }

    /// A folder in this one; `None` when there is nothing of that name.
    pub(crate) fn child(&self, name: &str) -> Result<Option<Self>, Failure> {
        match rustix::fs::openat(&self.0, name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(folder) => Ok(Some(Self(folder.into()))),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => {
                let source = format!("{name} is no folder (links are not followed)");
                Err(Failure::because(StoreErrorKind::Other, source))
            }
            Err(error) => Err(Failure::io(name, error)),
        }
    }

    /// Makes a folder in this one, if it is not there yet; says whether it did.
    pub(crate) fn make_child(&self, name: &str) -> Result<bool, Failure> {
        match rustix::fs::mkdirat(&self.0, name, FOLDER_MODE) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(Failure::io(name, error)),
        }
    }

    /// Removes a folder in this one if it is empty; says nothing if it can't.
    pub(crate) fn remove_empty_child(&self, name: &str) {
        let _ = rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR);
    }

    /// A regular file of this user for reading; `None` when there is nothing of that name.
    pub(crate) fn open_file(&self, name: &str) -> Result<Option<(File, u64)>, Failure> {
        let opened = rustix::fs::openat(&self.0, name, FILE | OFlags::RDONLY, Mode::empty());
        let file: File = match opened {
            Ok(file) => file.into(),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP | Errno::MLINK | Errno::NXIO) => {
                return Err(Corruption::NotAFile.into());
            }
            Err(error) => return Err(Failure::io(name, error)),
        };
        let metadata = file.metadata().map_err(|error| Failure::io(name, error))?;
        if !metadata.is_file() {
            return Err(Corruption::NotAFile.into());
        }
        if metadata.uid() != user() {
            return Err(Corruption::ForeignOwner.into());
        }
        Ok(Some((file, metadata.len())))
    }

    /// A new file for writing. Whatever has that name already is an error.
    pub(crate) fn create_file(&self, name: &str) -> Result<File, Failure> {
        let flags = FILE | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        rustix::fs::openat(&self.0, name, flags, FILE_MODE)
            .map(File::from)
            .map_err(|error| Failure::io(name, error))
    }

    /// The file of that name, made if it is not there, and left empty. `None` when this folder
    /// itself has been removed.
    pub(crate) fn open_or_create_empty(&self, name: &str) -> Result<Option<File>, Failure> {
        let flags = FILE | OFlags::WRONLY | OFlags::CREATE;
        match rustix::fs::openat(&self.0, name, flags, FILE_MODE) {
            Ok(file) => Ok(Some(file.into())),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Failure::io(name, error)),
        }
    }

    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Failure> {
        rustix::fs::renameat(&self.0, from, &self.0, to).map_err(|error| Failure::io(to, error))
    }

    /// Removes a file or link; `false` when there is nothing of that name.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, Failure> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(Failure::io(name, error)),
        }
    }

    /// Whether there is anything of that name, and when it was last written, in seconds since 1970.
    pub(crate) fn modified(&self, name: &str) -> Result<Option<u64>, Failure> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(u64::try_from(stat.st_mtime).unwrap_or(0))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Failure::io(name, error)),
        }
    }

    /// Whether a plain file has that name.
    pub(crate) fn is_file(&self, name: &str) -> bool {
        rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
    }

    /// The names in this folder, in no order.
    pub(crate) fn names(&self) -> Result<impl Iterator<Item = Result<String, Failure>>, Failure> {
        let entries = Dir::read_from(&self.0).map_err(|error| Failure::io(".", error))?;
        Ok(entries.filter_map(|entry| match entry {
            Ok(entry) => Some(Ok(entry.file_name().to_str().ok()?.to_owned())),
            Err(error) => Some(Err(Failure::io(".", error))),
        }))
    }

    /// Waits until what has been made, renamed and removed in this folder is on the disk.
    pub(crate) fn sync(&self) -> Result<(), Failure> {
        self.0.sync_all().map_err(|error| Failure::io(".", error))
    }
}

/// The user that this process runs as.
pub(crate) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}
