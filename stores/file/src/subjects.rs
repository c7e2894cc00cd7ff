//! The index by subject: an empty file for each session that may belong to a subject. What it
//! says is a hint; only the record says whose it is.

use std::collections::BTreeSet;

use cloakroom_store::{SessionId, StoreErrorKind, Subject};

use crate::{
    Fsync,
    error::Failure,
    folder::Folder,
    layout::{SUBJECTS, subject_names},
    tree::Tree,
};

/// How often the folder of a subject may be removed, just emptied, while a hint is put into it.
const ATTEMPTS: u32 = 16;

/// Adds a hint.
pub(crate) fn add(
    tree: &Tree,
    namespace: &Folder,
    subject: &Subject,
    id: SessionId,
) -> Result<(), Failure> {
    let [short, long] = subject_names(subject);
    let folder = tree.make(namespace, SUBJECTS)?;
    let folder = tree.make(&folder, &short)?;
    for _ in 0..ATTEMPTS {
        folder.make_child(&long)?;
        let Some(hints) = folder.child(&long)? else {
            continue;
        };
        if hints.open_or_create_empty(&id.to_string())?.is_none() {
            continue;
        }
        if tree.fsync == Fsync::FileAndFolder {
            hints.sync()?;
            folder.sync()?;
        }
        return Ok(());
    }
    let source = "the folder of the subject is removed again and again";
    Err(Failure::because(StoreErrorKind::Unavailable, source))
}

/// Removes a hint as well as it can, and the folder of a subject without any.
pub(crate) fn remove(namespace: &Folder, subject: &Subject, id: SessionId) {
    let [short, long] = subject_names(subject);
    let folder = namespace.child(SUBJECTS).ok().flatten();
    let folder = folder.and_then(|folder| folder.child(&short).ok().flatten());
    let Some(folder) = folder else { return };
    let Ok(Some(hints)) = folder.child(&long) else {
        return;
    };
    // What is left over is pruned when it is read.
    let _ = hints.remove(&id.to_string());
    folder.remove_empty_child(&long);
}

/// The first `limit` ids, in their order and after `after`, that may belong to a subject.
pub(crate) fn list(
    namespace: &Folder,
    subject: &Subject,
    after: Option<SessionId>,
    limit: usize,
) -> Result<BTreeSet<SessionId>, Failure> {
    let [short, long] = subject_names(subject);
    let mut folder = namespace.child(SUBJECTS)?;
    for name in [short, long] {
        folder = match folder {
            Some(folder) => folder.child(&name)?,
            None => None,
        };
    }
    match folder {
        Some(folder) => first_ids(&folder, after, limit),
        None => Ok(BTreeSet::new()),
    }
}

/// The first `limit` ids that are names in `folder`, in their order and after `after`.
pub(crate) fn first_ids(
    folder: &Folder,
    after: Option<SessionId>,
    limit: usize,
) -> Result<BTreeSet<SessionId>, Failure> {
    let mut ids = BTreeSet::new();
    for name in folder.names()? {
        let Some(id) = SessionId::parse(&name?) else {
            continue;
        };
        if after.is_none_or(|after| id > after) {
            ids.insert(id);
        }
        if ids.len() > limit {
            ids.pop_last();
        }
    }
    Ok(ids)
}
