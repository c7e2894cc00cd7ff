//! How many records a sweep removes with one statement: other changes wait for that, and a large
//! record takes as long as a hundred small ones.

use std::time::Duration;

const MOST: usize = 200;

/// A statement that takes less, its commit included, may take more records.
const SHORT: Duration = Duration::from_millis(20);

/// One that takes more has kept others waiting.
const LONG: Duration = Duration::from_millis(40);

#[derive(Debug)]
pub(crate) struct Pace(usize);

impl Pace {
    pub(crate) const fn new() -> Self {
        Self(25)
    }

    pub(crate) fn records(&self, left: usize) -> usize {
        self.0.min(left)
    }

    /// Learns how long the last statement took.
    pub(crate) fn note(&mut self, took: Duration) {
        if took < SHORT {
            self.0 = (self.0 * 2).min(MOST);
        } else if took > LONG {
            self.0 = (self.0 / 2).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_by_how_long_the_last_ones_took() {
        let mut pace = Pace::new();
        let mut after = |millis| {
            pace.note(Duration::from_millis(millis));
            pace.records(1_000)
        };
        assert_eq!(
            [after(1), after(1), after(1), after(1)],
            [50, 100, 200, 200]
        );
        assert_eq!([after(30), after(300), after(300)], [200, 100, 50]);
        let smallest = (0..20).map(|_| after(300)).min();
        assert_eq!((smallest, after(30), after(19)), (Some(1), 1, 2));
        assert_eq!(pace.records(1), 1);
    }
}
