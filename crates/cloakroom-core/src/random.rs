use std::{cell::RefCell, error::Error, fmt, fmt::Debug, sync::Arc};

use rand_chacha::{
    ChaCha12Rng,
    rand_core::{Rng, SeedableRng},
};
use zeroize::Zeroizing;

/// Where ids, secrets and nonces come from.
///
/// [`OsRandom`] is the default. Another one is for tests: whoever can predict it can open any
/// session.
///
/// ```
/// use cloakroom_core::{OsRandom, Random};
/// let (mut id, mut other) = ([0; 16], [0; 16]);
/// OsRandom.fill(&mut id)?;
/// OsRandom.fill(&mut other)?;
/// assert_ne!(id, other);
/// # Ok::<(), cloakroom_core::RandomError>(())
/// ```
pub trait Random: Debug + Send + Sync + 'static {
    /// Fills `target` with random bytes.
    ///
    /// # Errors
    /// When there is no randomness to be had. A weaker substitute is never right.
    fn fill(&self, target: &mut [u8]) -> Result<(), RandomError>;
}

/// A cryptographic generator (ChaCha12) per thread, seeded by the operating system and seeded
/// anew every 64 KiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

const RESEED_AFTER: usize = 64 * 1024;

struct Generator {
    chacha: ChaCha12Rng,
    left: usize,
}

thread_local! {
    static GENERATOR: RefCell<Option<Generator>> = const { RefCell::new(None) };
}

impl Random for OsRandom {
    fn fill(&self, target: &mut [u8]) -> Result<(), RandomError> {
        GENERATOR
            .try_with(|cell| {
                let mut slot = cell.try_borrow_mut().map_err(|_| RandomError(None))?;
                let generator = match slot.as_mut() {
                    Some(generator) if generator.left >= target.len() => generator,
                    _ => slot.insert(seeded(target.len())?),
                };
                generator.left -= target.len();
                generator.chacha.fill_bytes(target);
                Ok(())
            })
            .map_err(|_| RandomError(None))?
    }
}

fn seeded(at_least: usize) -> Result<Generator, RandomError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|error| RandomError(Some(error)))?;
    Ok(Generator {
        chacha: ChaCha12Rng::from_seed(*seed),
        left: RESEED_AFTER.max(at_least),
    })
}

impl<R: Random + ?Sized> Random for Arc<R> {
    fn fill(&self, target: &mut [u8]) -> Result<(), RandomError> {
        (**self).fill(target)
    }
}

/// `N` random bytes.
pub(crate) fn bytes<const N: usize>(random: &dyn Random) -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}

/// No random bytes could be had.
#[derive(Debug, Clone, Copy)]
pub struct RandomError(Option<getrandom::Error>);

impl RandomError {
    /// For generators of one's own.
    ///
    /// ```
    /// use cloakroom_core::{Random, RandomError};
    ///
    /// #[derive(Debug)]
    /// struct NoDevice;
    ///
    /// impl Random for NoDevice {
    ///     fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
    ///         Err(RandomError::new())
    ///     }
    /// }
    /// assert!(NoDevice.fill(&mut [0; 16]).is_err());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }
}

impl Default for RandomError {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the random number generator failed")
    }
}

impl Error for RandomError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .as_ref()
            .map(|error| -> &(dyn Error + 'static) { error })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn never_repeats_across_threads_and_seedings() {
        let draw = || -> Vec<[u8; 16]> { (0..10_000).map(|_| bytes(&OsRandom).unwrap()).collect() };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
        let mut seen = HashSet::new();
        for thread in threads {
            for id in thread.join().unwrap() {
                assert!(seen.insert(id));
            }
        }
    }

    #[test]
    fn fills_more_than_one_seeding_gives() {
        let mut large = vec![0; RESEED_AFTER * 2];
        OsRandom.fill(&mut large).unwrap();
        assert!(large.iter().any(|byte| *byte != 0));
    }
}
