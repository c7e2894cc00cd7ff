//! All triples of operations, and the names under which they are replayed.

use std::fmt::{self, Write as _};

use super::{operation::Operation, plan::Plan};

/// Three requests on one session, in some circumstances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Triple {
    /// Which of [`Operation::OF_TRIPLES`].
    operations: [usize; 3],
    processes: [usize; 3],
    starts_logged_in: bool,
}

impl Triple {
    /// All triples. The requests are sent at the same time, so the order of their operations makes
    /// no difference but for the process that serves each.
    pub(super) fn all() -> Vec<Self> {
        let count = Operation::OF_TRIPLES.len();
        let mut all = Vec::new();
        for a in 0..count {
            for b in a..count {
                for c in b..count {
                    for processes in [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]] {
                        for starts_logged_in in [false, true] {
                            all.push(Self {
                                operations: [a, b, c],
                                processes,
                                starts_logged_in,
                            });
                        }
                    }
                }
            }
        }
        all
    }

    pub(super) fn plan(&self) -> Plan {
        let operation = |n: usize| Operation::OF_TRIPLES.get(n).copied();
        let operations = self
            .operations
            .map(|n| operation(n).unwrap_or(Operation::Read));
        Plan::triple(operations, self.processes, self.starts_logged_in)
    }

    /// Reads a name such as `04a-010-1`: the operations, from `a` on those after the tenth, the
    /// processes, and whether somebody is logged in.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('-');
        let mut digits = || -> Option<[usize; 3]> {
            let mut digits = parts.next()?.chars();
            let mut digit = || usize::try_from(digits.next()?.to_digit(36)?).ok();
            Some([digit()?, digit()?, digit()?])
        };
        let (operations, processes) = (digits()?, digits()?);
        Some(Self {
            operations,
            processes,
            starts_logged_in: parts.next()? == "1",
        })
    }
}

impl fmt::Display for Triple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([x, y, z], logged_in) = (self.processes, u8::from(self.starts_logged_in));
        for operation in self.operations {
            let digit = u32::try_from(operation).ok();
            let digit = digit.and_then(|digit| char::from_digit(digit, 36));
            f.write_char(digit.unwrap_or('?'))?;
        }
        write!(f, "-{x}{y}{z}-{logged_in}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_364_triples_in_eight_circumstances() {
        assert_eq!(Triple::all().len(), 364 * 8);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for triple in Triple::all() {
            assert_eq!(Triple::parse(&triple.to_string()), Some(triple));
        }
        assert_eq!(Triple::parse("12-010-1"), None);
    }
}
