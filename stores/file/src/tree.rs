//! The way from the store's folder to a leaf folder.

use std::{
    collections::BTreeSet,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use cloakroom_store::{NamespaceId, StoreErrorKind};

use crate::{
    Fsync, OpenError,
    error::{Failure, Reason},
    folder::{Folder, user},
    layout::Leaf,
    lock::Lock,
    pool::Caller,
};

const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The store's folder and its settings.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) dir: PathBuf,
    pub(crate) fsync: Fsync,
    pub(crate) max_data_size: usize,
}

/// An open leaf folder, and the folder of its namespace.
#[derive(Debug)]
pub(crate) struct OpenLeaf {
    pub(crate) namespace: Folder,
    pub(crate) folder: Folder,
}

/// A leaf folder that no other writer changes.
#[derive(Debug)]
pub(crate) struct LockedLeaf<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) namespace: Folder,
    pub(crate) folder: Folder,
    _lock: Lock,
}

impl Tree {
    /// The folder of a namespace; `None` when there is none yet.
    pub(crate) fn namespace(&self, namespace: NamespaceId) -> Result<Option<Folder>, Failure> {
        // By its path each time: the folder may have been replaced by a backup, or be gone.
        open_root(&self.dir)?.child(namespace.as_str())
    }

    /// A leaf folder; `None` when there is none yet.
    pub(crate) fn leaf(&self, leaf: &Leaf) -> Result<Option<OpenLeaf>, Failure> {
        let Some(namespace) = self.namespace(leaf.namespace)? else {
            return Ok(None);
        };
        let [first, second] = leaf.names();
        let Some(first) = namespace.child(&first)? else {
            return Ok(None);
        };
        let folder = first.child(&second)?;
        Ok(folder.map(|folder| OpenLeaf { namespace, folder }))
    }

    /// A leaf folder, locked; `None` when there is none yet.
    pub(crate) fn lock_leaf(
        &self,
        leaf: &Leaf,
        caller: &Caller,
    ) -> Result<Option<LockedLeaf<'_>>, Failure> {
        let leaf = self.leaf(leaf)?;
        leaf.map(|leaf| self.lock(leaf, caller)).transpose()
    }

    /// A leaf folder, made if need be, and locked.
    pub(crate) fn make_leaf(
        &self,
        leaf: &Leaf,
        caller: &Caller,
    ) -> Result<LockedLeaf<'_>, Failure> {
        if let Some(locked) = self.lock_leaf(leaf, caller)? {
            return Ok(locked);
        }
        caller.check()?;
        let namespace = self.make(&open_root(&self.dir)?, leaf.namespace.as_str())?;
        let [first, second] = leaf.names();
        let first = self.make(&namespace, &first)?;
        let folder = self.make(&first, &second)?;
        self.lock(OpenLeaf { namespace, folder }, caller)
    }

    pub(crate) fn lock(&self, leaf: OpenLeaf, caller: &Caller) -> Result<LockedLeaf<'_>, Failure> {
        let OpenLeaf { namespace, folder } = leaf;
        Ok(LockedLeaf {
            tree: self,
            _lock: Lock::take(&folder, caller)?,
            namespace,
            folder,
        })
    }

    /// A folder in `parent`, made if it is not there, and kept through a loss of power if need be.
    pub(crate) fn make(&self, parent: &Folder, name: &str) -> Result<Folder, Failure> {
        if parent.make_child(name)? && self.fsync == Fsync::FileAndFolder {
            parent.sync()?;
        }
        parent.child(name)?.ok_or_else(|| {
            let source = format!("{name} has been removed meanwhile");
            Failure::because(StoreErrorKind::Unavailable, source)
        })
    }

    /// The leaf folders of a namespace that are there.
    pub(crate) fn leaves(&self, namespace: NamespaceId) -> Result<BTreeSet<Leaf>, Failure> {
        let mut leaves = BTreeSet::new();
        let Some(folder) = self.namespace(namespace)? else {
            return Ok(leaves);
        };
        for upper in folder.names()? {
            let upper = upper?;
            if Leaf::named(namespace, [&upper, "0"]).is_none() {
                continue;
            }
            let Some(folder) = folder.child(&upper)? else {
                continue;
            };
            for lower in folder.names()? {
                leaves.extend(Leaf::named(namespace, [&upper, &lower?]));
            }
        }
        Ok(leaves)
    }

    /// All namespaces that have a folder.
    pub(crate) fn namespaces(&self) -> Result<BTreeSet<NamespaceId>, Failure> {
        let root = open_root(&self.dir)?;
        let mut namespaces = BTreeSet::new();
        for name in root.names()? {
            let name = name?;
            if !root.is_file(&name) {
                namespaces.extend(NamespaceId::new(&name));
            }
        }
        Ok(namespaces)
    }
}

/// Opens the store's folder and checks that nobody else can put anything into it.
pub(crate) fn open_root(dir: &Path) -> Result<Folder, OpenError> {
    let failed = |error| OpenError::new(dir, Reason::Io(error));
    let folder = Folder::open(dir).map_err(failed)?;
    let metadata = folder.metadata().map_err(failed)?;
    let (owner, user) = (metadata.uid(), user());
    if owner != user {
        return Err(OpenError::new(dir, Reason::ForeignOwner { owner, user }));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Err(OpenError::new(dir, Reason::WritableByOthers { mode }));
    }
    Ok(folder)
}
