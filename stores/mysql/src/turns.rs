//! One write of a key at a time, so that a locked row keeps one connection waiting and not all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cloakroom_store::Key;
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};

/// The keys that are being written, or waited for.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<Key, Arc<Lock<()>>>>);

/// Somebody's turn at a key, or the waiting for it. It is over when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    key: Key,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits until nobody else in this process writes the key.
    pub(crate) async fn wait(&self, key: &Key) -> Turn<'_> {
        let own = Arc::clone(self.map().entry(*key).or_default());
        let mut turn = Turn {
            turns: self,
            key: *key,
            held: None,
        };
        turn.held = Some(own.lock_owned().await);
        turn
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Key, Arc<Lock<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut map = self.turns.map();
        self.held = None;
        // Whoever waits has a share in it; without one it is the map's alone.
        if map
            .get(&self.key)
            .is_some_and(|own| Arc::strong_count(own) == 1)
        {
            map.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_store::{NamespaceId, SessionId};
    use tokio::sync::oneshot;

    use super::*;

    fn key(byte: u8) -> Key {
        let cart = NamespaceId::new("cart").unwrap();
        Key::new(cart, SessionId::from_bytes([byte; 16]))
    }

    #[tokio::test]
    async fn one_at_a_time_for_each_key_and_nothing_stays() {
        let turns = Arc::new(Turns::default());
        let first = turns.wait(&key(1)).await;
        let other = turns.wait(&key(2)).await;
        let (sender, mut receiver) = oneshot::channel();
        let waiting = Arc::clone(&turns);
        let waiting = tokio::spawn(async move {
            let turn = waiting.wait(&key(1)).await;
            sender.send(()).unwrap();
            drop(turn);
        });
        tokio::task::yield_now().await;
        assert!(receiver.try_recv().is_err());
        drop(first);
        waiting.await.unwrap();
        receiver.await.unwrap();
        drop(other);
        assert!(turns.map().is_empty());
    }

    #[tokio::test]
    async fn who_stops_waiting_leaves_nothing() {
        let turns = Turns::default();
        let first = turns.wait(&key(1)).await;
        let two = key(1);
        let mut second = Box::pin(turns.wait(&two));
        tokio::select! {
            biased;
            _ = &mut second => unreachable!(),
            () = std::future::ready(()) => {}
        }
        drop(first);
        drop(second);
        assert!(turns.map().is_empty());
    }
}
