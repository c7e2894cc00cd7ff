//! What keeps other sites from making a browser send requests of theirs: rules that judge by what
//! the browser says of a request's origin, and tokens that only a page of the application has.

mod check;
mod form;
mod html;
mod origin;
mod pattern;
mod refusal;
mod token;

pub use check::{CsrfCheck, CsrfTokenRules, UnopenedCheck};
pub use form::FormError;
pub(crate) use html::{hidden_field, open_form};
pub use origin::{OriginRules, OriginVerdict};
pub use refusal::CsrfRefusal;
pub(crate) use token::{Purpose, Seed};
