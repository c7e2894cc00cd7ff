//! Everything that a client or a store can send, as functions for the fuzz targets and the
//! property tests. No API.
//!
//! Each takes any bytes, does with them what a request does, and panics when a promise is broken.

#![expect(
    clippy::expect_used,
    reason = "a broken promise is to stop the fuzzer, and what surrounds it can't fail"
)]

#[cfg(feature = "client-side")]
mod addresses;
#[cfg(feature = "client-side")]
mod application;
mod cookies;
mod data;
mod input;
mod journal;
#[cfg(feature = "client-side")]
mod request;
#[cfg(feature = "client-side")]
mod sealed;
#[cfg(feature = "client-side")]
mod stored;

#[cfg(feature = "client-side")]
pub use addresses::addresses;
pub use cookies::{cookie_header, token};
pub use data::envelope;
pub use journal::journal;
#[cfg(feature = "client-side")]
pub use request::request;
#[cfg(feature = "client-side")]
pub use sealed::unseal;
#[cfg(feature = "client-side")]
pub use stored::stored;
