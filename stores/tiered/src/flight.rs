//! One call of the back for all who miss the same key at the same time.

use std::{
    collections::{HashMap, hash_map::Entry},
    error::Error,
    fmt,
    sync::{Arc, Mutex as StdMutex, MutexGuard as StdMutexGuard, PoisonError},
};

use cloakroom_store::{Key, Loaded, StoreError};
use tokio::sync::Mutex;

use crate::{head::Stamp, marks::bits};

const SHARDS: usize = 16;

/// The flights that are under way.
#[derive(Default)]
pub(crate) struct Flights([Shard; SHARDS]);

// Two cache lines, so that neither a neighbour nor the prefetcher shares the lock.
#[derive(Default)]
#[repr(align(128))]
struct Shard(StdMutex<HashMap<Key, Arc<Flight>>>);

/// A load of the back that several may wait for.
pub(crate) struct Flight {
    /// What was known when it began.
    stamp: Stamp,
    sent: u64,
    /// Whoever has the lock asks the back. If it is given up halfway, the next one gets the lock
    /// and finds no answer here.
    pub(crate) answer: Mutex<Option<Answer>>,
}

pub(crate) type Answer = Result<Option<Loaded>, Arc<StoreError>>;

impl Flights {
    /// Joins the flight of a key or begins one.
    ///
    /// A flight that began before the last change, or `oldest` or longer ago, has no room for
    /// those who come now: its answer may be older than what they may be served.
    pub(crate) fn join(&self, key: Key, stamp: Stamp, now: u64, max_age: u64) -> Seat<'_> {
        let begin = || {
            Arc::new(Flight {
                stamp,
                sent: now,
                answer: Mutex::new(None),
            })
        };
        let flight = match self.shard(&key).entry(key) {
            Entry::Vacant(free) => Arc::clone(free.insert(begin())),
            Entry::Occupied(mut taken) => {
                let flight = taken.get();
                if flight.stamp != stamp || now.saturating_sub(flight.sent) >= max_age {
                    taken.insert(begin());
                }
                Arc::clone(taken.get())
            }
        };
        Seat {
            flights: self,
            key,
            flight,
        }
    }

    fn shard(&self, key: &Key) -> StdMutexGuard<'_, HashMap<Key, Arc<Flight>>> {
        let [first, ..] = &self.0;
        let shard = self.0.get(bits(key) % SHARDS).unwrap_or(first);
        shard.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place on a flight.
pub(crate) struct Seat<'a> {
    flights: &'a Flights,
    key: Key,
    pub(crate) flight: Arc<Flight>,
}

impl Seat<'_> {
    /// Lets nobody join any more. Says whether others are on the flight.
    pub(crate) fn close(&self) -> bool {
        let mut shard = self.flights.shard(&self.key);
        let is_ours = shard
            .get(&self.key)
            .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight));
        if is_ours {
            shard.remove(&self.key);
        }
        // Nobody can get another reference: those who could hold the lock of the shard.
        Arc::strong_count(&self.flight) > 1
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut shard = self.flights.shard(&self.key);
        if let Entry::Occupied(taken) = shard.entry(self.key)
            && Arc::ptr_eq(taken.get(), &self.flight)
            // The map and this seat: the last one has left, and there is no answer.
            && Arc::strong_count(&self.flight) == 2
        {
            taken.remove();
        }
    }
}

/// A failure of the back as everybody on the flight is told it.
pub(crate) fn tell(error: &Arc<StoreError>) -> StoreError {
    let told = StoreError::new(error.kind(), error.operation()).retryable(error.can_retry());
    match error.source() {
        Some(_) => told.with_source(Told(Arc::clone(error))),
        None => told,
    }
}

/// The source of an error that several are told.
#[derive(Debug)]
struct Told(Arc<StoreError>);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .source()
            .map_or(Ok(()), |source| fmt::Display::fmt(source, f))
    }
}

impl Error for Told {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source().and_then(Error::source)
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_store::{NamespaceId, Operation, SessionId, StoreErrorKind};

    use super::*;

    fn key() -> Key {
        let id = SessionId::from_bytes([1; 16]);
        Key::new(NamespaceId::new("cart").unwrap(), id)
    }

    fn stamp(mark: u64) -> Stamp {
        Stamp::from((1, mark))
    }

    impl Flights {
        fn under_way(&self) -> usize {
            self.0
                .iter()
                .map(|shard| shard.0.lock().unwrap().len())
                .sum()
        }
    }

    #[test]
    fn nobody_joins_what_began_before_a_change_or_long_ago() {
        let flights = Flights::default();
        let first = flights.join(key(), stamp(1), 100, 50);
        let joined = |stamp, now| {
            let seat = flights.join(key(), stamp, now, 50);
            Arc::ptr_eq(&seat.flight, &first.flight)
        };
        assert!(joined(stamp(1), 149));
        assert!(!joined(stamp(1), 150));
        let second = flights.join(key(), stamp(1), 150, 50);
        assert!(!Arc::ptr_eq(
            &flights.join(key(), stamp(2), 150, 50).flight,
            &second.flight
        ));
    }

    #[test]
    fn nothing_is_left_of_flights_that_have_ended_or_were_left() {
        let flights = Flights::default();
        let (first, second) = (
            flights.join(key(), stamp(1), 0, 1),
            flights.join(key(), stamp(1), 0, 1),
        );
        drop(first);
        assert_eq!(flights.under_way(), 1);
        drop(second);
        assert_eq!(flights.under_way(), 0);

        let alone = flights.join(key(), stamp(1), 0, 1);
        assert!(!alone.close());
        assert_eq!(flights.under_way(), 0);
        let next = flights.join(key(), stamp(1), 0, 1);
        let other = flights.join(key(), stamp(1), 0, 1);
        drop(alone); // that which has ended leaves the next one alone
        assert_eq!(flights.under_way(), 1);
        assert!(next.close());
        drop((next, other));
        assert_eq!(flights.under_way(), 0);
    }

    #[test]
    fn errors_are_told_whole() {
        let error = StoreError::new(StoreErrorKind::Other, Operation::Load)
            .retryable(true)
            .with_source("bit rot");
        let told = tell(&Arc::new(error));
        assert_eq!(
            (told.kind(), told.operation()),
            (StoreErrorKind::Other, Operation::Load)
        );
        assert!(told.can_retry());
        assert_eq!(told.source().unwrap().to_string(), "bit rot");
        let bare = StoreError::new(StoreErrorKind::Unavailable, Operation::Load);
        assert!(tell(&Arc::new(bare)).source().is_none());
    }
}
