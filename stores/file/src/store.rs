use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use cloakroom_store::{
    Cursor, Freshness, Key, Loaded, NamespaceId, Operation, Page, Record, Store, StoreError,
    StoreErrorKind, Subject, Tag, Timestamp,
};

use crate::{
    FileStoreBuilder, OpenError, edit,
    error::Failure,
    format,
    layout::Leaf,
    listing,
    pool::{Caller, Turns, run},
    read, sweep,
    tree::{LockedLeaf, OpenLeaf, Tree},
};

/// Keeps each session in a file of its own.
///
/// Cheap to clone; clones are one store. Several stores, in one process or in several, may use
/// one folder at the same time.
///
/// ```
/// use cloakroom_file::FileStore;
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path().join("sessions");
/// let store = FileStore::builder(&dir).max_data_size(64 * 1024).open()?;
/// let other = FileStore::open(&dir)?; // of another process, most likely
/// assert_eq!(store.dir(), other.dir());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FileStore {
    shared: Arc<Shared>,
}

struct Shared {
    tree: Arc<Tree>,
    turns: Turns,
    /// Where the next sweep goes on.
    swept: Mutex<Option<Leaf>>,
}

impl FileStore {
    /// Opens a store with the default settings, and makes its folder (mode 0700) if it is not
    /// there. Blocks for a moment, so call it when the program starts.
    ///
    /// # Errors
    /// As [`FileStoreBuilder::open`].
    ///
    /// ```
    /// use cloakroom_file::FileStore;
    /// # let dir = tempfile::tempdir()?;
    /// # let dir = dir.path().join("sessions");
    /// let store = FileStore::open(&dir)?;
    /// assert!(store.dir().ends_with("sessions"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, OpenError> {
        Self::builder(dir).open()
    }

    /// A store with other settings.
    pub fn builder(dir: impl Into<PathBuf>) -> FileStoreBuilder {
        FileStoreBuilder::new(dir.into())
    }

    /// The folder of the store, as an absolute path.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.shared.tree.dir
    }

    pub(crate) fn new(tree: Tree) -> Self {
        let shared = Shared {
            tree: Arc::new(tree),
            turns: Turns::new(),
            swept: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Runs what changes nothing.
    async fn read<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl FnOnce(&Tree, &Caller) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let tree = Arc::clone(&self.shared.tree);
        run(operation, move |caller| work(&tree, caller)).await
    }

    /// Runs what changes a leaf folder, when it is this caller's turn.
    async fn write<T: Send + 'static>(
        &self,
        operation: Operation,
        leaf: &Leaf,
        work: impl FnOnce(&Tree, &Caller) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.shared.turns.take(leaf).await;
        let tree = Arc::clone(&self.shared.tree);
        let work = move |caller: &Caller| {
            let _turn = turn;
            work(&tree, caller)
        };
        run(operation, work).await
    }

    /// As [`Self::write`], with the lock of a leaf folder; `None` when the folder is not there.
    async fn edit<T: Send + 'static>(
        &self,
        operation: Operation,
        key: &Key,
        work: impl FnOnce(LockedLeaf<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        let leaf = Leaf::of(key);
        let work = move |tree: &Tree, caller: &Caller| {
            let locked = tree.lock_leaf(&leaf, caller)?;
            locked.map(work).transpose()
        };
        self.write(operation, &leaf, work).await
    }

    fn encode(
        &self,
        key: &Key,
        record: &Record,
        operation: Operation,
    ) -> Result<Bytes, StoreError> {
        let too_large = StoreError::new(StoreErrorKind::TooLarge, operation);
        let (size, limit) = (record.data.len(), self.shared.tree.max_data_size);
        if size > limit {
            let source = format!("the record has {size} bytes of data, {limit} are allowed");
            return Err(too_large.with_source(source));
        }
        format::encode(key, record).map_err(|error| too_large.with_source(error))
    }

    fn parse(
        &self,
        cursor: Option<&Cursor>,
        operation: Operation,
    ) -> Result<Option<Key>, StoreError> {
        let key = cursor.map(listing::parse_cursor).transpose();
        key.map_err(|failure| failure.during(operation))
    }

    async fn sweep_leaf(
        &self,
        leaf: Leaf,
        now: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let find = move |tree: &Tree, caller: &Caller| sweep::find(tree, &leaf, now, limit, caller);
        let suspects = self.read(Operation::Sweep, find).await?;
        if suspects.is_empty() {
            return Ok(0);
        }
        let remove =
            move |tree: &Tree, caller: &Caller| sweep::remove(tree, &leaf, &suspects, now, caller);
        self.write(Operation::Sweep, &leaf, remove).await
    }

    fn swept(&self) -> MutexGuard<'_, Option<Leaf>> {
        self.shared
            .swept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for FileStore {
    fn answers_from_copies(&self) -> bool {
        false
    }

    async fn load(&self, key: &Key, _: Freshness) -> Result<Option<Loaded>, StoreError> {
        let key = *key;
        let load = move |tree: &Tree, _: &Caller| {
            let Some(OpenLeaf { folder, .. }) = tree.leaf(&Leaf::of(&key))? else {
                return Ok(None);
            };
            let record = read::record(&folder, &key, tree.max_data_size)?;
            Ok(record.map(Loaded::new))
        };
        self.read(Operation::Load, load).await
    }

    async fn create(&self, key: &Key, record: &Record) -> Result<Tag, StoreError> {
        let content = self.encode(key, record, Operation::Create)?;
        let (key, record, leaf) = (*key, record.clone(), Leaf::of(key));
        let create = move |tree: &Tree, caller: &Caller| {
            let locked = tree.make_leaf(&leaf, caller)?;
            locked.create(&key, &record, &content)
        };
        self.write(Operation::Create, &leaf, create).await?;
        Ok(Tag::NONE)
    }

    async fn replace(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<Tag, StoreError> {
        let content = self.encode(key, record, Operation::Replace)?;
        let (key, record, leaf) = (*key, record.clone(), Leaf::of(key));
        let expected = expected.record.version;
        let replace = move |tree: &Tree, caller: &Caller| {
            let Some(open) = tree.leaf(&leaf)? else {
                return Err(Failure::new(StoreErrorKind::Conflict));
            };
            // A version that is gone stays gone, so who comes too late need not wait for the lock.
            edit::expect(&open.folder, &key, expected)?;
            let locked = tree.lock(open, caller)?;
            locked.replace(&key, &record, &content, expected)
        };
        self.write(Operation::Replace, &leaf, replace).await?;
        Ok(Tag::NONE)
    }

    async fn touch(
        &self,
        key: &Key,
        record: &Record,
        expected: &Loaded,
    ) -> Result<bool, StoreError> {
        let (last_seen, expires) = (record.last_seen, record.expires);
        let (own_key, expected) = (*key, expected.record.version);
        let touch = move |leaf: LockedLeaf<'_>| leaf.touch(&own_key, last_seen, expires, expected);
        let touched = self.edit(Operation::Touch, key, touch).await?;
        Ok(touched.unwrap_or(false))
    }

    async fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        let own_key = *key;
        let delete = move |leaf: LockedLeaf<'_>| leaf.delete(&own_key);
        let deleted = self.edit(Operation::Delete, key, delete).await?;
        Ok(deleted.unwrap_or(false))
    }

    async fn sweep(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
        let namespaces = |tree: &Tree, _: &Caller| tree.namespaces();
        let namespaces = self.read(Operation::Sweep, namespaces).await?;
        let (mut removed, mut failure) = (0, None);
        let mut leaves = Vec::new();
        for namespace in namespaces {
            let list = move |tree: &Tree, _: &Caller| tree.leaves(namespace);
            match self.read(Operation::Sweep, list).await {
                Ok(found) => leaves.extend(found),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let start = *self.swept();
        let start = leaves.partition_point(|leaf| Some(*leaf) < start);
        leaves.rotate_left(start);
        for leaf in leaves {
            // Remembered here, so that a sweep that is dropped halfway has not been in vain.
            *self.swept() = Some(leaf);
            if removed >= limit {
                return Ok(removed);
            }
            match self.sweep_leaf(leaf, now, limit - removed).await {
                Ok(count) => removed += count,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        // A folder that can't be swept does not keep the others from it, but it is reported.
        match failure {
            Some(failure) if removed == 0 => Err(failure),
            _ => Ok(removed),
        }
    }

    async fn by_subject(
        &self,
        namespace: &str,
        subject: &Subject,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let Ok(namespace) = NamespaceId::new(namespace) else {
            return Ok(Page::default());
        };
        let after = self.parse(after, Operation::BySubject)?.map(|key| key.id);
        let subject = subject.clone();
        let list = move |tree: &Tree, caller: &Caller| {
            listing::by_subject(tree, namespace, &subject, after, limit.max(1), caller)
        };
        self.read(Operation::BySubject, list).await
    }

    async fn scan(&self, after: Option<&Cursor>, limit: usize) -> Result<Page, StoreError> {
        let after = self.parse(after, Operation::Scan)?;
        let scan =
            move |tree: &Tree, caller: &Caller| listing::scan(tree, after, limit.max(1), caller);
        self.read(Operation::Scan, scan).await
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = &self.shared.tree;
        f.debug_struct("FileStore")
            .field("dir", &tree.dir)
            .field("fsync", &tree.fsync)
            .field("max_data_size", &tree.max_data_size)
            .finish()
    }
}
