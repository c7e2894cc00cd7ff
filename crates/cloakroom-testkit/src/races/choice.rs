//! Who decides what happens next: a seed, or a search through all possibilities.

use std::fmt;

use crate::SplitMix64;

/// Decides between possibilities.
#[derive(Debug)]
pub(super) enum Choices {
    /// At random, the same for a seed.
    Seeded(SplitMix64),
    /// All possibilities one after the other, depth first: one run per path.
    Enumerated(Path),
}

/// A path through the tree of decisions.
#[derive(Debug, Default)]
pub(super) struct Path {
    /// What was taken, and of how many.
    taken: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    pub(super) const fn seeded(seed: u64) -> Self {
        Self::Seeded(SplitMix64::new(seed))
    }

    /// A number below `count`; 0 when there is only one way.
    pub(super) fn pick(&mut self, count: usize) -> usize {
        match self {
            _ if count < 2 => 0,
            Self::Seeded(random) => {
                let bound = u64::try_from(count).unwrap_or(u64::MAX);
                usize::try_from(random.below(bound)).unwrap_or(0)
            }
            Self::Enumerated(path) => path.pick(count),
        }
    }

    /// Whether something rare happens, one time in `odds`. Never in a search.
    pub(super) fn happens(&mut self, odds: u64) -> bool {
        match self {
            Self::Seeded(random) => random.below(odds) == 0,
            Self::Enumerated(_) => false,
        }
    }
}

impl Path {
    fn pick(&mut self, count: usize) -> usize {
        let at = self.at;
        self.at += 1;
        match self.taken.get(at) {
            Some((taken, _)) => *taken,
            None => {
                self.taken.push((0, count));
                0
            }
        }
    }

    /// Goes to the next path. `false` when all are done.
    pub(super) fn advance(&mut self) -> bool {
        self.at = 0;
        while let Some((taken, count)) = self.taken.pop() {
            if taken + 1 < count {
                self.taken.push((taken + 1, count));
                return true;
            }
        }
        false
    }

    /// Reads what `Display` shows: a path that goes on to the left where it ends.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let taken = text.split('.').filter(|number| !number.is_empty());
        let taken = taken.map(|number| Some((number.parse().ok()?, usize::MAX)));
        Some(Self {
            taken: taken.collect::<Option<_>>()?,
            at: 0,
        })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (taken, _)) in self.taken.iter().enumerate() {
            write!(f, "{}{taken}", if n > 0 { "." } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_takes_every_path_once() {
        let mut paths = Vec::new();
        let mut path = Path::default();
        loop {
            let mut choices = Choices::Enumerated(path);
            // The second decision has as many ways as the first has led to.
            let first = choices.pick(3);
            let second = choices.pick(first + 1);
            paths.push((first, second));
            let Choices::Enumerated(taken) = choices else {
                panic!("it is a search");
            };
            path = taken;
            if !path.advance() {
                break;
            }
        }
        let all = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)];
        assert_eq!(paths, all);
    }

    #[test]
    fn paths_are_read_as_they_are_shown() {
        let mut choices = Choices::Enumerated(Path::parse("2.0.1").unwrap());
        assert_eq!(
            [choices.pick(3), choices.pick(2), choices.pick(2)],
            [2, 0, 1]
        );
        assert_eq!(choices.pick(5), 0);
    }
}
