//! The cookie that carries a token or a sealed session.

mod header;
mod options;

pub(crate) use header::each_value;
pub use options::{Cookie, SameSite};
pub(crate) use options::{CookieSpec, MAX_COOKIE_LENGTH};
