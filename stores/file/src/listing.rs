//! Pages of sessions, in the order of their keys.

use std::collections::BTreeSet;

use cloakroom_store::{
    Cursor, Key, NamespaceId, Page, SessionId, StoreErrorKind, Subject, Summary,
};

use crate::{
    error::Failure,
    folder::Folder,
    layout::Leaf,
    lock::Lock,
    pool::Caller,
    read, subjects,
    tree::{OpenLeaf, Tree},
};

/// A cursor is the last key of its page: the id, then the name of the namespace.
pub(crate) fn cursor(key: &Key) -> Cursor {
    let bytes = [key.id.as_bytes(), key.namespace.as_str().as_bytes()].concat();
    Cursor::new(bytes.into())
}

/// The key in a cursor, which may come from anywhere.
pub(crate) fn parse_cursor(cursor: &Cursor) -> Result<Key, Failure> {
    let parse = || {
        let (id, namespace) = cursor.as_bytes().split_first_chunk()?;
        let namespace = NamespaceId::new(std::str::from_utf8(namespace).ok()?).ok()?;
        Some(Key::new(namespace, SessionId::from_bytes(*id)))
    };
    parse().ok_or_else(|| {
        let source = "the cursor is none that this store has made";
        Failure::because(StoreErrorKind::Other, source)
    })
}

/// A page of the sessions of a subject.
pub(crate) fn by_subject(
    tree: &Tree,
    namespace: NamespaceId,
    subject: &Subject,
    after: Option<SessionId>,
    limit: usize,
    caller: &Caller,
) -> Result<Page, Failure> {
    let Some(folder) = tree.namespace(namespace)? else {
        return Ok(Page::default());
    };
    let mut hints = subjects::list(&folder, subject, after, limit.saturating_add(1))?;
    let has_more = hints.len() > limit;
    if has_more {
        hints.pop_last();
    }
    let mut sessions = Vec::new();
    for id in &hints {
        caller.check()?;
        let key = Key::new(namespace, *id);
        match verify(tree, &folder, &key, subject) {
            Ok(Some(summary)) => sessions.push(summary),
            Ok(None) => {}
            Err(failure) if failure.is_corrupt() => {}
            Err(failure) => return Err(failure),
        }
    }
    let next = hints.last().filter(|_| has_more);
    let next = next.map(|id| cursor(&Key::new(namespace, *id)));
    Ok(Page::new(sessions, next))
}

/// What a record says about a hint; a wrong hint is removed.
fn verify(
    tree: &Tree,
    namespace: &Folder,
    key: &Key,
    subject: &Subject,
) -> Result<Option<Summary>, Failure> {
    let Some(OpenLeaf { folder, .. }) = tree.leaf(&Leaf::of(key))? else {
        // A hint is added after its leaf folder, so somebody has removed that by hand.
        subjects::remove(namespace, subject, key.id);
        return Ok(None);
    };
    let find = || -> Result<Option<Summary>, Failure> {
        let record = read::summary(&folder, key)?;
        let record = record.filter(|record| record.subject.as_ref() == Some(subject));
        Ok(record.map(|record| Summary::new(*key, &record)))
    };
    if let Some(found) = find()? {
        return Ok(Some(found));
    }
    // A login may be about to make the hint right, so judge again under the lock. If that is
    // taken, the hint stays for another time.
    let Ok(Some(_lock)) = Lock::try_take(&folder) else {
        return Ok(None);
    };
    let found = find()?;
    if found.is_none() {
        subjects::remove(namespace, subject, key.id);
    }
    Ok(found)
}

/// A page of all sessions.
pub(crate) fn scan(
    tree: &Tree,
    after: Option<Key>,
    limit: usize,
    caller: &Caller,
) -> Result<Page, Failure> {
    let start = after.as_ref().map(Leaf::of);
    let mut leaves = BTreeSet::new();
    for namespace in tree.namespaces()? {
        if start.is_none_or(|start| namespace >= start.namespace) {
            leaves.append(&mut tree.leaves(namespace)?);
        }
    }
    let mut page = Page::default();
    for leaf in leaves {
        if Some(leaf) < start {
            continue;
        }
        caller.check()?;
        let Some(OpenLeaf { folder, .. }) = tree.leaf(&leaf)? else {
            continue;
        };
        let after = after.filter(|_| Some(leaf) == start).map(|key| key.id);
        let room = limit.saturating_sub(page.sessions.len());
        let ids = subjects::first_ids(&folder, after, room.saturating_add(1))?;
        let has_more = ids.len() > room;
        for id in ids.into_iter().take(room) {
            caller.check()?;
            let key = Key::new(leaf.namespace, id);
            page.next = Some(cursor(&key));
            match read::summary(&folder, &key) {
                Ok(Some(record)) => page.sessions.push(Summary::new(key, &record)),
                Ok(None) => {}
                Err(failure) if failure.is_corrupt() => {}
                Err(failure) => return Err(failure),
            }
        }
        if has_more {
            return Ok(page);
        }
    }
    page.next = None;
    Ok(page)
}
