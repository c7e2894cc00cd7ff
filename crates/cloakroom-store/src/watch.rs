use std::{future::Future, time::Duration};

use crate::{Key, Store, StoreError};

/// A store that tells others what has changed in it: what a cache in front of it needs in order to
/// be coherent across processes.
///
/// Not every store can, so it is no part of [`Store`]: whoever needs it asks for this trait. A
/// store that can't does not implement it, rather than pretend.
///
/// # Examples
///
/// A copy is kept current with a feed, and void without one:
///
/// ```
/// use std::{collections::HashMap, time::Duration};
/// use cloakroom_store::{Change, Feed, Key, Loaded, StoreError, Watch};
///
/// async fn follow(store: &impl Watch, copies: &mut HashMap<Key, Loaded>) -> StoreError {
///     let mut feed = match store.watch().await {
///         Ok(feed) => feed,
///         Err(error) => return error,
///     };
///     copies.clear(); // what was loaded before may have changed unnoticed
///     loop {
///         // Longer than `Feed::SILENCE` without a word: a timeout belongs around this.
///         match feed.next().await {
///             Ok(Change::Nothing) => {}
///             Ok(Change::Key(key)) => drop(copies.remove(&key)),
///             Ok(_) => copies.clear(),
///             Err(error) => {
///                 copies.clear();
///                 return error;
///             }
///         }
///     }
/// }
/// ```
pub trait Watch: Store {
    /// What tells the changes.
    type Feed: Feed;

    /// Begins to listen, on a connection of its own.
    ///
    /// Every create, replace, touch and delete of any process that is acknowledged after this has
    /// returned is told by the feed. What expires, or is swept, need not be: a copy of it says by
    /// itself that it has expired.
    ///
    /// # Errors
    /// When the store could not be reached, or can't be listened to; then `Unsupported`. There is
    /// no [`Operation`](crate::Operation) for it: the errors of this and of the feed carry `Load`,
    /// which is what they keep from being answered by a copy.
    fn watch(&self) -> impl Future<Output = Result<Self::Feed, StoreError>> + Send;
}

/// Tells what changes in a store, from [`Watch::watch`].
///
/// What a feed promises:
///
/// - **Nothing is left out.** What it may have missed, because the connection broke, the server
///   dropped messages or its own queue was full, it tells as [`Change::All`] or as an error.
/// - **It is not told before it has happened.** A load of [`Freshness::Latest`] that begins after
///   a change was told sees that change or a later one.
/// - **Silence means that the link is down.** [`next`](Feed::next) returns within
///   [`SILENCE`](Feed::SILENCE), with [`Change::Nothing`] when there is nothing to tell, and it
///   says so only after the server has answered on this very connection: a connection of which the
///   other end is gone without a word is otherwise taken for a quiet one. Whoever listens gives
///   up a feed that is silent for longer.
/// - **Memory is bounded.** Who listens slowly is told [`Change::All`], or an error.
///
/// Changes of the process that listens may be told too, a change may be told several times, and
/// keys may be told under which nothing has changed. The order of changes means nothing.
///
/// [`Freshness::Latest`]: crate::Freshness::Latest
pub trait Feed: Send + 'static {
    /// The longest time that passes until [`next`](Feed::next) returns while the link is up. When
    /// it is down without a sign of it, copies are trusted for so long; a feed asks its server at
    /// least twice in this time.
    const SILENCE: Duration;

    /// Waits for what comes next.
    ///
    /// The future may be dropped, but then the feed has to be dropped too: what was about to be
    /// told may be lost.
    ///
    /// # Errors
    /// The link is down. The feed is of no use any more; [`Watch::watch`] gives another.
    fn next(&mut self) -> impl Future<Output = Result<Change, StoreError>> + Send;
}

/// What a [`Feed`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Change {
    /// The record under this key was created, changed or removed.
    Key(Key),
    /// Any record may have changed. So is everything that a reader does not know.
    All,
    /// Nothing has changed that was not told before; the server has just answered.
    Nothing,
}
