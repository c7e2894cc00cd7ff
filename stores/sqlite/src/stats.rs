use std::sync::atomic::{AtomicU64, Ordering};

/// What a [`SqliteStore`](crate::SqliteStore) has done since it was opened.
///
/// `changes / commits` says how many changes share a commit, and so a wait for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Calls that change something, and that were carried out; refused ones are among them. A
    /// sweep counts once for each of its batches.
    pub changes: u64,
    /// Transactions that were committed. One that changes no row costs no wait for the disk.
    pub commits: u64,
    /// The most changes that went out in one commit.
    pub largest_commit: u64,
    /// Statements of all kinds, those that begin and end a transaction of several changes too.
    pub statements: u64,
    /// Loads that were answered on the thread of their caller.
    pub loads_inline: u64,
    /// Loads and pages of listings that were answered on the store's own thread.
    pub reads_on_thread: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    changes: AtomicU64,
    commits: AtomicU64,
    largest_commit: AtomicU64,
    statements: AtomicU64,
    loads_inline: AtomicU64,
    reads_on_thread: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> Stats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            changes: get(&self.changes),
            commits: get(&self.commits),
            largest_commit: get(&self.largest_commit),
            statements: get(&self.statements),
            loads_inline: get(&self.loads_inline),
            reads_on_thread: get(&self.reads_on_thread),
        }
    }

    pub(crate) fn statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn commit(&self, changes: usize) {
        let changes = u64::try_from(changes).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.changes.fetch_add(changes, Ordering::Relaxed);
        self.largest_commit.fetch_max(changes, Ordering::Relaxed);
    }

    pub(crate) fn load_inline(&self) {
        self.statement();
        self.loads_inline.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read_on_thread(&self) {
        self.statement();
        self.reads_on_thread.fetch_add(1, Ordering::Relaxed);
    }
}
