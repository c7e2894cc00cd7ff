//! The keys that a plan names, loaded.

#[cfg(not(feature = "client-side"))]
mod disabled;
#[cfg(feature = "client-side")]
mod enabled;

#[cfg(not(feature = "client-side"))]
pub(crate) use disabled::Rings;
#[cfg(feature = "client-side")]
pub(crate) use enabled::Rings;
