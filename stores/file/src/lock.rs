//! The lock that the writers of a leaf folder take, in all processes.

use std::{
    fs::{File, TryLockError},
    os::unix::fs::MetadataExt,
    thread,
    time::{Duration, Instant},
};

use cloakroom_store::StoreErrorKind;

use crate::{error::Failure, folder::Folder, layout, pool::Caller};

/// How long a writer waits for writers of other processes.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(2);

/// The lock of a leaf folder. The system frees it with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock, at most [`LONGEST_WAIT`] and not for a caller who has gone.
    pub(crate) fn take(folder: &Folder, caller: &Caller) -> Result<Self, Failure> {
        // A blocking `lock` would let a frozen process keep a thread of the pool for ever.
        let deadline = Instant::now() + LONGEST_WAIT;
        let mut pause = FIRST_PAUSE;
        loop {
            caller.check()?;
            if let Some(lock) = Self::try_take(folder)? {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                let source = "another process has held the lock of the folder for 5 seconds";
                return Err(Failure::because(StoreErrorKind::TimedOut, source));
            }
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Takes the lock if it is free.
    pub(crate) fn try_take(folder: &Folder) -> Result<Option<Self>, Failure> {
        let failed = |error| Failure::io(layout::LOCK, error);
        let Some(file) = folder.open_or_create_empty(layout::LOCK)? else {
            let source = "the folder has been removed meanwhile";
            return Err(Failure::because(StoreErrorKind::Unavailable, source));
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // The lock of a file that has been removed excludes nobody.
        let is_there = file.metadata().map_err(failed)?.nlink() > 0;
        Ok(is_there.then_some(Self { _file: file }))
    }
}
