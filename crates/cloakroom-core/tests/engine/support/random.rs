use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cloakroom_core::{OsRandom, Random, RandomError};

/// A generator that fails while it is broken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Broken(Arc<AtomicBool>);

impl Broken {
    pub(crate) fn set(&self, is_broken: bool) {
        self.0.store(is_broken, Ordering::SeqCst);
    }
}

impl Random for Broken {
    fn fill(&self, target: &mut [u8]) -> Result<(), RandomError> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(RandomError::new()),
            false => OsRandom.fill(target),
        }
    }
}

/// A generator whose first 16-byte draws, the first of which is an id, repeat one value.
#[derive(Debug)]
pub(crate) struct FirstIds {
    repeats: AtomicUsize,
}

impl FirstIds {
    pub(crate) fn repeating(repeats: usize) -> Self {
        Self {
            repeats: AtomicUsize::new(repeats),
        }
    }
}

impl Random for FirstIds {
    fn fill(&self, target: &mut [u8]) -> Result<(), RandomError> {
        let is_left = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        if target.len() == 16 && self.repeats.fetch_update(order, order, is_left).is_ok() {
            target.fill(7);
            return Ok(());
        }
        OsRandom.fill(target)
    }
}

/// A generator that knows one value of 16 bytes, and gives up after a while so that a test ends.
#[derive(Debug)]
pub(crate) struct OneId {
    pub(crate) until: Instant,
}

impl OneId {
    pub(crate) fn for_some_seconds() -> Self {
        Self {
            until: Instant::now() + Duration::from_secs(3),
        }
    }
}

impl Random for OneId {
    fn fill(&self, target: &mut [u8]) -> Result<(), RandomError> {
        if Instant::now() > self.until {
            return Err(RandomError::new());
        }
        match target.len() {
            16 => target.fill(7),
            _ => OsRandom.fill(target)?,
        }
        Ok(())
    }
}
