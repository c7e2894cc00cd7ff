//! Tells network file systems, on which a lock or a rename may mean nothing to another machine.

use std::io;

use crate::folder::Folder;

/// The name of the network file system that a folder lies on.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn network_file_system(folder: &Folder) -> io::Result<Option<&'static str>> {
    // The field's type differs between platforms; its lower 32 bits are the magic number.
    let magic = i128::from(folder.file_system()?.f_type) & 0xffff_ffff;
    Ok(name(magic))
}

/// Only Linux can tell; elsewhere every folder counts as local.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn network_file_system(_: &Folder) -> io::Result<Option<&'static str>> {
    Ok(None)
}

// From linux/magic.h and the file systems' own headers. FUSE is not here: it may be anything.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn name(magic: i128) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517b => "SMB",
        0xfe53_4d42 | 0xff53_4d42 => "SMB (CIFS)",
        0x0102_1997 => "9p",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x564c => "NCP",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x786f_4256 => "a VirtualBox shared folder",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn local_folders_are_local_and_nfs_is_not() {
        let folder = Folder::open(env!("CARGO_MANIFEST_DIR").as_ref()).unwrap();
        assert_eq!(network_file_system(&folder).unwrap(), None);
        assert_eq!(name(0x6969), Some("NFS"));
        assert_eq!(name(0xef53), None);
    }
}
