//! Who may get at a file with a secret in it.

use std::{fs::File, io};

/// The mode of a file that others may read or write, or its group write.
#[cfg(unix)]
pub(crate) fn others_mode(file: &File) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = file.metadata()?;
    let mode = metadata.permissions().mode() & 0o7777;
    // A pipe or a device holds nothing that others could come for later.
    Ok((metadata.is_file() && mode & 0o027 != 0).then_some(mode))
}

#[cfg(not(unix))]
pub(crate) fn others_mode(_: &File) -> io::Result<Option<u32>> {
    Ok(None)
}
