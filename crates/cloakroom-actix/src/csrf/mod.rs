//! Middleware that refuses what another site may have made a browser send, and an extractor of forms.

mod form;
mod middleware;

pub use form::{CsrfForm, CsrfFormRejection};
pub use middleware::{CsrfMiddleware, CsrfService};
