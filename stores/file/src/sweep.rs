//! Removes what has expired from a leaf folder, and what killed processes have left there.

use cloakroom_store::{Key, SessionId, Subject, Timestamp};

use crate::{
    error::Failure,
    folder::Folder,
    layout::{Leaf, is_temporary},
    pool::Caller,
    read,
    tree::{OpenLeaf, Tree},
};

/// How long a file that holds no record is kept for whoever wants to look at it: one day.
const KEEP_CORRUPT_MILLIS: u64 = 24 * 60 * 60 * 1000;

/// What becomes of a file.
#[derive(Debug)]
pub(crate) enum Verdict {
    Keep,
    /// With whom it belonged to, if that is known.
    Remove(Option<Subject>),
}

/// Whether the record of a key expired before `now`, or its file holds none and is a day old.
pub(crate) fn judge(folder: &Folder, key: &Key, now: Timestamp) -> Result<Verdict, Failure> {
    let is_expired = match read::summary(folder, key) {
        Ok(Some(record)) if record.expires < now => return Ok(Verdict::Remove(record.subject)),
        Ok(_) => false,
        Err(failure) if failure.is_corrupt() => {
            let modified = folder.modified(&key.id.to_string())?;
            let until = |seconds: u64| {
                let millis = seconds.saturating_mul(1000);
                millis.saturating_add(KEEP_CORRUPT_MILLIS)
            };
            modified.is_some_and(|modified| until(modified) < now.as_millis())
        }
        Err(failure) => return Err(failure),
    };
    Ok(if is_expired {
        Verdict::Remove(None)
    } else {
        Verdict::Keep
    })
}

/// What to look at again under the lock.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    keys: Vec<Key>,
    temporary: Vec<String>,
}

impl Suspects {
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.temporary.is_empty()
    }
}

/// Looks for up to `limit` expired records, and for temporary files, without the lock.
pub(crate) fn find(
    tree: &Tree,
    leaf: &Leaf,
    now: Timestamp,
    limit: usize,
    caller: &Caller,
) -> Result<Suspects, Failure> {
    let mut suspects = Suspects::default();
    let Some(OpenLeaf { folder, .. }) = tree.leaf(leaf)? else {
        return Ok(suspects);
    };
    for name in folder.names()? {
        caller.check()?;
        let name = name?;
        if is_temporary(&name) {
            suspects.temporary.push(name);
            continue;
        }
        let Some(id) = SessionId::parse(&name) else {
            continue;
        };
        let key = Key::new(leaf.namespace, id);
        // A file that can't be read now does not keep the others from being swept.
        if let Ok(Verdict::Remove(_)) = judge(&folder, &key, now) {
            suspects.keys.push(key);
        }
        if suspects.keys.len() >= limit {
            break;
        }
    }
    Ok(suspects)
}

/// Judges the suspects again, under the lock, and says how many records it removed.
pub(crate) fn remove(
    tree: &Tree,
    leaf: &Leaf,
    suspects: &Suspects,
    now: Timestamp,
    caller: &Caller,
) -> Result<usize, Failure> {
    let Some(locked) = tree.lock_leaf(leaf, caller)? else {
        return Ok(0);
    };
    // Whoever writes holds the lock, so a temporary file that is here now is nobody's.
    for name in &suspects.temporary {
        let _ = locked.folder.remove(name);
    }
    let mut removed = 0;
    for key in &suspects.keys {
        removed += usize::from(locked.sweep(key, now).unwrap_or(false));
    }
    Ok(removed)
}
