//! What the four Python systems offer that cloakroom takes up, a test for each, by the name of the
//! system: pyramid_session_multi, Pesto, Beaker (as used from Pylons), Pylons and tipfy.
//! docs/four-systems.md shows the old way and the new one side by side.
#![cfg(all(
    feature = "axum",
    feature = "client-side",
    feature = "file",
    feature = "memory",
    feature = "panel",
    feature = "settings",
    feature = "tiered"
))]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod beaker;
mod pesto;
mod pylons;
mod pyramid_session_multi;
mod support;
mod table;
mod tipfy;
