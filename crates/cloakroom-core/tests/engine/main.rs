//! The engine through its public API, in one binary: a browser, an application, and the store
//! calls, cookies and events between them.
//!
//! The names say the rules. Where a rule answers a known weakness of another library, the name
//! begins with its CVE.
//!
//! With `CLOAKROOM_TEST_TRACED=1` a tracer listens to every request, and all of it stays true.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod claims;
#[cfg(feature = "client-side")]
mod client_side;
#[cfg(feature = "client-side")]
mod client_side_refusals;
mod config;
mod conflicts;
mod cookies;
mod copies;
mod corrupt;
mod csrf;
mod csrf_checks;
mod csrf_lives;
mod csrf_origins;
mod csrf_races;
mod csrf_table;
mod deadlines;
mod disconnects;
mod duplicates;
mod end_all;
mod ending;
mod error_responses;
mod events;
mod expiry;
mod failures;
mod flash;
mod late;
mod limits;
mod login;
mod nested;
mod opening;
mod peek;
mod privacy;
mod replaced;
mod rotation;
mod rotation_races;
mod runtime;
mod save_modes;
mod saves;
mod streams;
mod subjects;
mod support;
mod sweeper;
mod token;
mod told_once;
mod trace;
mod transports;
mod transports_addresses;
mod transports_config;
mod transports_query;
mod unknown;
mod updates;
mod values;
mod writes;
