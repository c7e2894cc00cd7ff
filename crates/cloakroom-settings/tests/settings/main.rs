//! Settings as an application has them: texts, files and variables, good and bad.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers are no #[test]"
)]

mod bad;
mod code;
mod docs;
mod files;
mod good;
#[cfg(unix)]
mod keys;
mod paste;
mod stores;
mod table;
#[cfg(all(feature = "redis-tls", feature = "postgres-tls", feature = "mysql-tls"))]
mod tls;

use cloakroom_settings::ConfiguredSessions;

use crate::table::Row;

const BAD: [&[Row]; 8] = [
    bad::names::ROWS,
    bad::values::ROWS,
    bad::engine::ROWS,
    bad::stores::ROWS,
    bad::keys::ROWS,
    bad::ini::ROWS,
    bad::json::ROWS,
    bad::beaker::ROWS,
];

#[test]
fn bad_settings_are_errors_that_say_where_and_what_to_do() {
    BAD.iter().copied().flatten().for_each(Row::check_bad);
}

#[test]
fn bad_variables_are_errors_that_name_them() {
    for row in bad::variables::ROWS {
        row.check_bad(bad::variables::FILE);
    }
}

#[tokio::test]
async fn good_settings_become_what_they_say() {
    for row in good::ROWS {
        let sessions = row.settings().build().await;
        let sessions = sessions.unwrap_or_else(|error| panic!("{}: {error}", row.what));
        let seen = describe(&sessions);
        for expected in row.expected {
            assert!(
                seen.contains(expected),
                "{}: no {expected:?} in {seen}",
                row.what
            );
        }
    }
}

#[test]
fn the_table_is_large_enough() {
    let bad: usize = BAD.iter().map(|rows| rows.len()).sum();
    assert!(bad + bad::variables::ROWS.len() + good::ROWS.len() >= 80);
}

/// All that can be seen of sessions.
fn describe(sessions: &ConfiguredSessions) -> String {
    let namespaces = sessions.manager().namespaces().map(|namespace| {
        format!(
            "{} = {}: {}\n{namespace:?}\n",
            namespace.name(),
            namespace.cookie_name().unwrap_or("no cookie"),
            namespace.cookie_attributes().unwrap_or("no attributes")
        )
    });
    namespaces.collect::<String>() + &format!("{sessions:?}")
}
