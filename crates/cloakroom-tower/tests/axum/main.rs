//! The tower layer and the extractors in a real axum router.
#![cfg(feature = "axum")]

mod app;
mod extractors;
mod failures;
mod late_writes;
mod nesting;
mod panics;
mod scheme;
mod websocket;
