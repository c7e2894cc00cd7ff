//! What is wrong, and what is said of it, to the letter.

pub(crate) mod beaker;
pub(crate) mod engine;
pub(crate) mod ini;
pub(crate) mod json;
pub(crate) mod keys;
pub(crate) mod names;
pub(crate) mod stores;
pub(crate) mod values;
pub(crate) mod variables;
