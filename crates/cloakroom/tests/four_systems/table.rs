//! docs/four-systems.md and the tests name each other.

use std::collections::BTreeSet;

const TABLE: &str = include_str!("../../../../docs/four-systems.md");

const TESTS: [&str; 5] = [
    include_str!("beaker.rs"),
    include_str!("pesto.rs"),
    include_str!("pylons.rs"),
    include_str!("pyramid_session_multi.rs"),
    include_str!("tipfy.rs"),
];

const SYSTEMS: [&str; 5] = [
    "beaker",
    "pesto",
    "pylons",
    "pyramid_session_multi",
    "tipfy",
];

/// What stands in the last column of the rows, in backticks.
fn named_by_the_table() -> BTreeSet<&'static str> {
    let rows = TABLE.lines().filter(|line| line.starts_with("| "));
    let last_cells = rows.filter_map(|row| row.trim_end_matches('|').rsplit("| ").next());
    last_cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

/// The functions that a line after `#[test]` or `#[tokio::test..]` begins.
fn tests() -> BTreeSet<&'static str> {
    let lines = TESTS.into_iter().flat_map(|text| {
        let next = text.lines().skip(1);
        text.lines().zip(next)
    });
    let of_tests =
        lines.filter(|(line, _)| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
    of_tests
        .filter_map(|(_, line)| line.split_once("fn ")?.1.split('(').next())
        .collect()
}

#[test]
fn every_row_has_a_test_and_every_test_a_row() {
    assert_eq!(named_by_the_table(), tests());
}

#[test]
fn every_test_says_whose_feature_it_is() {
    let tests = tests();
    assert!(tests.len() > 20, "{tests:?}");
    for name in tests {
        let is_of = |system: &&str| name.starts_with(&format!("{system}_"));
        assert!(SYSTEMS.iter().any(is_of), "{name}");
    }
}
