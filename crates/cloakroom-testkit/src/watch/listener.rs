use std::{collections::BTreeSet, time::Duration};

use cloakroom_store::{Change, Feed, Key, StoreError};
use tokio::time::{Instant, timeout};

use super::CaseResult;

/// Who hears a feed, and what it was told.
pub(super) struct Listener<F> {
    feed: F,
    keys: BTreeSet<Key>,
    all: bool,
}

/// What came next.
pub(super) enum Next {
    Told(Change),
    Ended(StoreError),
    Silence,
}

impl<F: Feed> Listener<F> {
    pub(super) const fn new(feed: F) -> Self {
        Self {
            feed,
            keys: BTreeSet::new(),
            all: false,
        }
    }

    /// What comes next, within the time in which something has to.
    pub(super) async fn next(&mut self) -> Next {
        let Ok(next) = timeout(F::SILENCE, self.feed.next()).await else {
            return Next::Silence;
        };
        match next {
            Ok(change) => {
                match change {
                    Change::Key(key) => drop(self.keys.insert(key)),
                    Change::Nothing => {}
                    _ => self.all = true,
                }
                Next::Told(change)
            }
            Err(error) => Next::Ended(error),
        }
    }

    /// The same, where the link is whole.
    pub(super) async fn change(&mut self) -> CaseResult<Change> {
        match self.next().await {
            Next::Told(change) => Ok(change),
            Next::Ended(error) => Err(error.into()),
            Next::Silence => Err(format!("the feed said nothing for {:?}", F::SILENCE).into()),
        }
    }

    /// Whether something was told since the last [`forget`](Self::forget) that makes a copy void.
    pub(super) fn has_heard(&self, key: &Key) -> bool {
        self.all || self.keys.contains(key)
    }

    pub(super) const fn has_heard_all(&self) -> bool {
        self.all
    }

    pub(super) fn forget(&mut self) {
        self.keys.clear();
        self.all = false;
    }

    /// Waits until all of these are told.
    pub(super) async fn hears(&mut self, keys: &[Key], bound: Duration) -> CaseResult {
        let deadline = Instant::now() + bound;
        let heard = async {
            while !keys.iter().all(|key| self.has_heard(key)) {
                self.change().await?;
            }
            Ok(())
        };
        match tokio::time::timeout_at(deadline, heard).await {
            Ok(result) => result,
            Err(_) => {
                let missing = keys.iter().filter(|key| !self.has_heard(key)).count();
                let count = keys.len();
                Err(format!("{missing} of {count} keys were not told within {bound:?}").into())
            }
        }
    }

    /// Hears what there is, until the server has answered a question that was asked after now.
    pub(super) async fn settle(&mut self) -> CaseResult {
        let mut answers = 0;
        while answers < 2 {
            if self.change().await? == Change::Nothing {
                answers += 1;
            }
        }
        Ok(())
    }
}
