//! Changes a record, under the lock of its folder. The index by subject is always a superset:
//! added to before the record is written, taken from after it.

use std::io::Write;

use cloakroom_store::{EXPIRY_MARGIN, Key, Record, StoreErrorKind, Subject, Timestamp, Version};

use crate::{
    Fsync,
    error::Failure,
    folder::Folder,
    format, layout, read, subjects,
    sweep::{self, Verdict},
    tree::LockedLeaf,
};

/// The record of a key without its data, if its version is the expected one.
pub(crate) fn expect(folder: &Folder, key: &Key, expected: Version) -> Result<Record, Failure> {
    match read::summary(folder, key)? {
        Some(kept) if kept.version == expected => Ok(kept),
        _ => Err(Failure::new(StoreErrorKind::Conflict)),
    }
}

impl LockedLeaf<'_> {
    pub(crate) fn create(&self, key: &Key, record: &Record, content: &[u8]) -> Result<(), Failure> {
        let name = key.id.to_string();
        if self.folder.modified(&name)?.is_some() {
            return Err(Failure::new(StoreErrorKind::AlreadyExists));
        }
        if let Some(subject) = &record.subject {
            subjects::add(self.tree, &self.namespace, subject, key.id)?;
        }
        self.write(&name, content)
    }

    pub(crate) fn replace(
        &self,
        key: &Key,
        record: &Record,
        content: &[u8],
        expected: Version,
    ) -> Result<(), Failure> {
        let kept = expect(&self.folder, key, expected)?;
        let is_moved = kept.subject != record.subject;
        if is_moved && let Some(subject) = &record.subject {
            subjects::add(self.tree, &self.namespace, subject, key.id)?;
        }
        self.write(&key.id.to_string(), content)?;
        if is_moved {
            self.forget(kept.subject.as_ref(), key);
        }
        Ok(())
    }

    pub(crate) fn touch(
        &self,
        key: &Key,
        last_seen: Timestamp,
        expires: Timestamp,
        expected: Version,
    ) -> Result<bool, Failure> {
        let kept = read::record(&self.folder, key, self.tree.max_data_size)?;
        let Some(mut kept) = kept.filter(|kept| kept.version == expected) else {
            return Ok(false);
        };
        if kept.expires.saturating_add(EXPIRY_MARGIN) < last_seen {
            return Ok(false);
        }
        if kept.last_seen >= last_seen && kept.expires >= expires {
            return Ok(true);
        }
        kept.last_seen = kept.last_seen.max(last_seen);
        kept.expires = kept.expires.max(expires);
        let content = format::encode(key, &kept)
            .map_err(|error| Failure::because(StoreErrorKind::TooLarge, error))?;
        self.write(&key.id.to_string(), &content)?;
        Ok(true)
    }

    pub(crate) fn delete(&self, key: &Key) -> Result<bool, Failure> {
        // A corrupt file is deleted too; whose it was is not known then, and its hint is pruned
        // when it is read.
        let kept = read::summary(&self.folder, key).unwrap_or_default();
        let was_there = self.folder.remove(&key.id.to_string())?;
        if was_there && self.tree.fsync == Fsync::FileAndFolder {
            self.folder.sync()?;
        }
        self.forget(kept.and_then(|kept| kept.subject).as_ref(), key);
        Ok(was_there)
    }

    /// Removes the record if it is to be swept.
    pub(crate) fn sweep(&self, key: &Key, now: Timestamp) -> Result<bool, Failure> {
        let Verdict::Remove(subject) = sweep::judge(&self.folder, key, now)? else {
            return Ok(false);
        };
        let was_there = self.folder.remove(&key.id.to_string())?;
        self.forget(subject.as_ref(), key);
        Ok(was_there)
    }

    fn forget(&self, subject: Option<&Subject>, key: &Key) {
        if let Some(subject) = subject {
            subjects::remove(&self.namespace, subject, key.id);
        }
    }

    /// Puts a whole file in the place of what is there.
    fn write(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let temporary = layout::temporary_name().map_err(|error| Failure::io(name, error))?;
        let written = self.write_temporary(&temporary, content);
        let renamed = written.and_then(|()| self.folder.rename(&temporary, name));
        if renamed.is_err() {
            let _ = self.folder.remove(&temporary);
        }
        renamed?;
        match self.tree.fsync {
            Fsync::Never | Fsync::File => Ok(()),
            Fsync::FileAndFolder => self.folder.sync(),
        }
    }

    fn write_temporary(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let failed = |error| Failure::io(name, error);
        let mut file = self.folder.create_file(name)?;
        file.write_all(content).map_err(failed)?;
        match self.tree.fsync {
            Fsync::Never => Ok(()),
            Fsync::File | Fsync::FileAndFolder => file.sync_data().map_err(failed),
        }
    }
}
